// Tests node's ws against /echo and /chat, with compression and without.
const assert = require('node:assert');
const WebSocket = require('ws');
const address = process.argv[2];

function open(path, options) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://${address}${path}`, ['chat'], options);
    const waiting = [], received = [];
    socket.on('message', (data, isBinary) => {
      const message = isBinary ? data : data.toString();
      waiting.length ? waiting.shift()(message) : received.push(message);
    });
    socket.next = () => (received.length
      ? Promise.resolve(received.shift())
      : new Promise((resolve) => waiting.push(resolve)));
    socket.on('open', () => resolve(socket));
    socket.on('error', reject);
  });
}

const closed = (socket) => new Promise((resolve) => socket.on('close', (code) => resolve(code)));

async function echo(perMessageDeflate) {
  const socket = await open('/echo', { perMessageDeflate });
  assert.equal(socket.protocol, 'chat');
  assert.equal(socket.extensions.includes('permessage-deflate'), Boolean(perMessageDeflate));
  for (const text of [
    '',
    'x',
    'Grüße €𝄞',
    'abc '.repeat(200),
    'z'.repeat(65_535),
    'z'.repeat(65_536),
    'long '.repeat(200_000),
  ]) {
    socket.send(text);
    assert.equal(await socket.next(), text);
  }
  const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7919) & 0xff));
  socket.send(bytes);
  assert.deepEqual(await socket.next(), bytes);
  socket.send('in ', { fin: false });
  socket.ping('between');
  socket.send('three ', { fin: false });
  socket.send('pieces', { fin: true });
  const pong = new Promise((resolve) => socket.once('pong', (data) => resolve(data.toString())));
  assert.equal(await pong, 'between');
  assert.equal(await socket.next(), 'in three pieces');
  const code = closed(socket);
  socket.close(4321, 'bye');
  assert.equal(await code, 4321);
}

async function chat() {
  const [ada, bob] = [await open('/chat'), await open('/chat', { perMessageDeflate: false })];
  const until = async (socket, type) => {
    for (;;) {
      const event = JSON.parse(await socket.next());
      if (event.type === type) return event;
    }
  };
  ada.send('{"type":"hello","name":"WsAda"}');
  bob.send('/nick WsBob');
  await Promise.all([until(ada, 'welcome'), until(bob, 'welcome')]);
  ada.send('/join general');
  bob.send('/join general');
  await Promise.all([until(ada, 'joined'), until(bob, 'joined')]);
  const text = 'compressed for one, plain for the other. '.repeat(30);
  ada.send(JSON.stringify({ type: 'message', channel: 'general', text, id: 1 }));
  assert.equal((await until(bob, 'message')).text, text);
  assert.equal((await until(ada, 'message')).text, text);
  await until(ada, 'ack');
  const codes = [closed(ada), closed(bob)];
  ada.send('/quit');
  bob.close(1000);
  assert.deepEqual(await Promise.all(codes), [1000, 1000]);
}

setTimeout(() => {
  console.log('FAILED  ws: no end within 30 s');
  process.exit(1);
}, 30_000).unref();
Promise.resolve()
  .then(() => echo(true))
  .then(() => echo(false))
  .then(chat)
  .then(() =>
    console.log(`ok      ws ${require('ws/package.json').version}, node ${process.versions.node}`)
  )
  .catch((error) => {
    console.log(`FAILED  ws: ${error.stack}`);
    process.exit(1);
  });

// The connection, with a simulated clock, socket and server.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Connection } from '../../www/connection/connection.js';

let sockets;
class Socket {
  sent = [];
  closed = false;
  constructor() {
    sockets.push(this);
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.closed = true;
  }
  says(event) {
    this.onmessage({ data: JSON.stringify(event) });
  }
  answers(event) {
    this.says({ ...event, id: this.sent.at(-1).id });
  }
  welcomes() {
    this.onopen();
    this.answers({ type: 'welcome' });
  }
  breaks() {
    this.onclose({ code: 1006, reason: '' });
  }
}

let clock; // the monotonic clock; it follows the wall clock except where a test stops it
beforeEach((t) => {
  sockets = [];
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: 1_000_000 });
  clock = t.mock.method(performance, 'now', () => Date.now());
  t.mock.method(Math, 'random', () => 0.9999999);
  globalThis.WebSocket = Socket;
  globalThis.document = { visibilityState: 'visible' };
  globalThis.fetch = async () => {
    throw new Error('unreachable');
  };
});

function connected(t) {
  const on = { events: [], opened: 0, lost: [] };
  const connection = new Connection('ws://localhost/chat', {
    credentials: () => ({ name: 'Ada' }),
    event: (event) => on.events.push(event.type),
    open: () => {
      on.opened += 1;
    },
    lost: (sentence) => on.lost.push(sentence),
    refused: () => {},
  });
  connection.connect();
  sockets.at(-1).welcomes();
  return { connection, on, pass: (ms) => t.mock.timers.tick(ms) };
}

const message = (text) => ({ type: 'message', channel: 'general', text });

test('pauses double until a connection has lasted ten seconds', (t) => {
  const { connection, pass } = connected(t);
  const pauses = [];
  const lose = (after) => {
    pass(after);
    sockets.at(-1).breaks();
    pauses.push(Math.round(connection.pauseLeft() / 1000));
    const count = sockets.length;
    while (sockets.length === count) pass(100);
    sockets.at(-1).welcomes();
  };
  for (const after of [0, 1000, 9000, 9900, 0, 0, 0, 11_000, 0]) lose(after);
  assert.deepEqual(pauses, [1, 2, 4, 8, 16, 30, 30, 1, 2]);
});

test('a message without an answer closes the connection, whatever else arrives', (t) => {
  const { connection, on, pass } = connected(t);
  connection.request(message('x')).catch(() => {});
  for (let second = 0; second < 9; second += 1) {
    pass(1000);
    sockets[0].says({ type: 'presence' });
  }
  assert.equal(connection.stage, 'open');
  pass(2100);
  assert.notEqual(connection.stage, 'open');
  assert.ok(sockets[0].closed);
  assert.equal(on.lost.length, 1);
});

test('other commands wait for an answer as long as anything arrives', (t) => {
  const { connection, pass } = connected(t);
  connection.request({ type: 'join', channel: 'a' }).catch(() => {});
  for (let second = 0; second < 30; second += 1) {
    pass(1000);
    sockets[0].says({ type: 'message' });
  }
  assert.equal(connection.stage, 'open');
  pass(11_100);
  assert.notEqual(connection.stage, 'open');
});

test('commands keep the server’s rate and their order', (t) => {
  const { connection, pass } = connected(t);
  const [socket] = sockets;
  for (const text of ['a', 'b']) connection.request(message(text)).catch(() => {});
  const said = () => socket.sent.filter(({ type }) => type === 'message').map(({ text }) => text);
  const [a, b] = socket.sent.slice(-2);
  socket.says({ type: 'ack', id: a.id });
  socket.says({ type: 'error', code: 'rate_limited', retry_ms: 3000, id: b.id });
  connection.request(message('c')).catch(() => {});
  pass(2900);
  assert.deepEqual(said(), ['a', 'b'], 'no command is sent early');
  pass(500);
  assert.deepEqual(said(), ['a', 'b', 'b', 'c']);
});

test('a returning network or a visible page reconnects at once', (t) => {
  const { connection, pass } = connected(t);
  for (let loss = 0; loss < 4; loss += 1) {
    sockets.at(-1).breaks();
    connection.nudge();
    assert.equal(connection.stage, 'connecting', 'the pause is skipped');
  }
  const hanging = sockets.at(-1);
  connection.nudge();
  assert.equal(sockets.at(-1), hanging, 'a new attempt continues');
  pass(5000);
  connection.nudge();
  assert.notEqual(sockets.at(-1), hanging, 'a hanging attempt is replaced');
  sockets.at(-1).welcomes();
  connection.nudge();
  pass(5100);
  assert.notEqual(connection.stage, 'open', 'a connection without an answer is replaced');
});

test('a machine that slept is noticed by the wall clock', (t) => {
  const { connection, pass } = connected(t);
  const before = sockets[0].sent.length;
  pass(1000);
  assert.equal(sockets[0].sent.length, before);
  const still = Date.now();
  clock.mock.mockImplementation(() => still);
  t.mock.method(Date, 'now', () => still + 600_000);
  pass(1000);
  assert.equal(sockets[0].sent.length, before + 1, 'a probe is sent');
  sockets[0].breaks();
  const pause = connection.pauseLeft();
  t.mock.method(Date, 'now', () => still);
  assert.equal(connection.pauseLeft(), pause, 'a wall clock that is set back extends no pause');
  t.mock.method(Date, 'now', () => still + 1_200_000);
  pass(300);
  assert.equal(connection.stage, 'connecting', 'a pause ends while the machine sleeps');
});

test('the time of a lost connection is reported until it is back', (t) => {
  const { connection, pass } = connected(t);
  assert.equal(connection.downSince, null);
  sockets[0].breaks();
  const since = connection.downSince;
  pass(1500);
  sockets[1].breaks();
  assert.equal(connection.downSince, since, 'a failed attempt belongs to the same outage');
  pass(3000);
  sockets[2].welcomes();
  assert.equal(connection.downSince, null);
});

test('the socket opened during loading is used unless it failed', () => {
  for (const [readyState, url, isUsed] of [
    [0, 'ws://localhost/chat', true],
    [1, 'ws://localhost/chat', true],
    [3, 'ws://localhost/chat', false],
    [1, 'ws://localhost/other/chat', false],
  ]) {
    sockets = [];
    const early = new Socket();
    globalThis.parlorSocket = Object.assign(early, { readyState, url });
    const connection = new Connection('ws://localhost/chat', {
      credentials: () => ({ name: 'Ada' }),
      lost: () => {},
    });
    connection.connect();
    assert.equal(sockets.length, isUsed ? 1 : 2, `state ${readyState} of ${url}`);
    if (isUsed && readyState === 0) early.onopen();
    assert.deepEqual(early.sent.map(({ type }) => type), isUsed ? ['hello'] : []);
    connection.stop(1000);
  }
});

// An echo client: client.cjs bun|undici|ws URL. undici has the WebSocket that is built into node.
// It runs all cases of a server with Autobahn's control paths.
const [kind, url] = process.argv.slice(2);
const Socket = kind === 'bun'
  ? globalThis.WebSocket
  : kind === 'ws'
  ? require('ws')
  : require('undici').WebSocket;

// Resolves with the last message when the connection has failed or ended. undici fires no `close`
// after an opening handshake that fails.
const play = (path, echoes) =>
  new Promise((resolve) => {
    const socket = new Socket(url + path);
    socket.binaryType = 'arraybuffer';
    let last;
    socket.onmessage = ({ data }) => {
      last = data;
      if (echoes) socket.send(data);
      else socket.close();
    };
    socket.onerror = socket.onclose = () => resolve(last);
  });

// node ends when nothing is left to wait for: by then all cases must have been played.
process.exitCode = 1;
(async () => {
  const count = Number(await play('/getCaseCount', false));
  if (!count) throw new Error('no number of cases');
  for (let n = 1; n <= count; n++) await play(`/runCase?case=${n}&agent=${kind}`, true);
  await play(`/updateReports?agent=${kind}`, false);
  process.exit(0);
})();

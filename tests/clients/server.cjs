// An echo server on node's ws, with its default options and compression, or on Bun if Bun runs this
// file. Prints its port, and ends when standard input ends.
if (globalThis.Bun) {
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: (request,
      server) => (server.upgrade(request) ? undefined : new Response('', { status: 426 })),
    websocket: { perMessageDeflate: true, message: (socket, data) => void socket.send(data) },
  });
  console.log(server.port);
} else {
  const { WebSocketServer } = require('ws');
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: true }, () =>
    console.log(server.address().port));
  server.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    socket.on('error', () => {}); // The peer broke a rule; ws has closed the connection by then.
  });
}
process.stdin.resume().on('end', () => process.exit(0));

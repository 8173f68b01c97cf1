// An echo server on node's ws. Prints its port; ends with standard input.
const { WebSocketServer } = require('ws');
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false }, () => console.log(server.address().port));
server.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  socket.on('error', () => {}); // a rule that the peer broke: ws has closed by then
});
process.stdin.resume().on('end', () => process.exit(0));

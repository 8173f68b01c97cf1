// A minimal chat server on `ws`: `hello`, `join`, `message` and `direct` of parlor's protocol. It
// has no history, limits or presence.
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { WebSocketServer } from 'ws';

const http = createServer();
const chat = new WebSocketServer({ noServer: true, perMessageDeflate: false });
const echo = new WebSocketServer({ noServer: true, perMessageDeflate: false });
const users = new Map(), channels = new Map();
let authors = 0;

http.on('upgrade', (request, socket, head) => {
  const server = request.url === '/echo' ? echo : chat;
  server.handleUpgrade(request, socket, head, (ws) => server.emit('connection', ws));
});
echo.on('connection', (ws) => ws.on('message', (data, binary) => ws.send(data, { binary })));
chat.on('connection', (ws) => {
  const own = { name: null, author: 0, channels: new Set() };
  ws.on('error', () => {});
  ws.on('close', () => {
    if (users.get(own.name) === ws) users.delete(own.name);
    for (const channel of own.channels) channel.members.delete(ws);
  });
  ws.on('message', (data) => {
    const request = JSON.parse(data);
    const answer = (event) => ws.send(JSON.stringify(event));
    const { id } = request, at = Date.now();
    switch (request.type) {
      case 'hello':
        if (users.has(request.name))
          return answer({ type: 'error', code: 'name_taken', message: 'that name is taken', id });
        own.name = request.name;
        own.author = ++authors;
        users.set(own.name, ws);
        return answer({
          type: 'welcome',
          id,
          name: own.name,
          author: own.author,
          session: randomUUID(),
          channels: [],
          users: [],
          online: users.size,
          directs: [],
          limits: { text: 4000, message_bytes: 65536 },
          epoch: '0',
          time: at,
          server: 'ws',
        });
      case 'join': {
        let channel = channels.get(request.channel);
        if (!channel) channels.set(request.channel, channel = { members: new Set(), seq: 0 });
        channel.members.add(ws);
        own.channels.add(channel);
        return answer({
          type: 'joined',
          id,
          channel: request.channel,
          seq: channel.seq,
          first: channel.seq + 1,
          members: [own.name],
          count: channel.members.size,
          history: [],
          more: false,
        });
      }
      case 'message': {
        const channel = channels.get(request.channel);
        if (!channel?.members.has(ws))
          return answer({ type: 'error', code: 'not_in_channel', message: 'join first', id });
        const seq = ++channel.seq;
        const event = JSON.stringify({
          type: 'message',
          channel: request.channel,
          from: own.name,
          author: own.author,
          text: request.text,
          seq,
          at,
        });
        for (const member of channel.members) member.send(event);
        if (id !== undefined) answer({ type: 'ack', id, channel: request.channel, seq, at });
        return;
      }
      case 'direct': {
        const to = users.get(request.to);
        if (!to)
          return answer({
            type: 'error',
            code: 'no_such_user',
            message: 'no user has that name',
            id,
          });
        const event = JSON.stringify({
          type: 'direct',
          conversation: [own.name, request.to].sort().join('-'),
          from: own.name,
          author: own.author,
          to: request.to,
          text: request.text,
          seq: 1,
          at,
        });
        for (const one of new Set([ws, to])) one.send(event);
      }
    }
  });
});
http.listen(0, '127.0.0.1', 4096,
  () => console.log(`ws listening on http://127.0.0.1:${http.address().port}`));

// A minimal chat server on Bun, with Bun's own publish and subscribe: `hello`, `join`, `message`
// and `direct` of parlor's protocol. It has no history, limits or presence.
const users = new Map(), seqs = new Map();
let authors = 0;

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch(request, server) {
    const data = { echo: new URL(request.url).pathname === '/echo', name: null, author: 0 };
    if (server.upgrade(request, { data })) return;
    return new Response('', { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    idleTimeout: 0,
    close(ws) {
      if (users.get(ws.data.name) === ws) users.delete(ws.data.name);
    },
    message(ws, data) {
      const own = ws.data;
      if (own.echo) return void ws.send(data);
      const request = JSON.parse(data);
      const answer = (event) => ws.send(JSON.stringify(event));
      const { id } = request, at = Date.now();
      switch (request.type) {
        case 'hello':
          if (users.has(request.name))
            return void answer({
              type: 'error',
              code: 'name_taken',
              message: 'that name is taken',
              id,
            });
          own.name = request.name;
          own.author = ++authors;
          users.set(own.name, ws);
          return void answer({
            type: 'welcome',
            id,
            name: own.name,
            author: own.author,
            session: crypto.randomUUID(),
            channels: [],
            users: [],
            online: users.size,
            directs: [],
            limits: { text: 4000, message_bytes: 65536 },
            epoch: '0',
            time: at,
            server: 'bun',
          });
        case 'join': {
          ws.subscribe(request.channel);
          const seq = seqs.get(request.channel) ?? 0;
          return void answer({
            type: 'joined',
            id,
            channel: request.channel,
            seq,
            first: seq + 1,
            members: [own.name],
            count: server.subscriberCount(request.channel),
            history: [],
            more: false,
          });
        }
        case 'message': {
          if (!ws.isSubscribed(request.channel))
            return void answer({
              type: 'error',
              code: 'not_in_channel',
              message: 'join first',
              id,
            });
          const seq = (seqs.get(request.channel) ?? 0) + 1;
          seqs.set(request.channel, seq);
          server.publish(request.channel, JSON.stringify({
            type: 'message',
            channel: request.channel,
            from: own.name,
            author: own.author,
            text: request.text,
            seq,
            at,
          }));
          if (id !== undefined) answer({ type: 'ack', id, channel: request.channel, seq, at });
          return;
        }
        case 'direct': {
          const to = users.get(request.to);
          if (!to)
            return void answer({
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
    },
  },
});
console.log(`bun listening on http://127.0.0.1:${server.port}`);

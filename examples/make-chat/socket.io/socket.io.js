// socket.io's client interface over one raw WebSocket to parlor, for the page of the Make Chat
// tutorial. Commands wait in a queue until they are answered, across reconnects (docs/protocol.md).
function io(to) {
  const address = new URL(to ? '/chat' : '../chat', new URL(to ?? io.script, io.script));
  const GENERAL = 'general', REGISTRY = 'make-chat'; // its messages are the names of channels
  const hex = (number) => number.toString(16).padStart(8, '0');
  const random = () => hex(Math.floor(Math.random() * 2 ** 32));
  const nextName = (taken) => taken.replace(/\d{0,4}$/, (digits) => Number(digits || 1) + 1);
  const userName = (wanted) => `${wanted}`.trim().replace(/\s+/g, '-') // as parlor allows
    .replace(/[^\p{L}\p{M}\p{N}._-]|^[^\p{L}\p{N}]+/gu, '').slice(0, 28) || 'Guest';
  /** parlor's name of a channel: short, in lower case, with a hash (FNV-1a) of the page's name. */
  const channelOf = (shown) => {
    const words = shown.toLowerCase().match(/[a-z0-9]+/g) ?? ['channel'];
    const step = (hash, letter) => Math.imul(hash ^ letter.codePointAt(0), 0x01000193) >>> 0;
    return `${words.join('-').slice(0, 20)}-${hex([...shown].reduce(step, 0x811c9dc5))}`;
  };
  const once = (event, listener) => on(event, listener, true);
  const socket = { connected: false, id: undefined, on, once, off, emit, connect, disconnect };
  const rooms = new Map(); // parlor's name of a channel → its name on the page, and its messages
  const queue = []; // commands without an answer: { command, done, fail }; the first one is sent
  let listeners = [], lastEmit = Promise.resolve(), current; // current: the room changed to last
  let web = null, isSilent, attempt = 0, timer, ids = 0;
  let name = `guest-${random()}`, session, epoch, users = null;

  function on(event, listener, isOnce = false) {
    listeners.push({ event, listener, isOnce });
    return socket;
  }
  /** Removes a listener, all listeners of an event, or all. */
  function off(event, listener) {
    listeners = listeners.filter((one) => (event ?? one.event) !== one.event
      || (listener ?? one.listener) !== one.listener);
    return socket;
  }
  /** Sends an event. A function as the last argument gets the answer, or `{ error }`. */
  function emit(event, ...given) {
    const ack = typeof given.at(-1) === 'function' ? given.pop() : () => {};
    const fail = ({ message }) => (console.warn(`${event}: ${message}`), { error: message });
    const run = () => commands[event](given[0]);
    lastEmit = lastEmit.then(run).catch(fail).then(ack).catch(console.error);
    return socket;
  }
  function tell(event, value) {
    const told = listeners.filter((one) => one.event === event);
    listeners = listeners.filter((one) => !told.includes(one) || !one.isOnce);
    for (const { listener } of told) listener.call(socket, value);
    return value;
  }
  function connect() {
    if (web) return socket;
    isSilent = false;
    web = new WebSocket(address.href.replace(/^http/, 'ws'), 'chat');
    web.onopen = () => ask({ type: 'hello', name, session }, true).catch(disconnect);
    web.onclose = () => lose('transport close', new Error('websocket error'));
    web.onmessage = ({ data }) => receive(JSON.parse(data));
    return socket;
  }
  function disconnect(error) {
    lose('io client disconnect', error);
    clearTimeout(timer);
    return socket;
  }
  /** Gives the connection up, and connects again after a pause. */
  function lose(reason, error) {
    if (!web) return;
    web.onopen = web.onmessage = web.onclose = null;
    web.close(1000); // the name is free at once
    web = null;
    if (queue[0]?.command.type === 'hello') queue.shift();
    timer = setTimeout(connect, Math.min(5000, 500 * 2 ** attempt++) * (0.5 + Math.random() / 2));
    const [event, value] = socket.connected ? ['disconnect', reason] : ['connect_error', error];
    [socket.connected, socket.id] = [false, undefined];
    if (value) tell(event, value);
  }
  /** Adds a command to the queue. Returns a promise of its answer. */
  function ask(command, isFirst = false) {
    command.id = ids += 1;
    return new Promise((done, fail) => {
      queue.splice(isFirst ? 0 : queue.length, 0, { command, done, fail });
      if (queue.length === 1 || command.type === 'hello') send();
    });
  }
  function send() {
    if (queue[0] && web?.readyState === WebSocket.OPEN) web.send(JSON.stringify(queue[0].command));
  }
  function receive(event) {
    const { type, joined = [event.to], left = [event.from] } = event;
    isSilent = false;
    if (queue[0] && event.id === queue[0].command.id) onAnswer(event);
    if (type === 'presence' || type === 'renamed') {
      setUsers([...[...users].filter((one) => !left.includes(one)), ...joined]);
    } else if (type === 'channels_changed') event.created.forEach((one) => showChannel(one));
    else if (event.channel && event.seq && type !== 'ack' && type !== 'joined') add(event);
  }
  function onAnswer(event) {
    const isLater = /^(rate_limited|storage_failed|slow)$/.test(event.code);
    if (isLater) return setTimeout(send, event.retry_ms ?? 1000);
    if (event.code === 'name_taken') queue[0].command.name = nextName(queue[0].command.name);
    else if (event.type === 'error') queue.shift().fail(new Error(event.message));
    else queue.shift().done(event);
    if (event.type === 'welcome') onWelcome(event);
    send();
  }
  function onWelcome(event) {
    for (const room of epoch === event.epoch ? [] : rooms.values()) { // a history without the past
      room.last = 0;
      if (room.channel === channelOf(`${room.name}`)) ask(entry(room.name));
    }
    joinAll(true);
    ({ name, session, epoch } = event);
    [attempt, socket.connected, socket.id] = [0, true, name];
    setUsers(event.users);
    tell('connect');
    event.channels.forEach((channel) => showChannel(channel.name));
  }
  const joinAll = (isFirst) => rooms.forEach((room) => room.isLoaded && join(room, isFirst));
  /** Joins a channel, and loads the messages that are missing. */
  async function join(room, isFirst) {
    const joined = await ask({ type: 'join', channel: room.channel, since: room.last }, isFirst);
    room.last = Math.max(room.last, joined.first - 1);
    joined.history.forEach(add);
    if (joined.more) return join(room);
    room.isLoaded = true;
    return room;
  }
  /** Joins the channel of a name. If it is new, the name is written into the registry first. */
  async function enter(shown) {
    const known = roomOf(shown);
    const room = known ?? addRoom(channelOf(shown), shown);
    if (!known) await ask(entry(shown));
    return room.isLoaded ? room : join(room);
  }
  const commands = {
    'get online users': () => ask({ type: 'who' }).then(() => tell('get online users', online())),
    'new user': async (wanted) => {
      ({ to: name } = await ask({ type: 'rename', name: userName(wanted) }));
      return socket.id = name;
    },
    'new message': async (data) => {
      const room = current ?? rooms.get(GENERAL);
      const shown = `${data.channel ?? room.name}`;
      // If a channel's name begins like another's, the tutorial's page may write both as one.
      if (!roomOf(shown)) room.alias = shown;
      const { channel } = roomOf(shown) ? await enter(shown) : room;
      await ask({ type: 'message', channel, text: `${data.message}`, nonce: random() + random() });
      return { ...data, sender: name };
    },
    'new channel': async (shown) => {
      if (!roomOf(`${shown}`)) await ask(entry(`${shown}`));
      return commands['user changed channel'](shown);
    },
    'user changed channel': async (shown) => {
      current = await enter(`${shown}`);
      current.alias = undefined;
      return tell('user changed channel', { channel: shown, messages: [...current.messages] });
    },
  };
  /** Adds an event of a channel, if none before it is missing. */
  function add({ type, channel, seq, from, text }) {
    const room = rooms.get(channel);
    if (seq !== room?.last + 1) return;
    room.last = seq;
    if (type !== 'message') return;
    if (channel === REGISTRY) return showChannel(channelOf(text), text);
    const message = { sender: from, message: text };
    const told = current ? { ...message, channel: room.alias ?? room.name } : message;
    room.messages.push(message);
    if (room.isLoaded) tell('new message', told);
  }
  const online = () => Object.fromEntries([...users].map((one) => [one, one]));
  function setUsers(all) {
    const now = new Set(all.filter((one) => !/^guest-[0-9a-f]{8}$/.test(one))); // those with a name
    const old = users ?? now;
    users = now;
    if ([...old].some((one) => !now.has(one))) tell('user has left', online());
    else for (const one of now) if (!old.has(one)) tell('new user', one);
  }
  /** Tells of a channel. If its name ends with a hash, the one for pages is in the registry. */
  function showChannel(channel, shown = channel) {
    if (rooms.has(channel) || (shown === channel && /-[0-9a-f]{8}$/.test(channel))) return;
    addRoom(channel, shown);
    tell('new channel', shown);
  }
  const addRoom = (channel, shown) => rooms
    .set(channel, { channel, name: shown, isLoaded: false, last: 0, messages: [] }).get(channel);
  const roomOf = (shown) => [...rooms.values()].find((room) => room.name === shown);
  const entry = (text) => ({ type: 'message', channel: REGISTRY, text, nonce: channelOf(text) });
  join(addRoom(REGISTRY, null));
  join(addRoom(GENERAL, 'General'));
  // Loads what is missing. A connection that was silent since the last time is dead.
  setInterval(() => {
    if (isSilent) lose('ping timeout', new Error('timeout'));
    isSilent = true;
    if (queue.length === 0) joinAll();
  }, 5000);
  addEventListener('pagehide', () => web?.close(1000));
  return connect();
}
io.connect = io;
io.script = document.currentScript.src;

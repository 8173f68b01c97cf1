// socket.io's client interface over one raw WebSocket, for the page of the Make Chat tutorial on parlor. Commands are sent in
// order, and again after a reconnect with the same nonce; channels are joined from their last message on (docs/protocol.md).
(() => {
  const GENERAL = 'general', REGISTRY = 'make-chat'; // the messages of REGISTRY are the names of channels, as pages wrote them
  const ANSWER_MS = 5000, CHECK_MS = 10_000, LONGEST_PAUSE_MS = 5000;
  const hex = (number) => number.toString(16).padStart(8, '0');
  const random = () => hex(Math.floor(Math.random() * 2 ** 32));
  const isGuest = (name) => /^guest-[0-9a-f]{8}$/.test(name); // a user without a name yet, whom pages don't see
  const nextName = (name) => name.replace(/\d{0,4}$/, (digits) => Number(digits || 1) + 1); // Ada, Ada2, Ada3 …
  /** Removes what a name at parlor can't have. */
  const userName = (name) => `${name}`.trim().replace(/\s+/g, '-').replace(/[^\p{L}\p{M}\p{N}._-]|^[^\p{L}\p{N}]+/gu, '').slice(0, 28) || 'Guest';
  /** parlor's name of a channel: short, in lower case, and by a hash (FNV-1a) a different one for each name. */
  const channelOf = (name) => {
    const hash = [...name].reduce((sum, one) => Math.imul(sum ^ one.codePointAt(0), 0x01000193) >>> 0, 0x811c9dc5);
    return `${(name.toLowerCase().match(/[a-z0-9]+/g) ?? ['channel']).join('-').slice(0, 20)}-${hex(hash)}`;
  };
  const entry = (channel, name) => ({ type: 'message', channel: REGISTRY, text: name, nonce: channel });

  class Socket {
    connected = false; id; // the user's name at the server
    #url; #web = null; #isWanted; #attempt = 0; #timeout; #listeners = [];
    #turn = Promise.resolve(); #waiting = []; // the end of what was emitted so far; what waits for a connection
    #ids = 0; #answers = new Map(); // id of a command → the function that takes its answer
    #name = `guest-${random()}`; #session; #epoch; #users = null; #nonces = random(); #sent = 0;
    #joined = new Map(); #current; #aliases = new Map(); // the channels with their messages; the last one changed to; two names written as one
    #shown = new Map([[GENERAL, 'General'], [REGISTRY, null]]); // channel → its name on this page
    constructor(url) {
      this.#url = url;
      [REGISTRY, GENERAL].forEach((channel) => this.#place(channel));
      setInterval(() => this.#joinAll(), CHECK_MS); // a dead connection shows by a missing answer
      addEventListener('online', () => (this.connected ? this.#joinAll() : this.connect()));
      addEventListener('pagehide', () => this.#web?.close(1000)); // 1000: the name is free at once
      this.connect();
    }
    on(event, listener, once = false) { this.#listeners.push({ event, listener, once }); return this; }
    once(event, listener) { return this.on(event, listener, true); }
    off(event, listener) {
      const stays = (one) => (event ?? one.event) !== one.event || (listener ?? one.listener) !== one.listener;
      this.#listeners = this.#listeners.filter(stays);
      return this;
    }
    /** Sends an event. A function as the last argument gets the answer, or `{ error }`. */
    emit(event, ...given) {
      const ack = typeof given.at(-1) === 'function' ? given.pop() : () => {};
      const fail = ({ message }) => (console.warn(`${event}: ${message}`), { error: message });
      const run = () => this.#ready().then(() => this.#commands[event](given[0])).catch(fail).then(ack);
      this.#turn = this.#turn.then(run).catch(console.error);
      return this;
    }
    #tell(event, value) {
      const told = this.#listeners.filter((one) => one.event === event);
      this.#listeners = this.#listeners.filter((one) => !one.once || one.event !== event);
      for (const { listener } of told) listener.call(this, value);
      return value;
    }
    connect() {
      if (this.#web) return this;
      this.#isWanted = true;
      this.#web = new WebSocket(this.#url, 'chat');
      this.#web.onopen = () => this.#start();
      this.#web.onclose = () => this.#lose('transport close', 'websocket error');
      this.#web.onmessage = ({ data }) => this.#receive(JSON.parse(data));
      this.#expect();
      return this;
    }
    disconnect() { this.#isWanted = false; this.#lose('io client disconnect'); return this; }
    #lose(reason, error) {
      const [web, wasConnected] = [this.#web, this.connected];
      if (!web) return;
      [this.#web, this.connected, this.id] = [null, false, undefined];
      web.onopen = web.onmessage = web.onclose = null;
      web.close(this.#isWanted ? 4000 : 1000);
      this.#answers.forEach((answer) => answer(null));
      this.#answers.clear();
      const pause = Math.min(LONGEST_PAUSE_MS, 500 * 2 ** this.#attempt++) * (0.5 + Math.random() / 2);
      setTimeout(() => this.#isWanted && this.connect(), pause);
      if (wasConnected) this.#tell('disconnect', reason);
      else if (error) this.#tell('connect_error', new Error(error));
    }
    #expect() { clearTimeout(this.#timeout); this.#timeout = setTimeout(() => this.#lose('ping timeout', 'timeout'), ANSWER_MS); }
    async #start() {
      const welcome = await this.#request({ type: 'hello', name: this.#name, session: this.#session });
      if (welcome?.type === 'error') this.#isWanted = false;
      if (welcome?.type !== 'welcome') return this.#lose('', welcome?.message);
      const isOther = this.#epoch && welcome.epoch !== this.#epoch; // a server that has lost its history
      if (isOther) this.#joined.forEach((place) => { place.last = 0; });
      ({ name: this.#name, session: this.#session, epoch: this.#epoch } = welcome);
      this.#setUsers(welcome.users);
      await this.#joinAll();
      if (isOther) for (const [channel, name] of this.#shown) if (channelOf(`${name}`) === channel) await this.#request(entry(channel, name));
      if (!this.#web) return;
      [this.connected, this.id, this.#attempt] = [true, this.#name, 0];
      this.#tell('connect');
      welcome.channels.forEach(({ name }) => this.#showChannel(name));
      this.#waiting.splice(0).forEach((goOn) => goOn());
    }
    async #ready() { if (!this.connected) await new Promise((goOn) => { this.#waiting.push(goOn); }); }
    /** Sends a command. Returns the answer, or null if the connection is lost. */
    async #request(command) {
      for (const web = this.#web; web?.readyState > WebSocket.CONNECTING && web === this.#web;) {
        web.send(JSON.stringify({ ...command, id: this.#ids += 1 }));
        this.#expect();
        const answer = await new Promise((done) => { this.#answers.set(this.#ids, done); });
        const isName = command.name && /^(name_taken|bad_name)$/.test(answer?.code);
        if (isName) command.name = answer.code === 'bad_name' ? 'Guest' : nextName(command.name);
        else if (!/^(rate_limited|storage_failed|slow)$/.test(answer?.code)) return answer;
        await new Promise((over) => { setTimeout(over, answer.retry_ms ?? 100); });
      }
      return null;
    }
    /** Sends a command, over as many connections as it takes. */
    async #ask(command) {
      await this.#ready();
      const answer = await this.#request(command) ?? await this.#ask(command);
      if (answer.type === 'error') throw new Error(answer.message);
      return answer;
    }
    #place(channel) { this.#joined.set(channel, { last: 0, messages: [], isLoaded: false }); }
    async #joinAll() { for (const channel of this.#joined.keys()) await this.#join(channel); }
    /** Joins a channel and loads the messages that are missing. Returns the last answer. */
    async #join(channel) {
      const place = this.#joined.get(channel);
      const joined = await this.#request({ type: 'join', channel, since: place.last });
      if (joined?.type !== 'joined') return joined;
      place.last = Math.max(place.last, joined.first - 1);
      joined.history.forEach((event) => this.#add(event));
      place.isLoaded ||= !joined.more;
      return joined.more ? this.#join(channel) : joined;
    }
    /** Joins the channel of a name. If it is new, the name is written into the registry first. */
    async #enter(name, isOnPage) {
      const channel = [...this.#shown].find(([, shown]) => shown === name)?.[0] ?? channelOf(name);
      const isNew = !this.#shown.has(channel);
      if (isOnPage) this.#shown.set(channel, name);
      if (isNew) await this.#ask(entry(channel, name));
      if (this.#joined.has(channel)) return channel;
      this.#place(channel);
      const answer = await this.#join(channel);
      if (answer?.type === 'error') throw new Error(answer.message);
      return this.#ready().then(() => channel); // if the connection was lost, #start has joined it
    }
    #commands = {
      'get online users': () => this.#tell('get online users', this.#online()),
      'new user': async (name) => (this.#name = this.id = (await this.#ask({ type: 'rename', name: userName(name) })).to),
      'new message': async (data) => {
        // In two channels of which one's name begins like the other's, the tutorial's page writes both names as one. It means
        // the channel to which it changed last.
        const current = this.#current ?? GENERAL;
        const name = `${data.channel ?? this.#shown.get(current)}`;
        const isKnown = [...this.#shown.values()].includes(name);
        if (!isKnown) this.#aliases.set(current, name);
        const [channel, nonce] = [isKnown ? await this.#enter(name) : current, `${this.#nonces}-${this.#sent += 1}`];
        await this.#ask({ type: 'message', channel, text: `${data.message}`, nonce });
        return { ...data, sender: this.#name };
      },
      'new channel': async (name) => this.#commands['user changed channel'](name, await this.#enter(`${name}`)),
      'user changed channel': async (name) => {
        this.#current = await this.#enter(`${name}`, true);
        this.#aliases.delete(this.#current);
        return this.#tell('user changed channel', { channel: name, messages: [...this.#joined.get(this.#current).messages] });
      },
    };
    #receive(event) {
      const { type, channel, joined = [event.to], left = [event.from] } = event;
      this.#answers.get(event.id)?.(event);
      if (this.#answers.delete(event.id) && this.#answers.size === 0) clearTimeout(this.#timeout);
      if (/^(presence|renamed)$/.test(type)) this.#setUsers([...[...this.#users].filter((one) => !left.includes(one)), ...joined]);
      else if (type === 'channels_changed') event.created.forEach((name) => this.#showChannel(name));
      else if (channel && event.seq && type !== 'ack' && type !== 'joined') this.#add(event);
    }
    /** Adds a message, or another event of a channel, if none before it is missing. */
    #add({ type, channel, seq, from, text }) {
      const place = this.#joined.get(channel);
      if (seq !== place?.last + 1) return;
      place.last = seq;
      if (type === 'message' && channel === REGISTRY) this.#showChannel(channelOf(text), text);
      else if (type === 'message') {
        const [message, name] = [{ sender: from, message: text }, this.#aliases.get(channel) ?? this.#shown.get(channel)];
        place.messages.push(message);
        if (place.isLoaded) this.#tell('new message', this.#current ? { ...message, channel: name } : message);
      }
    }
    #online() { return Object.fromEntries([...this.#users].map((name) => [name, name])); }
    #setUsers(names) {
      const old = this.#users ?? new Set(names);
      this.#users = new Set(names.filter((name) => !isGuest(name)));
      if ([...old].some((name) => !this.#users.has(name) && !isGuest(name))) this.#tell('user has left', this.#online());
      else for (const name of this.#users) if (!old.has(name)) this.#tell('new user', name);
    }
    /** Channels that other clients make are not in the registry, and have no other name. */
    #showChannel(channel, name = channel) {
      if (this.#shown.has(channel) || (name === channel && /-[0-9a-f]{8}$/.test(name))) return;
      this.#shown.set(channel, name);
      this.#tell('new channel', name);
    }
  }
  const { src } = document.currentScript;
  globalThis.io = (to) => new Socket(new URL(to ? '/chat' : '../chat', new URL(to ?? src, src)).href.replace(/^http/, 'ws'));
  globalThis.io.connect = globalThis.io;
})();

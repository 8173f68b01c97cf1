// The actions of the user and the events of the server. Connects state, outbox, connection, storage
// and address.
//
// Views call its methods and read its fields; `changed()` is called whenever they have to be
// updated.

import { Connection } from '../connection/connection.js';
import * as protocol from '../connection/protocol.js';
import * as rooms from '../store/room.js';
import * as states from '../store/state.js';
import * as storage from '../store/storage.js';
import * as address from '../texts/address.js';
import * as commands from '../texts/commands.js';
import { t } from '../texts/language.js';
import { alternativeName } from '../texts/names.js';
import { BUILD } from '../views/dom.js';
import { Deletions } from './deletions.js';
import { forget } from './keep.js';
import { Past } from './past.js';
import { ReadMarkers } from './read-markers.js';
import { Sender } from './sender.js';

const TYPING_EVERY_MS = 3000;
const WHO_EVERY_MS = 5000;
/**
 * How often a taken name is retried when resuming: another tab may be about to store its new
 * session.
 */
const MAX_RETRIES = 3;

export class Chat {
  /** out: the sign-in form is shown · entering · in, with or without a connection */
  stage = 'out';
  state = states.create();
  /** The problem with the connection, as a sentence for the user; empty if there is none. */
  problem = '';
  /**
   * Why the name was refused, and another one to offer, or null. Whether the room has a password.
   */
  signInError = null;
  alternative = null;
  needsPassword = false;
  /** The user's name if a proxy in front of the server sets it, or null. */
  fixedName = null;
  /** The notice below the composer: `{ text, bad, lost }`, or null. */
  notice = null;
  name = null;
  markers;
  /**
   * For the composer: `{ quote }`, a text to insert, or `{ edit }`, a message to edit; null if
   * there is nothing.
   */
  composing = null;
  /** People whose messages are hidden in this browser: author → name. */
  ignored = new Map();
  deletions;
  past;
  /**
   * Called with a room, a message of someone else, and whether it was missed while there was no
   * connection.
   */
  heard = () => {};
  /**
   * Called with an event `edited`, `deleted`, `cleared` or `channels_changed` before it is applied,
   * and with a text to search for.
   */
  outdated = () => {};
  searchWanted = () => {};
  /** Whether the server has another page now. */
  isUpdated = false;
  #server = null;
  #changed;
  #confirm;
  #connection;
  #sender;
  #wire = null;
  #password = storage.password.get();
  #session = null;
  #retries = 0;
  #restored = false;
  #typedAt = -Infinity;
  #doubted = null;
  #whoTimer = 0;

  /** `confirm(title, text, yes)` asks the user and resolves to a boolean. */
  constructor(changed, confirm) {
    this.#changed = changed;
    this.#confirm = confirm;
    this.markers = new ReadMarkers(() => this.state, changed);
    this.#connection = new Connection(protocol.chatUrl(document.baseURI), {
      credentials: () => ({
        name: this.name,
        session: (storage.session.get() ?? this.#session)?.session,
        password: this.#password ?? undefined,
        key: storage.ownerKey.get() ?? undefined,
      }),
      event: (event, command) => this.#onEvent(event, command),
      open: () => this.#onOpen(),
      lost: (sentence, code) => this.#onLost(sentence, code),
      trace: (trace) => this.#wire?.trace(trace),
      refused: (error, credentials) => this.#onRefused(error, credentials),
    });
    this.#sender = new Sender({
      state: () => this.state,
      connection: this.#connection,
      ready: () => this.#connection.stage === 'open' && this.stage === 'in',
      changed,
      failed: (error) => this.#fail(error),
    });
    this.past = new Past({
      tell: (...notice) => this.tell(...notice),
      failed: (error) => this.#fail(error),
      changed: () => {
        if (states.openRoom(this.state)) this.#writeAddress('replaceState');
        changed();
      },
      ask: async (command) => {
        const page = await this.#connection.request(command, true);
        states.prepare(this.state, page);
        return page;
      },
    });
    this.deletions = new Deletions({
      changed,
      state: () => this.state,
      request: (command) => this.#connection.request(command),
      notify: (command) => this.#connection.notify(command),
      failed: (error) => this.#fail(error),
    });
    storage.answerForPassword(() => (this.owns ? this.#password : null));
    storage.ignored.onChange(() => this.#readIgnored());
    storage.muted.onChange((keys) => this.#readMuted(keys ?? []));
    storage.hidesJoins.onChange(changed);
    storage.ownerKey.onChange((key) => this.#own(key));
    storage.session.onChange((session) => this.#onSessionElsewhere(session));
  }

  // ── Entering and leaving ──

  /**
   * Resumes the session that the browser keeps, if any: the chat is shown before the server
   * answers.
   */
  begin() {
    this.takeSecrets();
    const known = storage.session.get();
    if (known?.name) {
      this.enter(known.name);
      this.#restore();
      this.focusWanted = true;
    } else this.#askProxy();
  }

  /**
   * Enters without the form if a proxy in front of the server names the user, who can't choose
   * another name then.
   */
  async #askProxy() {
    const answer = await fetch(address.beside('user.json', location.href)).catch(() => null);
    const name = answer?.ok && (await answer.json().catch(() => null))?.name;
    if (!name) return;
    this.fixedName = name;
    if (this.stage === 'out') this.enter(name);
    else this.#changed();
  }

  enter(name, password = null) {
    if (password) this.#password = password;
    Object.assign(this, { name, signInError: null, stage: 'entering' });
    this.state.muted = new Set(storage.muted.get());
    if (this.#connection.stage === 'waiting') this.#connection.nudge();
    else this.#connection.connect();
    this.#changed();
  }

  /**
   * Signs out: other users see it at once, and this browser forgets the session. Asks first if
   * unsent texts would be lost.
   */
  async quit() {
    const loses = this.#sender.outbox.length > 0 || storage.drafts.get().length > 0;
    if (loses && !await this.#confirm(t.chat.leaveTitle, t.chat.leaveLoses, t.chat.leave)) return;
    this.deletions.hurry();
    storage.forget();
    this.#signOut();
  }

  /**
   * Takes the owner's key and the room's password from the address, and removes them from it.
   * Returns whether there were any.
   */
  takeSecrets() {
    const found = address.secrets(location.hash);
    if (!found) return false;
    const room = states.openRoom(this.state);
    history.replaceState(history.state, '',
      location.pathname + location.search + (room ? address.of(room) : ''));
    if (found.password) this.#password = found.password;
    if (found.owner) storage.ownerKey.set(found.owner);
    if (this.stage === 'in') this.#own();
    return true;
  }

  async rename(name) {
    await this.#connection.request(protocol.rename(name));
  }

  /** The messages for a room that the server hasn't confirmed. */
  pending(room) {
    return this.#sender.pending(room);
  }

  /** Since when there is no connection, by `performance.now()`; null if there is one. */
  get downSince() {
    return this.#connection.downSince;
  }

  /** Milliseconds until the next attempt to connect. */
  pauseLeft() {
    return this.#connection.pauseLeft();
  }

  /** The network changed, the page became visible, or the user wants to try now. */
  nudge() {
    this.#connection.nudge();
    this.markers.update();
  }

  // ── Rooms ──

  /**
   * Opens a room. `focus`: moves the keyboard to the composer · `fromAddress`: the address is
   * already right · `replace`: the room replaces the current entry of the browser's history.
   */
  open(room, { focus = false, fromAddress = false, replace = false } = {}) {
    if (room.key !== this.state.open) this.hush();
    const loading = states.open(this.state, room);
    if (!fromAddress) this.#writeAddress(replace ? 'replaceState' : 'pushState');
    this.markers.update();
    this.focusWanted = focus;
    if (room.online === null && room.conversation && this.state.users.has(room.name)) {
      // A user with this name came online. Only `welcome` says whether it is the same person.
      this.#doubted = room.name;
      this.#sender.lost();
      this.#connection.restart();
    }
    for (const command of loading) this.#ask(command);
    this.#changed();
  }

  /** Opens the room that the address names, or the home channel. */
  openAddress() {
    const { state } = this;
    const { kind, name, seq } = address.parse(location.hash) ?? {};
    if (kind === 'person') {
      const known = history.state?.conversation
        && states.conversationRoom(state, history.state.conversation);
      return this.open(known || states.personRoom(state, name), { fromAddress: true });
    }
    if (!kind) return this.open(states.channelRoom(state, states.HOME), { replace: true });
    if (!state.wanted.has(name) && !state.channels.has(name)) return this.#openUnknown(name, seq);
    const room = states.channelRoom(state, name);
    this.open(room, { fromAddress: true });
    if (seq === undefined) this.past.leave(room);
    else if (seq !== room.target?.seq) this.past.jump(room, seq);
    return undefined;
  }

  /** Follows a link of a message to a channel, or to a message in one. */
  follow(hash) {
    history.pushState(null, '', hash);
    states.openRoom(this.state).target = null;
    this.openAddress();
  }

  /** Opens the room of a message, at this message. */
  show(message) {
    const { state } = this;
    const room = message.channel !== undefined
      ? states.channelRoom(state, message.channel)
      : states.rememberedConversation(state, message.conversation,
        this.isMine(message) ? message.to : message.from);
    this.past.jump(room, message.seq, true);
    this.open(room);
  }

  /**
   * A channel that isn't listed may have a history, or another spelling; if the server doesn't know
   * it, asks before creating it.
   */
  async #openUnknown(name, seq) {
    const { state } = this;
    try {
      const { channel } = await this.#connection.request(
        protocol.history({ channel: name }, { limit: 1 }),
      );
      const room = states.channelRoom(state, channel);
      if (seq !== undefined) this.past.jump(room, seq);
      return this.open(room, { replace: true });
    } catch (error) {
      const isUnknown = error.code === 'no_such_channel';
      this.open((isUnknown && states.openRoom(state)) || states.channelRoom(state, states.HOME), {
        replace: true,
      });
      if (!isUnknown) return this.#fail(error);
      if (!await this.#confirm(t.chat.createTitle, t.chat.unknownChannel(name), t.chat.create))
        return undefined;
      return this.enterChannel(name).catch((refused) => this.#fail(refused));
    }
  }

  /** Joins a channel, created if there is none, and opens it. Rejects with the server's error. */
  async enterChannel(name) {
    const { channel } = await this.#connection.request(protocol.join(name));
    this.open(states.channelRoom(this.state, channel), { focus: true });
  }

  /**
   * Asks for the number of members of all channels. The server reports changes only to the members.
   */
  countMembers() {
    return this.#ask(protocol.channels());
  }

  /** The user has seen the list of channels: none of them is new now. */
  sawChannels() {
    this.state.newChannels.clear();
    this.#keepSeen();
    this.#changed();
  }

  #keepSeen() {
    const { epoch, channels, newChannels } = this.state;
    storage.seenChannels.set({
      epoch,
      names: [...channels.keys()].filter((name) => !newChannels.has(name)),
    });
  }

  /** Channels that were created while the user was away are new, too; on a first visit none is. */
  #noteNewChannels() {
    const { state } = this;
    const { epoch, names = [] } = storage.seenChannels.get() ?? {};
    state.newChannels = new Set(
      epoch === state.epoch
        ? [...state.channels.keys()].filter((name) =>
          !names.includes(name) && !state.wanted.has(name)
        )
        : [],
    );
    this.#keepSeen();
  }

  leaveChannel(name) {
    return this.#ask(protocol.leave(name));
  }

  /** Loads earlier messages of the open room; false if there are none. */
  older(limit) {
    const room = states.openRoom(this.state);
    if (room?.past) return void this.past.older(room, limit);
    const loading = room ? states.older(room) : [];
    for (const command of loading) this.#ask({ ...command, limit });
    return loading.length > 0;
  }

  // ── Writing ──

  isMine(message) {
    return states.isMine(this.state, message);
  }

  /**
   * Sends a text or runs a command. Returns false if it can't be done and the text should stay in
   * the composer.
   */
  submit(typed) {
    const room = states.openRoom(this.state);
    if (!room) return false;
    this.hush();
    const line = commands.parse(typed);
    switch (line.does) {
      case 'say':
        return this.#post(room, line.text, line.action);
      case 'wrong':
        return this.tell(line.sentence, true);
      case 'help':
        return this.tell(commands.help());
      case 'rename':
        this.rename(line.name).catch((error) => this.#renameFailed(error, line.name));
        break;
      case 'join':
        this.enterChannel(line.channel).catch((error) => this.#fail(error));
        break;
      case 'leave':
        return this.#leave(room, line.channel);
      case 'who':
        this.#list(protocol.who(line.channel ?? (room.kind === 'channel' ? room.name : undefined)));
        break;
      case 'channels':
        this.#list(protocol.channels());
        break;
      case 'history':
        return this.older(line.limit ?? undefined) || this.tell(t.chat.noEarlier);
      case 'quit':
        this.quit();
        break;
      case 'send':
        this.#run(room, line.command);
        break;
      case 'direct': {
        const partner = states.personRoom(this.state, line.to);
        const posted = this.#post(partner, line.text);
        if (posted) this.open(partner, { focus: true });
        return posted;
      }
    }
    return true;
  }

  /**
   * By how much a text exceeds the server's limits: `{ unit, length, most, over }`; over is
   * negative if it fits.
   */
  excess(room, text, action) {
    const { text: most, message_bytes: mostBytes } = this.state.limits;
    const bytes = protocol.sentBytes(room, text, action);
    if (bytes > mostBytes)
      return { unit: 'byte', length: bytes, most: mostBytes, over: bytes - mostBytes };
    const length = protocol.characters(text);
    return { unit: 'character', length, most, over: length - most };
  }

  retry(nonce) {
    this.#sender.retry(nonce);
  }

  discard(nonce) {
    const room = this.#sender.discard(nonce);
    const isEmpty = room?.kind === 'person' && room.conversation === null && !room.pinned
      && !this.state.users.has(room.name);
    if (isEmpty && room.key === this.state.open)
      this.open(states.channelRoom(this.state, states.HOME), { replace: true });
    if (isEmpty) this.state.rooms.delete(room.key);
  }

  // ── Changing messages and channels; the owner ──

  /** Whether this page has the owner's rights. */
  get owns() {
    return this.state.owner !== null;
  }

  /** Sends a command and shows an error. Resolves to the answer, or null. */
  async send(command) {
    try {
      return await this.#connection.request(command);
    } catch (error) {
      this.#fail(error);
      return null;
    }
  }

  /**
   * Runs a typed command of the protocol: for the open room if it names none, and after a question
   * if it can't be undone.
   */
  #run(room, command) {
    const { type } = command;
    const isHere = !command.channel && ['writing', 'pin', 'edit', 'delete', 'react'].includes(type);
    if (type === 'own') return this.#own(command.key);
    if (type === 'delete' && rooms.find(room, command.seq))
      return this.deletions.add(room, command.seq);
    if (type === 'search') return this.searchWanted(command.text);
    if (type === 'clear') return this.clear(command.channel || room.name);
    if (type === 'remove_channel') return this.removeChannel(command.channel);
    return this.send({ ...command, ...(isHere && protocol.target(room)) });
  }

  async clear(channel) {
    if (await this.#confirm(t.owner.clearTitle(channel), t.owner.clearText, t.owner.clear))
      this.send({ type: 'clear', channel });
  }

  async removeChannel(channel) {
    const sure = await this.#confirm(t.owner.removeTitle(channel), t.owner.removeText,
      t.owner.remove);
    if (sure) this.send({ type: 'remove_channel', channel });
  }

  /** Changes the text of an own message. Resolves to whether it was changed. */
  async edit(room, seq, typed) {
    const text = protocol.printable(typed);
    if (!this.#fits(room, text)) return false;
    return await this.send({ type: 'edit', ...protocol.target(room), seq, text }) !== null;
  }

  react(room, { seq, reactions = [] }, emoji) {
    const on = !reactions.some((one) => one.emoji === emoji && one.mine);
    return this.send({ type: 'react', ...protocol.target(room), seq, emoji, on });
  }

  /** Hides the messages of a person in this browser, or shows them again. */
  ignore(author, name, on) {
    if (on) this.ignored.set(author, name);
    else this.ignored.delete(author);
    storage.ignored.set({ epoch: this.state.epoch, people: Object.fromEntries(this.ignored) });
    this.#changed();
  }

  /**
   * Mutes a channel in this browser: only a mention is shown as unread, and there are no
   * notifications.
   */
  mute(room, on) {
    const keys = storage.muted.get().filter((key) => key !== room.key);
    storage.muted.set(on ? [...keys, room.key] : keys);
    this.#readMuted(storage.muted.get());
  }

  #readMuted(keys) {
    this.state.muted = new Set(keys);
    this.#changed();
  }

  get hidesJoins() {
    return storage.hidesJoins.get() === true;
  }

  /** Hides the notes about who joined and left, in this browser. */
  hideJoins(on) {
    storage.hidesJoins.set(on || null);
    this.#changed();
  }

  /** Marks everything as read. */
  readAll() {
    this.markers.readAll();
    this.#changed();
  }

  #readIgnored() {
    const { epoch, people = {} } = storage.ignored.get() ?? {};
    this.ignored = new Map(
      epoch === this.state.epoch
        ? Object.entries(people).map(([author, name]) => [Number(author), name])
        : [],
    );
    this.#changed();
  }

  /** Puts a quote of a message, or a message to edit, into the composer. */
  compose(content) {
    this.composing = content;
    this.focusWanted = true;
    this.#changed();
  }

  /** Searches the channels and one's own conversations. Rejects with the server's error. */
  search(question) {
    return this.#connection.request({ type: 'search', ...question });
  }

  /** Claims the chat with a key, or with the one that the browser keeps. Null gives it up. */
  async #own(key = storage.ownerKey.get() ?? undefined) {
    if (key === undefined || this.stage !== 'in') return;
    try {
      await this.#connection.request({ type: 'own', key });
      storage.ownerKey.set(key);
      storage.password.set(key && this.#password);
    } catch (error) {
      if (error.code === 'bad_key') storage.ownerKey.set(null);
      if (error.code !== 'lost') this.#fail(error);
    }
  }

  disown() {
    return this.#own(null);
  }

  /** Sends `typing`, at most every few seconds. */
  typing() {
    const room = states.openRoom(this.state);
    const target = room && protocol.target(room);
    if (!target || performance.now() - this.#typedAt < TYPING_EVERY_MS) return;
    this.#typedAt = performance.now();
    this.#connection.notify(protocol.typing(target));
  }

  /** Shows a notice below the composer. Returns false if it is an error. */
  tell(text, bad = false, lost = false) {
    this.notice = { text, bad, lost };
    this.#changed();
    return !bad;
  }

  /** Removes the notice. */
  hush() {
    if (this.notice === null) return;
    this.notice = null;
    this.#changed();
  }

  #fail(error) {
    return this.tell(error.message, true, error.code === 'lost');
  }

  #post(room, typed, action) {
    const text = protocol.printable(typed);
    if (action && room.kind === 'person') return this.tell(t.chat.onlyInChannels, true);
    if (!this.#fits(room, text, action)) return false;
    this.past.leave(room);
    this.#typedAt = -Infinity; // the next text is another one
    this.#sender.post(room, text, action);
    return true;
  }

  /** Whether the server will accept a text; if not, shows why. */
  #fits(room, text, action) {
    if (text.trim() === '') return this.tell(t.chat.nothingToSend, true);
    const { unit, length, most, over } = this.excess(room, text, action);
    return over <= 0
      || this.tell((unit === 'byte' ? t.chat.tooLarge : t.chat.tooLong)(most, length), true);
  }

  #leave(room, named) {
    const name = named ?? (room.kind === 'channel' ? room.name : null);
    if (name === null) return this.tell(t.chat.notInChannel, true);
    if (name.toLowerCase() === states.HOME)
      return this.tell(t.chat.cantLeaveHome(states.HOME), true);
    this.leaveChannel(name);
    return true;
  }

  #renameFailed(error, name) {
    const other = alternativeName(name, error.code);
    if (other) this.tell(t.chat.tryName(error.message, other), true);
    else this.#fail(error);
  }

  /** Shows an answer that is a list of names. */
  async #list(command) {
    try {
      const { channel, users, channels, count } = await this.#connection.request(command);
      const names = users ?? channels.map(({ name, members }) => `#${name} (${members})`);
      const title = !users
        ? t.chat.channels
        : channel === undefined
        ? t.chat.online
        : t.chat.inChannel(channel);
      this.tell(t.chat.list(title, names, (count ?? names.length) - names.length));
    } catch (error) {
      this.#fail(error);
    }
  }

  // ── The wire view ──

  /**
   * Sends every frame from now on to `wire.trace(trace)`, and to `wire.note(sentence)` why there is
   * none. Null ends it.
   */
  watchWire(wire) {
    this.#wire = wire;
    if (!wire) this.#connection.setTraced(false);
    this.#requestTrace();
  }

  /** Traces a new connection from its opening handshake on. */
  traceHandshake() {
    this.#connection.setTraced(true);
  }

  #requestTrace() {
    this.#connection.request({ type: 'trace', on: this.#wire !== null })
      .catch((error) =>
        this.#wire?.note(error.code === 'unknown_type' ? t.chat.wireOff : error.message)
      );
  }

  // ── Events ──

  #onEvent(event, command) {
    const { state } = this;
    if (event.type === 'welcome') this.#onWelcome(event);
    const wanted = [...state.wanted].join();
    if (['edited', 'deleted', 'cleared', 'channels_changed'].includes(event.type))
      this.outdated(event);
    const commands = states.apply(state, event, command, Date.now());
    this.#sender.onEvent(event, (message) => this.isMine(message));
    const room = protocol.carriesText(event) && !this.isMine(event)
      ? states.roomOf(state, event)
      : null;
    if (room && this.ignored.has(event.author)) room.silent.add(event.seq);
    else if (room && state.muted.has(room.key)) { /* it is there, and that is all */ }
    else if (room) this.heard(room, event);
    for (const [room, message] of state.missed.splice(0))
      if (!this.ignored.has(message.author) && !state.muted.has(room.key))
        this.heard(room, message, true);
    if ([...state.wanted].join() !== wanted) storage.channels.set([...state.wanted]);
    if (event.type === 'welcome') {
      this.#readIgnored();
      this.#noteNewChannels();
    }
    if (event.type === 'welcome' || event.type === 'renamed') this.#keepSession();
    for (const next of commands) this.#ask(next);
    if (state.staleUsers) this.#refreshUsers();
    if (states.openRoom(state)) {
      this.past.resolve(states.openRoom(state));
      this.#writeAddress('replaceState');
    }
    if (event.type === 'muted' && event.user === state.me.name)
      this.tell(event.until > 0 ? t.owner.youAreMuted : t.owner.youMayWrite);
    if (this.stage === 'in') this.markers.update(); // before that, what is new wasn't shown yet
    this.#sender.flush();
  }

  #onWelcome(event) {
    const { state } = this;
    this.#server ??= event.server;
    this.isUpdated = protocol.isUpdated(event.server, this.#server, BUILD);
    if (this.isUpdated) forget();
    if (event.name_fixed) this.fixedName = event.name;
    if (state.epoch !== null && state.epoch !== event.epoch) this.tell(t.chat.restarted);
    if (state.me !== null) return;
    this.markers.restore(event.epoch);
    for (const name of storage.channels.get()) state.wanted.add(name);
  }

  #keepSession() {
    const { name, session } = this.state.me;
    this.name = name;
    this.#session = { name, session };
    const stored = storage.session.get();
    if (stored?.name !== name || stored.session !== session) storage.session.set(this.#session);
  }

  #onOpen() {
    const isFirst = this.stage !== 'in';
    Object.assign(this, { stage: 'in', problem: '', signInError: null, needsPassword: false });
    this.#retries = 0;
    if (this.notice?.lost) this.hush();
    if (isFirst) {
      this.#restore();
      // The name may belong to a user with whom there is a conversation.
      if (!states.openRoom(this.state) || address.parse(location.hash)?.kind === 'person')
        this.openAddress();
      this.focusWanted = true;
    }
    if (this.#wire) this.#requestTrace();
    this.#own();
    this.deletions.flush();
    const doubted = this.#doubted;
    this.#doubted = null;
    if (doubted !== null && states.openRoom(this.state)?.name === doubted) {
      const room = states.personRoom(this.state, doubted);
      if (room.key !== this.state.open) this.open(room, { replace: true, focus: true });
    }
    this.#sender.flush();
  }

  /** Restores the open room and the outbox from the address and from what the browser keeps. */
  #restore() {
    if (this.#restored) return;
    this.#restored = true;
    for (const name of storage.channels.get()) this.state.wanted.add(name);
    this.#sender.restore();
    const named = address.parse(location.hash);
    const conversation = history.state?.conversation;
    if (named?.kind === 'person' && conversation)
      states.rememberedConversation(this.state, conversation, named.name);
    // Before the server answers, only known rooms can be opened.
    const isKnown = named?.kind === 'person'
      ? conversation
      : !named || this.state.wanted.has(named.name);
    if (this.stage === 'in' || isKnown) this.openAddress();
  }

  #onLost(sentence, code) {
    this.#sender.lost(protocol.isRejection(code));
    this.problem = sentence;
    this.#changed();
  }

  /** The server refused the name. */
  #onRefused(error, { name, session }) {
    const stored = storage.session.get();
    const isNew = stored !== null && stored.session !== session;
    if (error.code === 'name_taken' && (isNew || (session && this.#retries < MAX_RETRIES))) {
      // Another tab of the same person may have got a new session just now.
      this.#retries += 1;
      setTimeout(() => this.stage !== 'out' && this.#connection.connect(),
        isNew ? 0 : 200 * 2 ** this.#retries);
      return undefined;
    }
    this.#retries = 0;
    if (error.code === 'bad_key') {
      storage.ownerKey.set(null);
      this.#fail(error);
      return this.#connection.connect();
    }
    if (error.code === 'bad_password') this.#password = null;
    const alternative = alternativeName(name, error.code);
    const asks = ['password_needed', 'bad_password'].includes(error.code)
      || (this.needsPassword && error.code === 'rate_limited');
    Object.assign(this, {
      stage: 'out',
      problem: '',
      signInError: error.message,
      alternative,
      needsPassword: asks,
    });
    if (this.fixedName === null) this.#askProxy();
    return this.#changed();
  }

  /** Another tab entered or left. */
  #onSessionElsewhere(session) {
    if (session === null && (this.stage === 'in' || this.#restored)) this.#signOut();
    else if (session?.name && this.stage === 'out') this.enter(session.name);
  }

  #signOut() {
    this.#connection.stop(1000);
    this.#sender.clear();
    Object.assign(this, {
      stage: 'out',
      state: states.create(),
      problem: '',
      signInError: null,
      notice: null,
      name: null,
    });
    this.#session = this.#password = null;
    storage.password.set(null); // of this tab, also if another one left
    this.#restored = false;
    history.replaceState(null, '', location.pathname + location.search);
    this.#changed();
  }

  /**
   * Requests the list of users, which is known to be incomplete: after a random delay, and not too
   * often.
   */
  #refreshUsers() {
    this.#whoTimer ||= setTimeout(async () => {
      await this.#ask(protocol.who());
      setTimeout(() => {
        this.#whoTimer = 0;
      }, WHO_EVERY_MS);
    }, 300 + Math.random() * 1200);
  }

  /** Sends a command of the page's own and shows what fails. */
  async #ask(command) {
    try {
      await this.#connection.request(command);
    } catch (error) {
      if (error.code !== 'lost' || command.type === 'leave') this.#fail(error);
      const room = states.openRoom(this.state);
      if (error.code === 'lost' || command.type !== 'join' || room?.key !== `#${command.channel}`)
        return;
      if (room.joined || room.name === states.HOME) return;
      this.state.rooms.delete(room.key);
      this.open(states.channelRoom(this.state, states.HOME), { replace: true });
      this.tell(t.chat.cantOpen(command.channel, error.message), true);
    }
  }

  /** Writes the open room into the address. */
  #writeAddress(method) {
    const room = states.openRoom(this.state);
    const hash = address.of(room, room.target?.seq);
    const conversation = room.conversation ?? null;
    const isSame = hash === location.hash && (history.state?.conversation ?? null) === conversation;
    if (!isSame) history[method]({ conversation }, '', hash);
  }
}

// What a person can do, and what happens then: the one place where state, outbox, connection, storage and address meet.
//
// Not here: how any of them works, and how anything looks. `changed()` is called whenever something is to be shown anew.

import * as address from '../texts/address.js';
import { Connection } from '../connection/connection.js';
import * as lines from '../texts/commands.js';
import { characters, printable } from '../texts/limits.js';
import { Marks } from './read-markers.js';
import { proposal } from '../texts/alternative-name.js';
import * as say from '../connection/protocol.js';
import { Sender } from './sender.js';
import * as states from '../store/state.js';
import * as storage from '../store/storage.js';

const TYPING_EVERY_MS = 3000;
const WHO_EVERY_MS = 5000;
/** How often a taken name is tried again at the door: another tab may just be storing the session that it was given. */
const TRIES = 3;

export class Chat {
  /** `door`: a name is asked for · `entering` · `in`, with or without a connection */
  stage = 'door';
  state = states.create();
  /** What is wrong with the connection, for a person; empty when all is well. */
  problem = '';
  /** Why the name was not taken. */
  doorError = null;
  /** Another name, where it is taken. */
  proposal = null;
  /** What stands beside the composer: `{ text, bad }`. */
  notice = null;
  name = null;
  /** How far the reader has read. */
  marks;
  /** Called with a place, a message that somebody else said in it, and whether it was said while there was no connection. */
  heard = () => {};
  #changed; #connection; #sender; #kept = null; #tries = 0; #typedAt = -Infinity; #takenUp = false; #doubted = null; #whoTimer = 0; #wire = null;

  constructor(changed) {
    this.#changed = changed;
    this.marks = new Marks(() => this.state, changed);
    this.#connection = new Connection(say.chatUrl(document.baseURI), {
      credentials: () => ({ name: this.name, session: (storage.session() ?? this.#kept)?.session }),
      event: (event, asked) => this.#event(event, asked),
      open: () => this.#entered(),
      lost: (sentence) => this.#lost(sentence),
      trace: (trace) => this.#wire?.told(trace),
      refused: (error, credentials) => this.#refused(error, credentials),
    });
    this.#sender = new Sender({
      state: () => this.state,
      connection: this.#connection,
      ready: () => this.#connection.stage === 'open' && this.stage === 'in',
      changed,
      failed: (sentence) => this.tell(sentence, true),
    });
    storage.onSession((session) => this.#sessionElsewhere(session));
  }

  /** The wire view: `wire.told(trace)` gets every frame of the connection from now on, `wire.note(sentence)` why none comes. Null ends it. */
  watchWire(wire) {
    this.#wire = wire;
    if (!wire) this.#connection.traced(false);
    this.#watch();
  }

  /** The wire view, from the opening handshake on: of a new connection. */
  wireFromHandshake() {
    this.#connection.traced(true);
  }

  #watch() {
    const on = this.#wire !== null;
    this.#connection.request({ type: 'trace', on }).catch((error) => this.#wire?.note(
      error.code === 'unknown_type' ? 'This server has its wire view turned off (--no-trace).' : error.message));
  }

  /** Takes up the session that the browser remembers, if it does; with what was open and not sent yet, before the server answers. */
  begin() {
    const known = storage.session();
    if (!known?.name) return;
    this.enter(known.name);
    this.#takeUp();
  }

  /** What is not sent yet. */
  get outbox() {
    return this.#sender.outbox;
  }

  /** Since when there is no connection, by `performance.now()`, or null; and how long the next attempt is away, in milliseconds. */
  get downSince() {
    return this.#connection.downSince;
  }

  pauseLeft() {
    return this.#connection.pauseLeft();
  }

  enter(name) {
    Object.assign(this, { name, doorError: null, stage: 'entering' });
    if (this.#connection.stage === 'waiting') this.#connection.nudge();
    else this.#connection.connect();
    this.#changed();
  }

  /** Leaves for good: at once for the others, and this browser forgets who it was. */
  quit() {
    storage.forget();
    this.#out();
  }

  /** The network came or went, or the page is looked at again. */
  nudge() {
    this.#connection.nudge();
    this.marks.look();
  }

  tryNow() {
    this.#connection.nudge();
  }

  // ── Places ──

  /** Opens a place. `how.focus` asks for the keyboard; `how.walk` is true where the address is there already. */
  open(place, how = {}) {
    if (place.key !== this.state.open) this.hush();
    const commands = states.open(this.state, place);
    if (!how.walk) this.#walk(how.instead ? 'replaceState' : 'pushState');
    this.marks.look();
    this.focusWanted = how.focus === true;
    if (place.online === null && place.conversation && this.state.users.has(place.name)) this.#ascertain(place.name);
    for (const command of commands) this.#ask(command);
    this.#changed();
  }

  /** Somebody came back under a name: the same one, or a stranger? Only `welcome` says, so it is asked for. */
  #ascertain(name) {
    this.#doubted = name;
    this.#sender.lost();
    this.#connection.again();
  }

  /** Opens what the address names; `general` where it names nothing. */
  openAddress() {
    const { state } = this;
    const named = address.parse(location.hash);
    const known = history.state?.conversation && states.conversationPlace(state, history.state.conversation);
    if (known && named?.kind === 'person') return this.open(known, { walk: true });
    if (named?.kind === 'person') return this.open(states.personPlace(state, named.name), { walk: true });
    this.open(states.channelPlace(state, named?.name ?? states.HOME), named ? { walk: true } : { instead: true });
  }

  /** Joins a channel, made where there is none, and opens it. Fails with the server's error. */
  async enterChannel(name) {
    const { channel } = await this.#connection.request(say.join(name));
    this.open(states.channelPlace(this.state, channel), { focus: true });
  }

  leaveChannel(name) {
    return this.#ask(say.leave(name));
  }

  /** Asks for earlier messages of the open place; false where there are none. */
  older(limit) {
    const place = states.openPlace(this.state);
    const commands = place ? states.older(place) : [];
    for (const command of commands) this.#ask({ ...command, limit });
    return commands.length > 0;
  }

  // ── Writing ──

  isMine(message) {
    return states.isMine(this.state, message);
  }

  /** Does what was typed. False where it can't be done: then the text should stay. */
  say(typed) {
    const place = states.openPlace(this.state);
    if (!place) return false;
    this.hush();
    const line = lines.parse(typed);
    switch (line.does) {
      case 'say': return this.#post(place, line.text, line.action);
      case 'wrong': return this.tell(line.sentence, true);
      case 'help': return this.tell(lines.HELP);
      case 'rename': this.#rename(line.name); break;
      case 'join': this.enterChannel(line.channel).catch((error) => this.tell(error.message, true)); break;
      case 'leave': return this.#leave(place, line.channel);
      case 'who': this.#list(say.who(line.channel ?? (place.kind === 'channel' ? place.name : undefined))); break;
      case 'channels': this.#list(say.channels()); break;
      case 'history': return this.older(line.limit ?? undefined) || this.tell('There are no earlier messages here.');
      case 'quit': this.quit(); break;
      case 'direct': {
        const partner = states.personPlace(this.state, line.to);
        const posted = this.#post(partner, line.text);
        if (posted) this.open(partner, { focus: true });
        return posted;
      }
    }
    return true;
  }

  retry(nonce) {
    this.#sender.retry(nonce);
  }

  discard(nonce) {
    this.#sender.discard(nonce);
  }

  /** Tells the others there that something is being written; not with every key. */
  typing() {
    const place = states.openPlace(this.state);
    const where = place && say.where(place);
    if (!where || performance.now() - this.#typedAt < TYPING_EVERY_MS) return;
    this.#typedAt = performance.now();
    this.#connection.tell(say.typing(where));
  }

  /** Nothing is to be said beside the composer any more. */
  hush() {
    if (this.notice === null) return;
    this.notice = null;
    this.#changed();
  }

  // ── What comes from the server ──

  #event(event, asked) {
    const { state } = this;
    if (event.type === 'welcome') this.#welcomed(event);
    const joined = [...state.wanted].join();
    const commands = states.apply(state, event, asked, Date.now());
    this.#sender.seen(event, (message) => this.isMine(message));
    if (say.carriesText(event) && !this.isMine(event)) this.#heard(event);
    for (const [place, message] of state.missed.splice(0)) this.heard(place, message, true);
    if ([...state.wanted].join() !== joined) storage.keepChannels([...state.wanted]);
    if (event.type === 'welcome' || event.type === 'renamed') this.#keepSession();
    for (const command of commands) this.#ask(command);
    if (state.staleUsers) this.#who();
    if (states.openPlace(state)) this.#walk('replaceState');
    if (this.stage === 'in') this.marks.look(); // before that, what is open was not yet shown as what is new
    this.#sender.pump();
  }

  #heard(message) {
    const place = message.type === 'direct' ? states.conversationPlace(this.state, message.conversation)
      : this.state.places.get(`#${message.channel}`);
    if (place) this.heard(place, message);
  }

  #welcomed(event) {
    const { state } = this;
    if (state.epoch !== null && state.epoch !== event.epoch) {
      this.tell('The server was started anew, and does not know any more what was said before.');
    }
    if (state.me !== null) return;
    this.marks.take(event.epoch);
    for (const name of storage.channels()) state.wanted.add(name);
  }

  #keepSession() {
    const { name, session } = this.state.me;
    this.name = name;
    this.#kept = { name, session };
    const stored = storage.session();
    if (stored?.name !== name || stored.session !== session) storage.keepSession(this.#kept);
  }

  #entered() {
    const firstTime = this.stage !== 'in';
    Object.assign(this, { stage: 'in', problem: '', doorError: null });
    this.#tries = 0;
    if (firstTime) {
      this.#takeUp();
      // A person may turn out to be one with whom there is a conversation.
      if (!states.openPlace(this.state) || address.parse(location.hash)?.kind === 'person') this.openAddress();
      this.focusWanted = true;
    }
    if (this.#wire) this.#watch();
    const doubted = this.#doubted;
    this.#doubted = null;
    if (doubted !== null && states.openPlace(this.state)?.name === doubted) {
      const place = states.personPlace(this.state, doubted);
      if (place.key !== this.state.open) this.open(place, { instead: true, focus: true });
    }
    this.#sender.pump();
  }

  /** The open place and the outbox, from the address and what the browser kept. */
  #takeUp() {
    if (this.#takenUp) return;
    this.#takenUp = true;
    for (const name of storage.channels()) this.state.wanted.add(name);
    this.#sender.takeUp();
    const named = address.parse(location.hash);
    const conversation = history.state?.conversation;
    if (named?.kind === 'person' && conversation) states.heldConversation(this.state, conversation, named.name);
    if (this.stage === 'in' || conversation || named?.kind !== 'person') this.openAddress();
  }

  #lost(sentence) {
    this.#sender.lost();
    this.problem = sentence;
    this.#changed();
  }

  /** The server did not take the name. */
  #refused(error, credentials) {
    const stored = storage.session();
    const another = stored !== null && stored.session !== credentials.session;
    if (error.code === 'name_taken' && (another || (credentials.session && this.#tries < TRIES))) {
      // A tab of the same person may have been given a new session just now.
      this.#tries += 1;
      setTimeout(() => this.stage !== 'door' && this.#connection.connect(), another ? 0 : 200 * 2 ** this.#tries);
      return;
    }
    this.#tries = 0;
    Object.assign(this, { stage: 'door', problem: '', doorError: error.message, proposal: proposed(error, credentials.name) });
    this.#changed();
  }

  #sessionElsewhere(session) {
    if (session === null && (this.stage === 'in' || this.#takenUp)) this.#out();
    else if (session?.name && this.stage === 'door') this.enter(session.name);
  }

  #out() {
    this.#connection.stop(1000);
    this.#sender.clear();
    Object.assign(this, { stage: 'door', state: states.create(), problem: '', doorError: null, notice: null, name: null });
    this.#kept = null;
    this.#takenUp = false;
    history.replaceState(null, '', location.pathname + location.search);
    this.#changed();
  }

  /** The list of users is known to be incomplete: it is asked for, but not by all pages at once and not all the time. */
  #who() {
    this.#whoTimer ||= setTimeout(async () => {
      await this.#ask(say.who());
      setTimeout(() => { this.#whoTimer = 0; }, WHO_EVERY_MS);
    }, 300 + Math.random() * 1200);
  }

  // ── What goes to the server ──

  /** Asks for something. What fails is told, and leaves nothing half open. */
  async #ask(command) {
    try {
      await this.#connection.request(command);
    } catch (error) {
      if (error.code === 'lost') {
        if (command.type === 'leave') this.tell(error.message, true);
        return;
      }
      this.tell(error.message, true);
      const place = states.openPlace(this.state);
      if (command.type === 'join' && place?.key === `#${command.channel}` && !place.joined && place.name !== states.HOME) {
        this.state.places.delete(place.key);
        this.open(states.channelPlace(this.state, states.HOME), { instead: true });
        this.tell(`#${command.channel} can’t be opened: ${error.message}`, true);
      }
    }
  }

  #leave(place, named) {
    const name = named ?? (place.kind === 'channel' ? place.name : null);
    if (name === null) return this.tell('This is no channel: /leave needs its name here.', true);
    if (name.toLowerCase() === states.HOME) return this.tell(`Everybody is in #${states.HOME}. To leave the chat as a whole, type /quit.`, true);
    this.leaveChannel(name);
    return true;
  }

  async #rename(name) {
    try {
      await this.#connection.request(say.rename(name));
    } catch (error) {
      const other = proposed(error, name);
      this.tell(other ? `${sentence(error.message)} How about ${other}? /nick ${other}` : error.message, true);
    }
  }

  /** Shows an answer that is a list of names. */
  async #list(command) {
    try {
      const { channel, users, channels, count } = await this.#connection.request(command);
      const names = users ?? channels.map(({ name, members }) => `#${name} (${members})`);
      const where = !users ? 'Channels' : channel === undefined ? 'Online' : `In #${channel}`;
      const rest = (count ?? names.length) - names.length;
      this.tell(`${where}: ${names.join(', ') || 'nobody'}${rest > 0 ? `, and ${rest} others` : ''}`);
    } catch (error) {
      this.tell(error.message, true);
    }
  }

  #post(place, typed, action) {
    const text = printable(typed);
    const most = this.state.limits.text;
    const count = characters(text);
    if (text.trim() === '') return this.tell('There is nothing to send.', true);
    if (count > most) return this.tell(`A text has at most ${most} characters; this one has ${count}.`, true);
    if (action && place.kind === 'person') return this.tell('In private there is no /me: it is for channels.', true);
    this.#typedAt = -Infinity; // what comes next is another text
    this.#sender.post(place, text, action);
    return true;
  }

  /** Writes the open place into the address. */
  #walk(method) {
    const place = states.openPlace(this.state);
    const hash = address.of(place);
    const entry = { conversation: place.conversation ?? null };
    const same = hash === location.hash && (history.state?.conversation ?? null) === entry.conversation;
    if (!same) history[method](entry, '', hash);
  }

  /** Shows a sentence beside the composer. Returns false where it is a bad one: what was asked for was not done. */
  tell(text, bad = false) {
    this.notice = { text, bad };
    this.#changed();
    return !bad;
  }
}

const sentence = (text) => text.replace(/[^.!?]$/, '$&.');
const proposed = (error, name) => (error.code === 'name_taken' ? proposal(name) : null);

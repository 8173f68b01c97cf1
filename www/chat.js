// What a person can do, and what happens then: the one place where state, outbox, connection, storage and address meet.
//
// Not here: how any of them works, and how anything looks. `changed()` is called whenever something is to be shown anew.

import * as address from './address.js';
import { Connection } from './connection.js';
import * as lines from './lines.js';
import { Marks } from './marks.js';
import * as outbox from './outbox.js';
import * as say from './protocol.js';
import * as states from './state.js';
import * as storage from './storage.js';

const TYPING_EVERY_MS = 3000;
const WHO_EVERY_MS = 5000;
/** How often a taken name is tried again at the door: another tab may just be storing the session that it was given. */
const TRIES = 3;

export class Chat {
  /** `door`: a name is asked for · `entering` · `in`, with or without a connection */
  stage = 'door';
  state = states.create();
  outbox = [];
  /** What is wrong with the connection, for a person; empty when all is well. */
  problem = '';
  /** Why the name was not taken. */
  doorError = null;
  /** What stands beside the composer: `{ text, bad }`. */
  notice = null;
  name = null;
  /** How far the reader has read. */
  marks;
  #changed; #connection; #kept = null; #tries = 0; #typedAt = -Infinity; #doubted = null; #whoTimer = 0;

  constructor(changed) {
    this.#changed = changed;
    this.marks = new Marks(() => this.state, changed);
    this.#connection = new Connection(say.chatUrl(document.baseURI), {
      credentials: () => ({ name: this.name, session: (storage.session() ?? this.#kept)?.session }),
      event: (event, asked) => this.#event(event, asked),
      open: () => this.#entered(),
      lost: (sentence) => this.#lost(sentence),
      refused: (error, credentials) => this.#refused(error, credentials),
      slow: () => this.outbox.some(({ stage }) => stage === 'sending')
        && this.#tell('The server asks for a slower pace; your message goes out in a moment.'),
    });
    storage.onSession((session) => this.#sessionElsewhere(session));
  }

  /** Takes up the session that the browser remembers, if it does. */
  begin() {
    const known = storage.session();
    if (known?.name) this.enter(known.name);
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
    outbox.lost(this.outbox);
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

  older() {
    const place = states.openPlace(this.state);
    for (const command of place ? states.older(place) : []) this.#ask(command);
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
      case 'wrong': return this.#tell(line.sentence, true);
      case 'help': this.#tell(lines.HELP); break;
      case 'rename': this.#ask(say.rename(line.name)); break;
      case 'join': this.enterChannel(line.channel).catch((error) => this.#tell(error.message, true)); break;
      case 'leave': return this.#leave(place, line.channel);
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
    const entry = this.outbox.find((one) => one.nonce === nonce);
    outbox.retry(this.outbox, nonce, this.state.places.get(entry?.key)?.conversation ?? null);
    this.#pump();
  }

  discard(nonce) {
    outbox.settle(this.outbox, nonce);
    this.#pump();
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
    for (const [from, to] of state.merged.splice(0)) outbox.move(this.outbox, from, to);
    for (const message of event.history ?? event.messages ?? [event]) {
      if (message.nonce && this.isMine(message)) outbox.settle(this.outbox, message.nonce);
    }
    if ([...state.wanted].join() !== joined) storage.keepChannels([...state.wanted]);
    if (event.type === 'welcome' || event.type === 'renamed') this.#keepSession();
    for (const command of commands) this.#ask(command);
    if (state.staleUsers) this.#who();
    if (states.openPlace(state)) this.#walk('replaceState');
    this.marks.look();
    this.#pump();
  }

  #welcomed(event) {
    const { state } = this;
    if (state.epoch !== null && state.epoch !== event.epoch) {
      this.#tell('The server was started anew, and does not know any more what was said before.');
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
      this.#unpack(storage.outbox());
      this.openAddress();
      this.focusWanted = true;
    }
    const doubted = this.#doubted;
    this.#doubted = null;
    if (doubted !== null && states.openPlace(this.state)?.name === doubted) {
      const place = states.personPlace(this.state, doubted);
      if (place.key !== this.state.open) this.open(place, { instead: true, focus: true });
    }
    this.#pump();
  }

  #lost(sentence) {
    outbox.lost(this.outbox);
    this.problem = `${sentence} Trying again…`;
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
    Object.assign(this, { stage: 'door', problem: '', doorError: error.message });
    this.#changed();
  }

  #sessionElsewhere(session) {
    if (session === null && this.stage === 'in') this.#out();
    else if (session?.name && this.stage === 'door') this.enter(session.name);
  }

  #out() {
    this.#connection.stop(1000);
    Object.assign(this, { stage: 'door', state: states.create(), outbox: [], problem: '', doorError: null, notice: null, name: null });
    this.#kept = null;
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
        if (command.type === 'rename' || command.type === 'leave') this.#tell(error.message, true);
        return;
      }
      this.#tell(error.message, true);
      const place = states.openPlace(this.state);
      if (command.type === 'join' && place?.key === `#${command.channel}` && !place.joined && place.name !== states.HOME) {
        this.state.places.delete(place.key);
        this.open(states.channelPlace(this.state, states.HOME), { instead: true });
        this.#tell(`#${command.channel} can’t be opened: ${error.message}`, true);
      }
    }
  }

  #leave(place, named) {
    const name = named ?? (place.kind === 'channel' ? place.name : null);
    if (name === null) return this.#tell('This is no channel: /leave needs its name here.', true);
    this.leaveChannel(name);
    return true;
  }

  #post(place, text, action) {
    const most = this.state.limits.text;
    const count = say.characters(text);
    if (text.trim() === '') return this.#tell('There is nothing to send.', true);
    if (count > most) return this.#tell(`A text has at most ${most} characters; this one has ${count}.`, true);
    if (action && place.kind === 'person') return this.#tell('/me is for channels.', true);
    place.pinned = true;
    place.activity = ++this.state.activity;
    outbox.add(this.outbox, { nonce: nonce(), key: place.key, conversation: place.conversation ?? null, text, action, at: Date.now() });
    this.#pump();
    return true;
  }

  /** Sends what can be sent. */
  #pump() {
    const { places } = this.state;
    const entry = this.#connection.stage !== 'open' || this.stage !== 'in' ? null : outbox.next(this.outbox, ({ key }) => {
      const place = places.get(key);
      return place && (place.kind === 'person' || place.joined);
    });
    if (entry) this.#deliver(entry, places.get(entry.key));
    storage.keepOutbox(this.#packed());
    this.#changed();
  }

  async #deliver(entry, place) {
    const { nonce, text, action, conversation } = entry;
    if (place.kind === 'person' && conversation !== null && conversation !== place.conversation) {
      // What was meant for one person never goes to another who has the name now.
      outbox.fail(this.outbox, nonce, 'the server does not know this conversation any more.');
      return this.#pump();
    }
    entry.stage = 'sending';
    this.#typedAt = -Infinity; // what comes next is another text
    const to = place.conversation === null ? { to: place.name } : { conversation: place.conversation };
    try {
      await this.#connection.request(place.kind === 'channel' ? say.message(place.name, text, nonce, action) : say.direct(to, text, nonce));
      outbox.settle(this.outbox, nonce);
    } catch (error) {
      if (error.code === 'lost') return undefined;
      outbox.fail(this.outbox, nonce, error.message);
      this.#tell(error.message, true);
    }
    return this.#pump();
  }

  /** The outbox in a form that outlives the page: a place's key does not. */
  #packed() {
    return this.outbox.map((entry) => {
      const { kind, name, conversation = null } = this.state.places.get(entry.key) ?? {};
      return { ...entry, place: { kind, name, conversation } };
    }).filter(({ place }) => place.kind);
  }

  #unpack(packed) {
    for (const { place: { kind, name, conversation }, ...entry } of packed) {
      const place = kind === 'channel' ? states.channelPlace(this.state, name)
        : (conversation && states.conversationPlace(this.state, conversation)) || states.draft(this.state, name);
      place.pinned = true;
      this.outbox.push({ ...entry, key: place.key, stage: entry.stage === 'failed' ? 'failed' : 'waiting' });
    }
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
  #tell(text, bad = false) {
    this.notice = { text, bad };
    this.#changed();
    return !bad;
  }
}

/** 128 random bits. `crypto.randomUUID` is missing where the page came without TLS. */
function nonce() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

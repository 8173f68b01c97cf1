// The connection to the server: made, held, lost, found again.
//
// It says hello, matches answers to commands by `id`, holds commands back where the server says that there were too many, and
// after a loss comes back by itself (backoff.js). A connection that died without a word is noticed by an answer that stays away;
// a laptop that slept, by the wall clock.
//
// Not here: what events mean (state.js), what is sent again after a loss (chat.js, outbox.js), how it is shown (banner.js).

import { Pause, pauseMs } from './backoff.js';
import * as say from './protocol.js';

/** An attempt that takes longer than this is given up. */
const CONNECT_MS = 10_000;
/** A message without an answer after which the connection counts as lost; another command, where nothing else arrived either. */
const ANSWER_MS = 10_000;
/** The same where there is a reason to think that it is lost. */
const DOUBT_MS = 4000;
/** Silence after which a visible page asks something, to see whether anybody is there. */
const SILENCE_MS = 60_000;
/** How often a connection is looked at, and the end of a pause. */
const LOOK_MS = 1000;
const PAUSE_LOOK_MS = 200;
/** The wall clock went so much further between two looks: the machine slept. Pages in the background are looked at once a minute. */
const SLEPT_MS = { visible: 5000, hidden: 90_000 };
/** How many commands may wait for their answers: what a reconnect asks for in a hundred channels is not asked at once. */
const IN_FLIGHT_MOST = 12;
/** A connection that lasted this long makes the next loss a first one. */
const GOOD_MS = 10_000;

export class Connection {
  #url; #on; #socket = null; #timer = 0; #watch = 0;
  #attempt = 0; #failures = 0; #startedAt = 0; #welcomedAt = 0; #heardAt = 0; #lookedAt = 0; #pausedUntil = 0;
  #id = 0; #asked = new Map(); #queue = [];
  /** idle · connecting · greeting (hello is said) · open · waiting (for the next attempt) */
  stage = 'idle';
  /** Since when there is none, by `performance.now()`; null where there is one, or none is wanted. */
  downSince = null;
  /** What is waited for while the stage is `waiting`. */
  pause = null;

  /**
   * `on` has: `credentials()` → { name, session } · `event(event, asked)` · `open()` · `lost(sentence)` · `refused(error, credentials)`:
   * the answer to hello.
   */
  constructor(url, on) {
    this.#url = url;
    this.#on = on;
  }

  /** Connects now: for the first time, or without waiting for the end of a pause. */
  connect() {
    if (this.stage !== 'idle' && this.stage !== 'waiting') return;
    clearInterval(this.#timer);
    this.stage = 'connecting';
    this.#startedAt = performance.now();
    this.downSince ??= this.#startedAt;
    const socket = new WebSocket(this.#url, say.SUBPROTOCOL);
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#drop(socket, 1006, ''), CONNECT_MS);
    socket.onopen = () => this.#greet();
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#drop(socket, code, reason);
  }

  /** Says hello anew, to learn what only `welcome` tells. To the server it is a reconnect, which nobody notices. */
  again() {
    if (this.stage !== 'open') return;
    const socket = this.#forget();
    this.stage = 'idle';
    socket.close();
    this.connect();
  }

  /** Connects anew, to be told of every frame from the opening handshake on, or no longer. */
  traced(on) {
    this.#url = this.#url.split('?')[0] + (on ? '?trace=1' : '');
    if (on) this.again();
  }

  /** Ends it for good. Code 1000 says that the person goes. */
  stop(code) {
    const socket = this.#forget();
    this.stage = 'idle';
    this.downSince = null;
    this.#attempt = this.#failures = 0;
    socket?.close(code);
  }

  /** Something happened that makes it worth to look at once: the network came or went, the page is looked at. */
  nudge() {
    if (this.stage === 'waiting') this.connect();
    else if (this.stage === 'open') this.#doubt();
    else if (this.stage !== 'idle' && performance.now() - this.#startedAt > DOUBT_MS) {
      // An attempt that began in the old network, perhaps, and hangs.
      const socket = this.#forget();
      this.stage = 'idle';
      socket.close();
      this.connect();
    }
  }

  /** How many milliseconds are left until the next attempt. */
  pauseLeft() {
    return this.stage === 'waiting' ? this.pause.left(performance.now(), Date.now()) : 0;
  }

  /** Sends a command. The promise gives the answer, or fails with the server's error; its code is `lost` where none can come. */
  request(command) {
    return new Promise((resolve, reject) => {
      if (this.stage !== 'open') return reject({ code: 'lost', message: 'There is no connection just now. Try it again when there is one.' });
      this.#queue.push({ command, resolve, reject });
      this.#pump();
    });
  }

  /** Sends a command that has no answer and is not missed when it is lost. */
  tell(command) {
    if (this.stage === 'open' && this.#queue.length === 0) this.#socket.send(say.encode(command));
  }

  #greet() {
    this.stage = 'greeting';
    const credentials = this.#on.credentials();
    this.#send({
      command: say.hello(credentials.name, credentials.session),
      resolve: () => {},
      reject: (error) => {
        this.stop(1000);
        this.#on.refused(error, credentials);
      },
    });
  }

  #welcomed() {
    clearTimeout(this.#timer);
    this.stage = 'open';
    this.downSince = null;
    this.#welcomedAt = performance.now();
    this.#failures = 0;
    this.#lookedAt = Date.now();
    clearInterval(this.#watch);
    this.#watch = setInterval(() => this.#look(), LOOK_MS);
  }

  #receive(data) {
    this.#heardAt = performance.now();
    const event = typeof data === 'string' ? say.parse(data) : null;
    if (!event) return;
    if (event.type === 'trace') return this.#on.trace(event);
    const asked = this.#asked.get(event.id) ?? null;
    this.#asked.delete(event.id);
    if (event.type === 'error' && event.code === 'rate_limited' && asked && asked.command.type !== 'rename') {
      this.#pause(asked, event.retry_ms ?? 1000);
      return;
    }
    if (event.type === 'welcome') this.#welcomed();
    if (!asked?.silent) this.#on.event(event, asked?.command ?? null);
    if (event.type === 'welcome') this.#on.open();
    if (event.type === 'error') asked?.reject(event);
    else asked?.resolve(event);
    this.#pump();
  }

  #send(request) {
    this.#id += 1;
    this.#asked.set(this.#id, { ...request, at: performance.now() });
    this.#socket.send(say.encode({ ...request.command, id: this.#id }));
  }

  #pump() {
    if (this.stage !== 'open' || performance.now() < this.#pausedUntil) return;
    while (this.#queue.length > 0 && this.#asked.size < IN_FLIGHT_MOST) this.#send(this.#queue.shift());
  }

  /** Too many commands: this one goes first again, after a while. */
  #pause(request, ms) {
    const wait = Math.max(ms, 100) + Math.random() * 100;
    this.#queue.unshift(request);
    this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + wait);
    setTimeout(() => this.#pump(), wait + 10);
  }

  /** Every second: is anybody there? Browsers don't show pings, so the page has to see for itself. */
  #look() {
    const now = performance.now();
    const slept = Date.now() - this.#lookedAt > SLEPT_MS[document.visibilityState];
    this.#lookedAt = Date.now();
    const overdue = [...this.#asked.values()].some(({ command, at, patience }) => {
      const since = say.carriesText(command) ? at : Math.max(at, this.#heardAt);
      return now - since > (patience ?? ANSWER_MS);
    });
    if (overdue) this.#drop(this.#socket, 1006, '');
    else if (slept) this.#doubt();
    else if (this.#asked.size === 0 && document.visibilityState === 'visible' && now - this.#heardAt > SILENCE_MS) this.#probe(ANSWER_MS);
    else this.#pump();
  }

  /** Whether it still stands is asked, once. */
  #doubt() {
    if (![...this.#asked.values()].some(({ patience }) => patience === DOUBT_MS)) this.#probe(DOUBT_MS);
  }

  #probe(patience) {
    this.#send({ command: say.history({ channel: 'general' }, { limit: 1 }), silent: true, patience, resolve: () => {}, reject: () => {} });
  }

  /** The connection is gone, or never came. */
  async #drop(socket, code, reason) {
    if (socket !== this.#socket) return;
    const opened = this.stage === 'open' || this.stage === 'greeting';
    const good = this.stage === 'open' && performance.now() - this.#welcomedAt > GOOD_MS;
    this.#forget();
    socket.close();
    if (good) this.#attempt = 0;
    if (!opened) this.#failures += 1;
    this.stage = 'waiting';
    this.downSince ??= performance.now();
    this.pause = new Pause(pauseMs(this.#attempt, Math.random()), performance.now(), Date.now());
    this.#timer = setInterval(() => this.pauseLeft() === 0 && this.connect(), PAUSE_LOOK_MS);
    this.#attempt += 1;
    this.#on.lost(say.closeSentence(code, reason));
    if (opened) return;
    // A refused upgrade tells a page nothing. The same address without an upgrade does.
    const why = await this.#why();
    if (why && (this.stage === 'waiting' || this.stage === 'connecting')) this.#on.lost(why);
  }

  async #why() {
    try {
      const url = this.#url.replace(/^ws/, 'http');
      const answer = await fetch(url, { cache: 'no-store', signal: AbortSignal.timeout(5000) });
      if ([403, 429, 503].includes(answer.status)) return (await answer.text()).trim();
      // It answers, and the upgrade fails time and again: not a server that is about to start.
      if (this.#failures < 3) return null;
      return 'The server answers, but no WebSocket comes through. A proxy in between may have to be told to pass it on, or the '
        + 'server does not take connections from pages of this address (its option --origin).';
    } catch {
      return 'The server can’t be reached.';
    }
  }

  /** Nothing of the old connection may speak any more; what was asked there has no answer. */
  #forget() {
    const socket = this.#socket;
    clearInterval(this.#timer); // whether it is an interval or a timeout: they share their numbers
    clearInterval(this.#watch);
    this.#socket = null;
    if (socket) socket.onopen = socket.onmessage = socket.onclose = null;
    const unanswered = [...this.#asked.values(), ...this.#queue];
    this.#asked.clear();
    this.#queue = [];
    this.#pausedUntil = 0;
    for (const { command, reject } of unanswered) {
      if (command.type !== 'hello') reject({ code: 'lost', message: 'The connection was lost before the answer came. Try it again when there is one.' });
    }
    return socket;
  }
}

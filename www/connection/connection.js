// The connection to the server: opens it, checks it, and opens it again.
//
// Sends hello, matches answers to commands by `id`, and waits when the server reports too many
// commands. Scripts don't see pings: a dead connection is noticed by a missing answer, a computer
// that slept by its wall clock.

import { errorText, t } from '../texts/language.js';
import * as protocol from './protocol.js';

// All in milliseconds.
const CONNECT_MS = 10_000; // for an attempt to connect
// for an answer; commands without a text may wait longer while other events arrive
const ANSWER_MS = 10_000;
const DOUBT_MS = 4000; // for an answer when there is a reason to doubt the connection
const SILENCE_MS = 60_000; // without events, until a visible page sends a probe
const CHECK_MS = 1000, PAUSE_CHECK_MS = 200;
/**
 * A jump of the wall clock between two checks that means sleep. Browsers check hidden pages once a
 * minute.
 */
const SLEPT_MS = { visible: 5000, hidden: 90_000 };
/**
 * The most commands waiting for an answer: a reconnect with a hundred channels doesn't send all at
 * once.
 */
const MAX_IN_FLIGHT = 12;
/** A connection that lasted this long resets the pause between attempts. */
const STABLE_MS = 10_000;
const FIRST_PAUSE_MS = 1000, LONGEST_PAUSE_MS = 30_000;

/**
 * The pause before attempt 0, 1, 2 … with full jitter, so that a thousand pages don't return at
 * once.
 */
export function pauseMs(attempt, random) {
  return Math.round(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt) * random);
}

export class Connection {
  #url;
  #on;
  #socket = null;
  #timer = 0;
  #checks = 0;
  #attempt = 0;
  #failures = 0;
  #startedAt = 0;
  #welcomedAt = 0;
  #heardAt = 0;
  #checkedAt = 0;
  #pausedUntil = 0;
  #pauseEnds = { monotonic: 0, wall: 0 };
  #id = 0;
  #sent = new Map();
  #queue = [];
  /** idle · connecting · greeting (hello was sent) · open · waiting (for the next attempt) */
  stage = 'idle';
  /**
   * When the connection was lost, by `performance.now()`; null if there is one or none is wanted.
   */
  downSince = null;

  /**
   * `on` has: `credentials()` → { name, session, password, key } · `event(event, command)` ·
   * `open()` · `lost(sentence, code)` · `refused(error, credentials)`: the answer to hello ·
   * `trace(trace)`.
   */
  constructor(url, on) {
    this.#url = url;
    this.#on = on;
  }

  /** Connects now, also during a pause. */
  connect() {
    if (this.stage !== 'idle' && this.stage !== 'waiting') return;
    clearInterval(this.#timer);
    this.stage = 'connecting';
    this.#startedAt = performance.now();
    this.downSince ??= this.#startedAt;
    const early = globalThis.parlorSocket; // see app/start.js
    globalThis.parlorSocket = null;
    const isUsable = early?.url === this.#url && early.readyState <= 1; // connecting or open
    const socket = isUsable ? early : new WebSocket(this.#url, protocol.SUBPROTOCOL);
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#drop(socket, 1006, ''), CONNECT_MS);
    if (socket.readyState === 1) this.#greet();
    else socket.onopen = () => this.#greet();
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#drop(socket, code, reason);
  }

  /** Reconnects, to get a new `welcome` or a trace. Other users don't notice. */
  restart() {
    if (this.stage === 'open') this.#replace();
  }

  /**
   * Traces every frame from the opening handshake on (which needs a new connection), or stops it.
   */
  setTraced(on) {
    this.#url = this.#url.split('?')[0] + (on ? '?trace=1' : '');
    if (on) this.restart();
  }

  /** Closes for good. Code 1000 tells the server that the person leaves. */
  stop(code) {
    const socket = this.#abandon();
    this.stage = 'idle';
    this.downSince = null;
    this.#attempt = this.#failures = 0;
    socket?.close(code);
  }

  /** Checks at once: the network changed, or the page became visible. */
  nudge() {
    if (this.stage === 'waiting') this.connect();
    else if (this.stage === 'open') this.#doubt();
    // An attempt that hangs may have begun in the old network.
    else if (this.stage !== 'idle' && performance.now() - this.#startedAt > DOUBT_MS)
      this.#replace();
  }

  /**
   * Milliseconds until the next attempt. One clock may stop during sleep, the other may be set
   * back.
   */
  pauseLeft() {
    if (this.stage !== 'waiting') return 0;
    const { monotonic, wall } = this.#pauseEnds;
    return Math.max(0, Math.min(monotonic - performance.now(), wall - Date.now()));
  }

  /**
   * Sends a command. Resolves to its answer; rejects with the server's error, or with code `lost`
   * if no answer can come. `silent`: the answer goes to the caller only.
   */
  request(command, silent = false) {
    return new Promise((resolve, reject) => {
      if (this.stage !== 'open') return reject({ code: 'lost', message: t.connection.offline });
      this.#queue.push({ command, resolve, reject, silent });
      this.#flush();
    });
  }

  /** Sends a command that has no answer and may get lost. */
  notify(command) {
    if (this.stage === 'open' && this.#queue.length === 0)
      this.#socket.send(protocol.encode(command));
  }

  #greet() {
    this.stage = 'greeting';
    const credentials = this.#on.credentials();
    const reject = (error) => {
      this.stop(1000);
      this.#on.refused(error, credentials);
    };
    this.#send({ command: protocol.hello(credentials), reject });
  }

  #welcomed() {
    clearTimeout(this.#timer);
    this.stage = 'open';
    this.downSince = null;
    this.#welcomedAt = performance.now();
    this.#failures = 0;
    this.#checkedAt = Date.now();
    clearInterval(this.#checks);
    this.#checks = setInterval(() => this.#check(), CHECK_MS);
  }

  #receive(data) {
    this.#heardAt = performance.now();
    const event = typeof data === 'string' ? protocol.parse(data) : null;
    if (!event) return;
    if (event.type === 'trace') return this.#on.trace(event);
    const request = this.#sent.get(event.id) ?? null;
    this.#sent.delete(event.id);
    // A `hello` is refused after too many wrong passwords. The user must see that.
    if (event.code === 'rate_limited' && request && request.command.type !== 'hello')
      return this.#retryAfter(request, event.retry_ms ?? 1000);
    if (event.type === 'welcome') this.#welcomed();
    if (!request?.silent) this.#on.event(event, request?.command ?? null);
    if (event.type === 'welcome') this.#on.open();
    if (event.type === 'error') request?.reject?.({ ...event, message: errorText(event) });
    else request?.resolve?.(event);
    this.#flush();
  }

  #send(request) {
    this.#id += 1;
    this.#sent.set(this.#id, { ...request, at: performance.now() });
    this.#socket.send(protocol.encode({ ...request.command, id: this.#id }));
  }

  #flush() {
    if (this.stage !== 'open' || performance.now() < this.#pausedUntil) return;
    while (this.#queue.length > 0 && this.#sent.size < MAX_IN_FLIGHT)
      this.#send(this.#queue.shift());
  }

  /** Over the rate: the command is sent again, first, after a pause. */
  #retryAfter(request, ms) {
    const wait = Math.max(ms, 100) + Math.random() * 100;
    this.#queue.unshift(request);
    this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + wait);
    setTimeout(() => this.#flush(), wait + 10);
  }

  #check() {
    const now = performance.now();
    const slept = Date.now() - this.#checkedAt > SLEPT_MS[document.visibilityState];
    this.#checkedAt = Date.now();
    const overdue = [...this.#sent.values()].some(({ command, at, patience }) => {
      const since = protocol.carriesText(command) ? at : Math.max(at, this.#heardAt);
      return now - since > (patience ?? ANSWER_MS);
    });
    const silent = this.#sent.size === 0 && now - this.#heardAt > SILENCE_MS;
    if (overdue) this.#drop(this.#socket, 1006, '');
    else if (slept) this.#doubt();
    else if (silent && document.visibilityState === 'visible') this.#probe(ANSWER_MS);
    else this.#flush();
  }

  /** Sends a probe with a short deadline, unless one is under way. */
  #doubt() {
    if (![...this.#sent.values()].some(({ patience }) => patience === DOUBT_MS))
      this.#probe(DOUBT_MS);
  }

  #probe(patience) {
    const command = protocol.history({ channel: 'general' }, { limit: 1 });
    this.#send({ command, silent: true, patience });
  }

  /** The connection was lost, or an attempt failed. */
  async #drop(socket, code, reason) {
    if (socket !== this.#socket) return;
    const opened = this.stage === 'open' || this.stage === 'greeting';
    if (this.stage === 'open' && performance.now() - this.#welcomedAt > STABLE_MS)
      this.#attempt = 0;
    this.#abandon();
    socket.close();
    if (!opened) this.#failures += 1;
    this.stage = 'waiting';
    this.downSince ??= performance.now();
    const pause = pauseMs(this.#attempt, Math.random());
    this.#pauseEnds = { monotonic: performance.now() + pause, wall: Date.now() + pause };
    this.#timer = setInterval(() => this.pauseLeft() === 0 && this.connect(), PAUSE_CHECK_MS);
    this.#attempt += 1;
    this.#on.lost(protocol.closeSentence(code, reason), code);
    if (opened) return;
    const why = await this.#whyRefused();
    if (why && (this.stage === 'waiting' || this.stage === 'connecting')) this.#on.lost(why, null);
  }

  /**
   * A script can't see why an upgrade failed. A request to the same address without an upgrade gets
   * the reason.
   */
  async #whyRefused() {
    try {
      const url = this.#url.replace(/^ws/, 'http');
      const response = await fetch(url, { cache: 'no-store', signal: AbortSignal.timeout(5000) });
      if ([403, 429, 503].includes(response.status))
        return t.connection.refused((await response.text()).trim());
      // A server that is about to start may fail once or twice.
      return this.#failures < 3 ? null : t.connection.noWebSocket;
    } catch {
      return t.connection.unreachable;
    }
  }

  #replace() {
    const socket = this.#abandon();
    this.stage = 'idle';
    socket.close();
    this.connect();
  }

  /** Detaches the socket; commands without an answer are rejected as lost. Returns the socket. */
  #abandon() {
    const socket = this.#socket;
    clearInterval(this.#timer); // also clears a timeout: they share their numbers
    clearInterval(this.#checks);
    this.#socket = null;
    if (socket) socket.onopen = socket.onmessage = socket.onclose = null;
    const unanswered = [...this.#sent.values(), ...this.#queue];
    this.#sent.clear();
    this.#queue = [];
    this.#pausedUntil = 0;
    for (const { command, reject } of unanswered) {
      if (command.type !== 'hello') reject?.({ code: 'lost', message: t.connection.lostAnswer });
    }
    return socket;
  }
}

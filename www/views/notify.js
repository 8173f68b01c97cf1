// The bell: a notification and a sound for mentions and private messages, while the page does not
// have the focus.
//
// It is off until it is turned on in the user's menu. A moment passes before it rings, in which
// another tab may show the message. On Android, where a page may not show notifications, the
// service worker does. Where the browser has none (over plain HTTP), the sound alone rings.

import { fileUrl } from './dom.js';
import { mentionsMe } from '../store/state.js';
import * as storage from '../store/storage.js';
import * as address from '../texts/address.js';
import { t } from '../texts/language.js';

const WAIT_MS = 800;
const TEXT_MOST = 200;
/** How long the service worker may take to start. */
const WORKER_MS = 5000;

export class Bell {
  #chat;
  #sound = null;
  #missed = new Map(); // the newest message of each room that came without a connection
  #timer = 0;
  #shown = new Map(); // the notifications by their tags
  #isRefused = false; // neither the page nor the worker can show notifications

  constructor(chat) {
    this.#chat = chat;
    // A notification of the worker was clicked.
    navigator.serviceWorker?.addEventListener('message',
      ({ data }) => chat.stage === 'in' && chat.follow(data.open));
  }

  /** The item of a menu that turns it on or off. */
  item() {
    return {
      text: this.#soundOnly() ? t.bell.soundOnly : t.page.notifications,
      checked: this.#isOn(),
      act: () => this.#turn(),
    };
  }

  /**
   * Another user wrote a message. Of those that came without a connection (`missed`), the newest of
   * each room rings.
   */
  ring(room, message, missed = false) {
    if (!this.#isOn() || document.hasFocus()) return;
    if (message.type === 'message' && !mentionsMe(this.#chat.state, message.text)) return;
    if (missed) {
      this.#missed.set(room, message);
      this.#timer ||= setTimeout(() => {
        const messages = [...this.#missed];
        this.#missed.clear();
        this.#timer = 0;
        this.#ringNow(messages);
      }, WAIT_MS);
    } else {
      setTimeout(() => this.#ringNow([[room, message]]), WAIT_MS);
    }
  }

  #ringNow(messages) {
    const unread = messages.filter(([room, { seq }]) => room.read < seq);
    if (unread.length === 0 || document.hasFocus()) return;
    this.#beep();
    if (this.#soundOnly() || Notification.permission !== 'granted') return;
    for (const [room, message] of unread) this.#notify(room, message);
  }

  async #notify(room, message) {
    const title = message.type === 'message'
      ? t.bell.mentioned(message.from, room.name)
      : t.bell.wrote(message.from);
    // The tag is the same in all tabs: what several of them show is one notification.
    const tag = tagOf(message, message.seq);
    const options = {
      body: message.text.slice(0, TEXT_MOST),
      tag,
      icon: fileUrl('icon-192.png'),
      data: address.of(room),
    };
    const notification = await this.#made(title, options);
    if (!notification) return;
    this.#shown.set(tag, notification);
    notification.onclick = () => {
      window.focus();
      this.#chat.open(room, { focus: true });
      notification.close();
    };
  }

  /** A message was changed or deleted: a notification doesn't keep its old text. */
  outdated(event) {
    this.#shown.get(tagOf(event, event.of))?.close();
  }

  /** A notification; null if the browser refuses to make one; the page says so once. */
  async #made(title, options) {
    try {
      return new Notification(title, options);
    } catch { /* on Android */ }
    try {
      const worker = await Promise.race([
        navigator.serviceWorker.ready,
        new Promise((_, late) => {
          setTimeout(late, WORKER_MS);
        }),
      ]);
      await worker.showNotification(title, options);
      return {
        close: async () =>
          (await worker.getNotifications({ tag: options.tag })).forEach((one) => one.close()),
      };
    } catch {
      if (!this.#isRefused) this.#chat.tell(t.bell.unsupported, true);
      this.#isRefused = true;
      return null;
    }
  }

  /** Why there is a sound but no notification, as a sentence; null where there are both. */
  #soundOnly() {
    if (!globalThis.isSecureContext) return t.bell.needsHttps;
    return !globalThis.Notification || this.#isRefused ? t.bell.unsupported : null;
  }

  #isOn() {
    return storage.bell.get() === true
      && (this.#soundOnly() !== null || Notification.permission === 'granted');
  }

  async #turn() {
    if (this.#isOn()) return storage.bell.set(null);
    const sentence = await this.#ask();
    storage.bell.set(this.#soundOnly() !== null || Notification.permission === 'granted' || null);
    this.#beep();
    if (sentence) this.#chat.tell(sentence, true);
    return undefined;
  }

  /** Asks the browser. Returns a sentence where notifications can't be shown. */
  async #ask() {
    if (this.#soundOnly()) return this.#soundOnly();
    const permission = Notification.permission === 'default'
      ? await Notification.requestPermission()
      : Notification.permission;
    if (permission === 'denied') return t.bell.blocked;
    if (permission === 'default') return t.bell.notAllowed;
    // Browsers on Android have the class, and throw when it is used; elsewhere trying it would show
    // something.
    if (/Android/.test(navigator.userAgent))
      (await this.#made(t.bell.on, { silent: true, tag: 'on' }))?.close();
    return '';
  }

  /** Plays two short tones. Before the first click in a page browsers let it play nothing. */
  #beep() {
    if (!this.#isOn()) return;
    try {
      this.#sound ??= new AudioContext();
      this.#sound.resume();
      for (const [hertz, after] of [[660, 0], [880, 0.12]]) {
        const [tone, volume] = [this.#sound.createOscillator(), this.#sound.createGain()];
        const at = this.#sound.currentTime + after;
        tone.frequency.value = hertz;
        volume.gain.setValueAtTime(0.12, at);
        volume.gain.exponentialRampToValueAtTime(0.001, at + 0.25);
        tone.connect(volume).connect(this.#sound.destination);
        tone.start(at);
        tone.stop(at + 0.26);
      }
    } catch { /* a device without sound */ }
  }
}

const tagOf = ({ channel, conversation }, seq) =>
  `${location.pathname} ${channel ?? conversation} ${seq}`;

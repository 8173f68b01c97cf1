// The bell: a notification and a sound for what is meant for the person, while they look at something else.
//
// Only after a click on it, only for mentions and private messages, never while the page has the focus. A moment is waited, in
// which another tab may have shown the message already. Not here: what counts as read (state.js, place.js).

import { byId, set } from './dom.js';
import { mentionsMe } from '../store/state.js';
import * as storage from '../store/storage.js';

const WAIT_MS = 800;
const TEXT_MOST = 200;

export class Bell {
  #chat; #button = byId('notifications'); #sound = null;

  constructor(chat) {
    this.#chat = chat;
    this.#button.hidden = false;
    this.#button.addEventListener('click', () => this.#turn());
    this.#show();
  }

  /** Somebody said something. */
  ring(place, message) {
    if (!this.#isOn() || document.hasFocus()) return;
    const isMention = message.type === 'message';
    if (isMention && !mentionsMe(this.#chat.state, message.text)) return;
    setTimeout(() => {
      if (document.hasFocus() || place.read >= message.seq) return;
      this.#beep();
      if (globalThis.Notification?.permission !== 'granted') return;
      const title = isMention ? `${message.from} mentioned you in #${place.name}` : `${message.from} wrote to you`;
      // The tag is the same in all tabs: what several of them show is one notification.
      const tag = `${location.pathname} ${message.channel ?? message.conversation} ${message.seq}`;
      try {
        const notification = new Notification(title, { body: message.text.slice(0, TEXT_MOST), tag, icon: 'icon.svg' });
        notification.onclick = () => {
          window.focus();
          this.#chat.open(place, { focus: true });
          notification.close();
        };
      } catch { /* Chrome on Android wants a service worker for it; the sound was heard */ }
    }, WAIT_MS);
  }

  #isOn() {
    return storage.bell() === true && globalThis.Notification?.permission !== 'denied';
  }

  async #turn() {
    if (this.#isOn()) {
      storage.keepBell(false);
      return this.#show();
    }
    const sentence = await this.#ask();
    storage.keepBell(globalThis.Notification?.permission !== 'denied' && globalThis.Notification?.permission !== 'default');
    this.#beep();
    this.#show();
    if (sentence) this.#chat.tell(sentence, true);
    return undefined;
  }

  /** Asks the browser. Gives a sentence where notifications can't be shown. */
  async #ask() {
    if (!globalThis.Notification) {
      return globalThis.isSecureContext ? 'This browser shows no notifications; a sound tells of what is meant for you.'
        : 'Browsers show notifications only for pages that come by HTTPS; here, a sound alone tells of what is meant for you.';
    }
    const permission = Notification.permission === 'default' ? await Notification.requestPermission() : Notification.permission;
    if (permission === 'denied') return 'This browser blocks notifications for this page. Allow them in its settings for this site, then click again.';
    return permission === 'default' ? 'The browser was not allowed to show notifications. Click again, and allow them when it asks.' : '';
  }

  #show() {
    set(this.#button, 'aria-pressed', String(this.#isOn()));
    this.#button.replaceChildren(picture(this.#isOn()));
  }

  /** Two short tones. A page may sound only after a click in it; before that it stays silent. */
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
    } catch { /* a machine without sound */ }
  }
}

/** A bell; struck through where it is off. Drawn, since not every machine has letters for it. */
function picture(on) {
  const node = (tag, attributes) => Object.entries(attributes).reduce((made, [name, value]) => {
    made.setAttribute(name, value);
    return made;
  }, document.createElementNS('http://www.w3.org/2000/svg', tag));
  const svg = node('svg', { viewBox: '0 0 24 24', fill: 'none', stroke: 'currentcolor', 'stroke-width': 2, 'stroke-linecap': 'round', 'stroke-linejoin': 'round', 'aria-hidden': 'true' });
  svg.append(node('path', { d: 'M6 17V11a6 6 0 0 1 12 0v6l2 2H4zM10 22h4', fill: 'none' }));
  if (on) svg.append(node('path', { d: 'M3 6a9 9 0 0 1 2-3M21 6a9 9 0 0 0-2-3' }));
  else svg.append(node('path', { d: 'M3 3l18 18' }));
  return svg;
}

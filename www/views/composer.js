// Where one writes: Enter sends, Shift+Enter begins a new line, and what is not yet sent stays with its place, over reloads too.
//
// Not here: what a line means (lines.js), sending (chat.js), completion (suggestions.js).

import { Recall, draftOf, withDraft } from '../store/drafts.js';
import { parse } from '../texts/commands.js';
import { EMOJI } from '../texts/emoji.js';
import { characters } from '../texts/limits.js';
import { byId, set, setText } from './dom.js';
import { byName } from '../texts/collation.js';
import { markKey } from '../store/state.js';
import * as storage from '../store/storage.js';
import { Suggestions } from './suggestions.js';

/** So near to the limit the characters that are left are counted. */
const COUNTED = 500;
/** How long a pause in typing is, after which a draft is kept. */
const DRAFT_MS = 300;

const emoji = [...EMOJI];
const isTouch = () => matchMedia('(pointer: coarse)').matches;

export class Composer {
  #chat;
  #text = byId('text');
  #notice = byId('notice');
  #counter = byId('counter');
  #suggestions = new Suggestions(this.#text, () => this.#sources(), () => this.#changed());
  #recall = new Recall();
  #place = null; #key = null; #timer = 0;
  #kept = ''; // the draft as it was last read or kept here

  constructor(chat) {
    this.#chat = chat;
    set(this.#text, 'enterkeyhint', isTouch() ? 'enter' : 'send');
    byId('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#text.addEventListener('keydown', (event) => this.#keydown(event));
    this.#text.addEventListener('input', ({ isComposing }) => {
      this.#changed();
      chat.hush();
      if (!isComposing) this.#suggestions.look();
      if (this.#text.value.trim() !== '' && !this.#text.value.startsWith('/')) chat.typing();
    });
    this.#text.addEventListener('compositionend', () => this.#suggestions.look());
    addEventListener('pagehide', () => this.#keep());
    document.addEventListener('visibilitychange', () => document.visibilityState === 'hidden' && this.#keep());
    addEventListener('resize', () => this.#grow());
  }

  /** `notice` is `{ text, bad }` or null. */
  show(place, notice) {
    if (place && place.key !== this.#key) this.#turn(place);
    set(this.#text, 'placeholder', place ? `Message ${place.kind === 'channel' ? '#' : ''}${place.name}` : '');
    if (this.#notice.textContent !== (notice?.text ?? '')) {
      setText(this.#notice, notice?.text ?? '');
      // Where it is more than has room it scrolls, and has to be reached for that.
      set(this.#notice, 'tabindex', this.#notice.scrollHeight > this.#notice.clientHeight ? '0' : null);
    }
    set(this.#notice, 'class', notice?.bad ? 'notice bad' : 'notice');
    if (!place && this.#key !== null) this.#turn(null);
  }

  /** Takes the keyboard, but not where that would push one up over half of a small screen. */
  focus() {
    if (!isTouch()) this.#text.focus();
  }

  #keydown(event) {
    // While an input method composes a word, its keys belong to it (229: so in Safari, where Enter ends it).
    if (event.isComposing || event.keyCode === 229) return;
    if (this.#suggestions.key(event)) return void event.preventDefault();
    const { key, shiftKey, altKey, ctrlKey, metaKey } = event;
    if (key === 'Enter' && !shiftKey && !altKey && (ctrlKey || metaKey || !isTouch())) {
      event.preventDefault();
      this.#send();
    } else if ((key === 'ArrowUp' || key === 'ArrowDown') && !shiftKey && !altKey && !ctrlKey && !metaKey) {
      const text = this.#recall.step(this.#key, this.#text.value, key === 'ArrowUp' ? -1 : 1, () => this.#saidBefore());
      if (text === null) return;
      event.preventDefault();
      this.#fill(text);
    }
  }

  #send() {
    const typed = this.#text.value;
    this.#suggestions.close();
    const key = this.#key;
    // Only what was taken goes away: what was refused can be mended. A command may have opened another place meanwhile, whose
    // draft is to stay.
    if (typed.trim() !== '') {
      this.#text.value = '';
      this.#keep();
      if (this.#chat.say(typed)) this.#recall.sent(key, typed.trim());
      else this.#text.value = typed;
    }
    this.#changed();
    this.#text.focus();
  }

  /** Another place, another draft. */
  #turn(place) {
    this.#keep();
    this.#suggestions.close();
    this.#key = place?.key ?? null;
    this.#place = place;
    this.#kept = place ? draftOf(storage.drafts(), draftKey(place)) : '';
    this.#fill(this.#kept);
  }

  #fill(text) {
    this.#text.value = text;
    this.#text.setSelectionRange(text.length, text.length);
    this.#changed();
  }

  #changed() {
    this.#grow();
    this.#count();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#keep(), DRAFT_MS);
  }

  /** Keeps the draft where it was changed here; what other tabs keep stays. */
  #keep() {
    clearTimeout(this.#timer);
    const text = this.#text.value;
    if (!this.#place || text === this.#kept || this.#chat.stage === 'door') return;
    storage.keepDrafts(withDraft(storage.drafts(), draftKey(this.#place), text));
    this.#kept = text;
  }

  #count() {
    const { text, does } = parse(this.#text.value);
    const left = this.#chat.state.limits.text - (does === 'say' || does === 'direct' ? characters(text) : 0);
    const told = left > COUNTED || this.#text.value === '' ? ''
      : left >= 0 ? `${left} ${left === 1 ? 'character' : 'characters'} left` : `${-left} ${left === -1 ? 'character' : 'characters'} too many`;
    setText(this.#counter, told);
    this.#counter.hidden = told === '';
    set(this.#counter, 'class', left < 0 ? 'counter bad' : 'counter');
  }

  /** What the person said here before the page was loaded. */
  #saidBefore() {
    return (this.#place?.messages ?? []).filter((message) => typeof message.text === 'string' && this.#chat.isMine(message))
      .slice(-50).map(({ text, action }) => (action ? `/me ${text}` : text.startsWith('/') ? `/${text}` : text));
  }

  /** Who may be meant: those who spoke here, the latest first, then all others. */
  #sources() {
    const { state } = this.#chat;
    const spoke = (this.#place?.messages ?? []).slice(-200).map(({ from }) => from).reverse();
    const others = [...state.users].sort(byName);
    const people = [...new Set([...spoke.filter((name) => state.users.has(name)), ...others])];
    return { people: people.filter((name) => name !== state.me?.name), emoji };
  }

  /** As high as the text is. The form keeps its height meanwhile: the feed beside it would lose its place in what is a moment long higher. */
  #grow() {
    const { form, style } = this.#text;
    form.style.height = `${form.offsetHeight}px`;
    style.height = 'auto';
    style.height = `${this.#text.scrollHeight + 2}px`;
    form.style.height = '';
  }
}

const draftKey = (place) => markKey(place) || `@${place.name}`;

// The composer: Enter sends, Shift+Enter starts a new line, and drafts stay with their room, over
// reloads too.

import { draftKey, draftOf, withDraft } from '../store/drafts.js';
import { carriesText } from '../connection/protocol.js';
import * as storage from '../store/storage.js';
import { parse } from '../texts/commands.js';
import { EMOJI } from '../texts/emoji.js';
import { emojiLabel, t } from '../texts/language.js';
import { byName } from '../texts/names.js';
import { byId, set, setText } from './dom.js';
import { openMenu } from './menu.js';
import { Suggestions, replaceText } from './suggestions.js';

/** The characters that are left are counted from here on. */
const COUNTED = 500;
/** A pause in typing after which a draft is kept. */
const DRAFT_MS = 300;

const emoji = [...EMOJI];
const isTouch = () => matchMedia('(pointer: coarse)').matches;

export class Composer {
  #chat;
  #text = byId('text');
  #notice = byId('notice');
  #counter = byId('counter');
  #suggestions = new Suggestions(this.#text, () => this.#sources());
  #editing = null; // the message that is edited; the draft waits meanwhile
  #room = null;
  #key = null;
  #timer = 0;
  #kept = ''; // the draft as it was last read or written here

  constructor(chat) {
    this.#chat = chat;
    set(this.#text, 'enterkeyhint', isTouch() ? 'enter' : 'send');
    byId('composer').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    byId('emoji').addEventListener('click', () => this.#askEmoji());
    byId('cancel-edit').addEventListener('click', () => this.#endEdit());
    byId('notice-close').addEventListener('click', () => {
      chat.hush();
      this.focus();
    });
    this.#text.addEventListener('keydown', (event) => this.#onKey(event));
    this.#text.addEventListener('input', () => {
      this.#changed();
      chat.hush();
      // also while an input method composes: keyboards of phones always do
      this.#suggestions.update();
      if (this.#text.value.trim() !== '' && !this.#text.value.startsWith('/')) chat.typing();
    });
    this.#text.addEventListener('paste', ({ clipboardData }) => {
      if (clipboardData.files.length > 0 && !clipboardData.types.includes('text/plain'))
        chat.tell(t.chat.noFiles, true);
    });
    this.#text.addEventListener('blur', () => this.#keep());
    addEventListener('pagehide', () => this.#keep());
    document.addEventListener('visibilitychange',
      () => document.visibilityState === 'hidden' && this.#keep());
    addEventListener('resize', () => this.#grow());
  }

  /** `notice` is `{ text, bad }` or null. */
  show(room, notice) {
    if ((room?.key ?? null) !== this.#key) this.#setRoom(room);
    const { quote, edit } = this.#chat.composing ?? {};
    this.#chat.composing = null;
    if (edit) this.#beginEdit(edit);
    if (quote) {
      replaceText(this.#text, 0, 0, quote);
      this.#text.setSelectionRange(this.#text.value.length, this.#text.value.length);
    }
    set(this.#text, 'placeholder',
      room ? t.composer.placeholder(`${room.kind === 'channel' ? '#' : ''}${room.name}`) : '');
    if (this.#notice.textContent !== (notice?.text ?? '')) {
      setText(this.#notice, notice?.text ?? '');
      // A long one scrolls, which needs the keyboard.
      set(this.#notice, 'tabindex',
        this.#notice.scrollHeight > this.#notice.clientHeight ? '0' : null);
    }
    set(this.#notice, 'class', notice?.bad ? 'notice bad' : 'notice');
    byId('notice-close').hidden = !notice;
  }

  /** Takes the keyboard, unless an on-screen keyboard would cover half of the page. */
  focus() {
    if (!isTouch()) this.#text.focus();
  }

  #onKey(event) {
    // Keys of an input method that composes a word; 229 is Safari's Enter that ends it.
    if (event.isComposing || event.keyCode === 229) return;
    if (this.#suggestions.onKey(event)) return void event.preventDefault();
    const { key, shiftKey, altKey, ctrlKey, metaKey } = event;
    if (key === 'Enter' && !shiftKey && !altKey && (ctrlKey || metaKey || !isTouch())) {
      event.preventDefault();
      this.#send();
    } else if (
      key === 'ArrowUp' && !shiftKey && !altKey && !ctrlKey && !metaKey && this.#text.value === ''
    ) {
      const last = this.#room?.messages.findLast((message) =>
        carriesText(message) && this.#chat.isMine(message) && !message.action
      );
      if (!last) return;
      event.preventDefault();
      this.#beginEdit(last);
    } else if (key === 'Escape' && this.#editing) {
      event.preventDefault();
      event.stopPropagation();
      this.#endEdit();
    }
  }

  #beginEdit(message) {
    this.#keep();
    this.#editing = message;
    byId('editing').hidden = false;
    replaceText(this.#text, 0, this.#text.value.length, message.text);
    this.#suggestions.close();
  }

  #endEdit() {
    this.#editing = null;
    byId('editing').hidden = true;
    replaceText(this.#text, 0, this.#text.value.length, this.#kept);
    this.#suggestions.close();
  }

  #askEmoji() {
    const insert = (sign) =>
      replaceText(this.#text, this.#text.selectionStart, this.#text.selectionEnd, sign);
    openMenu(t.page.emoji, [{
      name: t.page.emoji,
      look: 'emoji',
      row: emoji.map(([name, sign]) => ({
        text: sign,
        label: emojiLabel(name),
        act: () => insert(sign),
      })),
    }], byId('emoji').getBoundingClientRect());
  }

  async #send() {
    const typed = this.#text.value;
    this.#suggestions.close();
    const editing = this.#editing;
    if (editing) {
      const isDone = typed === editing.text
        || await this.#chat.edit(this.#room, editing.seq, typed);
      return isDone && editing === this.#editing ? this.#endEdit() : undefined;
    }
    // A text that was refused stays, to be corrected. A command may open another room, whose draft
    // must stay.
    if (typed.trim() !== '') {
      this.#text.value = '';
      this.#keep();
      if (!this.#chat.submit(typed)) this.#text.value = typed;
    }
    this.#changed();
    this.#text.focus();
    return undefined;
  }

  #setRoom(room) {
    this.#keep();
    this.#editing = null;
    byId('editing').hidden = true;
    this.#suggestions.close();
    this.#key = room?.key ?? null;
    this.#room = room;
    this.#kept = room ? draftOf(storage.drafts.get(), draftKey(room)) : '';
    this.#text.value = this.#kept;
    this.#text.setSelectionRange(this.#kept.length, this.#kept.length);
    this.#changed();
  }

  #changed() {
    this.#grow();
    this.#count();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#keep(), DRAFT_MS);
  }

  /** Keeps the draft if it was changed here; drafts that other tabs keep stay. */
  #keep() {
    clearTimeout(this.#timer);
    const text = this.#text.value;
    if (!this.#room || this.#editing || text === this.#kept || this.#chat.stage === 'out') return;
    storage.drafts.set(withDraft(storage.drafts.get(), draftKey(this.#room), text));
    this.#kept = text;
  }

  #count() {
    const { text, action, does } = this.#editing
      ? { text: this.#text.value, does: 'say' }
      : parse(this.#text.value);
    const counts = this.#room && (does === 'say' || does === 'direct') && text !== '';
    const { unit, over } = counts
      ? this.#chat.excess(this.#room, text, action)
      : { over: -Infinity };
    const shown = over > 0
      ? t.composer.over(over, unit)
      : -over <= COUNTED
      ? t.composer.left(-over)
      : '';
    setText(this.#counter, shown);
    this.#counter.hidden = shown === '';
    set(this.#counter, 'class', over > 0 ? 'counter bad' : 'counter');
  }

  /** Names to suggest: those who spoke here, the latest first, then all others. */
  #sources() {
    const { state } = this.#chat;
    const speakers = (this.#room?.messages ?? []).slice(-200).map(({ from }) => from).reverse();
    const names = new Set([
      ...speakers.filter((name) => state.users.has(name)),
      ...[...state.users].sort(byName),
    ]);
    return { people: [...names].filter((name) => name !== state.me?.name), emoji };
  }

  /**
   * Makes the box as high as its text. The form keeps its height meanwhile, or the feed would
   * scroll.
   */
  #grow() {
    const { form, style } = this.#text;
    form.style.height = `${form.offsetHeight}px`;
    style.height = 'auto';
    style.height = `${this.#text.scrollHeight + 2}px`;
    form.style.height = '';
  }
}

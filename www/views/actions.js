// The menus of a message and of a person. An owner's menus have more items: delete any message,
// pin, mute, remove.

import { authorNumber } from '../store/room.js';
import * as address from '../texts/address.js';
import { EMOJI } from '../texts/emoji.js';
import { emojiLabel, t } from '../texts/language.js';
import * as dialogs from './dialogs.js';
import { copyText } from './dom.js';
import { LINE, openMenu } from './menu.js';

const QUICK = ['+1', 'heart', 'joy', 'tada', 'open_mouth', 'cry'];
/** The longest quote, in characters. */
const QUOTED = 200;
/** The choices for muting or removing a user, in minutes. */
const MINUTES = [5, 15, 60, 1440];

/** Opens the menu of a message. */
export function messageMenu(chat, room, message, rect) {
  const { from, author, seq, text, action } = message;
  const isMine = chat.isMine(message);
  const isChannel = room.kind === 'channel';
  const link = isChannel ? address.of(room, seq) : '';
  const isIgnored = chat.ignored.has(author);
  // An old message may be from another user with this name. The user who is online must not be
  // muted for it.
  const isKnown = chat.state.users.has(from) && authorNumber(room, from, author) === 0;
  openMenu(t.page.actions, [
    {
      name: t.menu.react,
      look: 'emoji equal',
      row: QUICK.map((name) => reaction(chat, room, message, [name, EMOJI.get(name)])),
    },
    { text: t.menu.moreReactions, act: () => reactionMenu(chat, room, message, rect) },
    LINE,
    { text: t.menu.reply, act: () => reply(chat, room, message) },
    { text: t.menu.copyText, act: () => copy(chat, text) },
    isChannel
    && { text: t.menu.copyLink, act: () => copy(chat, new URL(link, location.href).href) },
    LINE,
    isMine && !action && { text: t.menu.edit, act: () => chat.compose({ edit: message }) },
    chat.owns && isChannel
    && {
      text: room.pin === seq ? t.menu.unpin : t.menu.pin,
      act: () => chat.send({ type: 'pin', channel: room.name, seq: room.pin === seq ? null : seq }),
    },
    !isMine
    && {
      text: isIgnored ? t.menu.stopIgnoring(from) : t.menu.ignore(from),
      act: () => chat.ignore(author, from, !isIgnored),
    },
    (isMine || (chat.owns && isChannel))
    && { text: t.menu.delete, danger: true, act: () => chat.deletions.add(room, seq) },
    ...(isMine || !isKnown ? [] : restrictions(chat, from)),
  ], rect);
}

/** Opens the menu of all reactions to a message. */
export function reactionMenu(chat, room, message, rect) {
  openMenu(t.menu.react, [{
    name: t.menu.react,
    look: 'emoji',
    row: [...EMOJI].map((one) => reaction(chat, room, message, one)),
  }], rect);
}

const reaction = (chat, room, message, [name, emoji]) => ({
  text: emoji,
  label: emojiLabel(name),
  act: () => chat.react(room, message, emoji),
  checked: (message.reactions ?? []).some((one) => one.emoji === emoji && one.mine),
});

/** Puts a quote of a message into the composer. */
export function reply(chat, room, message) {
  const link = room.kind === 'channel' ? decodeURIComponent(address.of(room, message.seq)) : '';
  chat.compose({ quote: quote(message, link) });
}

/** Opens the menu of a person, for an owner; `write()` opens the conversation. */
export function personMenu(chat, name, write, rect) {
  openMenu(name, [{ text: t.menu.message(name), act: write }, ...restrictions(chat, name)], rect);
}

function restrictions(chat, user) {
  if (!chat.owns) return [];
  const ask = async (type, title, text) => {
    const minutes = await dialogs.choose(title, text,
      MINUTES.map((one) => [t.owner.minutes(one), one]));
    if (minutes !== null) chat.send({ type, user, minutes });
  };
  return [
    {
      text: t.menu.mute(user),
      danger: true,
      act: () => ask('mute', t.owner.muteTitle(user), t.owner.muteText),
    },
    {
      text: t.menu.kick(user),
      danger: true,
      act: () => ask('kick', t.owner.kickTitle(user), t.owner.kickText),
    },
  ];
}

/** A quote of a message in one line; quotes in it are left out. */
function quote({ from, text }, link) {
  const said = text.split('\n').filter((line) => !line.startsWith('>')).join(' ').trim();
  const short = [...said].length > QUOTED ? `${[...said].slice(0, QUOTED).join('')}…` : said;
  return t.chat.quote(from, short, link);
}

const copy = (chat, text) => chat.tell(copyText(text) ? t.menu.copied : t.menu.cantCopy + text);

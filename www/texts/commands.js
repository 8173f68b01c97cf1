// Parses the composer's text: a message, or a command that begins with a slash. Pure functions.
//
// The server parses such lines too, for clients other than this page. The page does it by itself
// because here they refer to the open room.

import { EMOJI } from './emoji.js';
import { t } from './language.js';

/** All commands: `{ word, needs, does, example }`. */
export const all = () =>
  Object.entries(t.commands).map(([word, { needs = '', ...rest }]) => ({ word, needs, ...rest }));

/** The text that /help shows. */
export const help = () =>
  [
    ...all().map(({ word, needs, does }) => t.command.line(word, needs, does)),
    t.command.slash,
  ].join('\n');

/**
 * Lines that are one command of the protocol: what follows the word, and the command that it makes.
 */
const PLAIN = {
  own: [/^(\S+)$/, (key) => ({ key })],
  mute: [/^@?(\S+)\s+(\d+)$/, (user, minutes) => ({ user, minutes: Number(minutes) })],
  kick: [/^@?(\S+)\s+(\d+)$/, (user, minutes) => ({ user, minutes: Number(minutes) })],
  door: [/^(open|closed)$/, (word) => ({ open: word === 'open' })],
  writing: [
    /^(?:#?(\S+)\s+)?(all|owner|\d+)$/,
    (channel, who) => ({ channel, who: /^\d/.test(who) ? Number(who) : who }),
  ],
  clear: [/^#?(\S*)$/, (channel) => ({ channel })],
  remove: [/^#?(\S+)$/, (channel) => ({ type: 'remove_channel', channel })],
  pin: [/^(\d+|none)$/, (seq) => ({ seq: seq === 'none' ? null : Number(seq) })],
  edit: [/^(\d+)\s+([^]+)$/, (seq, text) => ({ seq: Number(seq), text })],
  delete: [/^(\d+)$/, (seq) => ({ seq: Number(seq) })],
  react: [
    /^(\d+)\s+(\S+)$/,
    (seq, emoji) => ({ seq: Number(seq), emoji: character(emoji), on: true }),
  ],
  unreact: [
    /^(\d+)\s+(\S+)$/,
    (seq, emoji) => ({ type: 'react', seq: Number(seq), emoji: character(emoji), on: false }),
  ],
  search: [/^([^]+)$/, (text) => ({ text })],
};
const character = (emoji) => EMOJI.get(emoji.replace(/^:|:$/g, '')) ?? emoji;

/**
 * Parses what was typed: `{ does, … }`; `does: 'wrong'` has a sentence, `does: 'send'` a command of
 * the protocol.
 */
export function parse(typed) {
  const line = typed.trim();
  if (line.startsWith('//')) return { does: 'say', text: line.slice(1) };
  if (!line.startsWith('/')) return { does: 'say', text: line };
  const [, typedWord, rest] = /^\/(\S*)\s*([^]*)$/u.exec(line);
  const word = typedWord.toLowerCase();
  const command = all().find((one) => one.word === word);
  const wrong = (sentence) => ({ does: 'wrong', sentence });
  if (!command) return wrong(t.command.unknown(typedWord));
  const message = /^@?(\S+)\s+([^]+)$/u.exec(rest);
  if (word === 'msg' ? !message : command.example && rest === '') {
    return wrong(t.command.incomplete(word, command.needs, command.example));
  }
  if (PLAIN[word]) {
    const [pattern, fields] = PLAIN[word];
    const found = pattern.exec(rest);
    return found
      ? { does: 'send', command: { type: word, ...fields(...found.slice(1)) } }
      : wrong(t.command.incomplete(word, command.needs, command.example));
  }
  switch (word) {
    case 'me':
      return { does: 'say', text: rest, action: true };
    case 'nick':
      return { does: 'rename', name: rest };
    case 'join':
      return { does: 'join', channel: rest };
    case 'msg':
      return { does: 'direct', to: message[1], text: message[2] };
    case 'history':
      if (rest !== '' && !/^[1-9]\d{0,3}$/.test(rest)) return wrong(t.command.historyNumber);
      return { does: 'history', limit: rest === '' ? null : Math.min(200, Number(rest)) };
    case 'leave':
    case 'who':
      return { does: word, channel: rest.replace(/^#/, '') || null };
    default:
      return { does: word };
  }
}

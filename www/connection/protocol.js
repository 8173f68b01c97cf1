// The chat protocol as the page uses it: commands, events, close codes, and what the server accepts
// as a text. Pure. JSON.stringify leaves out fields that are undefined, so optional fields need no
// special care.

import { beside } from '../texts/address.js';
import { t } from '../texts/language.js';

/** The WebSocket subprotocol that the page offers. */
export const SUBPROTOCOL = 'chat';
/** The most messages in one page of history. */
export const PAGE = 200;

/** The URL of the chat endpoint, relative to the page, so that it works below any path. */
export function chatUrl(pageUrl) {
  const url = beside('chat', pageUrl);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

export const hello = (credentials) => ({ type: 'hello', ...credentials });
export const rename = (name) => ({ type: 'rename', name });
export const join = (channel, since) => ({ type: 'join', channel, since });
export const leave = (channel) => ({ type: 'leave', channel });
export const typing = (target) => ({ type: 'typing', ...target });
export const history = (target, page) => ({ type: 'history', ...target, ...page });
export const who = (channel) => ({ type: 'who', channel });
export const channels = () => ({ type: 'channels' });

/**
 * How commands name a room: by channel, or by conversation. Null for a person without a
 * conversation yet.
 */
export function target({ kind, name, conversation }) {
  if (kind === 'channel') return { channel: name };
  return conversation === null ? null : { conversation };
}

/** The command that sends a text to a room. */
export function post(room, { text, nonce, action }) {
  if (room.kind === 'channel') return { type: 'message', channel: room.name, text, nonce, action };
  return { type: 'direct', ...(target(room) ?? { to: room.name }), text, nonce };
}

/** Serializes a command. Lone surrogates are replaced: UTF-8 can't encode them. */
export const encode = (command) =>
  JSON.stringify(command, (_, value) => value?.toWellFormed?.() ?? value);

/** The size in bytes of a text for a room as the server will receive it, at most. */
export function sentBytes(room, text, action) {
  const longest = { ...room, conversation: room.conversation ?? '0'.repeat(64) };
  const command = {
    ...post(longest, { text, action, nonce: '0'.repeat(32) }),
    id: Number.MAX_SAFE_INTEGER,
  };
  return new TextEncoder().encode(encode(command)).length;
}

/** Removes the control characters that the server refuses; pasted terminal output has some. */
export const printable = (text) => text.replace(/[^\P{Cc}\n\t]/gu, '');

/** The length of a text in Unicode scalars, as the server counts it. */
export const characters = (text) => [...text].length;

/** Whether a command or an event carries what a person wrote. */
export const carriesText = ({ type }) => type === 'message' || type === 'direct';

/** The messages that an event brings: a page of history, or itself. */
export const messagesOf = (event) => event.history ?? event.messages ?? [event];

/**
 * Whether the server has another page than this one, whose `build` is null if it isn't known.
 * `server` is that field of `welcome`, `first` what it was when the page connected first.
 */
export const isUpdated = (server, first,
  build) => (build === null ? server !== first : !server?.endsWith(`+${build}`));

/**
 * Parses an event; null if it isn't one. A later server may send types that this page doesn't know.
 */
export function parse(data) {
  try {
    const event = JSON.parse(data);
    return typeof event?.type === 'string' ? event : null;
  } catch {
    return null;
  }
}

/** Whether a close code says that the server rejected what this client sent. */
export const isRejection = (code) => [1002, 1003, 1007, 1008, 1009].includes(code);

/** Returns the meaning of a close code, as a sentence for the user. */
export function closeSentence(code, reason) {
  const sentence = t.closed[code] ?? t.closed.lost;
  return t.connection.ended(sentence,
    code === 1001 || !t.closed[code] ? '' : reason.replace(/\.$/, ''));
}

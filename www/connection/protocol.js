// What the page and the server say to each other: commands out, events in, and what a close code means for a person.
//
// A command is a plain object. A field that is undefined is left out by JSON.stringify, so that optional ones need no care.
// Not here: what an event changes (state.js), how commands travel (connection.js).

import { beside } from '../texts/address.js';

/** The subprotocol that the page asks for. */
export const SUBPROTOCOL = 'chat';

/** How many messages a page of history holds at most. */
export const PAGE = 200;

/** The address of the chat beside the page, wherever a proxy has put it. */
export function chatUrl(pageUrl) {
  const url = beside('chat', pageUrl);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

export const hello = (name, session) => ({ type: 'hello', name, session });
export const rename = (name) => ({ type: 'rename', name });
export const join = (channel, since) => ({ type: 'join', channel, since });
export const leave = (channel) => ({ type: 'leave', channel });
export const message = (channel, text, nonce, action) => ({ type: 'message', channel, text, nonce, action });
export const direct = (to, text, nonce) => ({ type: 'direct', ...to, text, nonce });
export const typing = (where) => ({ type: 'typing', ...where });
export const history = (where, page) => ({ type: 'history', ...where, ...page });
export const who = (channel) => ({ type: 'who', channel });
export const channels = () => ({ type: 'channels' });

/** A command for the wire. Half a surrogate pair is no character: the server could not even read whom to answer. */
export const encode = (command) => JSON.stringify(command, (_, value) => (typeof value === 'string' ? value.replace(/\p{Cs}/gu, '\uFFFD') : value));

/** Whether a command carries what a person wrote. */
export const carriesText = ({ type }) => type === 'message' || type === 'direct';

/** How commands name a place: by its channel, or by its conversation; null for a person nothing was said to yet. */
export function where(place) {
  if (place.kind === 'channel') return { channel: place.name };
  return place.conversation === null ? null : { conversation: place.conversation };
}

/** Reads one event. What is none gives null: a later version of the server may say things that this page does not know. */
export function parse(data) {
  try {
    const event = JSON.parse(data);
    return typeof event?.type === 'string' ? event : null;
  } catch {
    return null;
  }
}

/** What a close says to a person: one sentence, without what the page does about it. */
export function closeSentence(code, reason) {
  const because = reason ? `: ${reason.replace(/\.$/, '')}.` : '.';
  switch (code) {
    case 1001: return 'The server is going away, perhaps to restart.';
    case 1008: return `The server closed the connection${because}`;
    case 1009: return `The server refused a message that was too big${because}`;
    case 1011: return `The server had an error${because}`;
    case 1013: return `The server has too much to do just now${because}`;
    case 1002:
    case 1003:
    case 1007: return `The server did not understand this page${because}`;
    default: return 'The connection is lost.';
  }
}

// Frames: bytes and hex, where each field is drawn, how a payload is masked, and frames built by hand. Pure.
//
// What a field means is in the server's answer (`trace`, `tried`).

import { t } from '../texts/en.js';

export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** "81 05 …" as bytes; null if it is not hex. */
export function bytesOf(hex) {
  const digits = hex.replace(/0x|\\x/gi, '').replace(/[\s,:;-]/g, '');
  if (digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits)) return null;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export const hexOf = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');

/** Bytes as text; null if they are not UTF-8. */
export function textOf(bytes) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

export const bytesOfText = (text) => new TextEncoder().encode(text);

/** Text for one line: control characters become the pictures that Unicode has of them. */
export const visible = (text) => text.replace(/\u007f/g, '␡')
  .replace(/[\u0000-\u001f]/g, (character) => String.fromCodePoint(0x2400 + character.codePointAt(0)));

/** A traced frame in one line. */
export function summary({ frame, inflated }) {
  if (frame.violation) return frame.violation;
  if (frame.close) {
    const [code, name, reason] = frame.close;
    return `${code}, ${name}${reason ? `: ${visible(reason)}` : ''}`;
  }
  const bytes = bytesOf(inflated?.bytes ?? frame.payload);
  const isText = frame.opcode !== 'binary' && (!frame.rsv1 || inflated);
  // The end of a frame may cut a character.
  const cuts = [0, 1, 2, 3].map((cut) => textOf(bytes.slice(0, Math.max(0, bytes.length - cut))));
  const text = isText ? cuts.find((whole) => whole !== null) ?? null : null;
  const shown = text === null ? hexOf(bytes.slice(0, 24)) : visible(text);
  return shown.length > 200 ? `${shown.slice(0, 200)}…` : shown;
}

/** Traces as lines of hex, to be copied: the handshake's bytes, or a frame's after its direction. */
export function hexLines(traces) {
  return traces.map(({ handshake, direction, bytes }) => (
    handshake ? `${handshake.request.bytes}\n${handshake.response.bytes}` : `${direction} ${bytes}`)).join('\n');
}

/** Each field with its first bit; fields that share a byte follow one another. */
function placed(fields) {
  let bit = 0;
  return fields.map((field, index) => {
    const first = field.bits ? bit : field.from * 8;
    bit = field.bits ? bit + field.bits.length : field.to * 8;
    return { field, index, first, length: field.bits ? field.bits.length : (field.to - field.from) * 8 };
  });
}

/** Rows of payload that the diagram draws. */
const PAYLOAD_ROWS = 3;

/**
 * The diagram of RFC 6455 §5.2: cells in rows of 32 bits. `text` is the cell's bits, or a payload's bytes; `continued`: the
 * field goes on in a row that isn't drawn.
 */
export function cells(fields, bytes) {
  const drawn = [];
  for (const { field, index, first, length } of placed(fields)) {
    let rows = 0;
    for (let at = first; at < first + length; rows += 1) {
      const column = at % 32;
      const width = Math.min(32 - column, first + length - at);
      if (!field.bits && rows === PAYLOAD_ROWS) {
        drawn.at(-1).continued = true;
        break;
      }
      const text = field.bits ? field.bits.slice(at - first, at - first + width)
        : hexOf(bytes.slice(at / 8, (at + width) / 8));
      drawn.push({ index, name: field.name, first: rows === 0, row: Math.floor(at / 32), column, width, text, continued: false });
      at += width;
    }
  }
  return drawn;
}

/** A hex dump: rows of `width` bytes, each with its offset and the fields that it belongs to. */
export function dump(bytes, fields, width) {
  const owner = (at) => fields.flatMap((field, index) => (field.from <= at && at < field.to ? [index] : []));
  const rows = [];
  for (let at = 0; at < bytes.length; at += width) {
    rows.push([...bytes.slice(at, at + width)].map((byte, offset) => ({
      at: at + offset,
      hex: byte.toString(16).padStart(2, '0'),
      letter: byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·',
      fields: owner(at + offset),
    })));
  }
  return rows;
}

/** How the first bytes of a payload are masked: [as sent, byte of the key, unmasked, letter]. */
export function masking({ frame, bytes }, most = 8) {
  const key = frame.masking_key === null ? null : bytesOf(frame.masking_key);
  if (!key) return [];
  const masked = bytesOf(bytes).slice(frame.header_bytes, frame.header_bytes + most);
  return [...masked].map((byte, at) => {
    const plain = byte ^ key[at % 4];
    return [hexOf([byte]), hexOf([key[at % 4]]), hexOf([plain]), plain >= 0x20 && plain < 0x7f ? String.fromCharCode(plain) : ''];
  });
}

/** The masking key of the examples in RFC 6455 §5.7. A real client's key must be unpredictable. */
const KEY = [0x37, 0xfa, 0x21, 0x3d];

/**
 * A frame, valid or not. `length` is how the length is encoded: `short`, `16`, `64` or `shortest`; `claims` is a length other
 * than the payload's.
 */
export function frame({
  opcode = 1, fin = true, rsv1 = false, rsv2 = false, rsv3 = false, masked = true, payload = [], length = 'shortest', claims = null,
}) {
  const first = (fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | (rsv2 ? 0x20 : 0) | (rsv3 ? 0x10 : 0) | opcode;
  const count = BigInt(claims ?? payload.length);
  const form = length !== 'shortest' ? length : count < 126n ? 'short' : count < 65536n ? '16' : '64';
  const bytesOfLength = form === 'short' ? 0 : Number(form) / 8;
  const lengthByte = (_, at) => Number((count >> BigInt(8 * (bytesOfLength - 1 - at))) & 0xffn);
  const lengthBytes = Array.from({ length: bytesOfLength }, lengthByte);
  const second = (masked ? 0x80 : 0) | (form === 'short' ? Number(count) & 0x7f : form === '16' ? 126 : 127);
  const body = masked ? [...payload].map((byte, at) => byte ^ KEY[at % 4]) : [...payload];
  return Uint8Array.from([first, second, ...lengthBytes, ...(masked ? KEY : []), ...body]);
}

const text = (words) => bytesOfText(words);
const join = (...frames) => Uint8Array.from(frames.flatMap((bytes) => [...bytes]));
const { continuation, close, ping } = OPCODES;

const { examples } = t.builder;

/** Frames to try: names and bytes. The first three are valid. */
export const PRESETS = [
  [examples.text, frame({ payload: text('Hello') })],
  [examples.fragments, join(frame({ fin: false, payload: text('Hel') }),
    frame({ opcode: ping, payload: text('?') }), frame({ opcode: continuation, payload: text('lo') }))],
  [examples.close, frame({ opcode: close, payload: [3, 232, ...text('bye')] })],
  [examples.unmasked, frame({ masked: false, payload: text('Hello') })],
  [examples.reservedBit, frame({ rsv2: true, payload: text('Hello') })],
  [examples.compressed, frame({ rsv1: true, payload: [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00] })],
  [examples.opcode, frame({ opcode: 3, payload: text('Hello') })],
  [examples.notUtf8, frame({ payload: [0x48, 0xff, 0x6f] })],
  [examples.cutCharacter, frame({ payload: [0xe2, 0x82] })],
  [examples.pingFragment, frame({ opcode: ping, fin: false, payload: text('Hel') })],
  [examples.longPing, frame({ opcode: ping, payload: new Uint8Array(126).fill(0x2e) })],
  [examples.noStart, frame({ opcode: continuation, payload: text('lo') })],
  [examples.nested, join(frame({ fin: false, payload: text('Hel') }), frame({ payload: text('Hello') }))],
  [examples.longLength, frame({ length: '16', payload: text('Hello') })],
  [examples.hugeLength, frame({ length: '64', claims: 1n << 63n })],
  [examples.tooBig, frame({ length: '64', claims: 1n << 40n })],
  [examples.halfCode, frame({ opcode: close, payload: [3] })],
  [examples.code1005, frame({ opcode: close, payload: [3, 237] })],
  [examples.badReason, frame({ opcode: close, payload: [3, 232, 0xff] })],
];

// Frames: bytes and hex, where each field is drawn, how a payload is masked, and frames built by
// hand. Pure. The server's events (`trace`, `tried`) say what each field means.

export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** "81 05 …" as bytes; null if it is not hex. */
export function bytesOf(hex) {
  const digits = hex.replace(/0x|\\x/gi, '').replace(/[\s,:;-]/g, '');
  if (digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits)) return null;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export const hexOf = (bytes) =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');

/**
 * Bytes as text; null if they are not UTF-8. With `{ stream: true }` a character that is cut at the
 * end is left out.
 */
export function textOf(bytes, options) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, options);
  } catch {
    return null;
  }
}

export const bytesOfText = (text) => new TextEncoder().encode(text);

/** Text for one line: control characters become the pictures that Unicode has of them. */
export const visible = (text) =>
  text.replace(/\u007f/g, '␡')
    .replace(/[\u0000-\u001f]/g,
      (character) => String.fromCodePoint(0x2400 + character.codePointAt(0)));

/** A traced frame in one line. */
export function summary({ frame, inflated }) {
  if (frame.violation) return frame.violation;
  if (frame.close) {
    const [code, name, reason] = frame.close;
    return `${code}, ${name}${reason ? `: ${visible(reason)}` : ''}`;
  }
  const bytes = bytesOf(inflated?.bytes ?? frame.payload);
  const isText = frame.opcode !== 'binary' && (!frame.rsv1 || inflated);
  const text = isText ? textOf(bytes, { stream: true }) : null;
  const shown = text === null ? hexOf(bytes.slice(0, 24)) : visible(text);
  return shown.length > 200 ? `${shown.slice(0, 200)}…` : shown;
}

/**
 * Traces as lines of hex, to be copied: the handshake's bytes, or a frame's after its direction.
 */
export function hexLines(traces) {
  return traces.map(({ handshake, direction, bytes }) => (
    handshake ? `${handshake.request.bytes}\n${handshake.response.bytes}` : `${direction} ${bytes}`
  )).join('\n');
}

/** Rows of payload that the diagram draws. */
const PAYLOAD_ROWS = 3;

/**
 * The diagram of RFC 6455 §5.2: cells in rows of 32 bits. `text` is the cell's bits, or a payload's
 * bytes; `continued`: the field goes on in a row that isn't drawn.
 */
export function cells(fields, bytes) {
  const drawn = [];
  let end = 0; // of the field before, in bits: fields that share a byte follow one another
  for (const [index, { name, bits, from, to }] of fields.entries()) {
    const start = bits ? end : from * 8;
    end = bits ? start + bits.length : to * 8;
    for (let at = start, rows = 0; at < end; rows += 1) {
      if (!bits && rows === PAYLOAD_ROWS) {
        drawn.at(-1).continued = true;
        break;
      }
      const column = at % 32;
      const next = Math.min(at - column + 32, end);
      const text = bits
        ? bits.slice(at - start, next - start)
        : hexOf(bytes.slice(at / 8, next / 8));
      const row = Math.floor(at / 32);
      drawn.push({
        index,
        name,
        first: rows === 0,
        row,
        column,
        width: next - at,
        text,
        continued: false,
      });
      at = next;
    }
  }
  return drawn;
}

/** A hex dump: rows of `width` bytes, each byte with the indices of its fields. */
export function dump(bytes, fields, width) {
  const all = Array.from(bytes, (byte, at) => ({
    hex: hexOf([byte]),
    letter: printable(byte) ?? '·',
    fields: [...fields.keys()].filter((index) => fields[index].from <= at && at < fields[index].to),
  }));
  return Array.from({ length: Math.ceil(all.length / width) },
    (_, row) => all.slice(row * width, (row + 1) * width));
}

const printable = (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : null);

/** How the first bytes of a payload are masked: [as sent, byte of the key, unmasked, letter]. */
export function masking({ frame, bytes }, most = 8) {
  const key = frame.masking_key === null ? null : bytesOf(frame.masking_key);
  if (!key) return [];
  const masked = bytesOf(bytes).slice(frame.header_bytes, frame.header_bytes + most);
  return Array.from(masked, (byte, at) => {
    const plain = byte ^ key[at % 4];
    return [hexOf([byte]), hexOf([key[at % 4]]), hexOf([plain]), printable(plain) ?? ''];
  });
}

/** The masking key of the examples in RFC 6455 §5.7. A real client's key must be unpredictable. */
const KEY = [0x37, 0xfa, 0x21, 0x3d];

/**
 * A frame, valid or not. `length`: how the length is encoded: in `7`, `16` or `64` bits, or in the
 * `shortest` form.
 */
export function frame({
  opcode = 1,
  fin = true,
  rsv1 = false,
  rsv2 = false,
  rsv3 = false,
  masked = true,
  payload = [],
  length = 'shortest',
}) {
  const count = payload.length;
  const shortest = count < 126 ? 7 : count < 65536 ? 16 : 64;
  const bits = length === 'shortest' ? shortest : Number(length);
  const lengthBytes = Array.from({ length: bits >> 3 },
    (_, at) => Math.floor(count / 2 ** (bits - 8 - 8 * at)) % 256);
  return Uint8Array.from([
    (fin << 7) | (rsv1 << 6) | (rsv2 << 5) | (rsv3 << 4) | opcode,
    (masked << 7) | ({ 16: 126, 64: 127 }[bits] ?? count),
    ...lengthBytes,
    ...(masked ? KEY : []),
    ...Array.from(payload, (byte, at) => (masked ? byte ^ KEY[at % 4] : byte)),
  ]);
}

const text = bytesOfText;
const join = (...frames) => Uint8Array.from(frames.flatMap((bytes) => [...bytes]));
const { continuation, close, ping } = OPCODES;

/** Frames to try: names in `t.builder.examples`, and bytes. The first three are valid. */
export const PRESETS = [
  ['text', frame({ payload: text('Hello') })],
  [
    'fragments',
    join(frame({ fin: false, payload: text('Hel') }), frame({ opcode: ping, payload: text('?') }),
      frame({ opcode: continuation, payload: text('lo') })),
  ],
  ['close', frame({ opcode: close, payload: [3, 232, ...text('bye')] })],
  ['unmasked', frame({ masked: false, payload: text('Hello') })],
  ['reservedBit', frame({ rsv2: true, payload: text('Hello') })],
  ['compressed', frame({ rsv1: true, payload: [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00] })],
  ['opcode', frame({ opcode: 3, payload: text('Hello') })],
  ['notUtf8', frame({ payload: [0x48, 0xff, 0x6f] })],
  ['cutCharacter', frame({ payload: [0xe2, 0x82] })],
  ['pingFragment', frame({ opcode: ping, fin: false, payload: text('Hel') })],
  ['longPing', frame({ opcode: ping, payload: new Uint8Array(126).fill(0x2e) })],
  ['noStart', frame({ opcode: continuation, payload: text('lo') })],
  ['nested', join(frame({ fin: false, payload: text('Hel') }), frame({ payload: text('Hello') }))],
  ['longLength', frame({ length: '16', payload: text('Hello') })],
  ['hugeLength', bytesOf('81 ff 80 00 00 00 00 00 00 00 37 fa 21 3d')],
  ['tooBig', bytesOf('81 ff 00 00 01 00 00 00 00 00 37 fa 21 3d')],
  ['halfCode', frame({ opcode: close, payload: [3] })],
  ['code1005', frame({ opcode: close, payload: [3, 237] })],
  ['badReason', frame({ opcode: close, payload: [3, 232, 0xff] })],
];

// Frames as the wire view draws and builds them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PRESETS, bytesOf, cells, dump, frame, hexLines, hexOf, masking, summary, textOf } from '../../www/wire/frames.js';

test('hex is read in all usual spellings', () => {
  for (const hex of [
    '8105 4865',
    '81:05:48:65',
    '0x81, 0x05, 0x48, 0x65',
    '\\x81\\x05\\x48\\x65',
    '81\n05-48;65',
  ]) {
    assert.deepEqual([...bytesOf(hex)], [0x81, 5, 0x48, 0x65], hex);
  }
  assert.equal(hexOf(bytesOf('0AfF')), '0a ff');
  for (const wrong of ['8', 'xy', '81 0']) assert.equal(bytesOf(wrong), null, wrong);
});

test('the frames of RFC 6455 §5.7 are built', () => {
  const hello = new TextEncoder().encode('Hello');
  const table = [
    ['a masked text', { payload: hello }, '81 85 37 fa 21 3d 7f 9f 4d 51 58'],
    ['an unmasked text', { payload: hello, masked: false }, '81 05 48 65 6c 6c 6f'],
    ['a fragment', { payload: hello.slice(0, 3), masked: false, fin: false }, '01 03 48 65 6c'],
    ['a masked pong', { opcode: 10, payload: hello }, '8a 85 37 fa 21 3d 7f 9f 4d 51 58'],
    [
      'a length of 16 bits that fits into 7',
      { payload: [1], masked: false, length: '16' },
      '81 7e 00 01 01',
    ],
    ['all reserved bits', { rsv1: true, rsv2: true, rsv3: true, masked: false }, 'f1 00'],
    [
      'a length of 64 bits that fits into 7',
      { payload: [1], masked: false, length: '64' },
      '81 7f 00 00 00 00 00 00 00 01 01',
    ],
  ];
  for (const [name, made, hex] of table) assert.equal(hexOf(frame(made)), hex, name);
  assert.equal(hexOf(frame({ opcode: 2, payload: new Uint8Array(256), masked: false }).slice(0, 4)),
    '82 7e 01 00');
  assert.equal(
    hexOf(frame({ opcode: 2, payload: new Uint8Array(65536), masked: false }).slice(0, 10)),
    '82 7f 00 00 00 00 00 01 00 00',
  );
});

const field = (name, from, to, bits = '') => ({ name, from, to, bits, meaning: '' });
const FIELDS = [
  field('FIN', 0, 1, '1'),
  field('RSV1', 0, 1, '0'),
  field('RSV2', 0, 1, '0'),
  field('RSV3', 0, 1, '0'),
  field('opcode', 0, 1, '0001'),
  field('MASK', 1, 2, '1'),
  field('payload length', 1, 2, '0000101'),
  field('masking key', 2, 6, '00110111111110100010000100111101'),
  field('payload', 6, 11),
];
const BYTES = bytesOf('81 85 37 fa 21 3d 7f 9f 4d 51 58');

test('the diagram has 32 bits in a row', () => {
  const drawn = cells(FIELDS, BYTES).map((
    { name, row, column, width, text },
  ) => [name, row, column, width, text]);
  assert.deepEqual(drawn, [
    ['FIN', 0, 0, 1, '1'],
    ['RSV1', 0, 1, 1, '0'],
    ['RSV2', 0, 2, 1, '0'],
    ['RSV3', 0, 3, 1, '0'],
    ['opcode', 0, 4, 4, '0001'],
    ['MASK', 0, 8, 1, '1'],
    ['payload length', 0, 9, 7, '0000101'],
    ['masking key', 0, 16, 16, '0011011111111010'],
    ['masking key', 1, 0, 16, '0010000100111101'],
    ['payload', 1, 16, 16, '7f 9f'],
    ['payload', 2, 0, 24, '4d 51 58'],
  ]);
  const long = cells([field('payload', 0, 100)], new Uint8Array(100));
  assert.equal(long.length, 3, 'the beginning of a long payload');
  assert.deepEqual(long.map(({ continued }) => continued), [false, false, true]);
});

test('each byte of the dump knows its fields', () => {
  const rows = dump(BYTES, FIELDS, 8);
  assert.deepEqual(rows.map((row) => row.length), [8, 3]);
  assert.deepEqual(rows[0].map(({ fields }) => fields.at(0)), [0, 5, 7, 7, 7, 7, 8, 8]);
  assert.deepEqual(rows[0][0].fields, [0, 1, 2, 3, 4]);
  assert.equal(rows[1].map(({ letter }) => letter).join(''), 'MQX');
});

test('unmasking is shown byte by byte', () => {
  const trace = { bytes: hexOf(BYTES), frame: { masking_key: '37 fa 21 3d', header_bytes: 6 } };
  assert.deepEqual(masking(trace)[0], ['7f', '37', '48', 'H']);
  assert.equal(masking(trace).map((step) => step[3]).join(''), 'Hello');
  assert.deepEqual(masking({ bytes: '81 00', frame: { masking_key: null, header_bytes: 2 } }), []);
});

test('each frame has a summary in one line', () => {
  const of = (opcode, payload, more = {}) => summary({ frame: { opcode, payload, ...more } });
  assert.equal(of('text', '48 65 0a'), 'He␊');
  assert.equal(of('text', '48 e2 82'), 'H', 'a cut character is left out');
  assert.equal(of('binary', '00 ff'), '00 ff');
  assert.equal(of('text', 'f2', { rsv1: true }), 'f2', 'compressed, so not known');
  assert.equal(
    summary({ frame: { opcode: 'text', payload: 'f2', rsv1: true }, inflated: { bytes: '48' } }),
    'H',
  );
  assert.equal(of('close', '03 e8', { close: [1000, 'all is said', 'bye\u0007'] }),
    '1000, all is said: bye␇');
  assert.equal(of(null, '', { violation: 'RFC 6455 5.2: the opcode has no meaning' }),
    'RFC 6455 5.2: the opcode has no meaning');
  assert.equal(of('text', '61'.repeat(300)).length, 201);
});

test('invalid UTF-8 is not shown as text', () => {
  assert.equal(textOf(bytesOf('ff')), null);
  assert.equal(textOf(bytesOf('ef bb bf 41')), '\ufeffA', 'a mark at the beginning is shown too');
});

test('every preset fits into one trial', () => {
  for (const [name, bytes] of PRESETS) assert.ok(bytes.length > 0 && bytes.length <= 4096, name);
  assert.equal(new Set(PRESETS.map(([name]) => name)).size, PRESETS.length);
});

test('frames are copied as hex, also after a gap', () => {
  const handshake = { request: { bytes: '47 45' }, response: { bytes: '48 54' } };
  const traces = [{ handshake }, { direction: 'in', bytes: '81 00' }, {
    direction: 'out',
    bytes: '8a 00',
    missed: 3,
  }];
  assert.equal(hexLines(traces), '47 45\n48 54\nin 81 00\nout 8a 00');
});

// QR codes (ISO/IEC 18004) of a text: byte mode, level M, versions 1 to 6, up to 106 bytes. Pure.

/**
 * For each version: codewords, of these for error correction in a block, and blocks, which are
 * equally long.
 */
const VERSIONS = [[26, 10, 1], [44, 16, 1], [70, 26, 1], [100, 18, 2], [134, 24, 2], [172, 16, 4]];

/**
 * The format's bits for level M and mask 0: their code is all zeros before the standard's own mask.
 */
const FORMAT = 0x5412;

/** The product of two numbers in GF(2⁸) with the polynomial of QR codes. */
function times(a, b) {
  let product = 0;
  for (let bit = 7; bit >= 0; bit -= 1)
    product = (product << 1) ^ ((product >> 7) * 0x11d) ^ (((b >> bit) & 1) * a);
  return product;
}

/** The Reed-Solomon codewords of a block. */
function correction(block, degree) {
  let divisor = [1];
  for (let power = 0, root = 1; power < degree; power += 1, root = times(root, 2)) {
    divisor = [...divisor, 0].map((one, index) =>
      one ^ (index > 0 ? times(divisor[index - 1], root) : 0)
    );
  }
  let rest = new Array(degree).fill(0);
  for (const byte of block) {
    const factor = byte ^ rest[0];
    rest = [...rest.slice(1), 0].map((one, index) => one ^ times(divisor[index + 1], factor));
  }
  return rest;
}

/** The bytes of the code, data and correction, interleaved. */
function codewords(bytes, version) {
  const [total, degree, blocks] = VERSIONS[version - 1];
  const room = total - degree * blocks;
  // After the four bits of the mode every byte is shifted by half of one.
  const halves = [4, ...[bytes.length, ...bytes].flatMap((byte) => [byte >> 4, byte & 15]), 0];
  const data = Array.from({ length: halves.length / 2 },
    (_, index) => (halves[2 * index] << 4) | halves[2 * index + 1]);
  for (let pad = 0xec; data.length < room; pad ^= 0xfd) data.push(pad);
  const size = room / blocks;
  const list = Array.from({ length: blocks },
    (_, block) => data.slice(block * size, (block + 1) * size));
  const interleaved = (parts) => parts[0].flatMap((_, index) => parts.map((part) => part[index]));
  return [...interleaved(list), ...interleaved(list.map((block) => correction(block, degree)))];
}

/** The rows of the code in `0` and `1` (dark); none if the text is too long. */
export function qrRows(text) {
  const bytes = [...new TextEncoder().encode(text)];
  const version =
    VERSIONS.findIndex(([total, degree, blocks]) => bytes.length + 2 <= total - degree * blocks)
    + 1;
  if (version === 0) return [];
  const size = 17 + 4 * version;
  const cells = Array.from({ length: size }, () => new Array(size).fill(null));
  const square = (x, y, radius, dark) => {
    for (let down = -radius; down <= radius; down += 1) {
      for (let right = -radius; right <= radius; right += 1) {
        if (cells[y + down]?.[x + right] !== undefined)
          cells[y + down][x + right] = dark(Math.max(Math.abs(down), Math.abs(right)));
      }
    }
  };
  if (version > 1) square(size - 7, size - 7, 2, (far) => far !== 1);
  for (const [x, y] of [[3, 3], [size - 4, 3], [3, size - 4]])
    square(x, y, 4, (far) => far !== 2 && far !== 4);
  for (let at = 8; at < size - 8; at += 1) cells[6][at] = cells[at][6] = at % 2 === 0;
  for (let bit = 0; bit < 15; bit += 1) {
    const dark = ((FORMAT >> bit) & 1) === 1;
    cells[bit < 6 ? bit : bit < 8 ? bit + 1 : size - 15 + bit][8] = dark;
    cells[8][bit < 8 ? size - 1 - bit : bit < 9 ? 7 : 14 - bit] = dark;
  }
  cells[size - 8][8] = true;
  const stream = codewords(bytes, version);
  let next = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5; // the column of the timing pattern
    for (let step = 0; step < size; step += 1) {
      const y = ((right + 1) & 2) === 0 ? size - 1 - step : step;
      for (const x of [right, right - 1]) {
        if (cells[y][x] !== null) continue;
        const bit = ((stream[next >> 3] ?? 0) >> (7 - (next & 7))) & 1;
        next += 1;
        cells[y][x] = (bit === 1) !== ((x + y) % 2 === 0);
      }
    }
  }
  return cells.map((row) => row.map((dark) => (dark ? '1' : '0')).join(''));
}

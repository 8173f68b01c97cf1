// The page /join: the addresses of this server, the first one large and, if the server has one, as a QR code. In the browser of an
// owner who knows the room's password, the addresses have it.

import { findPassword } from '../store/storage.js';
import { beside, withPassword } from '../texts/address.js';
import { loadTexts, t } from '../texts/language.js';
import { qrRows } from '../texts/qr.js';
import { element, fillTexts } from '../views/dom.js';

const SVG = 'http://www.w3.org/2000/svg';
const byId = (id) => document.getElementById(id);

/** Draws rows of 0 and 1 as squares, with the border of four that cameras need. */
function qrCode(rows, address) {
  const size = rows.length + 8;
  const svg = document.createElementNS(SVG, 'svg');
  for (const [name, value] of [['viewBox', `0 0 ${size} ${size}`], ['role', 'img'], ['aria-label', t.join.code(address)]]) {
    svg.setAttribute(name, value);
  }
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', rows.flatMap((row, y) => [...row].map((cell, x) => (cell === '1' ? `M${x + 4} ${y + 4}h1v1h-1z` : ''))).join(''));
  svg.append(path);
  return svg;
}

async function load() {
  try {
    const response = await fetch(beside('join.json', location.href), { cache: 'no-store' });
    if (response.ok) return await response.json();
  } catch { /* the address of this page is shown instead */ }
  return { addresses: [], code: [] };
}

await loadTexts();
fillTexts(t.page);
const [{ addresses, code }, password] = await Promise.all([load(), findPassword()]);
const link = (address) => (password === null ? address : `${address}${withPassword(password)}`);
const here = beside('./', location.href).href;
const isLocal = /^(localhost|127\.|\[::1\])/.test(location.hostname);
// A host name that led here is better than a number; the code is that of the first number.
const [first, ...others] = isLocal ? [...addresses, here].slice(0, Math.max(1, addresses.length))
  : [here, ...addresses.filter((address) => address !== here)];
const rows = password !== null ? qrRows(link(first)) : first === addresses[0] ? code : [];
byId('address').textContent = link(first).replace(/^http:\/\//, '').replace(/\/$/, '');
if (rows.length > 0) byId('code').append(qrCode(rows, first));
byId('others').append(...others.map((address) => element('li', {}, link(address))));
if (password !== null) byId('hint').textContent = t.join.withPassword;
if (isLocal && addresses.length === 0) byId('hint').textContent = t.join.onlyHere;
document.documentElement.dataset.started = ''; // see start.js

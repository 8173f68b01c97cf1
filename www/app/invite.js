// The page /join: the addresses of this server, the first one large and, if the server has one, as a QR code.

import { beside } from '../texts/address.js';
import { t } from '../texts/en.js';
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

fillTexts(t.page);
const { addresses, code } = await load();
const here = beside('./', location.href).href;
const isLocal = /^(localhost|127\.|\[::1\])/.test(location.hostname);
// A host name that led here is better than a number; the code is that of the first number.
const [first, ...others] = isLocal ? [...addresses, here].slice(0, Math.max(1, addresses.length))
  : [here, ...addresses.filter((address) => address !== here)];
byId('address').textContent = first.replace(/^http:\/\//, '').replace(/\/$/, '');
if (code.length > 0 && first === addresses[0]) byId('code').append(qrCode(code, first));
byId('others').append(...others.map((address) => element('li', {}, address)));
if (isLocal && addresses.length === 0) byId('hint').textContent = t.join.onlyHere;
document.documentElement.dataset.started = ''; // see start.js

// The page /join: the addresses at which others reach the server, which join.json lists. The first one is large, and a QR code
// where the server was built with them.

import { beside } from '../texts/address.js';

const SVG = 'http://www.w3.org/2000/svg';
const place = (id) => document.getElementById(id);

/** Rows of 0 and 1 as squares, with the border of four that cameras need. */
function drawn(rows, address) {
  const size = rows.length + 8;
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', `0 0 ${size} ${size}`);
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', `QR code of ${address}`);
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', rows.flatMap((row, y) => [...row].map((cell, x) => (cell === '1' ? `M${x + 4} ${y + 4}h1v1h-1z` : ''))).join(''));
  svg.append(path);
  return svg;
}

async function told() {
  try {
    const answer = await fetch(beside('join.json', location.href), { cache: 'no-store' });
    return answer.ok ? await answer.json() : { addresses: [], code: [] };
  } catch {
    return { addresses: [], code: [] };
  }
}

const { addresses, code } = await told();
const here = beside('./', location.href).href;
const isLocal = /^(localhost|127\.|\[::1\])/.test(location.hostname);
// A visitor who came by a name knows a better address than a number. The code is that of the first number.
const [first, ...others] = isLocal ? [...addresses, here].slice(0, Math.max(1, addresses.length)) : [here, ...addresses.filter((address) => address !== here)];
place('address').textContent = first.replace(/^http:\/\//, '').replace(/\/$/, '');
if (code.length > 0 && first === addresses[0]) place('code').append(drawn(code, first));
for (const address of others) place('others').append(Object.assign(document.createElement('li'), { textContent: address }));
if (isLocal && addresses.length === 0) {
  place('hint').textContent = 'Only this computer can reach it. To let others join, start the server with --listen 0.0.0.0:8080.';
}
document.documentElement.dataset.started = ''; // see start.js

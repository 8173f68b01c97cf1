// The invitation: the address of this chat, with a QR code. In the browser of an owner who knows
// the room's password, the address has it.

import { findPassword } from '../store/storage.js';
import { beside, withPassword } from '../texts/address.js';
import { t } from '../texts/language.js';
import { qrRows } from '../texts/qr.js';
import * as dialogs from './dialogs.js';
import { button, copyText, element, setText } from './dom.js';

const SVG = 'http://www.w3.org/2000/svg';

/** Draws rows of 0 and 1 as squares, with the border of four that cameras need. */
export function qrCode(rows, address) {
  const size = rows.length + 8;
  const svg = document.createElementNS(SVG, 'svg');
  for (const [name, value] of [['viewBox', `0 0 ${size} ${size}`], ['role', 'img'], [
    'aria-label',
    t.join.code(address),
  ]]) {
    svg.setAttribute(name, value);
  }
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d',
    rows.flatMap((row, y) =>
      [...row].map((cell, x) => (cell === '1' ? `M${x + 4} ${y + 4}h1v1h-1z` : ''))
    ).join(''));
  svg.append(path);
  return svg;
}

async function load() {
  try {
    const response = await fetch(beside('join.json', location.href), { cache: 'no-store' });
    if (response.ok) return await response.json();
  } catch { /* the address of this page is shown instead */ }
  return { addresses: [] };
}

/**
 * Returns `{ links, rows, hint }`: the addresses, the best one first, the rows of its QR code, and
 * what to know about them.
 */
export const invitation = async () => {
  const [{ addresses }, password] = await Promise.all([load(), findPassword()]);
  const link = (address) => (password === null ? address : `${address}${withPassword(password)}`);
  const here = beside('./', location.href).href;
  const isLocal = /^(localhost|127\.|\[::1\])/.test(location.hostname);
  // A host name that led here is better than a number.
  const all = isLocal
    ? [...addresses, here].slice(0, Math.max(1, addresses.length))
    : [here, ...addresses.filter((address) => address !== here)];
  const isOnlyHere = isLocal && addresses.length === 0;
  // no one else can open that address
  const rows = isOnlyHere && password === null ? [] : qrRows(link(all[0]));
  const hint = isOnlyHere ? t.join.onlyHere : password !== null ? t.join.withPassword : '';
  return { links: all.map(link), rows, hint };
};

/** Shows the invitation in a dialog. */
export const invite = async () => {
  const { links: [link], rows, hint } = await invitation();
  const copied = element('p', { class: 'hint', role: 'status' });
  const copy = button({
    class: 'main',
    onclick: () => setText(copied, copyText(link) ? t.menu.copied : t.menu.cantCopy + link),
  }, t.menu.copyLink);
  const dialog = dialogs.make(t.join.title,
    element('div', { class: 'invite' }, element('p', {}, t.join.intro),
      element('p', { class: 'link', dir: 'ltr' }, link),
      rows.length > 0 ? qrCode(rows, link) : null,
      hint ? element('p', { class: 'hint' }, hint) : null,
      element('div', { class: 'choices' }, copy), copied));
  dialog.addEventListener('close', () => dialog.remove(), { once: true });
  dialogs.open(dialog, copy);
};

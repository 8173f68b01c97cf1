// The page /join: the addresses of this server, the first one large and, if the server has one, as
// a QR code.

import { loadTexts, t } from '../texts/language.js';
import { element, fillTexts } from '../views/dom.js';
import { invitation, qrCode } from '../views/invitation.js';

const byId = (id) => document.getElementById(id);

await loadTexts();
fillTexts(t.page);
const { links: [first, ...others], rows, hint } = await invitation();
byId('address').textContent = first.replace(/^http:\/\//, '').replace(/\/$/, '');
if (rows.length > 0) byId('code').append(qrCode(rows, first.split('#')[0]));
byId('others').append(...others.map((link) => element('li', {}, link)));
byId('hint').textContent = hint;
document.documentElement.dataset.started = ''; // see start.js

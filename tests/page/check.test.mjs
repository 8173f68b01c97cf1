// The connection check: the problems that it finds in the server's view of a request.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge } from '../../www/connection/check.js';
import { fixes } from '../../www/texts/fixes.js';
import { table } from './table.mjs';

const HTTPS = { protocol: 'https:', host: 'chat.example' };
const HTTP = { protocol: 'http:', host: '127.0.0.1:8080' };
const ADA = '192.0.2.1';

/**
 * A name, the page, request headers, the client's address by the server, the difference of the
 * clocks in ms, and the codes found.
 */
const TABLE = [
  ['all is right', HTTPS, [`X-Forwarded-For: ${ADA}`], [ADA, true], 0, ''],
  ['no problem, without a proxy', HTTP, [], ['127.0.0.1', false], 9000, ''],
  [
    'the port of https is in the address',
    HTTPS,
    ['Host: CHAT.example:443', `X-Forwarded-For: ${ADA}`],
    [ADA, true],
    0,
    '',
  ],
  [
    'the proxy sends its own Host',
    HTTPS,
    ['Host: 127.0.0.1:8080', `X-Forwarded-For: ${ADA}`],
    [ADA, true],
    0,
    'host',
  ],
  [
    'the proxy is not trusted',
    HTTPS,
    [`X-Forwarded-For: ${ADA}`],
    ['127.0.0.1', false],
    0,
    'trusted-proxy',
  ],
  [
    'the first of two proxies is not trusted',
    HTTPS,
    [`X-Forwarded-For: ${ADA}, 10.0.0.2`],
    ['10.0.0.2', true],
    0,
    'trusted-proxy',
  ],
  ['two trusted proxies', HTTPS, [`x-forwarded-for: ${ADA}, 10.0.0.2`], [ADA, true], 0, ''],
  ['the standard header', HTTPS, [`Forwarded: for=${ADA}`], [ADA, true], 0, ''],
  ['no header', HTTPS, [], [null, true], 0, 'forwarded'],
  ['a wrong clock', HTTP, [], ['127.0.0.1', false], -60_000, 'clock'],
];

test('each problem is found and nothing else', () => {
  for (const [name, page, headers, [address, trusted], apart, expected] of TABLE) {
    const lines = [
      'GET /echo?trace=1 HTTP/1.1',
      ...(/^Host:/m.test(headers.join('\n')) ? [] : [`Host: ${page.host}`]),
      ...headers,
    ];
    const handshake = {
      request: { lines: lines.map((text) => ({ text })) },
      client: { address, trusted_proxy: trusted },
    };
    const problems = judge({ at: 1e12 + apart, handshake }, page, 1e12).filter(({ level }) =>
      level === 'problem'
    );
    assert.equal(problems.map(({ code }) => code).join(), expected, name);
  }
});

test('every place of a fix has a text', async () => {
  const texts = await table('en');
  for (const place of Object.values(fixes).flatMap(Object.keys))
    assert.ok(texts.has(`check.places.${place}`), place);
});

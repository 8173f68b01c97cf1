// How the page starts when some of its requests fail.

import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import { Person, scene, until } from './harness.mjs';

/**
 * Opens the page in a new context whose requests go through `fails(name, number)`: what it returns
 * fails.
 */
async function opened(browser, url, fails) {
  // A worker's requests don't pass by the route.
  const context = await browser.newContext({ serviceWorkers: 'block' });
  const names = [];
  await context.route('**/*', (route) => {
    // without the build
    const name = new URL(route.request().url()).pathname.replace(/^\/[0-9a-f]{16}(?=\/)/, '');
    names.push(name);
    const status = fails(name, names.length);
    if (!status) return route.continue();
    return status === 'abort'
      ? route.abort()
      : route.fulfill({ status, body: 'too many connections from your address' });
  });
  const page = await context.newPage();
  await page.goto(url).catch(() => {});
  return { context, page, names };
}

const joins = (page) =>
  page.getByRole('button', { name: 'Join chat' }).waitFor({ timeout: 20_000 });

scene('the page starts although any one of its requests fails once', [],
  async ({ server, browser }) => {
    const whole = await opened(browser, server.url, () => false);
    await joins(whole.page);
    await whole.page.waitForLoadState('networkidle');
    assert.ok(whole.names.length <= 9, `a handful of files: ${whole.names.join(' ')}`);
    // The first one is the document itself: there the browser has its own words.
    await Promise.all(whole.names.slice(1).map(async (name, index) => {
      const { context, page } = await opened(browser, server.url,
        (_, number) => number === index + 2 && 'abort');
      await joins(page);
      // styled
      await page.waitForFunction(() => getComputedStyle(document.body).display === 'flex');
      assert.equal(await page.locator('.start').count(), 0, name);
      await context.close();
    }));
  });

scene('a page that can’t start says why', [], async ({ server, browser }) => {
  const cases = [
    [
      '/app/main.js',
      429,
      'The server refused part of the page (429): too many connections from your address',
    ],
    ['/app/main.js', 'abort', 'Part of the page could not be loaded: the server can’t be reached.'],
    ['/styles/chat.css', 503, 'The server refused part of the page (503)'],
    [
      '/app/',
      'abort',
      'Loading the chat… If it doesn’t appear, part of the page could not be loaded.',
    ],
  ];
  await Promise.all(cases.map(async ([prefix, status, sentence]) => {
    const { context, page } = await opened(browser, server.url,
      (name) => name.startsWith(prefix) && status);
    await page.getByText(sentence).waitFor({ timeout: 30_000 });
    await context.close();
  }));
  // An exception at the start, as in a browser that is too old.
  const context = await browser.newContext({ serviceWorkers: 'block' });
  await context.route('**/main.js',
    (route) => route.fulfill({ contentType: 'text/javascript', body: 'nothing.of.that.name();' }));
  const page = await context.newPage();
  await page.goto(server.url);
  await page.getByText('nothing is not defined. It needs Chrome').waitFor({ timeout: 30_000 });
  // The server may be better now.
  await context.unroute('**/main.js');
  await page.getByRole('button', { name: 'Reload the page' }).click();
  await joins(page);
  const person = new Person();
  Object.assign(person, { page });
  await person.enter('Ada');
  await person.heading('#general').waitFor();
}, 90_000);

/**
 * A proxy that asks for the password `pw` of `ada`; `refuses(url)` returns a sentence where it
 * answers 429.
 */
async function guarded(target, refuses) {
  const seen = [];
  const pass = (from, head, how) => {
    const { hostname, port } = new URL(target);
    return request({ hostname, port, path: from.url, headers: { ...from.headers, ...head } }).on(
      'error',
      () => {},
    ).on(...how);
  };
  const asks = ({ url, headers }) => {
    const known = headers.authorization === `Basic ${btoa('ada:pw')}`;
    seen.push([url, known]);
    return !known;
  };
  const server = createServer((from, to) => {
    if (asks(from)) return to.writeHead(401, { 'WWW-Authenticate': 'Basic realm="chat"' }).end();
    const sentence = refuses(from.url);
    if (sentence) return to.writeHead(429).end(sentence);
    return pass(from, {}, [
      'response',
      (answer) => answer.pipe(to.writeHead(answer.statusCode, answer.headers)),
    ]).end();
  });
  server.on('upgrade', (from, near) => {
    near.on('error', () => {});
    if (asks(from) || refuses(from.url))
      return near.end('HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n');
    return pass(from, {}, ['upgrade', (answer, far, first) => {
      near.write(
        `HTTP/1.1 101 Switching Protocols\r\n${
          answer.rawHeaders.map((one, index) => (index % 2 ? `${one}\r\n` : `${one}: `)).join('')
        }\r\n`,
      );
      near.write(first);
      far.on('error', () => {}).pipe(near).pipe(far);
    }]).end();
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://ada:pw@127.0.0.1:${server.address().port}/`,
    seen,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

scene('behind a password that the address holds', [], async ({ server, browser, people }) => {
  let refused = null;
  const proxy = await guarded(server.url, (url) => url.startsWith('/chat') && refused);
  try {
    const ada = await Person.named('Ada', browser, proxy.url);
    people.push(ada);
    await ada.page.keyboard.press('Control+k');
    await ada.role('dialog', 'Jump to').waitFor();
    await ada.page.keyboard.press('Escape');
    assert.equal(await ada.channels.getByRole('link').count(), 1, 'the page was started twice');
    await ada.say('hello');
    await ada.said('hello').waitFor();
    // Playwright's pages fetch no manifest by themselves; as a browser does it:
    assert.equal(await ada.page.locator('link[rel=manifest]').getAttribute('crossorigin'),
      'use-credentials');
    refused = 'too many connections from your address';
    await ada.page.reload();
    await until(true, async () => (await ada.connection.innerText()).includes(refused),
      'the refusal, not that nothing is there');
    refused = null;
    await ada.page.goto(new URL('join', proxy.url).href);
    await until(true, async () =>
      (await ada.page.locator('#address').innerText()) === new URL(proxy.url).host,
      'without the password');
    await ada.page.goto(new URL('wire', proxy.url).href);
    await ada.role('button', 'opening handshake').waitFor();
  } finally {
    proxy.close();
  }
});

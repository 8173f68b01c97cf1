// How the page starts when some of its requests fail.

import assert from 'node:assert/strict';
import { Person, scene } from './harness.mjs';

/** Opens the page in a new context whose requests go through `fails(name, number)`: what it returns fails. */
async function opened(browser, url, fails) {
  const context = await browser.newContext();
  const names = [];
  await context.route('**/*', (route) => {
    const name = new URL(route.request().url()).pathname;
    names.push(name);
    const status = fails(name, names.length);
    if (!status) return route.continue();
    return status === 'abort' ? route.abort() : route.fulfill({ status, body: 'too many connections from your address' });
  });
  const page = await context.newPage();
  await page.goto(url).catch(() => {});
  return { context, page, names };
}

const joins = (page) => page.getByRole('button', { name: 'Join chat' }).waitFor({ timeout: 20_000 });

scene('the page starts although any one of its requests fails once', [], async ({ server, browser }) => {
  const whole = await opened(browser, server.url, () => false);
  await joins(whole.page);
  await whole.page.waitForLoadState('networkidle');
  assert.ok(whole.names.length <= 9, `a handful of files: ${whole.names.join(' ')}`);
  // The first one is the document itself: there the browser has its own words.
  await Promise.all(whole.names.slice(1).map(async (name, index) => {
    const { context, page } = await opened(browser, server.url, (_, number) => number === index + 2 && 'abort');
    await joins(page);
    await page.waitForFunction(() => getComputedStyle(document.body).display === 'flex'); // styled
    assert.equal(await page.locator('.start').count(), 0, name);
    await context.close();
  }));
});

scene('a page that can’t start says why', [], async ({ server, browser }) => {
  const cases = [
    ['/app/main.js', 429, 'The server refused part of the page (429): too many connections from your address'],
    ['/app/main.js', 'abort', 'Part of the page could not be loaded: the server can’t be reached.'],
    ['/styles/chat.css', 503, 'The server refused part of the page (503)'],
    ['/app/', 'abort', 'Loading the chat… If it doesn’t appear, part of the page could not be loaded.'],
  ];
  await Promise.all(cases.map(async ([prefix, status, sentence]) => {
    const { context, page } = await opened(browser, server.url, (name) => name.startsWith(prefix) && status);
    await page.getByText(sentence).waitFor({ timeout: 30_000 });
    await context.close();
  }));
  // An exception at the start, as in a browser that is too old.
  const context = await browser.newContext();
  await context.route('**/main.js', (route) => route.fulfill({ contentType: 'text/javascript', body: 'nothing.of.that.name();' }));
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

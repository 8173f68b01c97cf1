// The languages of the page: which one is chosen, that each fits, and that nothing is left in
// English.

import assert from 'node:assert/strict';
import { escaped, languages } from '../page/table.mjs';
import { KEY, secret } from './change.mjs';
import { OUT, scene, until } from './harness.mjs';
import { screens } from './screens.mjs';

/**
 * For scenes that replace a file by `page.route`: a service worker's requests don't pass there, so
 * it would serve the real file.
 */
const NO_WORKER = { serviceWorkers: 'block' };

scene('the browser’s language chooses, and only its file is loaded', [], async ({ meet }) => {
  for (const [locale, lang, dir, button, files] of [
    ['en-US', 'en', 'ltr', 'Join chat', []],
    ['de-AT', 'de', 'ltr', 'Chat beitreten', ['de.js']],
    ['pt-PT', 'pt-BR', 'ltr', 'Entrar no chat', ['pt-BR.js']],
    ['ar-EG', 'ar', 'rtl', 'انضم إلى الدردشة', ['ar.js']],
    ['sv-SE', 'en', 'ltr', 'Join chat', []],
  ]) {
    const asked = [];
    const { page } = await meet(null, { locale });
    page.on('request', (request) => asked.push(...request.url().match(/(?<=\/texts\/).*/) ?? []));
    await page.reload();
    await page.getByRole('button', { name: button }).waitFor();
    assert.deepEqual(
      await page.evaluate(() => [document.documentElement.lang, document.documentElement.dir]),
      [lang, dir],
      locale,
    );
    assert.deepEqual(asked, files, locale);
  }
});

scene('English stands in for a text, or a file, that is missing', [], async ({ meet, server }) => {
  const { page } = await meet(null, { locale: 'ar', ...NO_WORKER });
  await page.route('**/texts/ar.js', (route) =>
    route.fulfill({
      contentType: 'text/javascript',
      body: "export const texts = () => ({ page: { yourName: 'الاسم' } });",
    }));
  await page.reload();
  await page.getByRole('textbox', { name: 'الاسم' }).waitFor();
  await page.getByRole('button', { name: 'Join chat' }).waitFor();
  await page.route('**/texts/ar.js', (route) => route.fulfill({ status: 404, body: '' }));
  await page.goto(new URL('join', server.url).href);
  await page.getByRole('heading', { name: 'Join the chat at' }).waitFor();
  assert.deepEqual(
    await page.evaluate(() => [document.documentElement.lang, document.documentElement.dir]),
    ['en', 'ltr'],
  );
});

scene('the menu changes the language, and this browser keeps it', [], async ({ meet, server }) => {
  const ada = await meet('Ada');
  await ada.text.fill('a draft');
  await ada.own('Language');
  await ada.role('menuitemradio', 'Français').click();
  await ada.page.getByRole('button', { name: 'Envoyer' }).waitFor();
  assert.equal(await ada.page.locator('#p\\:text').inputValue(), 'a draft');
  await ada.page.goto(new URL('wire', server.url).href);
  await ada.page.getByRole('link', { name: 'Retour au chat' }).waitFor();
  await until('fr', () => ada.page.evaluate(() => document.documentElement.lang));
});

/**
 * What of the page's text doesn't fit: it leaves the screen, its button, or a box that cuts it off.
 * Names may end in an ellipsis.
 */
function misfits() {
  const found = [];
  const { scrollWidth } = document.documentElement;
  if (scrollWidth > innerWidth) found.push(`the page is ${scrollWidth} px wide`);
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = texts.nextNode());) {
    const parent = node.parentElement;
    if (
      node.data.trim() === '' || parent.closest('.spoken, .skip, option, noscript, .bits')
      || !parent.checkVisibility({ visibilityProperty: true, opacityProperty: true })
    ) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const [left, right] = [Math.min, Math.max].map((pick, side) =>
      pick(...[...range.getClientRects()].map((rect) => (side === 0 ? rect.left : rect.right)))
    );
    for (let box = parent; box; box = box.parentElement) {
      const { overflowX, textOverflow, display } = getComputedStyle(box);
      // what may be scrolled sideways
      if (box.matches('pre, textarea, .dump, .scroll:has(table)')) break;
      const isControl = box.matches('button, label, legend, summary, [role=option], h2, h3');
      if (display === 'inline' || (overflowX === 'visible' && !isControl && box !== document.body))
        continue;
      const rect = box.getBoundingClientRect();
      if (left > rect.left - 2 && right < rect.right + 2) continue;
      if (
        textOverflow === 'ellipsis'
        && parent.closest('bdi, .name, .pin, .said, .person, [dir=auto]')
      ) break;
      found.push(
        `${box.tagName} ${box.id || box.className}: ${node.data.trim().slice(0, 60)} (${
          Math.round(left - rect.left)
        } ${Math.round(rect.right - right)})`,
      );
      break;
    }
  }
  return found;
}

scene('in Arabic a link runs from left to right, and what is found stays at the side of the page',
  [], async ({ meet }) => {
  const ada = await meet('Ada', { language: 'ar', locale: 'ar' });
  const link = ada.log.getByRole('link');
  assert.equal(await link.evaluate((one) => getComputedStyle(one).direction), 'ltr');
  await ada.say('hello');
  await ada.said('hello').waitFor();
  await ada.page.keyboard.press('Control+f');
  await ada.role('searchbox', 'Search for').fill('hello');
  const found = ada.page.locator('.found');
  await found.waitFor();
  const right = async (locator) => locator.evaluate((one) => one.getBoundingClientRect().right);
  assert.equal(await right(found), await right(ada.page.locator('.search li .hint')));
});

for (const language of languages.keys()) {
  for (const device of ['phone', 'desktop']) {
    scene(`${language} fits: ${device}`, ['--owner-key', secret('languages', KEY)],
      async ({ meet, server }) => {
        await screens({ meet, server, device, language, key: KEY, colorScheme: 'light' },
          async (page, what) => {
            assert.equal(await page.evaluate(() => document.documentElement.lang), language);
            await page.screenshot({
              path: `${OUT}${language}-${device}-${what.replace(/\W+/g, '-')}.png`,
            });
            assert.deepEqual(await page.evaluate(misfits), [], what);
          });
      });
  }
}

/** A language that shows where each text begins and ends, in place of the Japanese one. */
const MARKED = `
import { texts as english } from './en.js';
const said = (made) => (Array.isArray(made) ? ['⟦', ...made, '⟧'] : '⟦' + made + '⟧');
const each = (texts) => Object.fromEntries(
  Object.entries(texts).map(([key, value]) => [key, marked(value)]));
const marked = (text) => (typeof text === 'string' ? said(text)
  : typeof text === 'function' ? (...all) => said(text(...all))
  : Array.isArray(text) ? text.map(marked) : each(text));
export const texts = (tools) => marked(english(tools));
`;

/** Words outside the marks: not names, times, what people wrote, or what the server says. */
function unmarked() {
  const found = [];
  const isName = (text) => /^(?:[#@]?(?:general|garden|Ada|Bob):?)?$/.test(text);
  const own = 'bdi, time, .name, .text, .text *, .sign, .avatar, .brand, .host, option, code, pre, '
    + '.bits, .dump, .masking, .said, noscript, .join h1, [lang=en], [data-kind=start] a, .found, '
    + '.frame b, .checks, .offset, #address, #others';
  let depth = 0;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = texts.nextNode());) {
    for (const part of node.data.split(/(?=[⟦⟧])/)) {
      if (part[0] === '⟦') depth += 1;
      if (part[0] === '⟧') depth -= 1;
      const words = part.replace(/^[⟦⟧]/, '');
      if (
        depth === 0 && /\p{L}{2}/u.test(words) && !isName(words.trim()) && !URL.canParse(words)
        && !node.parentElement.closest(own)
      ) found.push(words.trim());
    }
  }
  for (const node of document.querySelectorAll(
    '[aria-label], [title], [placeholder], [alt], [aria-description]',
  )) {
    if (node.closest(`${own}, [role=menuitemcheckbox]`)) continue;
    for (const name of ['aria-label', 'title', 'placeholder', 'alt', 'aria-description']) {
      const text = node.getAttribute(name) ?? '';
      if (!/⟦.*⟧/su.test(text) && /\p{L}/u.test(text) && !isName(text))
        found.push(`${name}: ${text}`);
    }
  }
  return found;
}

scene('no text is left that no table has', [], async ({ meet, server }) => {
  const marks = (page) =>
    page.route('**/texts/ja.js', (route) =>
      route.fulfill({ contentType: 'text/javascript', body: MARKED }));
  const open = async (name, options) => {
    const person = await meet(name, { ...options, ...NO_WORKER });
    await marks(person.page);
    await person.page.reload();
    await person.page.locator('.start').waitFor({ state: 'detached' });
    person.words = (words, exact) => (typeof words !== 'string'
      ? words
      : new RegExp(exact ? `^⟦?${escaped(words)}⟧?$` : escaped(words)));
    return person;
  };
  await screens({
    meet: (name, options) => (name === null ? open(name, options) : meet(name)),
    server,
    device: 'desktop',
    language: 'ja',
    colorScheme: 'light',
  }, async (page, what) => {
    assert.deepEqual(await page.evaluate(unmarked), [], what);
  });
});

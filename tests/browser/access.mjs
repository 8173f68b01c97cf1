// For everybody: by keyboard alone, by roles and names, with enough contrast, on a small screen.

import assert from 'node:assert/strict';
import { OUT, UNSENT, scene, until } from './harness.mjs';

scene('by keyboard alone', [], async ({ meet }) => {
  const bob = await meet('Bob');
  const ada = await meet(null);
  const keys = ada.page.keyboard;
  const focused = () =>
    ada.page.evaluate(() =>
      document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent.trim()
    );
  const tabTo = async (wanted) => {
    for (let step = 0; step < 40; step += 1) {
      if ((await focused()).startsWith(wanted)) return;
      await keys.press('Tab');
    }
    assert.fail(`no way to ${wanted}`);
  };
  await keys.type('Ada'); // the field has the focus
  await keys.press('Enter');
  await ada.heading('#general').waitFor();
  await keys.type('first');
  await keys.press('Shift+Enter');
  await keys.type('second');
  await keys.press('Enter');
  await bob.said('first second').waitFor();
  await tabTo('Bob');
  const outline = await ada.page.evaluate(() =>
    getComputedStyle(document.activeElement).outlineStyle
  );
  assert.equal(outline, 'solid', 'focus is seen');
  await keys.press('Enter');
  await ada.heading('Bob').waitFor();
  await keys.type('psst');
  await keys.press('Enter');
  await bob.conversation('Ada').waitFor();
  await tabTo('general');
  await keys.press('Enter');
  await ada.heading('#general').waitFor();
  await tabTo('Messages');
});

scene('roles and names', [], async ({ meet }) => {
  const ada = await meet(null);
  await ada.role('textbox', 'Your name', true).waitFor();
  await ada.role('button', 'Join chat', true).waitFor();
  assert.equal(await ada.connection.count(), 1, 'always in the document');
  assert.equal(await ada.connection.innerText(), '');
  await ada.enter('Ada');
  for (const [role, name] of [
    ['navigation', 'Channels'],
    ['button', 'New channel'],
    ['button', 'Browse channels'],
    ['searchbox', 'Filter'],
    ['group', 'People online'],
    ['navigation', 'Private messages'],
    ['log', 'Messages'],
    ['textbox', 'Message'],
    ['button', 'Send'],
    ['heading', '#general'],
  ]) {
    await ada.role(role, name, true).waitFor();
    assert.equal(await ada.role(role, name, true).count(), 1, `one ${role} ${name}`);
  }
  assert.equal(await ada.connection.count(), 1);
  assert.equal(await ada.page.getByRole('main').count(), 1);
  // Every control has a name, and no id comes twice.
  const wrong = await ada.page.evaluate(() => {
    const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
    const nameless = [...document.querySelectorAll('button, input, textarea, a')].filter((node) =>
      !(node.ariaLabel || node.textContent.trim() || node.labels?.length)
    );
    return [
      ...ids.filter((id, index) => ids.indexOf(id) !== index),
      ...nameless.map((node) => node.outerHTML),
    ];
  });
  assert.deepEqual(wrong, []);
});

/** Pairs of text and ground with too little contrast (WCAG 2, 1.4.3), among what is to be seen. */
export const faint = (page) =>
  page.evaluate(() => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const layer = (ground, colour) => {
      canvas.fillStyle = ground;
      canvas.fillRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
      return `rgb(${red}, ${green}, ${blue})`;
    };
    const light = (colour) => {
      const [red, green, blue] = colour.match(/\d+/g).map((part) => part / 255).map((
        part,
      ) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const ground = (node) => (node
      ? layer(ground(node.parentElement), getComputedStyle(node).backgroundColor)
      : 'rgb(255, 255, 255)');
    const wrong = [];
    for (const node of document.querySelectorAll('body *')) {
      const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
      const style = getComputedStyle(node);
      if (
        !own || !node.checkVisibility({ opacityProperty: true, visibilityProperty: true })
        || node.closest('.spoken')
      ) continue;
      const [behind, front] = [light(ground(node)), light(layer(ground(node), style.color))];
      const ratio = (Math.max(behind, front) + 0.05) / (Math.min(behind, front) + 0.05);
      if (ratio < 4.5)
        wrong.push(
          `${ratio.toFixed(2)} ${node.className} ${node.textContent.slice(0, 30)}`,
        );
    }
    return wrong;
  });

for (const colorScheme of ['light', 'dark']) {
  scene(`enough contrast when it is ${colorScheme}`, [], async ({ meet }) => {
    const names = ['Bob', 'Cleo', 'Dan', 'Eve', 'Finn', 'Gus', 'Hal'];
    const door = await meet(null, { colorScheme });
    assert.deepEqual(await faint(door.page), []);
    await door.page.screenshot({ path: `${OUT}door-${colorScheme}.png` });
    await door.enter('Ada');
    await door.heading('#general').waitFor();
    for (const name of names) await (await meet(name)).say(`hello from ${name}`);
    await door.say('hello, all');
    await door.say('/me waves');
    await door.create('garden');
    await door.heading('#garden').waitFor();
    await door.channel('general').click();
    await door.said('Ada waves').waitFor();
    await door.say('/nothing');
    assert.deepEqual(await faint(door.page), []);
    await door.page.screenshot({ path: `${OUT}chat-${colorScheme}.png` });
  });
}

scene('on a telephone', [], async ({ meet }) => {
  const view = { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true };
  const ada = await meet('Ada', view);
  const bob = await meet('Bob');
  await ada.say(
    'a rather long text that has to be broken somewhere, since a telephone is narrow: '.repeat(2)
      + 'x'.repeat(80),
  );
  await bob.say('hello, small one');
  await ada.said('hello, small one').waitFor();
  const wide = () => ada.page.evaluate(() => document.documentElement.scrollWidth);
  assert.equal(await wide(), 360, 'nothing sticks out');
  await ada.page.screenshot({ path: `${OUT}telephone.png` });

  assert.equal(await ada.channels.count(), 0, 'the column is put away');
  const menu = ada.role('button', 'Menu');
  await menu.tap();
  assert.equal(await menu.getAttribute('aria-expanded').catch(() => null) ?? 'true', 'true');
  await ada.channel('general').waitFor();
  await ada.page.screenshot({ path: `${OUT}telephone-list.png` });
  await ada.channel('general').tap();
  await until(0, () => ada.channels.count(), 'and put away again');
  await ada.role('button', 'People').tap();
  await ada.person('Bob').tap();
  await ada.heading('Bob').waitFor();
  await ada.say('psst');
  await bob.conversation('Ada').waitFor();
  await menu.tap();
  await ada.page.keyboard.press('Escape');
  await until(0, () => ada.channels.count());
  assert.equal(await wide(), 360);
});

scene('the keyboard is never left nowhere, and what one wrote is read out once', [],
  async ({ meet }) => {
    // no drawer that slides past the pointer
    const ada = await meet('Ada', { reducedMotion: 'reduce' });
    const focused = () => ada.page.evaluate(() => document.activeElement.id.slice(2));
    await ada.create('no such name');
    await until('find-channel', focused, 'a name that can’t be is mended where it was typed');
    await ada.page.keyboard.press('Escape');
    await ada.create('garden');
    await ada.heading('#garden').waitFor();
    await ada.more('Leave channel');
    await ada.heading('#general').waitFor();
    await until('more', focused, 'the menu closed, its button is there');

    // What is on its way is not announced, what came is: once.
    await ada.page.evaluate(() => {
      globalThis.spoken = [];
      new MutationObserver((changes) => {
        for (const { addedNodes } of changes) {
          for (const node of addedNodes)
            if (
              node.textContent.includes('aloud')
              && !(node.closest ? node : node.parentNode).closest('[aria-live=off]')
            ) globalThis.spoken.push(node.textContent);
        }
      }).observe(document.querySelector('[role=log]'), { childList: true, subtree: true });
    });
    await ada.say('aloud');
    await until(0, () => ada.page.getByText(UNSENT).count());
    await until(['aloud'], () => ada.page.evaluate(() => globalThis.spoken));
    assert.match(await ada.log.ariaSnapshot(), /Ada/, 'and it is said whose it is');

    await ada.page.setViewportSize({ width: 390, height: 700 });
    const members = ada.role('button', 'People', true);
    await members.click();
    await ada.people.waitFor();
    await ada.page.mouse.click(20, 400);
    await until('false', () => members.getAttribute('aria-expanded'),
      'a click beside the members puts them away');
    const menu = ada.role('button', 'Menu', true);
    await menu.click();
    await until('true', () => menu.getAttribute('aria-expanded'));
    await ada.page.mouse.click(370, 400);
    await until('false', () => menu.getAttribute('aria-expanded'));
    await until('menu', focused, 'and one beside the drawer leaves the keyboard at its button');
  });

scene('without scripts the page says what it needs', [], async ({ meet }) => {
  const ada = await meet(null, { javaScriptEnabled: false });
  // by its tag: text in there is not looked for by words
  await ada.page.locator('noscript p').waitFor();
});

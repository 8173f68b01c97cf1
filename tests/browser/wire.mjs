// The wire view: the panel beside the chat, and /wire alone.

import assert from 'node:assert/strict';
import { faint } from './access.mjs';
import { OUT, scene, until } from './harness.mjs';

const frames = (page) => page.getByRole('list', { name: 'Frames', exact: true });
const chosen = (page) => page.getByRole('region', { name: 'Details' });
const wide = (page) => page.evaluate(() => document.documentElement.scrollWidth);

/** A user at /wire with the handshake on the list. */
async function student(meet, url, options) {
  const person = await meet(null, options);
  await person.page.goto(new URL('wire', url).href);
  await frames(person.page).getByRole('button', { name: 'opening handshake' }).waitFor();
  return person;
}

scene('wire: from the handshake to a frame', [], async ({ meet, server }) => {
  const ada = await student(meet, server.url);
  const { page } = ada;
  await chosen(page).getByText('GET /echo?trace=1&deflate=0 HTTP/1.1').waitFor();
  await chosen(page).getByText('in base64; the').waitFor();
  const [, guid, sha1, value] = await page.locator('.steps code').allInnerTexts();
  assert.ok(guid.endsWith('258EAFA5-E914-47DA-95CA-C5AB0DC85B11'));
  assert.equal(btoa(String.fromCharCode(...sha1.match(/../g).map((pair) => parseInt(pair, 16)))),
    value);
  assert.ok((await page.locator('.lines').nth(1).innerText()).includes(value),
    'it is the one of the response');

  await ada.role('textbox', 'Text message').fill('<b>Hello</b> ü');
  await ada.role('button', 'Send', true).click();
  const came = frames(page).getByRole('button', { name: /^→ in text/ });
  await came.click();
  await frames(page).getByRole('button', { name: /^← out text/ }).waitFor();
  await chosen(page).getByText('<b>Hello</b> ü').waitFor();
  await chosen(page).getByText(/masking key/).first().waitFor();
  // A field marks its bytes: by the mouse, and by the keyboard.
  const marked = () => page.locator('.dump .marked').allInnerTexts();
  await page.getByRole('button', { name: /^masking key/ }).hover();
  assert.equal((await marked()).length, 4);
  await page.getByRole('button', { name: /^opcode/ }).focus();
  await page.mouse.move(0, 0);
  assert.deepEqual(await marked(), ['81'], 'the opcode is in the first byte');
  await page.screenshot({ path: `${OUT}wire.png`, fullPage: true });

  // Filter, pause, the close.
  await ada.role('combobox', 'Show').selectOption('close');
  await until(0, () => frames(page).getByRole('button').count());
  await ada.role('combobox', 'Show').selectOption('all');
  await ada.role('button', 'Pause').click();
  await ada.role('textbox', 'Text message').fill('later');
  await ada.role('button', 'Send', true).click();
  await ada.page.getByText('Paused; 2 waiting.').waitFor();
  await until(3, () => frames(page).getByRole('button').count());
  await ada.role('button', 'Pause').click();
  await until(5, () => frames(page).getByRole('button').count());
  await ada.role('button', 'Close').click();
  await ada.page.getByText('Closed: 1000').waitFor();
});

scene('wire: by keyboard', [], async ({ meet, server }) => {
  const ada = await student(meet, server.url);
  await ada.role('textbox', 'Text message').fill('Hi');
  await ada.page.keyboard.press('Enter');
  await frames(ada.page).getByRole('button', { name: /out text/ }).waitFor();
  await frames(ada.page).getByRole('button').first().focus();
  await ada.page.keyboard.press('ArrowDown');
  await chosen(ada.page).getByText('from the client to the server').waitFor();
  await ada.page.keyboard.press('ArrowDown');
  await chosen(ada.page).getByText('from the server to the client').waitFor();
});

scene('wire: a rule is broken by hand', [], async ({ meet, server }) => {
  const ada = await student(meet, server.url);
  const { page } = ada;
  const result = ada.role('status', 'What the server says');
  await page.getByText('Build a frame by hand').click();
  const broken = [
    ['Not masked', '§5.1: a client must mask every frame. The server closes with 1002.'],
    ['Text that is not UTF-8', '§8.1: text must be UTF-8. The server closes with 1007.'],
    [
      'A ping of 126 bytes',
      '§5.5: a control frame has at most 125 bytes. The server closes with 1002.',
    ],
  ];
  for (const [preset, verdict] of broken) {
    await ada.role('combobox', 'Pick an example').selectOption(preset);
    await ada.role('button', 'Try it').click();
    await result.getByText(verdict).waitFor();
  }
  await ada.role('combobox', 'Opcode', true).selectOption('9');
  await ada.role('textbox', 'Payload').fill('!');
  await ada.role('button', 'Try it').click();
  await result.getByText('Received: ping, 1 byte').waitFor();
  await ada.role('textbox', 'Frames in hex').fill('8');
  await ada.role('button', 'Try it').click();
  await result.getByText('try needs frames').waitFor();
  assert.equal(await frames(page).getByRole('button').count(), 1,
    'nothing of it on this connection');
});

scene('wire: the panel of the chat', [], async ({ meet }) => {
  const [ada, bob] = [await meet('Ada'), await meet('Bob')];
  await ada.more('Wire view');
  const panel = ada.role('complementary', 'Wire view');
  await panel.waitFor();
  await bob.say('look at this');
  await ada.said('look at this').waitFor();
  await frames(ada.page).getByRole('button', { name: /look at this/ }).first().click();
  await chosen(ada.page).getByText('"text":"look at this"').first().waitFor();
  await ada.page.screenshot({ path: `${OUT}wire-panel.png` });
  await ada.role('button', 'From the handshake').click();
  await frames(ada.page).getByRole('button', { name: 'opening handshake' }).waitFor();
  await frames(ada.page).getByRole('button', { name: /"type":"welcome"/ }).waitFor();
  await ada.page.keyboard.press('Escape');
  await until(0, () => panel.count());
  await ada.say('and the chat goes on');
  await bob.said('and the chat goes on').waitFor();
});

scene('wire: turned off', ['--no-trace'], async ({ meet }) => {
  const ada = await meet('Ada');
  await ada.more('Wire view');
  await ada.page.getByText('wire view is turned off').waitFor();
  await ada.say('nothing is lost');
  await ada.said('nothing is lost').waitFor();
});

for (const colorScheme of ['light', 'dark']) {
  scene(`wire: enough contrast when it is ${colorScheme}, and room at 320 pixels`, [],
    async ({ meet, server }) => {
      const ada = await student(meet, server.url, {
        colorScheme,
        viewport: { width: 320, height: 640 },
      });
      await ada.role('textbox', 'Text message').fill('x'.repeat(200));
      await ada.role('button', 'Send', true).click();
      await frames(ada.page).getByRole('button', { name: /out text/ }).click();
      await ada.page.getByText('Build a frame by hand').click();
      await ada.role('combobox', 'Pick an example').selectOption('A reserved bit');
      await ada.role('button', 'Try it').click();
      await ada.page.getByText('The server closes with 1002.').waitFor();
      assert.deepEqual(await faint(ada.page), []);
      assert.equal(await wide(ada.page), 320, 'nothing sticks out');
      await ada.page.screenshot({ path: `${OUT}wire-${colorScheme}.png`, fullPage: true });
    });
}

scene('the address for a class', ['--listen', '0.0.0.0:0'], async ({ meet, server }) => {
  const ada = await meet(null);
  await ada.page.goto(new URL('join', server.url).href);
  await ada.page.getByRole('heading', { name: 'Join the chat at' }).waitFor();
  await until(true,
    async () =>
      (await ada.page.locator('#address').innerText()).endsWith(`:${new URL(server.url).port}`));
  assert.deepEqual(await faint(ada.page), []);
});

// Jumps to a message: by a link, a quote, a date, the first unread one. Ignored people, and
// transcripts.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { keepsHistory, scene, until } from './harness.mjs';
import { past } from './past.mjs';

const inSight = (person, text) =>
  person.said(text).evaluate((node) => {
    const [row, log] = [
      node.getBoundingClientRect(),
      node.closest('[role=log]').getBoundingClientRect(),
    ];
    return row.top >= log.top && row.bottom <= log.bottom;
  });
const target = (person) => person.log.locator('[data-target] .text').innerText();

if (keepsHistory()) {
  past('a link opens the channel at its message, and from there the feed goes on',
    Array.from({ length: 1500 }, (_, index) => (
      {
        minutes: 30 * index,
        author: 1 + (index % 2),
        from: ['Bob', 'Cleo'][index % 2],
        text: `line ${index + 1}`,
      }
    )), async ({ meet, server }) => {
    const ada = await meet(null);
    await ada.page.goto(`${server.url}#general/842`);
    await ada.page.reload();
    await ada.enter('Ada');
    await ada.said('line 842').waitFor();
    await until('line 842', () => target(ada));
    assert.ok(await inSight(ada, 'line 842'));
    assert.equal(await ada.said('line 1500').count(), 0, 'only the part around it is loaded');
    assert.ok(ada.page.url().endsWith('#general/842'));
    await ada.page.reload();
    await until('line 842', () => target(ada));

    // Down to the newest message, without a gap.
    const numbers = () =>
      ada.log.locator('.text').evaluateAll((all) =>
        all.map(({ innerText }) => Number(innerText.slice(5)))
      );
    for (let step = 0; step < 60 && await ada.said('line 1500').count() === 0; step += 1) {
      await ada.log.evaluate((log) => {
        log.scrollTop = log.scrollHeight;
      });
      await ada.page.waitForTimeout(80);
      const shown = await numbers();
      assert.deepEqual(
        shown.filter((number, index) => index > 0 && number !== shown[index - 1] + 1),
        [],
        'no gap',
      );
    }
    await ada.log.evaluate((log) => {
      log.scrollTop = log.scrollHeight;
    });
    await ada.said('line 1500').waitFor();
    await until(0, () => ada.role('button', 'Jump to latest').count());

    await ada.say('see #general/3 and #nowhere/3');
    await ada.log.getByRole('link', { name: '#general/3' }).click();
    await until('line 3', () => target(ada));
    assert.equal(await ada.log.getByRole('link', { name: '#nowhere/3' }).count(), 0);
    await ada.role('button', 'Jump to latest').click();
    await ada.said('line 1500').waitFor();
    await until('#general', () => new URL(ada.page.url()).hash);
    await ada.log.getByRole('link', { name: '#general/3' }).click();
    await until('line 3', () => target(ada));
    await ada.page.goBack();
    await ada.said('line 1500').waitFor();
    await until('#general', () => new URL(ada.page.url()).hash);

    await ada.more('Jump to date…');
    await ada.role('textbox', 'Day').or(ada.page.getByLabel('Day')).fill('2026-05-10');
    await ada.role('button', 'Jump', true).click();
    await until('10 May 2026', () =>
      ada.log.evaluate((log) => {
        const row = log.querySelector('[data-target]');
        return /\d+ May \d+/.exec(row?.previousElementSibling.textContent)?.[0];
      }), 'the first of that day');
    await ada.page.goto(`${server.url}#general/9999`);
    await ada.page.getByRole('alert').filter({ hasText: 'Message 9999 isn’t there' }).waitFor();
  });
}

scene('a reply quotes, with a link back; the menu works by keyboard and by a long press', [],
  async ({ meet }) => {
    const [ada, bob] = [
      await meet('Ada'),
      await meet('Bob', { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true }),
    ];
    await ada.say('Is this on?');
    await ada.said('Is this on?').waitFor();
    await ada.say('hello?');
    await bob.said('hello?').waitFor();
    const { x, y } = await bob.said('Is this on?').boundingBox();
    const touch = await bob.context.newCDPSession(bob.page);
    await touch.send('Input.dispatchTouchEvent', {
      type: 'touchStart',
      touchPoints: [{ x: x + 20, y: y + 10 }],
    });
    await bob.role('menuitem', 'Reply').waitFor();
    await touch.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
    await bob.role('menuitem', 'Reply').click();
    await until('> Ada: Is this on? #general/1\n', () => bob.text.inputValue());
    await bob.text.press('End');
    await bob.text.pressSequentially('It is.');
    await bob.role('button', 'Send').click();
    await ada.log.locator('blockquote').getByRole('link', { name: '#general/1' }).waitFor();

    // A long press that the system ends has no effect on the next tap.
    await touch.send('Input.dispatchTouchEvent', {
      type: 'touchStart',
      touchPoints: [{ x: x + 20, y: y + 10 }],
    });
    await bob.role('menuitem', 'Reply').waitFor();
    await touch.send('Input.dispatchTouchEvent', { type: 'touchCancel', touchPoints: [] });
    await bob.page.keyboard.press('Escape');
    await bob.log.getByRole('link', { name: '#general/1' }).tap();
    await until('Is this on?', () => target(bob));

    // From the feed, Tab leads to the actions of the newest message; the arrows choose another.
    const { keyboard } = ada.page;
    await ada.log.focus();
    await keyboard.press('Tab');
    while (
      !(await ada.page.evaluate(() => document.activeElement.ariaLabel ?? '')).startsWith(
        'Actions:',
      )
    ) await keyboard.press('Tab');
    await keyboard.press('ArrowUp');
    await ada.role('button', 'Actions: Ada: hello?').waitFor();
    await keyboard.press('Enter');
    await ada.role('menu', 'Message actions').waitFor();
    await keyboard.press('End');
    await keyboard.press('Escape');
    await until(0, () => ada.role('menu', 'Message actions').count());
    assert.match(await ada.page.evaluate(() => document.activeElement.ariaLabel), /^Actions: Ada/,
      'the keyboard is back');
  });

scene('ignored people are folded in this browser, and stay so', [], async ({ meet }) => {
  const [ada, bob, cleo] = [await meet('Ada'), await meet('Bob'), await meet('Cleo')];
  // the note "Cleo joined" would stand between the two messages
  await ada.page.getByText('3 people').waitFor();
  for (const text of ['one', 'two']) {
    await bob.say(text);
    await ada.said(text).waitFor();
  }
  await ada.act('two', 'Ignore Bob');
  await ada.log.getByText('2 ignored messages').waitFor();
  assert.equal(await ada.said('one').count(), 0);
  await cleo.say('three');
  await bob.say('four');
  await ada.log.getByText('1 ignored message').waitFor();
  await ada.page.reload();
  await ada.said('three').waitFor();
  assert.deepEqual([await ada.said('one').count(), await ada.said('four').count()], [0, 0]);
  await ada.log.getByRole('button', { name: 'Show' }).first().click();
  await ada.said('one').waitFor();
  assert.equal(await ada.said('four').count(), 0);
  await ada.act('one', 'Stop ignoring Bob');
  await ada.said('four').waitFor();
  assert.equal(await cleo.said('four').count(), 1, 'others see everything');
});

scene('the first unread message is one click away', [], async ({ meet }) => {
  const [ada, bob] = [await meet('Ada'), await meet('Bob')];
  await bob.say('read');
  await ada.said('read').waitFor();
  await ada.create('garden');
  await ada.heading('#garden').waitFor();
  for (let line = 1; line <= 30; line += 1) await bob.say(`unread ${line}`);
  await ada.channels.getByRole('link', { name: 'general, 30 unread' }).waitFor();
  await ada.channel('general').click();
  await ada.said('unread 30').waitFor();
  await ada.role('button', 'Jump to first unread').click();
  await until(true, () => inSight(ada, 'unread 1'));
  await until(0, () => ada.role('button', 'Jump to first unread').count());
});

scene('a transcript is one file without a script', [], async ({ meet }) => {
  const [ada, bob] = [await meet('Ada'), await meet('Bob')];
  await bob.say('<script>alert(1)</script> **bold** https://example.org/');
  await ada.say('/me waves at #general');
  await ada.said('Ada waves at #general').waitFor();
  const download = ada.page.waitForEvent('download');
  await ada.more('Save transcript');
  const saved = await (await download).path();
  const html = readFileSync(saved, 'utf8');
  assert.match((await download).suggestedFilename(), /^general-\d{4}-\d+-\d+\.html$/);
  assert.doesNotMatch(html, /<(script|img|link|iframe)/i);
  const page = await ada.context.newPage();
  await page.setContent(html);
  await page.getByRole('heading', { name: '#general' }).waitFor();
  const text = await page.locator('body').innerText();
  for (const part of [
    'Bob',
    '<script>alert(1)</script> bold https://example.org/',
    'Ada waves at #general',
    '2 messages',
  ]) assert.ok(text.includes(part), `${part}: ${text}`);
});

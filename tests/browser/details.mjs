// Details that newcomers stumbled over: what is lost, asked, shown and offered.

import assert from 'node:assert/strict';
import { PHONE, faults } from './screens.mjs';
import { scene, until } from './harness.mjs';

const alert = (person, text) => person.page.getByRole('alert').filter({ hasText: text });

scene('a message larger than the server takes is refused before it is sent', [
  '--max-message-bytes',
  '4096',
], async ({ meet }) => {
  const ada = await meet('Ada');
  await ada.text.fill('字'.repeat(2000));
  await ada.page.getByText(/bytes over the limit/).waitFor();
  await ada.role('button', 'Send', true).click();
  await alert(ada, 'up to 4,096 bytes').waitFor();
  await ada.say('字'.repeat(1300));
  await until('1 of 1 message, nothing missing', () => ada.status());
  // One that is pending all the same, from a time when the limit was another, holds up nothing.
  await ada.page.evaluate(() => {
    const place = { kind: 'channel', name: 'general', conversation: null };
    const entry = {
      nonce: 'large',
      conversation: null,
      text: '字'.repeat(2000),
      at: 0,
      order: 0,
      stage: 'waiting',
      error: null,
      place,
    };
    localStorage.setItem('parlor:/:unsent:large', JSON.stringify(entry));
  });
  await ada.page.reload();
  await ada.heading('#general').waitFor();
  await ada.say('next');
  await ada.log.getByText('Not sent: the server closed the connection because of it.').waitFor({
    timeout: 40_000,
  });
  await until('2 of 2 messages, nothing missing', () => ada.status());
  await ada.role('button', 'Delete', true).click();
  await until(2, () => ada.log.locator('.text').count());
});

scene('without a connection nothing pretends to be current, and what waits says so', [],
  async ({ meet, server }) => {
    const ada = await meet('Ada');
    await meet('Bob');
    await ada.person('Bob').click();
    await ada.say('psst');
    await until('1 of 1 message, nothing missing', () => ada.status());
    await server.stop();
    await ada.page.getByText(/^Offline\. As of \d+:\d\d: 1 of 1 message/).waitFor();
    assert.deepEqual([
      await ada.page.getByText('online', { exact: true }).count(),
      await ada.page.locator('.face > .dot:visible').count(),
    ], [0, 0]);
    assert.equal(await ada.conversation('Bob').getAttribute('aria-label'), 'Bob');
    await ada.say('wait');
    await ada.log.getByText('Waiting to send…').waitFor();
    await ada.create('garden');
    await alert(ada, 'You’re offline').waitFor();
    await server.again();
    await until(0, () => alert(ada, 'You’re offline').count(),
      'the notice goes when the connection is back', 40_000);
  });

scene('leaving asks when a draft would be lost', [], async ({ meet }) => {
  const ada = await meet('Ada');
  await ada.text.fill('begun');
  await ada.own('Leave chat');
  await ada.role('dialog', 'Leave chat?').getByRole('button', { name: 'Cancel' }).click();
  assert.equal(await ada.text.inputValue(), 'begun');
  await ada.own('Leave chat');
  await ada.role('dialog', 'Leave chat?').getByRole('button', { name: 'Leave and delete them' })
    .click();
  await ada.name.waitFor();
});

scene('an unknown channel in the address asks first, and /msg to no one leaves nothing behind', [],
  async ({ meet, server }) => {
    const ada = await meet('Ada');
    await ada.page.goto(`${server.url}#genral`);
    const dialog = ada.role('dialog', 'New channel');
    await dialog.getByText('There is no channel #genral yet').waitFor();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await ada.heading('#general').waitFor();
    assert.equal(await ada.channel('genral').count(), 0);
    await ada.page.goto(`${server.url}#genral`);
    await dialog.getByRole('button', { name: 'Create channel' }).click();
    await ada.heading('#genral').waitFor();
    await ada.say('/msg Zed hi');
    await ada.role('button', 'Delete', true).click();
    await ada.heading('#general').waitFor();
    assert.equal(await ada.conversation('Zed').count(), 0);
  });

scene('a name is changed from the user’s menu, and the others see a line', [], async ({ meet }) => {
  const ada = await meet('Ada');
  const bob = await meet('Bob');
  await ada.own('Change your name…');
  const dialog = ada.role('dialog', 'Change your name');
  await dialog.getByRole('textbox').fill('Zoë Müller');
  await dialog.getByRole('button', { name: 'Change name' }).click();
  await dialog.getByRole('button', { name: 'Zoë-Müller' }).waitFor();
  await dialog.getByRole('textbox').fill('Lovelace');
  await ada.page.keyboard.press('Enter');
  await bob.log.getByText('Ada is now called Lovelace').waitFor();
  await until(0, () => dialog.count());
});

scene('suggestions follow a composing keyboard, and can be undone', [], async ({ meet }) => {
  const ada = await meet('Ada');
  await meet('zoe');
  await ada.person('zoe').waitFor();
  const { keyboard } = ada.page;
  const debug = await ada.page.context().newCDPSession(ada.page);
  await ada.text.pressSequentially('hi ');
  for (const text of ['@', '@z', '@zo'])
    await debug.send('Input.imeSetComposition', {
      text,
      selectionStart: text.length,
      selectionEnd: text.length,
    });
  await ada.page.getByRole('option', { name: '@zoe' }).click();
  assert.equal(await ada.text.inputValue(), 'hi @zoe ');
  await ada.text.fill('');
  await ada.text.pressSequentially('a :smil');
  await keyboard.press('Tab');
  assert.equal(await ada.text.inputValue(), 'a :smile: ');
  await keyboard.press('Control+z');
  assert.equal(await ada.text.inputValue(), 'a :smil');
});

scene('files are refused with a word, and the notice closes by mouse', [], async ({ meet }) => {
  const ada = await meet('Ada');
  const refused = await ada.page.evaluate(() => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(['x'], 'x.png', { type: 'image/png' }));
    const event = new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true });
    document.querySelector('[role=log]').dispatchEvent(event);
    return event.defaultPrevented;
  });
  assert.ok(refused, 'the browser stays in the chat');
  await alert(ada, 'Files and pictures can’t be sent').waitFor();
  await ada.role('button', 'Close this message').click();
  await until(0, () => alert(ada, 'Files').count());
  await ada.page.evaluate(() => {
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File(['x'], 'x.png', { type: 'image/png' }));
    document.querySelector('textarea').dispatchEvent(
      new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }),
    );
  });
  await alert(ada, 'Files and pictures can’t be sent').waitFor();
});

scene('twelve-hour times keep clear of the text, and stay apart in a copy', [],
  async ({ meet }) => {
    const ada = await meet('Ada', { locale: 'en-US' });
    const bob = await meet('Bob');
    for (const text of ['one', 'two']) await bob.say(text);
    for (const text of ['three', 'four']) await ada.say(text);
    await ada.said('four').waitFor();
    await until(true, async () => (await ada.log.locator('.row.mine').count()) === 2);
    for (const text of ['two', 'four']) {
      await ada.said(text).hover();
      const overlap = await ada.log.locator('.row', { hasText: text }).evaluate((row) => {
        const [bubble, time] = ['.text', 'time'].map((one) => row.querySelector(one));
        const range = document.createRange();
        range.selectNodeContents(time);
        const [a, b, feed] = [
          bubble.getBoundingClientRect(),
          range.getBoundingClientRect(),
          row.parentNode.getBoundingClientRect(),
        ];
        return (b.right > a.left && b.left < a.right) || b.left < feed.left || b.right > feed.right;
      });
      assert.equal(overlap, false, text);
    }
    assert.match(await ada.log.locator('.from time').first().innerText(), /^\d{1,2}:\d\d [AP]M$/);
    assert.doesNotMatch(await ada.log.locator('.from time').first().innerText(), /^0/);
    const copied = await ada.page.evaluate(() => {
      getSelection().selectAllChildren(document.querySelector('[role=log]'));
      return getSelection().toString();
    });
    assert.doesNotMatch(copied, /^[AB]$|[^\s\d]\d{1,2}:\d\d|two\s*\d/m, copied);
  });

scene('on a small phone the list of commands scrolls, and axe finds nothing with unread items', [],
  async ({ meet }) => {
    const ada = await meet('Ada', { ...PHONE, reducedMotion: 'reduce' });
    const bob = await meet('Bob');
    await ada.text.fill('');
    await ada.text.pressSequentially('/');
    const list = ada.role('listbox', 'Suggestions');
    await list.getByRole('option').last().scrollIntoViewIfNeeded();
    const within = await list.evaluate((node) =>
      node.lastChild.getBoundingClientRect().bottom <= node.getBoundingClientRect().bottom + 1
    );
    assert.ok(within);
    assert.deepEqual(await faults(ada.page), []);
    await ada.page.keyboard.press('Escape');
    await bob.create('gardening');
    await bob.heading('#gardening').waitFor();
    await ada.say('/join gardening');
    await ada.heading('#gardening').waitFor();
    await ada.role('button', 'Menu', true).tap();
    await ada.channel('general').tap();
    for (const text of ['x', 'for @Ada']) await bob.say(text);
    await ada.role('button', 'Menu', true).tap();
    await ada.channels.getByRole('link', { name: 'gardening, 2 unread, mentioned', exact: true })
      .waitFor();
    assert.deepEqual(await faults(ada.page), []);
  });

scene('a right-to-left title stays at its place', [], async ({ meet }) => {
  const ada = await meet('Ada');
  await ada.create('גינה');
  const title = ada.heading('#גינה');
  await title.waitFor();
  const { x } = await title.locator('bdi').boundingBox();
  assert.ok(x < 400, `${x}`);
});

scene('at midnight Today becomes Yesterday', [], async ({ meet }) => {
  const ada = await meet('Ada');
  await ada.say('late');
  await ada.log.getByText('Today').waitFor();
  const midnight = await ada.page.evaluate(() => new Date().setHours(24, 0, 0, 0));
  await ada.page.clock.setFixedTime(midnight + 1000);
  await ada.log.getByText('Yesterday').waitFor({ timeout: 30_000 });
  assert.equal(await ada.log.getByText('Today').count(), 0);
});

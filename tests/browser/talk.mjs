// People talk: in general, in a channel that one of them makes, and each sees who is there.

import assert from 'node:assert/strict';
import { scene, until } from './harness.mjs';

scene('two windows talk', [], async ({ meet }) => {
  const ada = await meet('Ada');
  const bob = await meet('Bob');
  await ada.say('hello, Bob');
  await bob.said('hello, Bob').waitFor();
  await bob.say('hello, Ada\nhow are you?');
  await ada.said('hello, Ada how are you?').waitFor();
  assert.match(await ada.log.innerText(), /hello, Ada\nhow are you\?/, 'a new line stays one');

  for (const person of [ada, bob])
    await until(['Ada', 'Bob'], () => person.log.locator('.from .name').allInnerTexts(),
      'whose they are');
  await until(['Ada (you)', 'Bob'], () => ada.people.getByRole('button').allInnerTexts());
  await until(['Bob (you)', 'Ada'], () => bob.people.getByRole('button').allInnerTexts());
});

scene('a channel made in one window is noticed in the other, and joined there', [],
  async ({ meet }) => {
    const ada = await meet('Ada');
    const bob = await meet('Bob');
    await ada.create('Garden');
    await ada.heading('#garden').waitFor();
    assert.equal(await ada.channel('garden').getAttribute('aria-current'), 'page');
    assert.equal(await ada.channel('general').getAttribute('aria-current'), null);
    await bob.role('button', 'Browse channels, 1 new', true).waitFor();
    assert.equal(await bob.channel('garden').count(), 0,
      'only the joined channels are in the sidebar');
    await bob.join('garden');
    await bob.heading('#garden').waitFor();
    await ada.say('roses');
    await bob.said('roses').waitFor();

    await ada.channel('general').click();
    await ada.heading('#general').waitFor();
    assert.equal(await ada.said('roses').count(), 0);
    await bob.say('tulips');
    await ada.channels.getByRole('link', { name: 'garden, 1 unread' }).waitFor();
    await until('(1) #general', () => ada.page.title());
    await ada.channel('garden').click();
    await ada.said('tulips').waitFor();
    await until('#garden', () => ada.page.title());
  });

scene('leaving a channel', [], async ({ meet }) => {
  const ada = await meet('Ada');
  const bob = await meet('Bob');
  await ada.role('button', 'More', true).click();
  assert.equal(await ada.role('menuitem', 'Leave channel').count(), 0,
    'general is not left by a slip');
  await ada.page.keyboard.press('Escape');
  await ada.say('/leave');
  await ada.page.getByRole('alert').filter({ hasText: 'You can’t leave #general' }).waitFor();
  await ada.create('garden');
  await ada.heading('#garden').waitFor();
  await bob.role('button', 'Browse channels, 1 new', true).waitFor();
  await ada.more('Leave channel');
  await ada.heading('#general').waitFor();
  await until(0, () => bob.role('button', 'Browse channels, 1 new', true).count(),
    'an empty channel without a history is gone');
});

scene('commands that are typed', ['--max-text-chars', '20'], async ({ meet }) => {
  const ada = await meet('Ada');
  const bob = await meet('Bob');
  await ada.say('/me waves');
  await bob.said('Ada waves').waitFor();
  await ada.say('//me too');
  await bob.said('/me too').waitFor();
  await ada.say('/msg Bob psst');
  await ada.heading('Bob').waitFor();
  await bob.conversation('Ada').click();
  await bob.said('psst').waitFor();
  await ada.say('/join #garden');
  await ada.heading('#garden').waitFor();
  await ada.say('/nick Lovelace');
  await bob.person('Lovelace').waitFor();
  await bob.heading('Lovelace').waitFor();
  await until('#@Lovelace', () => new URL(bob.page.url()).hash);
  await ada.say('/leave');
  await ada.heading('#general').waitFor();

  for (const [line, sentence] of [
    ['/dance', '/dance isn’t a command'],
    ['/nick Bob', 'Try /nick Bob2'],
    ['x'.repeat(21), 'up to 20 characters'],
  ]) {
    await ada.say(line);
    await ada.page.getByRole('alert').filter({ hasText: sentence }).waitFor();
  }
  assert.equal(await ada.text.inputValue(), 'x'.repeat(21), 'what was not sent is not lost');
  await ada.text.fill('y'.repeat(20));
  await ada.page.keyboard.press('Enter');
  await bob.channel('general').click();
  await bob.said('y'.repeat(20)).waitFor();
});

scene('typing is shown', [], async ({ meet }) => {
  const ada = await meet('Ada');
  const bob = await meet('Bob');
  await ada.text.pressSequentially('hel');
  await bob.page.getByText('Ada is typing…').waitFor();
  assert.equal(await ada.page.getByText('is typing…').count(), 0);
  await ada.page.keyboard.press('Enter');
  await bob.said('hel').waitFor();
  await until(0, () => bob.page.getByText('Ada is typing…').count());
});

scene('the browser’s own WebSocket and /echo', [], async ({ meet }) => {
  const ada = await meet('Ada');
  const result = await ada.page.evaluate(async () => {
    const socket = new WebSocket(new URL('echo', location.href.replace(/^http/, 'ws')), [
      'superchat',
      'chat',
    ]);
    socket.binaryType = 'arraybuffer';
    await new Promise((told) => {
      socket.onopen = told;
    });
    const back = (message) =>
      new Promise((told) => {
        socket.onmessage = (event) => told(event.data);
        socket.send(message);
      });
    const wrong = [];
    for (const text of [
      '',
      'x',
      'Grüße €𝄞',
      'abc '.repeat(200),
      'z'.repeat(65_536),
      'long '.repeat(200_000),
    ]) {
      if ((await back(text)) !== text) wrong.push(`a text of ${text.length}`);
    }
    const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i * 7919);
    if (String(new Uint8Array(await back(bytes))) !== String(bytes)) wrong.push('bytes');
    const closed = new Promise((told) => {
      socket.onclose = (event) => told([event.code, event.wasClean]);
    });
    const { protocol, extensions } = socket;
    socket.close(4321, 'bye');
    return { wrong, protocol, extensions, closed: await closed };
  });
  assert.deepEqual(result.wrong, []);
  assert.equal(result.protocol, 'chat');
  assert.match(result.extensions, /permessage-deflate/);
  assert.deepEqual(result.closed, [4321, true]);
});

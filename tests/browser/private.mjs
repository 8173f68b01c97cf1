// Private messages reach only their two.

import assert from 'node:assert/strict';
import { scene, until } from './harness.mjs';

scene('private messages reach only their two', [], async ({ meet }) => {
  const ada = await meet('Ada');
  const bob = await meet('Bob');
  const cleo = await meet('Cleo');
  const received = [];
  cleo.page.on('websocket',
    (socket) => socket.on('framereceived', ({ payload }) => received.push(payload)));
  await cleo.page.reload();
  await cleo.heading('#general').waitFor();

  await ada.person('Bob').click();
  await ada.heading('Bob').waitFor();
  assert.equal(await ada.conversation('Bob').getAttribute('aria-current'), 'page');
  await ada.say('between you and me');
  await ada.said('between you and me').waitFor();
  await bob.conversations.getByRole('link', { name: 'Ada, 1 unread' }).click();
  await bob.heading('Ada').waitFor();
  await bob.said('between you and me').waitFor();
  await bob.say('and no one else');
  await ada.said('and no one else').waitFor();

  // What was said later has arrived at Cleo's, so what was said before would have too.
  await ada.channel('general').click();
  await ada.say('good morning, all');
  await cleo.said('good morning, all').waitFor();
  assert.equal(await cleo.conversations.getByRole('link').count(), 0);
  assert.ok(received.length > 0);
  assert.ok(!received.some((payload) => /between you|no one else/.test(payload)),
    'nor does the connection carry it');
});

scene('private messages survive a reload, and unread ones are shown', [],
  async ({ meet, server }) => {
    const ada = await meet('Ada');
    const bob = await meet('Bob');
    await ada.person('Bob').click();
    await ada.say('first');
    await bob.conversation('Ada').waitFor();
    await bob.page.reload();
    await bob.conversations.getByRole('link', { name: 'Ada, 1 unread' }).click();
    await bob.said('first').waitFor();
    await bob.page.reload();
    await bob.heading('Ada').waitFor();
    await bob.said('first').waitFor();

    // While Bob is not there at all.
    await bob.page.close();
    await ada.say('second');
    await ada.said('second').waitFor();
    await bob.sit(server.url);
    await bob.conversations.getByRole('link', { name: 'Ada, 1 unread' }).click();
    await bob.said('second').waitFor();
  });

scene('a note to oneself', [], async ({ meet }) => {
  const ada = await meet('Ada');
  await ada.person('Ada').click();
  await ada.heading('Ada').waitFor();
  await ada.say('milk, bread');
  await until(1, () => ada.said('milk, bread').count());
});

for (const reload of [false, true]) {
  scene(`a new owner of a free name is a stranger${reload ? ', after a reload either' : ''}`, [
    '--resume-window',
    '1',
  ], async ({ meet }) => {
    const ada = await meet('Ada');
    const bob = await meet('Bob');
    await ada.person('Bob').click();
    await ada.say('for the first Bob');
    await bob.conversation('Ada').waitFor();
    await ada.channel('general').click();
    await ada.heading('#general').waitFor();
    await bob.page.close();
    await until(0, () => ada.person('Bob').count());
    const other = await meet('Bob');
    await ada.person('Bob').waitFor();
    if (reload) await ada.page.reload();
    await ada.heading('#general').waitFor();
    await ada.person('Bob').click();
    // The online user is a different person, so the other conversation is not shown.
    await ada.log.getByText('Only the two of you').waitFor();
    await until(0, () => ada.said('for the first Bob').count());
    await ada.say('for the second Bob');
    await other.conversation('Ada').click();
    await other.said('for the second Bob').waitFor();
    assert.equal(await other.said('for the first Bob').count(), 0);
    await until(2, () => ada.conversation('Bob').count());
  });
}

scene('a returning user keeps the conversation', ['--resume-window', '0.3'],
  async ({ meet, server }) => {
    const ada = await meet('Ada');
    const bob = await meet('Bob');
    await ada.person('Bob').click();
    await ada.say('before');
    await bob.conversation('Ada').waitFor();
    await ada.channel('general').click();
    await bob.page.close();
    await until(0, () => ada.person('Bob').count());
    await ada.conversations.getByRole('link', { name: 'Bob, offline' }).waitFor();
    await bob.sit(server.url);
    await ada.person('Bob').click();
    await ada.said('before').waitFor();
    await ada.say('after');
    await bob.conversation('Ada').click();
    await bob.said('after').waitFor();
    assert.equal(await ada.conversation('Bob').count(), 1);
  });

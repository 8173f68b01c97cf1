// What one expects from the second day on: channels to browse, muted channels, drafts, lists of
// what is unread, an invitation.

import assert from 'node:assert/strict';
import { scene, until } from './harness.mjs';
import { faults } from './screens.mjs';

scene('channels are browsed, found, and new ones marked until they were seen', [],
  async ({ meet }) => {
    const [ada, bob] = [await meet('Ada'), await meet('Bob')];
    for (const name of ['garden', 'kitchen', 'kitten']) {
      await bob.create(name);
      await bob.heading(`#${name}`).waitFor();
    }
    await ada.page.reload();
    await ada.role('button', 'Browse channels, 3 new', true).click();
    const dialog = ada.role('dialog', 'Browse channels');
    const rows = async () =>
      (await dialog.getByRole('listitem').allInnerTexts()).map((text) =>
        text.split(/\s+/).join(' ')
      );
    await until([
      '# garden new 1 person Join',
      '# kitchen new 1 person Join',
      '# kitten new 1 person Join',
      '# general 2 people Joined',
    ], rows);
    assert.deepEqual(await faults(ada.page), []);
    await dialog.getByRole('textbox').fill('kit');
    await until(['# kitchen new 1 person Join', '# kitten new 1 person Join'], rows);
    await dialog.getByRole('button', { name: 'Create #kit', exact: true }).waitFor();
    await ada.page.keyboard.press('Enter');
    await ada.heading('#kitchen').waitFor();
    await ada.role('button', 'Browse channels', true).waitFor();
    await ada.page.reload();
    await ada.heading('#kitchen').waitFor();
    assert.equal(await ada.role('button', /^Browse channels, /).count(), 0);
    await bob.create('attic');
    await ada.role('button', 'Browse channels, 1 new', true).click();
    await until('# attic new 1 person Join', async () => (await rows())[0]);
  });

scene('private messages are not below many channels', [], async ({ meet }) => {
  const [ada, bob] = [await meet('Ada'), await meet('Bob')];
  await bob.person('Ada').click();
  await bob.say('psst');
  await ada.conversation('Bob').waitFor();
  const above = async () =>
    (await ada.conversation('Bob').boundingBox()).y
      < (await ada.channel('general').boundingBox()).y;
  assert.equal(await above(), false);
  for (let n = 0; n < 15; n += 1) {
    await ada.say(`/join room${n}`);
    await ada.heading(`#room${n}`).waitFor();
  }
  await until(true, above);
  await ada.channel('general').click();
  await ada.page.keyboard.press('Alt+ArrowUp');
  await ada.heading('Bob').waitFor();
});

scene('a muted channel is quiet, but for mentions; drafts are marked', [], async ({ meet }) => {
  const [ada, bob] = [await meet('Ada'), await meet('Bob')];
  for (const name of ['garden', 'kitchen']) {
    await ada.create(name);
    await ada.heading(`#${name}`).waitFor();
    await bob.join(name);
    await bob.heading(`#${name}`).waitFor();
  }
  const link = (name) => ada.channels.getByRole('link', { name, exact: true });
  await ada.role('button', 'More', true).click();
  await ada.role('menuitemcheckbox', 'Mute this channel').click();
  await ada.text.fill('half a thought');
  await ada.channel('general').click();
  await link('kitchen, muted, draft').waitFor();
  await bob.say('nothing special');
  await bob.channel('garden').click();
  await bob.say('a rose');
  await link('garden, 1 unread').waitFor();
  await until('(1) #general', () => ada.page.title());
  await ada.page.reload();
  await link('kitchen, muted, draft').waitFor();
  await bob.channel('kitchen').click();
  await bob.say('@Ada?');
  await link('kitchen, 1 unread, mentioned, muted, draft').waitFor();
});

scene('what is unread, and who mentioned one, are lists', [], async ({ meet }) => {
  const [ada, bob] = [await meet('Ada'), await meet('Bob')];
  await bob.say('good morning');
  await ada.said('good morning').waitFor();
  await ada.create('garden');
  await ada.heading('#garden').waitFor();
  await bob.say('hello @Ada');
  await bob.say('and nothing else');
  await bob.person('Ada').click();
  await bob.say('psst');
  await ada.conversation('Bob, 1 unread').waitFor();
  await ada.channels.getByRole('link', { name: 'general, 2 unread, mentioned', exact: true })
    .waitFor();
  await ada.page.reload();
  await ada.channels.getByRole('link', { name: 'general, 2 unread, mentioned', exact: true })
    .waitFor();
  await ada.role('button', 'Unread', true).click();
  assert.equal(await ada.role('button', 'Search', true).getAttribute('aria-expanded'), 'false');
  const panel = (name) => ada.role('complementary', name, true);
  const found = (name) => panel(name).locator('.found').allInnerTexts();
  await until(['and nothing else', 'hello @Ada'], () => found('Unread'));
  await panel('Unread').getByRole('button', { name: /^@Bob\s*1 unread$/ }).waitFor();
  assert.deepEqual(await faults(ada.page), []);
  await ada.role('button', 'Mark all as read').click();
  await ada.page.getByText('You have read everything.').waitFor();
  await until('#garden', () => ada.page.title());
  await ada.role('button', 'Mentions', true).click();
  await until(['hello @Ada'], () => found('Mentions'));
  await panel('Mentions').getByText('hello @Ada').click();
  await ada.heading('#general').waitFor();
  await until('hello @Ada', () => ada.log.locator('[data-target] .text').innerText());
  await ada.page.keyboard.press('Control+f');
  await ada.role('searchbox', 'Search for').fill('nothing');
  await until(['and nothing else'], () => found('Search'));
});

scene('joins are hidden, and many changes of members are folded', [], async ({ meet }) => {
  const [ada, bob] = [await meet('Ada'), await meet('Bob')];
  await ada.log.getByText('Bob joined').waitFor();
  for (const name of ['Bo', 'Bobby', 'Robert']) await bob.say(`/nick ${name}`);
  await ada.log.getByText('4 changes of members').waitFor();
  assert.equal(await ada.log.getByText('Bob joined').count(), 0);
  await ada.role('button', 'Show', true).click();
  await ada.log.getByText('Bobby is now called Robert').waitFor();
  await ada.role('button', 'Hide', true).click();
  await until(0, () => ada.log.getByText('Bobby is now called Robert').count());
  await ada.role('button', 'More', true).click();
  await ada.role('menuitemcheckbox', 'Hide joins and leaves').click();
  await ada.log.getByText('3 changes of members').waitFor();
});

scene('an invitation: link, code, and a button that copies', [], async ({ meet, server }) => {
  const ada = await meet('Ada');
  await ada.context.grantPermissions(['clipboard-read']);
  await ada.more('Invite people…');
  const dialog = ada.role('dialog', 'Invite people');
  await dialog.getByText(server.url).waitFor();
  assert.deepEqual(await faults(ada.page), []);
  await dialog.getByRole('button', { name: 'Copy link' }).click();
  await dialog.getByText('Copied.').waitFor();
  assert.equal(await ada.page.evaluate(() => navigator.clipboard.readText()), server.url);
});

scene('an invitation that other computers can use has a QR code', ['--listen', '0.0.0.0:0'],
  async ({ meet }) => {
    const ada = await meet('Ada');
    await ada.more('Invite people…');
    await ada.role('dialog', 'Invite people').getByRole('img', { name: 'QR code of http' })
      .waitFor();
  });

scene('a name with a space: another is offered before anything is sent', [], async ({ meet }) => {
  const ada = await meet(null);
  await ada.name.fill('Ada Lovelace');
  await ada.role('button', 'Take Ada-Lovelace').waitFor();
  await ada.name.fill('Ada');
  await until(0, () => ada.role('button', /^Take/).count());
  await ada.name.fill('Ada Lovelace ');
  await ada.role('button', 'Take Ada-Lovelace').click();
  await ada.heading('#general').waitFor();
  assert.match(await ada.role('button', 'Your settings').innerText(), /Ada-Lovelace/);
  await ada.own('Change your name…');
  const dialog = ada.role('dialog', 'Change your name');
  await dialog.getByRole('textbox').fill('Ada King');
  await dialog.getByRole('button', { name: 'Take Ada-King' }).click();
  await until(/Ada-King/.source,
    async () => (await ada.role('button', 'Your settings').innerText()).match(/Ada-King/)?.[0]);
});

scene('buttons at a message react and reply; an emoji is chosen by button; lists and large emoji',
  [], async ({ meet }) => {
  const [ada, bob] = [await meet('Ada'), await meet('Bob')];
  await bob.say('who comes?');
  await ada.said('who comes?').hover();
  await ada.role('button', 'React', true).click();
  await ada.role('menuitemcheckbox', 'tada', true).click();
  await bob.role('button', '🎉 1').waitFor();
  await ada.said('who comes?').hover();
  await ada.role('button', 'Reply', true).click();
  await until('> Bob: who comes? #general/1\n', () => ada.text.inputValue());
  await ada.page.keyboard.type('me ');
  await ada.role('button', 'Emoji', true).click();
  await ada.role('menuitem', 'rocket', true).click();
  await until('> Bob: who comes? #general/1\nme 🚀', () => ada.text.inputValue());
  await ada.text.fill('🚀');
  await ada.text.press('Enter');
  await bob.log.locator('.large', { hasText: '🚀' }).waitFor();
  await ada.say('- one\n- ~~two~~');
  await until(['one', 'two'],
    () => bob.log.getByRole('list').getByRole('listitem').allInnerTexts());
  await bob.log.locator('s', { hasText: 'two' }).waitFor();
});

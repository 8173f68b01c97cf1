// Pinned messages, and the search.

import assert from 'node:assert/strict';
import { KEY, secret } from './change.mjs';
import { scene, until } from './harness.mjs';
import { faults } from './screens.mjs';

scene('the owner is marked, pins a message, and gives the chat up', [
  '--owner-key',
  secret('pin', KEY),
], async ({ meet, server }) => {
  const [ada, bob] = [await meet(null), await meet('Bob')];
  await ada.page.goto(`${server.url}#owner=${KEY}`);
  await ada.page.reload();
  await ada.enter('Ada');
  await ada.role('button', 'Owner', true).waitFor();
  assert.doesNotMatch(ada.page.url(), new RegExp(KEY));
  await ada.say('the rules');
  await bob.log.locator('.owner', { hasText: 'owner' }).waitFor();
  await ada.said('the rules').waitFor();
  await ada.act('the rules', 'Pin');
  const pinned = bob.page.getByRole('group', { name: 'Pinned message' });
  await pinned.getByText('the rules').waitFor();
  assert.equal(await pinned.getByRole('button', { name: 'Unpin' }).count(), 0, 'not for Bob');
  for (let line = 0; line < 60; line += 1) await bob.say(`line ${line}`);
  await bob.said('line 59').waitFor();
  await bob.page.reload();
  await pinned.getByText('the rules').click();
  await until('the rules', () => bob.log.locator('[data-target] .text').innerText());
  await ada.page.reload();
  await ada.role('button', 'Owner', true).waitFor();
  await ada.page.getByRole('button', { name: 'Unpin' }).click();
  await until(0, () => pinned.count());
  await ada.page.keyboard.press('Control+f');
  await ada.role('searchbox', 'Search for').fill('the rules');
  const results = () => ada.page.locator('#p\\:results li').count();
  await until(1, results);
  await ada.page.keyboard.press('Escape');
  await ada.say('/clear');
  await ada.role('button', 'Clear channel').click();
  await until(0, results, 'a cleared text leaves the results, too');
  await bob.create('garden');
  await bob.heading('#garden').waitFor();
  await bob.say('a rose');
  await bob.said('a rose').waitFor();
  await ada.page.keyboard.press('Control+f');
  await ada.role('searchbox', 'Search for').fill('rose');
  await until(1, results);
  await ada.page.keyboard.press('Escape');
  await ada.say('/remove garden');
  await ada.role('button', 'Remove channel').click();
  await until(0, results, 'and so do those of a removed channel');
  const tab = await ada.context.newPage();
  await tab.goto(server.url);
  const owner = tab.getByRole('button', { name: 'Owner', exact: true });
  await owner.waitFor();
  await ada.rule('Give up ownership');
  await until(0, () => ada.role('button', 'Owner', true).count());
  await until(0, () => owner.count(), 'in other tabs, too');
  await ada.page.goto(`${server.url}#owner=wrong`);
  await ada.page.getByRole('alert').filter({ hasText: /key/ }).waitFor();
});

scene('the search finds while the user types, everywhere or here, and opens the message', [],
  async ({ meet }) => {
    const [ada, bob] = [await meet('Ada'), await meet('Bob')];
    await bob.say('the ADDRESS is Main Street');
    await bob.create('garden');
    await bob.heading('#garden').waitFor();
    await bob.say('another address');
    await bob.said('another address').waitFor();
    await bob.say('/msg Ada my own address');
    await ada.conversation('Bob').waitFor();
    await ada.page.keyboard.press('Control+f');
    const panel = ada.role('complementary', 'Search');
    const found = () => panel.locator('.found').allInnerTexts();
    await panel.getByRole('searchbox').fill('address');
    await until(['another address', 'my own address', 'the ADDRESS is Main Street'],
      async () => (await found()).sort());
    assert.deepEqual((await panel.locator('mark').allInnerTexts()).sort(), [
      'ADDRESS',
      'address',
      'address',
    ]);
    await panel.getByRole('combobox', { name: 'Where' }).selectOption('Only here');
    await until(['the ADDRESS is Main Street'], found);
    await panel.getByRole('combobox', { name: 'Where' }).selectOption('Everywhere');
    assert.deepEqual(await faults(ada.page), []);
    await panel.getByText('another address').click();
    await ada.heading('#garden').waitFor();
    await until('another address', () => ada.log.locator('[data-target] .text').innerText());
    await bob.channel('garden').click();
    await bob.act('another address', 'Delete');
    await until(0, () => panel.getByText('another address').count(),
      'a deleted text leaves the results, too');
    await panel.getByRole('searchbox').fill('nowhere to be found');
    await panel.getByText('Nothing found.').waitFor();
    await ada.page.keyboard.press('Escape');
    await until(0, () => panel.count());
    await ada.page.keyboard.press('Control+f');
    await panel.getByRole('searchbox').fill('my own');
    await panel.getByText('my own address').waitFor();
    await ada.own('Leave chat');
    await ada.name.waitFor();
    assert.doesNotMatch(await ada.page.locator('body').innerHTML(), /my own/,
      'the next user sees no results');
  });

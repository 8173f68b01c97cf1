// Messages that are changed after they were sent: edited, deleted, reacted to; and a room with a
// password.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scene, scratch, until } from './harness.mjs';
import { faults } from './screens.mjs';

const folder = scratch();

/** A file with a secret, as the server wants it. */
export function secret(name, text) {
  const file = join(folder, name);
  writeFileSync(file, `${text}\n`, { mode: 0o600 });
  return file;
}

export const KEY = 'b1946ac92492d2347c6235b4d2611184';
const complete = (person, count) =>
  until(`${count} of ${count} messages, nothing missing`, () => person.status());

scene('a message is edited, reacted to and deleted, and each has the same picture', [],
  async ({ meet }) => {
    const [ada, bob] = [await meet('Ada'), await meet('Bob')];
    await ada.say('good morning'); // so that the next one has no header of its own
    await ada.say('the secret is 4711');
    await bob.said('the secret is 4711').waitFor();
    await ada.said('the secret is 4711').waitFor();

    await ada.text.press('ArrowUp');
    await ada.page.getByText('Editing your message').waitFor();
    assert.equal(await ada.text.inputValue(), 'the secret is 4711');
    await ada.text.press('Escape');
    assert.equal(await ada.text.inputValue(), '');
    await ada.text.press('ArrowUp');
    await ada.page.getByText('Editing your message').waitFor();
    await ada.text.fill('no secret');
    await ada.text.press('Enter');
    await bob.said('no secret').waitFor();
    assert.match(await bob.log.getByText('(edited)').getAttribute('title'), /^Edited Today, /);
    for (const person of [ada, bob]) {
      const look = await person.log.getByText('(edited)').evaluate((node) =>
        getComputedStyle(node).opacity
      );
      assert.equal(look, '1', 'the mark is seen without hovering');
    }
    assert.equal(await ada.text.inputValue(), '');

    await bob.act('no secret', 'tada');
    const one = ada.role('button', '🎉 1', true);
    await one.click(); // Ada joins in
    await bob.role('button', '🎉 2, with yours').waitFor();
    await until('🎉 2, with yours',
      () => ada.page.evaluate(() => document.activeElement.getAttribute('aria-label')),
      'the keyboard stays');
    await bob.role('button', '🎉 2, with yours').click();
    await ada.role('button', '🎉 1, with yours').waitFor();
    for (const person of [ada, bob]) await complete(person, 6);
    await bob.page.reload();
    await bob.role('button', '🎉 1', true).waitFor();
    await complete(bob, 6);
    assert.deepEqual(await faults(bob.page), []);

    await ada.act('no secret', 'Delete');
    await ada.log.getByRole('button', { name: 'Undo' }).click();
    await ada.said('no secret').waitFor();
    await ada.act('no secret', 'Delete');
    await bob.log.getByText('Message deleted by Ada.').waitFor();
    assert.equal(await bob.said('no secret').count(), 0);
    for (const person of [ada, bob]) {
      await complete(person, 7);
      await person.page.reload();
      await person.log.getByText('Message deleted by Ada.').waitFor();
      await complete(person, 7);
      const kept = await person.page.evaluate(() =>
        JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.body.innerHTML])
      );
      assert.doesNotMatch(kept, /secret/, 'the page keeps neither text');
    }
  });

scene('a deletion is sent at once when its page is closed', [], async ({ meet }) => {
  const [ada, bob] = [await meet('Ada'), await meet('Bob')];
  await ada.say('oops');
  await bob.said('oops').waitFor();
  await ada.act('oops', 'Delete');
  await ada.page.close({ runBeforeUnload: false });
  await bob.log.getByText('Message deleted by Ada.').waitFor({ timeout: 4000 });
});

scene('a private message is edited and deleted', [], async ({ meet }) => {
  const [ada, bob] = [await meet('Ada'), await meet('Bob')];
  await ada.say('/msg Bob psst');
  await ada.said('psst').waitFor();
  await ada.act('psst', 'Edit');
  await ada.page.getByText('Editing your message').waitFor();
  await ada.text.fill('hello');
  await ada.text.press('Enter');
  await bob.conversation('Ada').click();
  await bob.said('hello').waitFor();
  assert.equal(await bob.said('psst').count(), 0);
  await ada.act('hello', 'Delete');
  await bob.log.getByText('Message deleted by Ada.').waitFor();
});

scene('a room with a password', [
  '--password-file',
  secret('password', 'sesame & co'),
  '--owner-key',
  secret('key', KEY),
], async ({ meet, server }) => {
  const ada = await meet(null);
  await ada.enter('Ada');
  const field = ({ page }) => page.getByLabel('The room’s password');
  await field(ada).waitFor();
  assert.deepEqual(await faults(ada.page), []);
  await field(ada).fill('wrong');
  await ada.role('button', 'Join chat').click();
  await ada.page.getByRole('alert').filter({ hasText: /password/ }).waitFor();
  await field(ada).fill('sesame & co');
  await ada.role('button', 'Join chat').click();
  await ada.heading('#general').waitFor();
  await ada.page.reload();
  await ada.heading('#general').waitFor(); // not asked again
  const kept = () =>
    ada.page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
  assert.doesNotMatch(await kept(), /sesame/);

  const bob = await meet(null);
  await bob.page.goto(`${server.url}#owner=${KEY}&password=sesame%20%26%20co`);
  await until(false, () => /owner/.test(bob.page.url()));
  assert.doesNotMatch(bob.page.url(), /sesame|owner/);
  await bob.enter('Bob');
  await bob.role('button', 'Owner', true).waitFor();
  const at = async (person) => {
    const page = await person.context.newPage();
    await page.goto(new URL('join', server.url).href);
    await page.getByRole('heading', { name: 'Join the chat at' }).waitFor();
    await page.waitForFunction(() => document.documentElement.dataset.started === '');
    return page;
  };
  const join = await at(bob);
  await join.getByText('#password=sesame%20%26%20co').first().waitFor();
  await join.getByRole('img', { name: /QR code/ }).waitFor();
  assert.doesNotMatch(await (await at(ada)).locator('body').innerText(), /sesame/,
    'only the owner’s browser shows it');

  const cleo = await meet(null);
  await cleo.enter('Cleo');
  await field(cleo).waitFor();
  const told = () => cleo.page.getByRole('alert').filter({ hasText: /too many/i }).count();
  for (let guess = 0; guess < 12 && await told() === 0; guess += 1) {
    await field(cleo).fill(`guess ${guess}`);
    await cleo.role('button', 'Join chat').click();
    await cleo.page.locator('[type=submit]:not([aria-busy])').first().waitFor();
    await cleo.page.waitForTimeout(100);
  }
  assert.equal(await told(), 1, 'after ten wrong passwords none is taken for a while');
});

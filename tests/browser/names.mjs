// Names in other scripts, and text that looks like markup.

import assert from 'node:assert/strict';
import { scene, until } from './harness.mjs';

const SCRIPT = '<script>document.title="hurt"</script><img src=x onerror=\'document.title="hurt"\'>';

scene('<script> in a name, a channel or a text stays text', [], async ({ meet }) => {
  const ada = await meet(null);
  await ada.enter(SCRIPT);
  await ada.page.getByRole('alert').filter({ hasText: /\w{3}/ }).waitFor();
  await ada.enter('Ada');
  await ada.heading('#general').waitFor();
  const bob = await meet('Bob');

  await ada.create(SCRIPT);
  await ada.page.getByRole('alert').filter({ hasText: /\w{3}/ }).waitFor();
  await ada.say(SCRIPT);
  await bob.said(SCRIPT).waitFor();
  await bob.person('Ada').click();
  await bob.say(`/me ${SCRIPT}`);
  await bob.say(SCRIPT);
  await ada.conversation('Bob').click();
  await ada.said(SCRIPT).waitFor();

  // As an address, too.
  await ada.page.goto(`${ada.page.url().split('#')[0]}#${encodeURIComponent(SCRIPT)}`);
  await until('#general', () => new URL(ada.page.url()).hash);
  for (const { page } of [ada, bob]) {
    assert.equal(await page.locator('img[src=x], body script').count(), 0);
    assert.ok(!(await page.title()).includes('hurt'));
  }
});

scene('names in other scripts', [], async ({ meet }) => {
  const ada = await meet('Zoë');
  const bob = await meet('Борис');
  await ada.person('Борис').click();
  await ada.heading('Борис').waitFor();
  await ada.say('привет');
  await bob.conversation('Zoë').click();
  await bob.said('привет').waitFor();
  await bob.page.reload();
  await bob.heading('Zoë').waitFor();
  await bob.create('Küche');
  await bob.heading('#küche').waitFor();
  await bob.page.reload();
  await bob.heading('#küche').waitFor();
});

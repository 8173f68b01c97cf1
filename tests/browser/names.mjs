// Names in other scripts, and text that looks like markup.

import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { scene, until } from './harness.mjs';

const SCRIPT =
  '<script>document.title="hurt"</script><img src=x onerror=\'document.title="hurt"\'>';

scene('<script> in a name, a channel or a text stays text', [], async ({ meet }) => {
  const ada = await meet(null);
  await ada.enter(SCRIPT);
  await ada.page.getByRole('alert').filter({ hasText: /\w{3}/ }).waitFor();
  await ada.enter('Ada');
  await ada.heading('#general').waitFor();
  const bob = await meet('Bob');

  await ada.create(SCRIPT);
  await ada.page.getByRole('alert').filter({ hasText: /\w{3}/ }).waitFor();
  await ada.page.keyboard.press('Escape');
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

scene('a name that a proxy sets can’t be changed', [
  '--trusted-proxy',
  '127.0.0.1',
  '--user-header',
  'Remote-User',
], async ({ meet, server }) => {
  const { port } = new URL(server.url);
  const proxy = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const [one, other] of [[near, far], [far, near]])
      one.on('error', () => {}).on('close', () => other.destroy());
    near.on('data',
      (bytes) =>
        far.write(bytes.toString('latin1').replace(/^GET .*\r\n/, '$&Remote-User: Ada\r\n'),
          'latin1'));
    far.pipe(near);
  });
  await new Promise((listening) => proxy.listen(0, '127.0.0.1', listening));
  try {
    const ada = await meet(null);
    await ada.page.goto(`http://127.0.0.1:${proxy.address().port}/`);
    await ada.heading('#general').waitFor(); // without a form
    await ada.role('button', 'Your settings').click();
    await ada.role('menuitem', 'Keyboard shortcuts').waitFor();
    assert.equal(await ada.role('menuitem', 'Change your name').count(), 0);
    await ada.page.keyboard.press('Escape');
    await ada.own('Leave chat');
    await ada.name.waitFor();
    assert.deepEqual([await ada.name.inputValue(), await ada.name.isEditable()], ['Ada', false]);
    assert.equal(await ada.page.getByText('Pick a name').isVisible(), false);
    await ada.role('button', 'Join chat').click();
    await ada.heading('#general').waitFor();
  } finally {
    proxy.close();
  }
});

// The connection check, from the menu and from the line about a lost connection.

import assert from 'node:assert/strict';
import { OUT, Person, scene } from './harness.mjs';
import { Proxy } from './proxy.mjs';

scene('connection check: what works is listed, and a silent connection is waited for', [],
  async ({ meet }) => {
    const ada = await meet('Ada');
    await ada.more('Connection check');
    const dialog = ada.role('dialog', 'Connection check');
    for (const text of [
      'A WebSocket opens.',
      'Messages pass in both directions.',
      'The clocks agree.',
    ]) await dialog.getByText(text).waitFor();
    await dialog.getByText(
      /The server saw: address 127\.0\.0\.1, X-Forwarded-For –, Host 127\.0\.0\.1:\d+, Origin http:/,
    ).waitFor();
    await dialog.getByText(/Waiting on a silent connection/).waitFor();
    assert.equal(await dialog.locator('.problem').count(), 0);
    await ada.page.screenshot({ path: `${OUT}check.png` });
    await ada.page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
  });

scene('connection check: a page that parlor refuses is named with its option', [
  '--origin',
  'https://chat.example',
], async ({ meet }) => {
  const ada = await meet(null);
  await ada.enter('Ada');
  await ada.role('button', 'Check the connection').click();
  const dialog = ada.role('dialog', 'Connection check');
  await dialog.getByText(/parlor refuses the page of http:/).waitFor();
  await dialog.getByText(/--origin http:\/\/127\.0\.0\.1:\d+/).waitFor();
  await dialog.getByText('1 problem found.').waitFor();
  await ada.page.screenshot({ path: `${OUT}check-origin.png` });
});

scene('connection check: a server that is gone', [], async ({ browser, server, people }) => {
  const proxy = await Proxy.before(server.url);
  const ada = await Person.named('Ada', browser, proxy.url);
  people.push(ada);
  proxy.mode = 'shut';
  proxy.cut();
  await ada.role('button', 'Check the connection').click();
  await ada.role('dialog', 'Connection check').getByText('The server can’t be reached.').waitFor();
});

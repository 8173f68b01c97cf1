// The connection is lost and found; sessions, tabs and closed windows.

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { UNSENT, scene, until } from './harness.mjs';

const status = (person) => person.connection.innerText();

scene('a killed and restarted server is found again, and the people go on', [],
  async ({ meet, server }) => {
    const ada = await meet('Ada');
    const bob = await meet('Bob');
    await ada.create('garden');
    await ada.heading('#garden').waitFor();
    assert.equal(await status(ada), '');
    await server.stop('SIGKILL');
    await ada.connection.getByText(/lost|reached/).waitFor();
    // What is written now is shown, and waits.
    await ada.say('written in between');
    await ada.log.getByText(UNSENT).waitFor();
    await server.again();
    await until('', () => status(ada));
    await until('', () => status(bob));
    await ada.heading('#garden').waitFor();
    await until(0, () => ada.log.getByText(UNSENT).count());
    await until(1, () => ada.said('written in between').count());
    assert.equal(await ada.name.count(), 0, 'no name is asked for');
    await bob.join('garden');
    await bob.said('written in between').waitFor();
    await until(['Ada (you)', 'Bob'], () => ada.people.getByRole('button').allInnerTexts());
  });

scene('a server that stops says farewell, and is found again', ['--drain', '0.2'],
  async ({ meet, server }) => {
    const ada = await meet('Ada');
    await server.stop('SIGTERM');
    await ada.connection.getByText(/going away|reached/).waitFor();
    await server.again();
    await until('', () => status(ada));
    await ada.say('still here');
    await ada.said('still here').waitFor();
  });

scene('what was missed is fetched, in channels and private conversations', [], async ({ meet }) => {
  const ada = await meet('Ada');
  const bob = await meet('Bob');
  await ada.person('Bob').click();
  await ada.say('one');
  await bob.conversation('Ada').click();
  await bob.said('one').waitFor();
  await ada.channel('general').click();
  await ada.say('general one');

  // The network of Bob's is gone: chromium cuts it, the page does not help.
  await bob.context.setOffline(true);

  await bob.say('from the tunnel');
  await bob.connection.getByText(/lost|reached/).waitFor({ timeout: 25_000 });
  for (let number = 2; number <= 12; number += 1) await ada.say(`general ${number}`);
  await ada.person('Bob').click();
  await ada.say('two');
  await ada.said('two').waitFor();
  await bob.context.setOffline(false);
  await until('', () => status(bob));
  await bob.said('two').waitFor();
  await ada.said('from the tunnel').waitFor();
  await bob.channel('general').click();
  await bob.said('general 12').waitFor();
  const texts = (await bob.log.locator('.text').allInnerTexts()).filter((text) =>
    text.startsWith('general')
  );
  assert.deepEqual(texts, [
    'general one',
    ...Array.from({ length: 11 }, (_, index) => `general ${index + 2}`),
  ], 'each once, in order');
});

scene('a reload keeps the name and the open place', ['--resume-window', '1'], async ({ meet }) => {
  const ada = await meet('Ada');
  const bob = await meet('Bob');
  await ada.create('garden');
  await ada.heading('#garden').waitFor();
  await ada.say('before');
  await ada.said('before').waitFor();
  let gone = false;
  await bob.page.exposeFunction('gone', () => {
    gone = true;
  });
  await bob.page.evaluate(() =>
    new MutationObserver((changes) => {
      for (const { removedNodes } of changes)
        for (const node of removedNodes)
          if (node.textContent.startsWith('Ada')) window.gone();
    }).observe(document.querySelector('[aria-label="People online"]'), { childList: true })
  );
  await ada.page.reload();
  await ada.heading('#garden').waitFor();
  await ada.said('before').waitFor();
  assert.equal(await ada.name.count(), 0);
  assert.equal(await ada.log.locator('.mine').count(), 1, 'one’s own are still one’s own');
  await new Promise((resolve) => setTimeout(resolve, 1600));
  assert.equal(gone, false, 'a reload removes no one from the list');
});

scene('a second tab is the same person', [], async ({ meet, server }) => {
  const ada = await meet('Ada');
  const bob = await meet('Bob');
  const first = ada.page;
  await ada.sit(server.url);
  await ada.heading('#general').waitFor();
  await until(['Ada (you)', 'Bob'], () => ada.people.getByRole('button').allInnerTexts());
  await ada.say('from the second tab');
  await bob.said('from the second tab').waitFor();
  await first.getByRole('log', { name: 'Messages' }).getByText('from the second tab').waitFor();
  await ada.say('/nick Lovelace');
  await first.getByRole('group', { name: 'People online' }).getByText('Lovelace').waitFor();
  await first.reload();
  await first.getByRole('group', { name: 'People online' }).getByText('Lovelace').waitFor();
  assert.equal(await bob.people.getByRole('button').count(), 2);

  // Who leaves, leaves in both.
  await ada.own('Leave chat');
  await ada.name.waitFor();
  await first.getByRole('textbox', { name: 'Your name' }).waitFor();
  await until(['Bob (you)'], () => bob.people.getByRole('button').allInnerTexts());
});

scene('two tabs of one person after a restart are one person again', [],
  async ({ meet, server }) => {
    const ada = await meet('Ada');
    const first = ada.page;
    await ada.sit(server.url);
    await ada.heading('#general').waitFor();
    await server.stop('SIGKILL');
    await server.again();
    await until('', () => status(ada));
    await until('', () => first.getByRole('status', { name: 'Connection' }).innerText());
    await first.getByRole('textbox', { name: 'Message', exact: true }).fill('one of two');
    await first.getByRole('button', { name: 'Send' }).click();
    await ada.said('one of two').waitFor();
    await until(['Ada (you)'], () => ada.people.getByRole('button').allInnerTexts());
    assert.equal(await first.getByRole('textbox', { name: 'Your name' }).count(), 0);
  });

scene('a tab that waits at the door enters with the other', [], async ({ meet, server }) => {
  const ada = await meet(null);
  const first = ada.page;
  await ada.sit(server.url);
  await ada.enter('Ada');
  await ada.heading('#general').waitFor();
  await first.getByRole('heading', { name: '#general', exact: true }).waitFor();
});

scene('closing a window takes the person out after the resume window', ['--resume-window', '1'],
  async ({ meet }) => {
    const ada = await meet('Ada');
    const bob = await meet('Bob');
    await ada.person('Bob').waitFor();
    const closed = Date.now();
    await bob.page.close();
    await until(['Ada (you)'], () => ada.people.getByRole('button').allInnerTexts());
    assert.ok(Date.now() - closed > 700, `not before: ${Date.now() - closed} ms`);
  });

scene('a refused origin is explained in the server’s words', ['--origin', 'https://chat.example'],
  async ({ meet }) => {
    const ada = await meet(null);
    await ada.enter('Ada');
    await ada.connection.getByText('--origin').waitFor();
    await ada.role('button', 'Join chat').waitFor();
  });

scene('a full server is explained in the server’s words', ['--max-connections-per-ip', '30'],
  async ({ meet, server }) => {
    const ada = await meet('Ada');
    await server.stop('SIGKILL');
    await server.again();
    const { port } = new URL(server.url);
    const upgrade =
      `GET /echo HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`
      + `Sec-WebSocket-Key: ${'A'.repeat(22)}==\r\nSec-WebSocket-Version: 13\r\n\r\n`;
    const crowd = Array.from({ length: 30 }, () => {
      const socket = connect(port, '127.0.0.1').on('error', () => {});
      socket.write(upgrade);
      return socket;
    });
    await ada.connection.getByText(/connections/).waitFor();
    for (const socket of crowd) socket.destroy();
    await until('', () => status(ada));
  });

// Addresses: they name the open place, can be opened, and Back walks through them.

import assert from 'node:assert/strict';
import { Person, scene, until } from './harness.mjs';

scene('Back walks', [], async ({ meet }) => {
  const ada = await meet('Ada');
  await meet('Bob');
  const hash = () => new URL(ada.page.url()).hash;
  assert.equal(hash(), '#general');
  await ada.create('garden');
  await ada.heading('#garden').waitFor();
  await ada.person('Bob').click();
  await ada.heading('Bob').waitFor();
  assert.equal(hash(), '#@Bob');
  await ada.say('hello');
  await ada.said('hello').waitFor();
  await ada.channel('general').click();
  await ada.heading('#general').waitFor();
  for (const [step, heading, address] of [
    ['goBack', 'Bob', '#@Bob'],
    ['goBack', '#garden', '#garden'],
    ['goBack', '#general', '#general'],
    ['goForward', '#garden', '#garden'],
    ['goForward', 'Bob', '#@Bob'],
  ]) {
    await ada.page[step]();
    await ada.heading(heading).waitFor();
    assert.equal(hash(), address);
  }
  await ada.said('hello').waitFor();
});

scene('an address opens its place, before and after entering', [],
  async ({ meet, browser, server }) => {
    const ada = await meet('Ada');
    await ada.create('garden');
    await ada.heading('#garden').waitFor();
    const bob = await Person.at(browser, `${server.url}#garden`);
    await bob.enter('Bob');
    await bob.heading('#garden').waitFor();
    await bob.page.goto(`${server.url}#@Ada`);
    await bob.heading('Ada').waitFor();
    await bob.say('found you');
    await ada.conversation('Bob').click();
    await ada.said('found you').waitFor();
    await bob.page.goto(`${server.url}#general`);
    await bob.heading('#general').waitFor();
    await until('#general', async () => new URL(bob.page.url()).hash);
  });

scene('under a path behind a proxy', [], async ({ meet, server, browser }) => {
  // The least of proxies: it strips /rooms/parlor and passes everything on.
  const { createServer, request } = await import('node:http');
  const { connect } = await import('node:net');
  const { hostname, port } = new URL(server.url);
  const inner = (url) => url.replace(/^\/rooms\/parlor/, '');
  const proxy = createServer((asked, answer) => {
    if (!asked.url.startsWith('/rooms/parlor/')) return answer.writeHead(404).end();
    return asked.pipe(
      request({ hostname, port, path: inner(asked.url), headers: asked.headers }, (from) => {
        answer.writeHead(from.statusCode, from.headers);
        from.pipe(answer);
      }),
    );
  });
  proxy.on('upgrade', (asked, socket) => {
    const onward = connect(port, hostname, () => {
      const headers = asked.rawHeaders.map((part, index) => part + (index % 2 ? '\r\n' : ': '))
        .join('');
      onward.write(`GET ${inner(asked.url)} HTTP/1.1\r\n${headers}\r\n`);
      onward.pipe(socket).pipe(onward);
    });
    for (const end of [socket, onward])
      end.on('error', () => {
        socket.destroy();
        onward.destroy();
      });
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  try {
    const ada = await meet('Ada');
    const bob = await Person.named('Bob', browser,
      `http://127.0.0.1:${proxy.address().port}/rooms/parlor/`);
    await ada.say('hello through the wall');
    await bob.said('hello through the wall').waitFor();
    assert.equal(
      await bob.page.evaluate(() =>
        Object.keys(localStorage).every((key) => key.startsWith('parlor:/rooms/parlor/:'))
      ),
      true,
    );
    await bob.context.close();
  } finally {
    proxy.closeAllConnections();
    proxy.close();
  }
});

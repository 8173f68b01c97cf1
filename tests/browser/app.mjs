// The page as an app: what its second visit asks for, a start without the server, an updated
// server, notifications of the worker.

import assert from 'node:assert/strict';
import { connect, createServer } from 'node:net';
import { Person, scene, until } from './harness.mjs';

const BUILD = /[0-9a-f]{16}(?=\/app\/main\.js)/;

/**
 * The requests that reach the server through this line: their paths. `build` replaces the server's
 * own, as if it had another page.
 */
async function watched(url) {
  const { hostname, port } = new URL(url);
  const real = BUILD.exec(await (await fetch(url)).text())[0];
  const line = { asked: [], build: real, isCut: false };
  const swap = (bytes, from, to) =>
    Buffer.from(bytes.toString('latin1').replaceAll(from, to), 'latin1');
  const pairs = new Set();
  const server = createServer((near) => {
    if (line.isCut) return near.destroy();
    const far = connect(Number(port), hostname);
    pairs.add(near).add(far);
    near.on('data', (bytes) => {
      const head = bytes.toString('latin1');
      line.asked.push(...[...head.matchAll(/^GET (\S+) HTTP/gm)].map(([, path]) => path));
      // What is compressed can't be changed, and another page has another tag.
      const plain = head.replace(/^(accept-encoding|if-none-match):/gim,
        (name) => `x${name.slice(1)}`);
      far.write(swap(Buffer.from(plain, 'latin1'), line.build, real));
    });
    far.on('data', (bytes) => near.write(swap(bytes, real, line.build)));
    for (const [one, other] of [[near, far], [far, near]])
      one.on('error', () => {}).on('close', () => other.destroy());
    return undefined;
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  line.url = `http://127.0.0.1:${server.address().port}/`;
  line.cut = (isCut = true) => {
    line.isCut = isCut;
    for (const socket of pairs) socket.destroy();
    pairs.clear();
  };
  line.close = () => {
    line.cut();
    server.close();
  };
  return line;
}

const isKept = (person, line) =>
  person.page.evaluate(async (url) => await caches.match(url) !== undefined, line.url);

/** Opens the chat through a line, and waits until the browser keeps the page. */
async function kept(browser, line, name, options) {
  const person = await Person.named(name, browser, line.url, options);
  await until(true, () => isKept(person, line));
  await person.page.evaluate(() => navigator.serviceWorker.ready.then(() => true));
  return person;
}

async function through(server, play) {
  const line = await watched(server.url);
  try {
    await play(line);
  } finally {
    line.close();
  }
}

scene('a page that is opened again asks for one file', [],
  ({ server, browser }) =>
    through(server, async (line) => {
      const ada = await kept(browser, line, 'Ada');
      line.asked.length = 0;
      const again = await ada.context.newPage();
      await again.goto(line.url);
      await again.getByRole('textbox', { name: 'Message', exact: true }).waitFor();
      await again.waitForTimeout(4000); // what comes later counts too
      assert.deepEqual(line.asked, ['/', '/chat']);
    }));

scene('without the server the page opens with what the browser holds', [],
  ({ server, browser, people }) =>
    through(server, async (line) => {
      const ada = await kept(browser, line, 'Ada');
      people.push(ada);
      await ada.text.fill('a draft');
      await ada.create('garden');
      await ada.heading('#garden').waitFor();
      line.cut();
      await ada.say('not sent yet');
      await ada.log.getByText('Waiting to send…').waitFor();
      await ada.page.close();
      await ada.sit(line.url);
      await ada.heading('#general').waitFor();
      assert.equal(await ada.text.inputValue(), 'a draft');
      await ada.connection.getByText(/can’t be reached|lost/).waitFor();
      await ada.channel('garden').click();
      await ada.said('not sent yet').waitFor();
      line.cut(false);
      await ada.log.getByText('Waiting to send…').waitFor({ state: 'detached' });
    }));

scene('an updated server: the open tab says so, and the old page is never served again', [],
  ({ server, browser, people }) =>
    through(server, async (line) => {
      const ada = await kept(browser, line, 'Ada');
      people.push(ada);
      const old = line.build;
      line.build = 'fedcba9876543210';
      line.cut(false);
      await ada.connection.getByText('parlor was updated.').waitFor();
      await until(false, () => isKept(ada, line), 'the old page is forgotten');
      line.asked.length = 0;
      await ada.role('button', 'Reload', true).click();
      await until(true, () => line.asked.includes(`/${line.build}/app/main.js`));
      await ada.heading('#general').waitFor();
      await ada.connection.getByText('parlor was updated.').waitFor({ state: 'detached' });
      await until([line.url + line.build], () => ada.page.evaluate(() => caches.keys()),
        'the new page is kept');
      assert.ok(!line.asked.some((path) => path.includes(old)), line.asked.join());
    }));

scene('where a page may not show notifications, the service worker does', [],
  ({ server, browser, people, meet }) =>
    through(server, async (line) => {
      const userAgent = 'Mozilla/5.0 (Linux; Android 14) Chrome/130.0 Mobile';
      const ada = await kept(browser, line, 'Ada', { userAgent, permissions: ['notifications'] });
      people.push(ada);
      await ada.page.evaluate(() => {
        document.hasFocus = () => false;
        window.Notification = class {
          static permission = 'granted';
          constructor() {
            throw new TypeError('Illegal constructor');
          }
        };
      });
      await ada.own('Notifications', 'menuitemcheckbox');
      await ada.create('garden');
      await ada.heading('#garden').waitFor();
      const bob = await meet('Bob');
      await bob.say('hello @Ada');
      const shown = () =>
        ada.page.evaluate(async () =>
          (await (await navigator.serviceWorker.ready).getNotifications()).map(({ title, body }) =>
            `${title}: ${body}`
          )
        );
      await until(['Bob mentioned you in #general: hello @Ada'], shown);
      const [worker] = ada.context.serviceWorkers();
      await worker.evaluate(async () => {
        const [notification] = await self.registration.getNotifications();
        self.dispatchEvent(new NotificationEvent('notificationclick', { notification }));
      });
      await ada.heading('#general').waitFor();
      await until([], shown);
    }));

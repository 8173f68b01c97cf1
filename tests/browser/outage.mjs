// Lost connections: when the page says so, when it reconnects, and that no message is missing
// afterwards.

import assert from 'node:assert/strict';
import { UNSENT, Person, scene, until } from './harness.mjs';
import { Proxy } from './proxy.mjs';

/** A page behind a line that can be cut. */
function lined(name, play) {
  scene(name, [], async (stage) => {
    const proxy = await Proxy.before(stage.server.url);
    const ada = await Person.named('Ada', stage.browser, proxy.url);
    stage.people.push(ada);
    await play({ ...stage, ada, proxy });
  });
}

const banner = (person) => person.page.getByText(/Reconnecting/);

/** The first pause takes a minute, so that what ends it is not its own end. */
const pauseLong = (person) =>
  person.page.evaluate(() => {
    Math.random = () => 60;
  });

lined('a short loss is not worth a word', async ({ ada, proxy }) => {
  await ada.page.evaluate(() => {
    window.told = [];
    new MutationObserver(() =>
      window.told.push(document.querySelector('[role=status][aria-label=Connection]').textContent)
    )
      .observe(document.querySelector('[role=status][aria-label=Connection]'), {
        childList: true,
        subtree: true,
        characterData: true,
      });
  });
  proxy.cut();
  await ada.say('through');
  await ada.said('through').waitFor();
  await until(0, () => ada.log.getByText(UNSENT).count());
  assert.deepEqual(await ada.page.evaluate(() => window.told), []);
});

lined('a lasting loss is shown with a countdown and a button', async ({ ada, proxy }) => {
  await pauseLong(ada);
  proxy.mode = 'shut';
  proxy.cut();
  await banner(ada).waitFor();
  const log = await ada.log.boundingBox();
  const line = await ada.connection.boundingBox();
  assert.ok(line.y + line.height <= log.y, 'in the flow: it covers nothing');
  await ada.page.getByText(/Reconnecting in [345]\d\ss/).waitFor();
  proxy.mode = 'open';
  await ada.role('button', 'Try now').click();
  await until('', () => ada.connection.innerText());
  assert.equal(await ada.role('button', 'Try now').count(), 0);
});

lined('the network is back: at once', async ({ ada, proxy }) => {
  proxy.mode = 'shut';
  await pauseLong(ada);
  proxy.cut();
  await ada.page.getByText(/Reconnecting in [345]\d\ss/).waitFor();
  proxy.mode = 'open';
  await ada.page.evaluate(() => dispatchEvent(new Event('online')));
  await until('', () => ada.connection.innerText());
});

lined('the machine slept: the pause is over by the wall clock', async ({ ada, proxy }) => {
  proxy.mode = 'shut';
  await pauseLong(ada);
  proxy.cut();
  await ada.page.getByText(/Reconnecting in [345]\d\ss/).waitFor();
  proxy.mode = 'open';
  await ada.page.evaluate(() => {
    const { now } = Date;
    Date.now = () => now() + 3_600_000;
  });
  await until('', () => ada.connection.innerText());
});

lined('a message without an answer means another connection', async ({ ada, proxy, meet }) => {
  const bob = await meet('Bob');
  proxy.mode = 'silent';
  await ada.say('into the void');
  await new Promise((over) => setTimeout(over, 1500));
  await bob.say('meanwhile');
  // for connections to come: what was swallowed has broken the old one's frames, or left it waiting
  proxy.mode = 'open';
  await bob.said('into the void').waitFor({ timeout: 20_000 });
  await until(['meanwhile', 'into the void'], () => ada.log.locator('.text').allInnerTexts());
  await until('2 of 2 messages, nothing missing', () => ada.status());
});

lined('what was said meanwhile is fetched, in private too', async ({ ada, proxy, meet }) => {
  const bob = await meet('Bob');
  await bob.person('Ada').click();
  await bob.say('p 1');
  await ada.conversation('Bob').click();
  await ada.said('p 1').waitFor();
  proxy.mode = 'shut';
  proxy.cut();
  for (let number = 2; number <= 60; number += 1) await bob.say(`p ${number}`);
  await bob.said('p 60').waitFor();
  await bob.channel('general').click();
  await bob.say('g 1');
  await bob.said('g 1').waitFor();
  proxy.mode = 'open';
  await ada.said('p 60').waitFor({ timeout: 30_000 });
  await until('60 of 60 messages, nothing missing', () => ada.status());
  await ada.channel('general').click();
  await ada.said('g 1').waitFor();
});

scene('a server that lost its history is announced', [], async ({ meet, server }) => {
  const ada = await meet('Ada');
  await ada.say('before');
  await ada.said('before').waitFor();
  await server.stop('SIGKILL');
  await server.again();
  await ada.page.getByRole('alert').filter({ hasText: 'was restarted' }).waitFor({
    timeout: 20_000,
  });
  await until(0, () => ada.said('before').count());
  await ada.say('after');
  await until('1 of 1 message, nothing missing', () => ada.status());
});

scene('a name that is taken proposes another; an invalid one says why', [], async ({ meet }) => {
  await meet('Ada');
  const other = await meet(null);
  await other.enter('-x');
  await other.page.getByRole('alert').filter({ hasText: /letter or (a )?digit/ }).waitFor();
  await other.enter('Zoë Müller');
  await other.role('button', 'Take Zoë-Müller').waitFor();
  assert.doesNotMatch(await other.page.getByRole('alert').first().textContent(),
    /Zoë-Müller.*Zoë-Müller/, 'the name is proposed once');
  await other.enter('Ada');
  await other.page.getByRole('alert').filter({ hasText: 'How about Ada2?' }).waitFor();
  assert.equal(await other.name.inputValue(), 'Ada');
  await until(true, () => other.name.evaluate((field) => field === document.activeElement),
    'the focus is in the field');
  await other.role('button', 'Take Ada2').click();
  await other.heading('#general').waitFor();
  await other.person('Ada2').waitFor();
  await other.say('/nick Ada');
  await other.page.getByRole('alert').filter({ hasText: 'Try /nick Ada2' }).waitFor();
});

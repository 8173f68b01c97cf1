// Reading: where the feed stands, earlier messages, what is new, who wrote when.

import assert from 'node:assert/strict';
import { overhear, scene, until } from './harness.mjs';

/** Says many things quickly, by a client that is no page of ours. */
async function flood(browser, server, name, channel, count) {
  const page = await browser.newPage();
  await page.goto(`${server.url}healthz`);
  await page.evaluate(async ({ url, name, channel, count }) => {
    const socket = new WebSocket(url);
    const send = (command) => socket.send(JSON.stringify(command));
    await new Promise((resolve) => {
      socket.onopen = resolve;
    });
    await new Promise((resolve) => {
      socket.onmessage = ({ data }) => JSON.parse(data).id === count && resolve();
      send({ type: 'hello', name });
      send({ type: 'join', channel });
      for (let number = 1; number <= count; number += 1)
        send({ type: 'message', channel, text: `line ${number}`, id: number });
    });
  }, { url: `${server.url.replace('http', 'ws')}chat`, name, channel, count });
}

const distance = (person) =>
  person.log.evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight);
const lines = (person) => person.log.getByText(/^line \d+$/).allInnerTexts();

scene('a long channel: the end first, earlier on the way up, all of it in order', ['--rate', '0'],
  async ({ meet, server, browser }) => {
    await flood(browser, server, 'Flood', 'general', 230);
    const ada = await meet('Ada');
    await ada.said('line 230').waitFor();
    await until(true, async () => await distance(ada) < 5, 'at the end');
    const end = Date.now() + 8000;
    while (await ada.said('line 1').count() === 0 && Date.now() < end) {
      await ada.log.evaluate((log) => {
        log.scrollTop = 0;
      });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.deepEqual(await lines(ada),
      Array.from({ length: 230 }, (_, index) => `line ${index + 1}`));
    await ada.log.getByText('This is the beginning of #general.').waitFor();
  });

scene('what is no longer kept is said, and not that this is the beginning', ['--rate', '0'],
  async ({ meet, server, browser }) => {
    await flood(browser, server, 'Flood', 'general', 1010); // without a history a thousand are kept
    const ada = await meet('Ada');
    // Three screens are filled, and no more is loaded before the reader scrolls.
    await until('150 of 1,010 messages, 10 older messages not stored', () => ada.status());
    await new Promise((resolve) => {
      setTimeout(resolve, 1000);
    });
    assert.equal(await ada.status(), '150 of 1,010 messages, 10 older messages not stored');
    await until(1, async () => {
      await ada.log.evaluate((log) => {
        log.scrollTop = 0;
      });
      return ada.said('Older messages are no longer stored.').count();
    }, '', 30_000);
    await ada.said('line 11').waitFor();
    assert.equal(await ada.log.getByText('This is the beginning').count(), 0);
  });

scene('a reader above stays there, with a count of new messages', ['--rate', '0'],
  async ({ meet, server, browser }) => {
    await flood(browser, server, 'Flood', 'general', 49);
    const ada = await meet('Ada');
    const bob = await meet('Bob');
    await ada.said('line 49').waitFor();
    await ada.log.evaluate((log) => {
      log.scrollTop = 150;
    });
    await until(1, () => ada.said('line 10').count());
    const before = (await ada.said('line 10').boundingBox()).y;
    await bob.say('news');
    await ada.role('button', '1 new message').waitFor();
    assert.equal((await ada.said('line 10').boundingBox()).y, before, 'nothing moved');
    await ada.role('button', '1 new message').click();
    await until(true, async () => await distance(ada) < 5);
    assert.equal(await ada.role('button', 'new message').count(), 0);
    await bob.say('more news');
    await ada.said('more news').waitFor();
    await until(true, async () => await distance(ada) < 5, 'who is at the end stays at the end');
  });

scene('names, times and days', [], async ({ meet }) => {
  const ada = await meet('Ada');
  const bob = await meet('Bob');
  // That he came stands above what he says, and not somewhere between.
  await ada.log.getByText('Bob joined').waitFor();
  for (const text of ['one', 'two', 'three']) await bob.say(text);
  await ada.said('three').waitFor();
  assert.equal(await ada.log.locator('.from .name').filter({ hasText: 'Bob' }).count(), 1,
    'a name once for messages that follow one another');
  assert.equal(await ada.log.getByText('Today').count(), 1);
  const times = await ada.log.locator('.theirs time').evaluateAll((all) =>
    all.map((time) => Date.parse(time.dateTime))
  );
  assert.equal(times.length, 3);
  for (const time of times) assert.ok(Math.abs(Date.now() - time) < 60_000);
});

scene('a line above what came while one was elsewhere', [], async ({ meet }) => {
  const ada = await meet('Ada');
  const bob = await meet('Bob');
  await bob.say('known');
  await ada.said('known').waitFor();
  await ada.create('garden');
  await ada.heading('#garden').waitFor();
  await bob.say('new to Ada');
  await ada.channels.getByRole('link', { name: 'general, 1 unread' }).click();
  await ada.said('new to Ada').waitFor();
  const rows = (await ada.log.innerText()).split('\n').map((line) => line.trim());
  assert.ok(
    rows.indexOf('known') < rows.indexOf('New') && rows.indexOf('New') < rows.indexOf('new to Ada'),
    rows.join(' | '),
  );
});

scene('a text that stays with its place', [], async ({ meet }) => {
  const ada = await meet('Ada');
  await ada.text.fill('for general');
  await ada.create('garden');
  await ada.heading('#garden').waitFor();
  assert.equal(await ada.text.inputValue(), '');
  await ada.channel('general').click();
  assert.equal(await ada.text.inputValue(), 'for general');
});

scene('the line New outlives a reload, and there is none on a first visit', [],
  async ({ meet }) => {
    const ada = await meet('Ada');
    const bob = await meet('Bob');
    await bob.say('before');
    await ada.said('before').waitFor();
    const lines = () => ada.log.getByText('New', { exact: true }).count();
    assert.equal(await lines(), 0);
    await ada.page.waitForTimeout(700); // what is read is kept after half a second
    await ada.page.goto('about:blank');
    await bob.say('meanwhile');
    await bob.said('meanwhile').waitFor();
    await ada.page.goBack();
    await ada.said('meanwhile').waitFor();
    await until(1, lines);
    await ada.page.reload();
    await ada.said('meanwhile').waitFor();
    await until(1, lines, 'it stands where the reader stopped');
    const cleo = await meet('Cleo');
    await cleo.said('meanwhile').waitFor();
    assert.equal(await cleo.log.getByText('New', { exact: true }).count(), 0);
  });

scene('what one tab reads is read in the other, also at its first visit', [],
  async ({ server, meet }) => {
    const ada = await meet('Ada');
    const bob = await meet('Bob');
    await ada.create('garden');
    await ada.heading('#garden').waitFor();
    await bob.say('news');
    await ada.channel('general, 1 unread').waitFor();
    const unread = ada.channel('general, 1 unread');
    await ada.sit(server.url);
    await ada.channel('general').click();
    await ada.said('news').waitFor();
    await unread.waitFor({ state: 'detached' });
  });

scene('one’s own message leads to the end', ['--rate', '0'], async ({ meet, server, browser }) => {
  await flood(browser, server, 'Flood', 'general', 120);
  const ada = await meet('Ada');
  await ada.said('line 120').waitFor();
  await ada.log.evaluate((log) => {
    log.scrollTop = 300;
  });
  await ada.role('button', 'Jump to latest').waitFor();
  await ada.say('mine');
  await ada.said('mine').waitFor();
  await until(true, async () => await distance(ada) < 5);
});

scene('fifty thousand messages: some hundreds stand in the page, and what is read stays put', [
  '--rate',
  '0',
], async ({ meet }) => {
  // Handed to the page's own socket, since fifty thousand over the network would try the server and
  // not the page.
  const ada = await meet(null);
  await overhear(ada.context);
  await ada.page.reload();
  await ada.enter('Ada');
  await ada.heading('#general').waitFor();
  const hear = (from, to) =>
    ada.page.evaluate(([first, last]) => globalThis.hear(first, last), [from, to]);
  await hear(1, 50_000);
  await ada.said('line 50000').waitFor();
  const rows = () => ada.log.evaluate((log) => log.children.length);
  assert.ok(await rows() < 3000, `${await rows()} rows`);
  await ada.log.evaluate((log) => {
    log.scrollTop = log.scrollHeight / 2;
  });
  await ada.role('button', 'Jump to latest').waitFor();
  await ada.page.waitForTimeout(300); // what is above comes in before it is reached
  const where = () =>
    ada.log.evaluate((log) => {
      const { top } = log.getBoundingClientRect();
      const row = [...log.children].find((one) =>
        one.dataset.seq && one.getBoundingClientRect().bottom > top
      );
      return [row.dataset.seq, row.getBoundingClientRect().top];
    });
  const before = await where();
  await hear(50_001, 50_500);
  await ada.role('button', '500 new messages').waitFor();
  assert.deepEqual(await where(), before);
  await ada.role('button', '500 new messages').click();
  await ada.said('line 50500').waitFor();
  await until(true, async () => await distance(ada) < 5);
});

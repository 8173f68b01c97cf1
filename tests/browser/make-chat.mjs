// examples/make-chat: socket.io's interface on parlor. The example's own page, and a page without
// any code that is driven by hand.

import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { OUT, keepsHistory, scene, until, withHistory } from './harness.mjs';
import { Proxy } from './proxy.mjs';

const WWW = fileURLToPath(new URL('../../examples/make-chat/', import.meta.url));
const CABLE_MS = 10_000;

const texts = (locator) => () => locator.allInnerTexts();
const users = (page) => texts(page.locator('#users li'));
const channels = (page) => texts(page.locator('#channels button'));
const feed = (page) => texts(page.locator('#feed span'));
const senders = (page) => texts(page.locator('#feed b'));

async function enter(page, name) {
  await page.fill('#name', name);
  await page.click('#enter button');
  await page.locator('#chat').waitFor();
}

async function say(page, text) {
  await page.fill('#message', text);
  await page.press('#message', 'Enter');
}

/** Waits until this channel is marked, which is the one that messages go to. */
const isIn = (page, name) =>
  page.locator('#channels [aria-current]').getByText(name, { exact: true }).waitFor();

async function create(page, name) {
  await page.fill('#channel', name);
  await page.press('#channel', 'Enter');
  await isIn(page, name);
}

async function change(page, name) {
  await page.locator('#channels').getByRole('button', { name, exact: true }).click();
  await isIn(page, name);
}

/** Waits until each page shows the same. */
const all = (pages, expected, look, patience) =>
  Promise.all(pages.map((page) => until(expected, look(page), '', patience)));

/**
 * Opens the example for three people, behind a line that can be cut. Errors of the pages fail the
 * scene.
 */
async function three({ browser, server, people }) {
  const proxy = await Proxy.before(server.url);
  const open = async () => {
    const context = await browser.newContext({ viewport: { width: 1000, height: 640 } });
    const [page, complaints] = [await context.newPage(), []];
    page.on('pageerror', (error) => complaints.push(`${error}`));
    people.push({ page, complaints });
    await page.goto(proxy.url);
    return page;
  };
  const pages = await Promise.all(['Ada', 'Bob', 'Cem'].map(open));
  return { proxy, open, pages };
}

const options = () => ['--www', WWW, ...withHistory()];

scene('Make Chat: a pulled cable and a killed server, and nothing is lost or doubled', options,
  async (stage) => {
    const { proxy, open, pages } = await three(stage);
    const [ada, bob, cem] = pages;
    await enter(ada, 'Ada');
    await all(pages, ['Ada'], users);
    await enter(bob, 'Bob');
    await enter(cem, 'Ada');
    await all(pages, ['Ada', 'Bob', 'Ada2'], users);

    await create(ada, 'Zweiter Kanal');
    await all(pages, ['General', 'Zweiter Kanal'], channels);
    await say(ada, 'in the second');
    await create(bob, 'General 2'); // begins like the first
    await all(pages, ['General', 'Zweiter Kanal', 'General 2'], channels);
    await say(bob, 'in the third');
    await until(['in the third'], feed(bob));
    await change(bob, 'General');
    await say(bob, 'in the first');
    await all([bob, cem], ['in the first'], feed);
    await until(['in the second'], feed(ada));
    for (const page of pages) await change(page, 'Zweiter Kanal');
    await all(pages, ['in the second'], feed);

    proxy.mode = 'silent';
    await say(ada, 'Ada, offline');
    await say(bob, 'Bob, offline');
    await new Promise((over) => {
      setTimeout(over, CABLE_MS);
    });
    proxy.mode = 'open';
    for (const page of pages)
      await until(3, async () => (await feed(page)()).length, 'after the cable', 30_000);

    if (keepsHistory()) {
      await stage.server.stop('SIGKILL');
      await say(bob, 'into the void');
      await stage.server.again();
      for (const page of pages)
        await until(4, async () => (await feed(page)()).length, 'after the kill', 30_000);
    }
    const [said, by] = [await feed(ada)(), await senders(ada)()];
    assert.equal(new Set(said).size, said.length, 'each message once');
    await all(pages, said, feed);
    await all(pages, by, senders);
    await all(pages, ['Ada', 'Ada2', 'Bob'], (page) => async () => (await users(page)()).sort(),
      30_000);

    const late = await open();
    await all([late], [['General', 'Zweiter Kanal', 'General 2'].sort().join()],
      (page) => async () => [(await channels(page)()).sort().join()]);
    await enter(late, 'Dora Late');
    await change(late, 'Zweiter Kanal');
    await until(said, feed(late));
    await all(pages, true, (page) => async () => (await users(page)()).includes('Dora-Late'));
    await late.screenshot({ path: `${OUT}make-chat.png` });
    await late.close();
    await all(pages, ['Ada', 'Ada2', 'Bob'], (page) => async () => (await users(page)()).sort());
  }, 150_000);

scene('Make Chat: the interface of socket.io', ['--www', WWW], async (stage) => {
  const { proxy, pages: [ada, bob] } = await three(stage);
  const seen = await ada.evaluate(async () => {
    const socket = io.connect();
    const emit = (...given) =>
      new Promise((answer) => {
        socket.emit(...given, answer);
      });
    const log = [];
    const listener = (name) => log.push(name);
    socket.on('new user', listener).once('new user', (name) => log.push(`once ${name}`));
    const before = [socket.connected, socket.id];
    await new Promise((done) => {
      socket.on('connect', done);
    });
    const during = [socket.connected, typeof socket.id];
    const name = await emit('new user', 'Zoë');
    socket.off('new user', listener);
    const other = await emit('new user', '  a b  ');
    const sent = await emit('new message', { sender: 'mallory', message: 'hi' });
    const online = await emit('get online users');
    const channel = await emit('user changed channel', 'Ünïcode & <b>');
    const unknown = await emit('no such event');
    const reason = await new Promise((done) => {
      socket.on('disconnect', done).disconnect();
    });
    return {
      before,
      during,
      name,
      other,
      log,
      sent,
      online,
      channel,
      unknown: typeof unknown.error,
      reason,
      after: [socket.connected, socket.id],
    };
  });
  assert.deepEqual(seen, {
    before: [false, undefined],
    during: [true, 'string'],
    name: 'Zoë',
    other: 'a-b',
    log: ['Zoë', 'once Zoë'],
    sent: { sender: 'a-b', message: 'hi' },
    online: { 'a-b': 'a-b' },
    channel: { channel: 'Ünïcode & <b>', messages: [] },
    unknown: 'string',
    reason: 'io client disconnect',
    after: [false, undefined],
  });
  await until(['General', 'Ünïcode & <b>'], channels(bob));
  // The tutorial's page writes two names as one when it is in two channels of similar names.
  const odd = await bob.evaluate(() =>
    new Promise((done) => {
      socket.emit('new channel', 'General 2');
      socket.on('new message', done);
      socket.emit('new message', { message: 'here', channel: 'GeneralGeneral 2' });
    })
  );
  assert.equal(odd.channel, 'GeneralGeneral 2');
  await bob.evaluate(() => socket.emit('user changed channel', 'General 2'));
  await until(['here'], feed(bob));
  const back = await bob.evaluate(async () => {
    const emit = (...given) =>
      new Promise((answer) => {
        socket.emit(...given, answer);
      });
    await emit('user changed channel', 'General');
    await emit('new message', { message: 'in General', channel: 'GeneralGeneral 2' });
    await emit('user changed channel', 'General 2');
    return emit('user changed channel', 'General');
  });
  assert.deepEqual([back.channel, back.messages.at(-1).message], ['General', 'in General']);
  // What is emitted while the connection is closing waits for the next one.
  const closing = await bob.evaluate(async () => {
    let web;
    globalThis.WebSocket = class extends WebSocket {
      constructor(...given) {
        super(...given);
        web = this;
      }
    };
    const socket = io();
    await new Promise((done) => {
      socket.on('connect', done);
    });
    web.close();
    return new Promise((done) => {
      socket.emit('new user', 'Eve', done);
    });
  });
  assert.equal(closing, 'Eve');
  proxy.mode = 'shut';
  const refused = await bob.evaluate(() =>
    new Promise((done) => {
      io().on('connect_error', ({ message }) => done(message));
    })
  );
  assert.equal(refused, 'websocket error');
});

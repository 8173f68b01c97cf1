// What the page costs: its files and bytes, how soon one can write, and what many messages take;
// and what axe-core finds on all screens. By hand, on a machine that does nothing else:
//
//   cargo build --release && tests/browser/run nothing && PARLOR=target/release/parlor node
//            tests/browser/measure.mjs
//
// Times are of the page's main thread, as the browser itself counts them: script, layout with
// styles, and all tasks, which are these two and painting, garbage and what the debugger asks. The
// screens are in screens.mjs.

import { Person, Server, browser, overhear } from './harness.mjs';
import { Proxy } from './proxy.mjs';
import { DEVICES, SCHEMES, faults, screens } from './screens.mjs';

const RUNS = 15;

const server = await Server.start('--rate', '0');
const chromium = await browser();
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

/**
 * A line to the server, of 100 ms and 4 Mbit/s if it is slow. The browser's own emulation would
 * leave out what a service worker asks for.
 */
const line = await Proxy.before(server.url);
const SLOW = { latency: 50, rate: 4e6 / 8 / 1000 };

/**
 * Opens a new tab until an element can be written in and has the keyboard, again and again. Prints
 * the median of the milliseconds from navigation, and the requests and bytes of one visit, its
 * WebSocket included. `kept` is a browser that was here before; else each tab is in a new one.
 */
async function usable(what, id, kept, options) {
  const times = [];
  line.requests = line.bytes = 0;
  for (let run = 0; run < RUNS; run += 1) {
    const context = kept ?? await chromium.newContext(options);
    const page = await context.newPage();
    await page.addInitScript((wanted) => {
      const look = () => {
        const box = document.getElementById(wanted);
        if (box && !box.disabled && box.checkVisibility() && document.activeElement === box)
          globalThis.usable = performance.now();
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    }, id);
    await page.goto(line.url);
    await page.waitForFunction(() => globalThis.usable);
    times.push(await page.evaluate(() => Math.round(globalThis.usable)));
    await page.waitForTimeout(500); // for what comes behind it
    await (kept ? page : context).close();
  }
  console.log(
    `${what}: ${median(times)} ms (${Math.min(...times)} to ${Math.max(...times)}); ${
      Math.round(line.requests / RUNS)
    } requests, ${Math.round(line.bytes / RUNS)} bytes`,
  );
}

/** A browser in which someone has entered. */
const entered = async (name, url) => {
  const person = await Person.named(name, chromium, url);
  await person.page.waitForTimeout(6000); // the page is kept for a start without the server
  return person;
};
const ada = await entered('Ada', server.url);
const cleo = await entered('Cleo', line.url);
for (const [what, how] of [['at once', {}], ['at 100 ms and 4 Mbit/s', SLOW]]) {
  Object.assign(line, how);
  await usable(`${what}, the sign-in form, nothing kept`, 'p:name');
  await usable(`${what}, the composer, nothing kept`, 'p:text', null, {
    storageState: await cleo.context.storageState(),
  });
  await usable(`${what}, the composer, opened again`, 'p:text', cleo.context);
}
line.close();

await overhear(ada.context);
await ada.page.reload();
await ada.heading('#general').waitFor();
const debug = await ada.context.newCDPSession(ada.page);
await debug.send('Performance.enable');

/** What the page's main thread does while `count` messages come, in milliseconds. */
async function cost(count, what, deed) {
  const now = async () =>
    Object.fromEntries(
      (await debug.send('Performance.getMetrics')).metrics.map(({ name, value }) => [name, value]),
    );
  const before = await now();
  await deed();
  await ada.page.waitForTimeout(500);
  const after = await now();
  const took = (name) => Math.round(1000 * (after[name] - before[name]));
  const tasks = took('TaskDuration');
  console.log(
    `${count} ${what}: ${took('ScriptDuration')} ms of script, ${
      took('LayoutDuration') + took('RecalcStyleDuration')
    } ms of layout, ${tasks} ms of tasks in all; ${(tasks / count).toFixed(2)} ms each`,
  );
}

/** Messages of these numbers, a hundred in each frame. */
const hear = (from, to) =>
  ada.page.evaluate(async ([first, last]) => {
    for (let seq = first; seq <= last; seq += 100) {
      globalThis.hear(seq, Math.min(last, seq + 99));
      await new Promise((next) => {
        requestAnimationFrame(next);
      });
    }
  }, [from, to]);

/** One in each frame. */
const trickle = async (from, to) => {
  for (let seq = from; seq <= to; seq += 1) await hear(seq, seq);
};

await cost(10_000, 'messages, 100 a frame', () => hear(1, 10_000));
await hear(10_001, 50_000);
await cost(1000, 'more behind 50,000, 100 a frame', () => hear(50_001, 51_000));
await cost(100, 'more, one a frame', () => trickle(51_001, 51_100));
await ada.page.evaluate((names) =>
  globalThis.receive([
    { type: 'presence', joined: names, left: [], online: 500 },
    { type: 'members', channel: 'general', joined: names, left: [], count: 500 },
    { type: 'channels_changed', created: names.map((name) => name.toLowerCase()), gone: [] },
  ]), Array.from({ length: 499 }, (_, index) => `Person${(index * 7919) % 500}`));
await cost(100, 'more, one a frame, where 500 are online in as many channels',
  () => trickle(51_101, 51_200));
await server.stop();

let looked = 0, found = 0;
for (const colorScheme of SCHEMES) {
  for (const device of Object.keys(DEVICES)) {
    const own = await Server.start();
    const meet = (name, view) => (name === null
      ? Person.at(chromium, own.url, view)
      : Person.named(name, chromium, own.url, view));
    await screens({ meet, server: own, device, colorScheme }, async (page) => {
      looked += 1;
      found += (await faults(page)).length;
    });
    await own.stop();
  }
}
console.log(
  `axe-core: ${found} violations on ${looked} screens (${Object.keys(DEVICES).join(', ')}; ${
    SCHEMES.join(', ')
  })`,
);
await chromium.close();

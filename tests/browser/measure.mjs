// What the page costs: its bytes, how soon one can write, and what many messages take; and what axe-core finds on all screens. By hand,
// on a machine that does nothing else:
//
//   cargo build --release && tests/browser/run nothing && PARLOR=target/release/parlor node tests/browser/measure.mjs
//
// Times are of the page's main thread, as the browser itself counts them: script, layout with styles, and all tasks, which are these two
// and painting, garbage and what the debugger asks. The screens are in screens.mjs.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { Person, Server, browser, overhear } from './harness.mjs';
import { DEVICES, SCHEMES, faults, screens } from './screens.mjs';

const RUNS = 15;
const WWW = fileURLToPath(new URL('../../www/', import.meta.url));

const files = readdirSync(WWW, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  .map((entry) => readFileSync(join(entry.parentPath ?? entry.path, entry.name)));
const sum = (numbers) => numbers.reduce((all, one) => all + one, 0);
console.log(`the page: ${files.length} files, ${sum(files.map(({ length }) => length))} bytes (${sum(files.map((file) => gzipSync(file).length))} gzipped)`);

const server = await Server.start('--rate', '0');
const chromium = await browser();
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

/** Median of the milliseconds from navigation until an element can be written in and has the keyboard, in new tabs. */
async function usable(context, id) {
  const times = [];
  for (let run = 0; run < RUNS; run += 1) {
    const page = await context.newPage();
    await page.addInitScript((wanted) => {
      const look = () => {
        const box = document.getElementById(wanted);
        if (box && !box.disabled && box.checkVisibility() && document.activeElement === box) globalThis.usable = performance.now();
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    }, id);
    await page.goto(server.url);
    await page.waitForFunction(() => globalThis.usable);
    times.push(await page.evaluate(() => Math.round(globalThis.usable)));
    await page.close();
  }
  return `${median(times)} ms (${Math.min(...times)} to ${Math.max(...times)})`;
}

const door = await chromium.newContext();
console.log(`navigation to the door's field: ${await usable(door, 'p:name')}, median of ${RUNS}`);
const ada = await Person.named('Ada', chromium, server.url);
console.log(`navigation to the composer, for who comes back: ${await usable(ada.context, 'p:text')}, median of ${RUNS}`);

await overhear(ada.context);
await ada.page.reload();
await ada.heading('#general').waitFor();
const debug = await ada.context.newCDPSession(ada.page);
await debug.send('Performance.enable');

/** What the page's main thread does while `count` messages come, in milliseconds. */
async function cost(count, what, deed) {
  const now = async () => Object.fromEntries((await debug.send('Performance.getMetrics')).metrics.map(({ name, value }) => [name, value]));
  const before = await now();
  await deed();
  await ada.page.waitForTimeout(500);
  const after = await now();
  const took = (name) => Math.round(1000 * (after[name] - before[name]));
  const tasks = took('TaskDuration');
  console.log(`${count} ${what}: ${took('ScriptDuration')} ms of script, ${took('LayoutDuration') + took('RecalcStyleDuration')} ms of layout, ${tasks} ms of tasks in all; ${(tasks / count).toFixed(2)} ms each`);
}

/** Messages of these numbers, a hundred in each frame. */
const hear = (from, to) => ada.page.evaluate(async ([first, last]) => {
  for (let seq = first; seq <= last; seq += 100) {
    globalThis.hear(seq, Math.min(last, seq + 99));
    await new Promise((next) => { requestAnimationFrame(next); });
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
await ada.page.evaluate((names) => globalThis.receive([
  { type: 'presence', joined: names, left: [], online: 500 },
  { type: 'members', channel: 'general', joined: names, left: [], count: 500 },
  { type: 'channels_changed', created: names.map((name) => name.toLowerCase()), gone: [] },
]), Array.from({ length: 499 }, (_, index) => `Person${(index * 7919) % 500}`));
await cost(100, 'more, one a frame, where 500 are online in as many channels', () => trickle(51_101, 51_200));
await server.stop();

let looked = 0, found = 0;
for (const colorScheme of SCHEMES) {
  for (const device of Object.keys(DEVICES)) {
    const own = await Server.start();
    const meet = (name, view) => (name === null ? Person.at(chromium, own.url, view) : Person.named(name, chromium, own.url, view));
    await screens({ meet, server: own, device, colorScheme }, async (page) => {
      looked += 1;
      found += (await faults(page)).length;
    });
    await own.stop();
  }
}
console.log(`axe-core: ${found} violations on ${looked} screens (${Object.keys(DEVICES).join(', ')}; ${SCHEMES.join(', ')})`);
await chromium.close();

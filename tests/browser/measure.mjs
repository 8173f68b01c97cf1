// What the page costs: its bytes, how soon one can write, and what many messages take. By hand, on a machine that does nothing else:
//
//   cargo build --release && PARLOR=target/release/parlor node tests/browser/measure.mjs
//
// Not here: what axe finds (look.mjs), which is a test.

import { readFileSync, readdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { Person, Server, browser, overhear } from './harness.mjs';

const RUNS = 15;
const WWW = new URL('../../www/', import.meta.url);

const files = readdirSync(WWW).map((name) => readFileSync(new URL(name, WWW)));
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

/** What the page's main thread does meanwhile, in milliseconds. */
async function cost(what, deed) {
  const now = async () => Object.fromEntries((await debug.send('Performance.getMetrics')).metrics.map(({ name, value }) => [name, value]));
  const before = await now();
  await deed();
  await ada.page.waitForTimeout(500);
  const after = await now();
  const took = (name) => Math.round(1000 * (after[name] - before[name]));
  console.log(`${what}: ${took('ScriptDuration')} ms of script, ${took('LayoutDuration') + took('RecalcStyleDuration')} ms of layout, ${took('TaskDuration')} ms of tasks in all`);
}

/** Messages of these numbers, a hundred in each frame. */
const hear = (from, to) => ada.page.evaluate(async ([first, last]) => {
  for (let seq = first; seq <= last; seq += 100) {
    globalThis.hear(seq, Math.min(last, seq + 99));
    await new Promise((next) => { requestAnimationFrame(next); });
  }
}, [from, to]);

await cost('10,000 messages, 100 a frame', () => hear(1, 10_000));
await hear(10_001, 50_000);
await cost('1,000 more behind 50,000, 100 a frame', () => hear(50_001, 51_000));
await cost('60 more, one a frame', async () => {
  for (let seq = 51_001; seq <= 51_060; seq += 1) await hear(seq, seq);
});
await chromium.close();
await server.stop();

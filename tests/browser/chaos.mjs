// The connection is cut every second while two pages exchange messages, and the server is killed
// and started again in between: each page shows every message once, and all in the same order.
//
// It takes about a minute. `MESSAGES=80 tests/browser/run chaos` is a short one. A program that was
// built without a history is only cut off, not killed: what it knew would be gone.

import assert from 'node:assert/strict';
import { Person, keepsHistory, scene, until, withHistory } from './harness.mjs';
import { Proxy } from './proxy.mjs';

const MESSAGES = Number(process.env.MESSAGES ?? 500);
const CUT_MS = 1000;
/** Between two messages of one page. */
const WRITE_MS = 60;
/** Backing off takes the most: the pauses grow while no connection lives for ten seconds. */
const PATIENCE_MS = 60_000 + MESSAGES * 1000;

scene('chaos: cut every second, killed in between, each message once and in order', withHistory,
  async ({ browser, server, people }) => {
    const proxy = await Proxy.before(server.url);
    const [ada, bob] = await Promise.all(['Ada', 'Bob'].map(async (name) => {
      const person = await Person.named(name, browser, proxy.url);
      people.push(person);
      return person;
    }));
    let cuts = 0;
    const cutter = setInterval(() => {
      proxy.cut();
      cuts += 1;
    }, CUT_MS);
    try {
      const half = MESSAGES / 2;
      // Typed within the page: a driver's keys take a busy machine half a second each.
      const write = ({ text }, name) =>
        text.evaluate(async (box, [who, count, every]) => {
          for (let number = 1; number <= count; number += 1) {
            box.value = `${who} ${number}`;
            box.dispatchEvent(new InputEvent('input', { bubbles: true }));
            box.dispatchEvent(
              new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }),
            );
            await new Promise((over) => setTimeout(over, every));
          }
        }, [name, half, WRITE_MS]);
      // Killed while half is said, with an acknowledgement or a message on its way.
      const killing = (async () => {
        for (let kill = 0; kill < (keepsHistory() ? 2 : 0); kill += 1) {
          await new Promise((over) => setTimeout(over, 2500));
          await server.stop('SIGKILL');
          await server.again();
        }
      })();
      await Promise.all([write(ada, 'Ada'), write(bob, 'Bob'), killing]);
      const end = Date.now() + PATIENCE_MS;
      for (const person of [ada, bob])
        await until(`${MESSAGES} of ${MESSAGES} messages, nothing missing`, () => person.status(),
          '', end - Date.now());
      const shown = ({ page }) =>
        page.evaluate(() =>
          [...document.querySelectorAll('[role=log] .text')].map(({ textContent }) => textContent)
        );
      const [adas, bobs] = [await shown(ada), await shown(bob)];
      assert.deepEqual(adas, bobs, 'both see the same');
      for (const name of ['Ada', 'Bob']) {
        assert.deepEqual(adas.filter((text) => text.startsWith(name)),
          Array.from({ length: half }, (_, index) => `${name} ${index + 1}`),
          'each once, in its order');
      }
      assert.ok(cuts > 2, `it was cut ${cuts} times`);
    } finally {
      clearInterval(cutter);
    }
  }, PATIENCE_MS + 60_000);

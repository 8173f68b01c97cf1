// A real server, real browsers, and people in them.
//
// The other files are the tests.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { translator } from '../page/table.mjs';
import { Proxy } from './proxy.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const OUT = fileURLToPath(new URL('out/', import.meta.url));
mkdirSync(OUT, { recursive: true });

export const PROGRAM = process.env.PARLOR ?? `${ROOT}target/debug/parlor`;

/** What a message shows that the server hasn't confirmed yet. */
export const UNSENT = /sending|waiting to send/i;

/** A new folder that is removed when the tests end. */
export function scratch() {
  const folder = mkdtempSync(join(tmpdir(), 'parlor-page-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Options of a server with a history of its own, if the program can keep one. */
export const withHistory =
  () => (keepsHistory() ? ['--history', join(scratch(), 'history.db')] : []);

/** Whether the program was built with a history that outlives it. */
export const keepsHistory = () =>
  /--history FILE/.test(execFileSync(PROGRAM, ['--help'], { encoding: 'utf8' }));

/**
 * The server under test: a process of the real binary, built by `run`, or the one that PARLOR
 * names.
 */
export class Server {
  #options;
  #process = null;
  url = null;

  static async start(...options) {
    const server = new Server();
    server.#options = options;
    await server.#spawn('127.0.0.1:0');
    return server;
  }

  async #spawn(listen) {
    this.#process = spawn(PROGRAM, [
      ...(this.#options.includes('--listen') ? [] : ['--listen', listen]),
      ...(this.#options.includes('--history') ? [] : ['--no-history']),
      ...this.#options,
    ], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.url = await new Promise((resolve, reject) => {
      let said = '';
      this.#process.once('error', reject);
      this.#process.once('exit',
        (code) => reject(new Error(`the server ended with ${code}: ${said}`)));
      this.#process.stdout.on('data', (bytes) => {
        said += bytes;
        const url = /listening on (\S+)/.exec(said)?.[1];
        if (url) resolve(`${url}/`);
      });
    });
  }

  /** Ends it: SIGKILL for a death, SIGTERM for a stop with farewells. */
  async stop(signal = 'SIGKILL') {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill(signal);
    await ended;
  }

  /** Starts it again where it was. */
  async again() {
    await this.#spawn(new URL(this.url).host);
  }
}

/** Chromium: Debian's, or the one that CHROMIUM names. */
export function browser() {
  const executablePath = process.env.CHROMIUM
    ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(
      existsSync,
    );
  // Without a sandbox where this is root (a container): Chromium refuses to start otherwise.
  return chromium.launch({
    executablePath,
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
}

/**
 * A user with a browser context of their own. Elements are found by role and English name, whatever
 * the `language` of the page.
 */
export class Person {
  words = (name) => name;

  static async at(browser, url, { language = 'en-GB', ...options } = {}) {
    const context = await browser.newContext({
      locale: language,
      timezoneId: 'Europe/Berlin',
      viewport: { width: 1100, height: 720 },
      ...options,
    });
    context.setDefaultTimeout(15_000);
    const person = new Person();
    person.words = await translator(language === 'en-GB' ? 'en' : language);
    person.context = context;
    person.complaints = [];
    await person.sit(url);
    return person;
  }

  /** A new window, and what it complains about. */
  async sit(url) {
    this.page = await this.context.newPage();
    this.page.on('pageerror', (error) => this.complaints.push(`${error}`));
    this.page.on('console', (line) => {
      // The browser itself reports unreachable servers and refusals; the page's own policy must
      // never be violated.
      const text = line.text();
      const isRefusal =
        /WebSocket connection to|Failed to load resource|when fetching the script|apply style .* \('text\/plain'\)/
          .test(text);
      if (line.type() === 'error' && !isRefusal) this.complaints.push(text);
    });
    await this.page.goto(url);
  }

  static async named(name, browser, url, options) {
    const person = await Person.at(browser, url, options);
    await person.enter(name);
    await person.heading('#general').waitFor();
    return person;
  }

  role(role, name, exact = false) {
    return this.page.getByRole(role, { name: this.words(name, exact), exact });
  }
  heading(name) {
    return this.role('heading', name, true);
  }
  get name() {
    return this.role('textbox', 'Your name');
  }
  get channels() {
    return this.role('navigation', 'Channels');
  }
  get conversations() {
    return this.role('navigation', 'Private messages');
  }
  get people() {
    return this.role('group', 'People online');
  }
  get log() {
    return this.role('log', 'Messages');
  }
  get text() {
    return this.role('textbox', 'Message', true);
  }
  get connection() {
    return this.role('status', 'Connection');
  }
  said(text) {
    return this.log.getByText(text, { exact: true });
  }

  async enter(name) {
    await this.name.fill(name);
    await this.role('button', 'Join chat').click();
  }

  async say(text) {
    await this.text.fill(text);
    await this.role('button', 'Send').click();
  }

  /** Chooses from the menu of the room. */
  async more(item) {
    await this.role('button', 'More', true).click();
    await this.role('menuitem', item, true).click();
  }

  /** Chooses from the menu of a message; a reaction by its name. */
  async act(text, item) {
    await this.said(text).hover();
    await this.role('button', 'Actions:').click();
    await this.role('menuitem', item, true).or(this.role('menuitemcheckbox', item, true)).click();
  }

  /** Chooses from the menu of the user's own name. */
  async own(item, role = 'menuitem') {
    await this.role('button', 'Your settings').click();
    await this.role(role, item, true).click();
  }

  /** Chooses from the owner's menu. */
  async rule(item) {
    await this.role('button', 'Owner', true).click();
    await this.role('menuitem', item, true).click();
  }

  /** Whether messages are missing, as the menu of the room has it. */
  async status() {
    const item = this.role('menu', 'More', true).getByRole('menuitem').first();
    // What happens on the page meanwhile may close the menu, which is opened again.
    for (let text = null;; text = await item.innerText({ timeout: 2000 }).catch(() => null)) {
      if (text === null) await this.role('button', 'More', true).click();
      else return this.page.keyboard.press('Escape').then(() => text);
    }
  }

  /** Creates a channel, or opens the one that has this name. */
  async create(channel) {
    await this.role('button', 'New channel').click();
    const dialog = this.role('dialog', 'Browse channels');
    await dialog.getByRole('textbox').fill(channel);
    await dialog.getByRole('button', { name: `Create #${channel}`, exact: true }).or(
      dialog.getByRole('listitem').getByText(channel, { exact: true }),
    ).click();
  }

  /** Joins a channel of others. */
  async join(channel) {
    await this.role('button', 'Browse channels').click();
    await this.role('dialog', 'Browse channels').getByRole('listitem').getByText(channel, {
      exact: true,
    }).click();
  }

  channel(name) {
    return this.channels.getByRole('link', { name: new RegExp(`^${name}`) });
  }
  conversation(name) {
    return this.conversations.getByRole('link', { name: new RegExp(`^${name}`) });
  }
  person(name) {
    return this.people.getByRole('button', { name: new RegExp(`^${name}`) });
  }
}

let shared = null, ends = false, failures = 0;

/** Rejects after `ms` with "WHAT within N s". It does not keep the process alive. */
const late = (ms, what) =>
  new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`${what} within ${ms / 1000} s`)), ms).unref();
  });

/** Closes all windows. If the browser can't do that in time, the next scene starts another. */
async function closeWindows() {
  await Promise.race([
    Promise.all(shared.contexts().map((context) => context.close())),
    late(10_000, 'the browser closes no window'),
  ])
    .catch((error) => {
      console.error(`${error}`);
      shared = null;
    });
}

/**
 * A test with a server of its own, in windows that share nothing. `options` are the server's, or a
 * function that returns them. `meet(name, options)` opens a page for a user; other users are added
 * to `people`. No page may report an error. A scene that fails is played a second time, since a
 * busy machine can stop a browser for seconds; the first failure is printed behind "again:". After
 * ten failures the other scenes are not played.
 */
export function scene(name, options, play, most = 60_000) {
  if (!ends)
    after(() =>
      Promise.race([shared?.close(), late(10_000, 'the browser does not end')]).catch(() => {})
    );
  ends = true;
  test(name, { timeout: 2 * most + 60_000 }, async (context) => {
    assert(failures < 10, 'not played: ten scenes failed before it');
    try {
      await playOnce(name, options, play, most).catch((error) => {
        context.diagnostic(`again: ${name}: ${error.message.split('\n')[0]}`);
        return playOnce(name, options, play, most);
      });
    } catch (error) {
      failures += 1;
      throw error;
    }
  });
}

async function playOnce(name, options, play, most) {
  const server = await Server.start(...(typeof options === 'function' ? options() : options));
  const people = [];
  const meet = async (who, view) => {
    const person = await (who === null
      ? Person.at(shared, server.url, view)
      : Person.named(who, shared, server.url, view));
    people.push(person);
    return person;
  };
  try {
    shared ??= await browser();
    await Promise.race([play({ server, browser: shared, meet, people }), late(most, 'not done')]);
    for (const { complaints } of people) assert.deepEqual(complaints, []);
  } catch (error) {
    const picture = `${OUT}failed-${name.replace(/\W+/g, '-')}`;
    const taken = people.map(({ page }, index) =>
      page.screenshot({ path: `${picture}-${index}.png` }).catch(() => {})
    );
    await Promise.race([Promise.all(taken), late(10_000, 'no pictures').catch(() => {})]);
    throw error;
  } finally {
    Proxy.closeAll();
    await server.stop();
    if (shared) await closeWindows();
  }
}

/** Waits until something is so, and says what was so instead. */
export async function until(expected, look, what = '', patience = 15_000) {
  let seen;
  for (const end = Date.now() + patience; Date.now() < end;) {
    seen = await look();
    try {
      assert.deepEqual(seen, expected);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  assert.deepEqual(seen, expected, what);
}

/**
 * Gives the pages of a context `receive(events)` and `hear(from, to)`: messages of `general` with
 * these numbers, as if the server had sent them.
 */
export function overhear(context) {
  return context.addInitScript(() => {
    const Socket = globalThis.WebSocket;
    globalThis.WebSocket = class extends Socket {
      constructor(...how) {
        super(...how);
        globalThis.receive = (events) => {
          for (const event of events)
            this.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(event) }));
        };
        globalThis.hear = (from, to) =>
          globalThis.receive(
            Array.from({ length: to - from + 1 }, (_, index) => from + index).map((seq) => (
              {
                type: 'message',
                channel: 'general',
                from: `user${seq % 7}`,
                author: 1e6 + (seq % 7),
                text: `line ${seq}`,
                seq,
                at: 1e12 + 1000 * seq,
              }
            )),
          );
      }
    };
  });
}

// The page by keyboard alone, and the bell.

import assert from 'node:assert/strict';
import { Person, scene, until } from './harness.mjs';
import { Proxy } from './proxy.mjs';

const press = (person, ...keys) =>
  keys.reduce((before, key) => before.then(() => person.page.keyboard.press(key)),
    Promise.resolve());
const inBox = (person) => person.text.evaluate((box) => box === document.activeElement);

scene('Ctrl+K jumps, and Enter takes the first', [], async ({ meet }) => {
  const ada = await meet('Ada');
  await meet('Bob');
  await ada.create('garden');
  await ada.heading('#garden').waitFor();
  await press(ada, 'Control+k');
  const dialog = ada.role('dialog', 'Jump to');
  await dialog.waitFor();
  await ada.page.keyboard.type('gen');
  await dialog.getByRole('option', { name: 'general' }).waitFor();
  await press(ada, 'Enter');
  await ada.heading('#general').waitFor();
  assert.equal(await dialog.count(), 0);
  assert.ok(await inBox(ada));
  await press(ada, 'Control+k');
  await ada.page.keyboard.type('bo');
  await press(ada, 'Enter');
  await ada.heading('Bob').waitFor();
  await press(ada, 'Control+k', 'Escape');
  await until(0, () => dialog.count());
  assert.ok(await inBox(ada), 'the keyboard is where it was');
});

scene('dialogs hold the keyboard', [], async ({ meet }) => {
  const ada = await meet('Ada');
  for (const [key, name] of [['Control+k', 'Jump to'], ['Control+/', 'Keyboard shortcuts']]) {
    await press(ada, key);
    const dialog = ada.role('dialog', name);
    await dialog.waitFor();
    for (const tab of ['Tab', 'Tab', 'Tab', 'Tab', 'Shift+Tab', 'Shift+Tab', 'Shift+Tab']) {
      await press(ada, tab);
      assert.ok(await dialog.evaluate((node) => node.contains(document.activeElement)),
        `${name}: ${tab}`);
    }
    await press(ada, 'Alt+ArrowDown');
    assert.equal(await dialog.count(), 1);
    await press(ada, 'Escape');
    await until(0, () => dialog.count());
  }
  await press(ada, 'Control+/');
  await ada.role('dialog', 'Keyboard shortcuts').getByText('Ctrl+K').waitFor();
  await ada.role('button', 'Close', true).click();
  await until(0, () => ada.role('dialog', 'Keyboard shortcuts').count());
});

scene('Alt and the arrows walk through channels, with Shift through the unread', [],
  async ({ meet }) => {
    const ada = await meet('Ada');
    const bob = await meet('Bob');
    await bob.create('beyond'); // stands between apples and birds, and Ada is not in it
    await ada.role('button', 'Browse channels, 1 new', true).waitFor();
    for (const channel of ['apples', 'birds', 'cats']) {
      await ada.create(channel);
      await ada.heading(`#${channel}`).waitFor();
    }
    const walk = async (key, heading) => {
      await press(ada, key);
      await ada.heading(heading).waitFor();
    };
    await walk('Alt+ArrowDown', '#general');
    await walk('Alt+ArrowDown', '#apples');
    await walk('Alt+ArrowDown', '#birds');
    await walk('Alt+ArrowUp', '#apples');
    await bob.join('cats');
    await bob.heading('#cats').waitFor();
    await bob.say('meow');
    await ada.channels.getByRole('link', { name: /^cats.*unread/ }).waitFor();
    await walk('Alt+Shift+ArrowUp', '#cats');
    await ada.said('meow').waitFor();
    await press(ada, 'Alt+Shift+ArrowDown');
    assert.equal(await ada.heading('#cats').count(), 1, 'nothing is unread');
    await ada.log.focus();
    await press(ada, 'Escape');
    assert.ok(await inBox(ada));
  });

/**
 * Replaces notifications by a list, `shown`, and the focus of the page by a variable, `focused`.
 */
const watched = (permission) => {
  window.shown = [];
  window.focused = true;
  document.hasFocus = () => window.focused;
  window.Notification = class {
    static permission = permission;
    static requestPermission = async () => permission;
    constructor(title, { body }) {
      window.shown.push([title, body]);
    }
    close() {}
  };
};

/** Whether notifications are on, by the menu of the own name; `turn` changes it. */
async function bell(person, turn = false) {
  await person.role('button', 'Your settings').click();
  const item = person.page.getByRole('menuitemcheckbox', { name: /^Notifications/ });
  const isOn = await item.getAttribute('aria-checked');
  if (turn) await item.click();
  else await person.page.keyboard.press('Escape');
  return isOn;
}

scene('the bell: mentions and private messages alone, and none while the page has the focus', [],
  async ({ meet }) => {
    const ada = await meet('Ada');
    const bob = await meet('Bob');
    await ada.page.evaluate(watched, 'granted');
    assert.equal(await bell(ada), 'false');
    const away = (gone) =>
      ada.page.evaluate((is) => {
        window.focused = !is;
      }, gone);
    await away(true);
    await bob.say('@Ada before the click');
    await ada.said('@Ada before the click').waitFor();
    await bell(ada, true);
    await until('true', () => bell(ada));
    await bob.say('nothing special');
    await bob.say('hello @ada!');
    await until([['Bob mentioned you in #general', 'hello @ada!']],
      () => ada.page.evaluate(() => window.shown));
    await bob.person('Ada').click();
    await bob.say('psst');
    await until([['Bob mentioned you in #general', 'hello @ada!'], ['Bob wrote to you', 'psst']],
      () => ada.page.evaluate(() => window.shown));
    await away(false);
    await bob.say('seen');
    await ada.conversation('Bob').click();
    await ada.said('seen').waitFor();
    await new Promise((over) => setTimeout(over, 1500));
    assert.equal((await ada.page.evaluate(() => window.shown)).length, 2);
    await bell(ada, true);
    await until('false', () => bell(ada));
  });

scene('the bell says why it can’t ring', [], async ({ meet }) => {
  const rings = async (view, prepare, sentence, pressed) => {
    const person = await meet(null, view);
    await person.page.addInitScript(prepare[0], prepare[1]);
    await person.page.reload();
    await person.enter(`User${Math.random()}`.slice(0, 9).replace('.', ''));
    await person.heading('#general').waitFor();
    await bell(person, true);
    await person.page.getByRole('alert').filter({ hasText: sentence }).waitFor();
    assert.equal(await bell(person), pressed, sentence);
  };
  await rings({}, [watched, 'denied'], 'Notifications are blocked for this site.', 'false');
  await rings({}, [() => {
    Object.defineProperty(window, 'isSecureContext', { value: false });
    Notification.requestPermission = () => {
      throw new Error('not over plain HTTP');
    };
  }], 'This page came over plain HTTP', 'true');
  await rings({ userAgent: 'Mozilla/5.0 (Linux; Android 14) Chrome/130.0 Mobile' }, [() => {
    window.Notification = class {
      static permission = 'granted';
      constructor() {
        throw new TypeError('Illegal constructor');
      }
    };
  }], 'You’ll hear a sound instead', 'true');
});

scene('what came while the connection was down rings once', [],
  async ({ server, browser, meet, people }) => {
    const proxy = await Proxy.before(server.url);
    const ada = await Person.named('Ada', browser, proxy.url);
    people.push(ada);
    const bob = await meet('Bob');
    await ada.page.evaluate(watched, 'granted');
    await bell(ada, true);
    await ada.page.evaluate(() => {
      window.focused = false;
    });
    proxy.mode = 'shut';
    proxy.cut();
    await ada.page.getByText(/Reconnecting/).waitFor();
    for (const text of ['not for her', 'first @Ada', 'second @Ada']) await bob.say(text);
    await bob.person('Ada').click();
    await bob.say('psst');
    await bob.said('psst').waitFor();
    proxy.mode = 'open';
    await ada.role('button', 'Try now').click();
    const shown = () => ada.page.evaluate(() => window.shown.map(([, body]) => body).sort());
    await until(['psst', 'second @Ada'], shown);
    proxy.cut(); // another reconnect brings nothing new
    await bob.say('third');
    await until(['psst', 'second @Ada', 'third'], shown);
  });

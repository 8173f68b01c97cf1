// To write: keys, drafts, completion, commands, what is refused, and what waits for a connection.

import assert from 'node:assert/strict';
import { UNSENT, Person, scene, until } from './harness.mjs';
import { Proxy } from './proxy.mjs';

const alert = (person, text) => person.page.getByRole('alert').filter({ hasText: text }).waitFor();
const suggestions = (person) => person.role('listbox', 'Suggestions');
const press = (person, ...keys) =>
  keys.reduce((before, key) => before.then(() => person.page.keyboard.press(key)),
    Promise.resolve());

scene('Enter sends, Shift+Enter breaks the line, and neither while a word is composed', [],
  async ({ meet }) => {
    const ada = await meet('Ada');
    const height = async () => (await ada.text.boundingBox()).height;
    const low = await height();
    await ada.text.pressSequentially('one');
    await press(ada, 'Shift+Enter');
    await ada.text.pressSequentially('two');
    assert.equal(await ada.text.inputValue(), 'one\ntwo');
    assert.ok(await height() > low + 10, 'the box grows');
    for (const init of [{ isComposing: true }, { keyCode: 229 }]) {
      await ada.text.evaluate(
        (box, more) =>
          box.dispatchEvent(
            new KeyboardEvent('keydown', {
              key: 'Enter',
              bubbles: true,
              cancelable: true,
              ...more,
            }),
          ),
        init,
      );
    }
    assert.equal(await ada.text.inputValue(), 'one\ntwo');
    await press(ada, 'Enter');
    await ada.said('one two').waitFor();
    assert.equal(await ada.text.inputValue(), '');
    assert.ok(Math.abs(await height() - low) < 2, 'and shrinks');
    await ada.text.pressSequentially('with the button');
    await ada.role('button', 'Send').click();
    await ada.said('with the button').waitFor();
    assert.ok(await ada.text.evaluate((box) => box === document.activeElement),
      'the keyboard is back in the box');
  });

scene('on a touch keyboard Enter breaks the line', [], async ({ meet }) => {
  const ada = await meet('Ada', {
    viewport: { width: 390, height: 800 },
    hasTouch: true,
    isMobile: true,
  });
  await ada.text.click();
  await ada.text.pressSequentially('one');
  await press(ada, 'Enter');
  await ada.text.pressSequentially('two');
  assert.equal(await ada.text.inputValue(), 'one\ntwo');
  assert.equal(await ada.text.getAttribute('enterkeyhint'), 'enter');
  await ada.role('button', 'Send').click();
  await ada.said('one two').waitFor();
});

scene('drafts stay with their conversation, over switches and reloads', [], async ({ meet }) => {
  const ada = await meet('Ada');
  await meet('Bob');
  await ada.text.fill('for general');
  await ada.create('garden');
  await ada.heading('#garden').waitFor();
  assert.equal(await ada.text.inputValue(), '');
  await ada.text.fill('for the garden');
  await ada.person('Bob').click();
  await ada.heading('Bob').waitFor();
  await ada.text.fill('for Bob');
  await ada.channel('general').click();
  await until('for general', () => ada.text.inputValue());
  await ada.page.reload();
  await until('for general', () => ada.text.inputValue());
  await ada.channel('garden').click();
  await until('for the garden', () => ada.text.inputValue());
  await ada.say('said');
  await ada.said('said').waitFor();
  await ada.page.reload();
  await ada.heading('#garden').waitFor();
  await ada.said('said').waitFor();
  assert.equal(await ada.text.inputValue(), '', 'what was sent is no draft');
  await ada.person('Bob').click();
  await until('for Bob', () => ada.text.inputValue());
});

scene('names, emoji and commands are completed by keyboard', [], async ({ meet }) => {
  const ada = await meet('Ada');
  const bob = await meet('Bob');
  await ada.person('Bob').waitFor();
  await ada.text.pressSequentially('hello @b');
  await suggestions(ada).getByRole('option', { name: '@Bob' }).waitFor();
  const chosen = await ada.text.getAttribute('aria-activedescendant');
  assert.equal(await ada.page.locator(`[id="${chosen}"]`).getAttribute('aria-selected'), 'true');
  await press(ada, 'Tab');
  assert.equal(await ada.text.inputValue(), 'hello @Bob ');
  assert.equal(await suggestions(ada).count(), 0);
  await ada.text.pressSequentially(':smil');
  await suggestions(ada).getByRole('option').first().waitFor();
  await press(ada, 'Enter');
  assert.match(await ada.text.inputValue(), /^hello @Bob :smil\w*: $/);
  await press(ada, 'Enter');
  await bob.log.getByText('hello @Bob').waitFor();

  await ada.text.pressSequentially('/');
  await suggestions(ada).getByRole('option', { name: '/me' }).waitFor();
  await press(ada, 'Escape');
  assert.equal(await suggestions(ada).count(), 0);
  assert.equal(await ada.text.inputValue(), '/');
  await ada.text.fill('');
  await ada.text.pressSequentially('/he');
  await press(ada, 'Enter');
  assert.equal(await ada.text.inputValue(), '/help');
  await press(ada, 'Enter');
  await ada.page.getByText('/nick NAME').waitFor();
  assert.equal(await ada.text.inputValue(), '', 'a line that is complete is sent');
  await ada.text.pressSequentially('/help');
  await suggestions(ada).waitFor();
  await press(ada, 'Enter');
  assert.equal(await ada.text.inputValue(), '');
  await ada.text.pressSequentially('/');
  await press(ada, 'ArrowDown', 'ArrowDown', 'ArrowUp', 'Enter');
  assert.match(await ada.text.inputValue(), /^\/\w+ $/);
});

scene('an unknown command is never said aloud, and the box keeps it', [], async ({ meet }) => {
  const ada = await meet('Ada');
  const bob = await meet('Bob');
  await ada.say('/dnace with me');
  await alert(ada, '/dnace isn’t a command');
  assert.equal(await ada.text.inputValue(), '/dnace with me');
  await ada.say('/who');
  await ada.page.getByText('In #general: Ada and Bob').waitFor();
  await ada.say('/channels');
  await ada.page.getByText('Channels: #general (2)').waitFor();
  await ada.say('/history');
  await ada.page.getByText('there are no earlier messages').waitFor();
  await ada.say('said');
  await bob.said('said').waitFor();
  assert.equal(await bob.page.getByText('dnace').count(), 0);
});

scene('the last characters are counted', [], async ({ meet }) => {
  const ada = await meet('Ada');
  await ada.text.fill('x'.repeat(3499));
  assert.equal(await ada.page.getByText(/characters? left/).count(), 0);
  await ada.text.fill('x'.repeat(3500));
  await ada.page.getByText('500 characters left').waitFor();
  await ada.text.fill('👍'.repeat(3999));
  await ada.page.getByText('1 character left').waitFor();
  await ada.text.fill('x'.repeat(4001));
  await ada.page.getByText('1 character over the limit').waitFor();
  await press(ada, 'Enter');
  await alert(ada, 'up to 4,000 characters');
  assert.equal((await ada.text.inputValue()).length, 4001);
});

scene('what was pasted from a terminal, or cut within a character, goes out all the same', [],
  async ({ meet }) => {
    const ada = await meet('Ada');
    const bob = await meet('Bob');
    await ada.say('\u001b[1mbold\u001b[0m');
    await bob.said('[1mbold[0m').waitFor();
    await ada.text.evaluate((box) => {
      box.value = 'half \uD83D of one';
    });
    await press(ada, 'Enter');
    await bob.said('half \uFFFD of one').waitFor();
    await ada.say('and the next');
    await bob.said('and the next').waitFor();
  });

scene('a box that grows takes its room from the top of the feed', ['--rate', '0'],
  async ({ meet }) => {
    const ada = await meet('Ada');
    for (let number = 0; number < 40; number += 1) await ada.say(`line ${number}`);
    await ada.said('line 39').waitFor();
    await ada.text.fill(Array(8).fill('a long story').join('\n'));
    await ada.text.press('End');
    const atEnd = () =>
      ada.log.evaluate(({ scrollHeight, scrollTop, clientHeight }) =>
        Math.abs(scrollHeight - scrollTop - clientHeight) < 2
      );
    await until(true, atEnd, 'when it has grown');
    await ada.text.pressSequentially(' and more of it');
    await until(true, atEnd, 'with each further letter');
    // An earlier scroll event arrives after the box has grown and before the feed follows.
    await ada.text.fill('');
    await until(true, atEnd, 'when it is small again');
    await ada.text.evaluate((box) => {
      box.value = Array(8).fill('a long story').join('\n');
      box.dispatchEvent(new InputEvent('input', { bubbles: true }));
      document.querySelector('[role=log]').dispatchEvent(new Event('scroll'));
    });
    await until(true, atEnd, 'and a late scroll is no scroll up');
    assert.equal(await ada.role('button', 'Jump to latest').count(), 0);
  });

scene('what is refused is "not sent", to be tried again or deleted', [],
  async ({ meet, server }) => {
    const ada = await meet('Ada');
    const bob = await meet('Bob');
    // The server's no, by a word of its own that the page is made to hear once.
    await ada.page.evaluate(() => {
      const { send } = WebSocket.prototype;
      WebSocket.prototype.send = function refusing(data) {
        const command = JSON.parse(data);
        if (command.type !== 'message' || !/^refused/.test(command.text) || window.friendly)
          return send.call(this, data);
        const error = {
          type: 'error',
          code: 'storage_failed',
          message: 'this could not be stored',
          id: command.id,
        };
        return queueMicrotask(() => this.onmessage({ data: JSON.stringify(error) }));
      };
    });
    await ada.say('refused one');
    await ada.log.getByText(/not sent/i).waitFor();
    await ada.say('after it');
    await bob.said('after it').waitFor();
    await ada.say('refused two');
    await until(2, () => ada.role('button', 'Try again').count());
    await ada.role('button', 'Delete').last().press('Enter');
    await until(1, () => ada.role('button', 'Delete').count());
    await until(true, () => ada.text.evaluate((box) => box === document.activeElement),
      'a button that goes away leaves the keyboard to the box');
    await ada.page.evaluate(() => {
      window.friendly = true;
    });
    await ada.role('button', 'Try again').click();
    await bob.said('refused one').waitFor();
    await until(0, () => ada.log.getByText(/not sent/i).count());
    assert.equal(await bob.said('refused two').count(), 0);
    assert.ok(server.url);
  });

scene('many at once go out in their order, at the pace that the server asks for', ['--rate', '5'],
  async ({ meet }) => {
    const ada = await meet('Ada');
    const bob = await meet('Bob');
    const texts = Array.from({ length: 25 }, (_, index) => `number ${index + 1}`);
    for (const text of texts) {
      await ada.text.fill(text);
      await press(ada, 'Enter');
    }
    await until(texts, () => bob.log.locator('.text').allInnerTexts(), '', 30_000);
    await until(0, () => ada.log.getByText(UNSENT).count());
    assert.deepEqual(await ada.log.locator('.text').allInnerTexts(), texts);
  });

scene('what is written without a connection outlives a reload, and is sent once, in order', [],
  async ({ browser, meet, server, people }) => {
    const bob = await meet('Bob');
    const proxy = await Proxy.before(server.url);
    const ada = await Person.named('Ada', browser, proxy.url);
    people.push(ada);
    await ada.say('before');
    await bob.said('before').waitFor();
    await ada.page.routeWebSocket(/chat$/, (socket) => socket.close());
    proxy.cut();
    for (const text of ['one', 'two', 'three']) await ada.say(text);
    await until(3, () => ada.log.getByText(UNSENT).count());
    await ada.page.reload();
    await until(3, () => ada.log.getByText(UNSENT).count());
    await ada.say('four');
    // Another tab writes something of its own; then the first is closed, and the other takes over
    // what it had.
    const first = ada.page;
    await ada.sit(proxy.url);
    await ada.heading('#general').waitFor();
    await first.close();
    await ada.page.reload();
    await ada.heading('#general').waitFor();
    const expected = ['before', 'one', 'two', 'three', 'four'];
    await until(expected, () => bob.log.locator('.text').allInnerTexts(), '', 30_000);
    await until(expected, () => ada.log.locator('.text').allInnerTexts());
    await until(0, () => ada.log.getByText(UNSENT).count());
    await until('5 of 5 messages, nothing missing', () => ada.status());
  });

scene('two tabs of one person: each sends its own, and both show the same', [],
  async ({ browser, meet, server, people }) => {
    const bob = await meet('Bob');
    const proxy = await Proxy.before(server.url);
    const ada = await Person.named('Ada', browser, proxy.url);
    people.push(ada);
    const first = ada.page;
    await ada.sit(proxy.url);
    await ada.heading('#general').waitFor();
    const other = new Person();
    Object.assign(other, { context: ada.context, page: first, complaints: [] });
    proxy.mode = 'shut';
    proxy.cut();
    await ada.say('from the second');
    await other.say('from the first');
    proxy.mode = 'open';
    await first.reload(); // with its text on the way, or not yet
    const mine = /^from the (first|second)$/;
    for (const person of [bob, ada, other]) {
      await until(['from the first', 'from the second'], async () =>
        (await person.log.getByText(mine).allInnerTexts()).sort(), '', 30_000);
    }
    assert.deepEqual(await ada.log.locator('.text').allInnerTexts(),
      await other.log.locator('.text').allInnerTexts());
    for (const person of [ada, other]) await until(0, () => person.log.getByText(UNSENT).count());
  });

scene('without a connection a private conversation is there after a reload, and is written in', [],
  async ({ meet, server }) => {
    const ada = await meet('Ada');
    const bob = await meet('Bob');
    await ada.person('Bob').click();
    await ada.say('psst');
    await bob.conversation('Ada').click();
    await bob.said('psst').waitFor();
    await ada.page.routeWebSocket(/chat$/, (socket) => socket.close());
    await ada.page.reload();
    await ada.heading('Bob').waitFor();
    await ada.say('in the dark');
    await ada.log.getByText(UNSENT).waitFor();
    const page = ada.page;
    await ada.sit(server.url); // the network is back, in another tab; the first is closed
    await page.close();
    await ada.page.reload();
    await bob.said('in the dark').waitFor({ timeout: 30_000 });
    assert.equal(await bob.said('in the dark').count(), 1);
  });

// A class of thirty: a teacher and two pupils in browsers, twenty-seven by protocol. Door, mute,
// remove, freeze, transcript, clear.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { KEY, secret } from './change.mjs';
import { OUT, scene, until } from './harness.mjs';

const PUPILS = 27;

/** In a page of the server: pupils, each a WebSocket with the events that it received. */
const enter = (count) =>
  Promise.all(Array.from({ length: count }, (_, index) =>
    new Promise((resolve) => {
      const pupils = globalThis.pupils ??= [];
      globalThis.connect = (number, hello, entered) => {
        const socket = new WebSocket(new URL('chat', location.href.replace(/^http/, 'ws')));
        const pupil = { socket, events: [], closed: null, session: hello.session };
        pupils[number] = pupil;
        socket.onopen = () => socket.send(JSON.stringify({ type: 'hello', ...hello }));
        socket.onclose = ({ code, reason }) => {
          pupil.closed = `${code} ${reason}`;
        };
        socket.onmessage = ({ data }) => {
          const event = JSON.parse(data);
          pupil.events.push(event);
          if (event.type === 'welcome') {
            pupil.session = event.session;
            socket.send(JSON.stringify({ type: 'join', channel: 'general' }));
          }
          if (event.type === 'joined' || event.type === 'error') entered?.();
        };
      };
      globalThis.connect(index, { name: `pupil${index}` }, resolve);
    })));

scene('a class of thirty', ['--owner-key', secret('class', KEY), '--rate', '0'],
  async ({ meet, server, people, browser }) => {
    const teacher = await meet(null);
    await teacher.page.goto(`${server.url}#owner=${KEY}`);
    await teacher.page.reload();
    await teacher.enter('Teacher');
    await teacher.role('button', 'Owner', true).waitFor();
    const [ada, bob] = [
      await meet('Ada', { viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true }),
      await meet('Bob'),
    ];
    const school = await browser.newContext();
    const room = await school.newPage();
    await room.goto(new URL('healthz', server.url).href);
    await room.evaluate(enter, PUPILS);
    const send = (number, command) =>
      room.evaluate(([index, text]) => globalThis.pupils[index].socket.send(text), [
        number,
        JSON.stringify(command),
      ]);
    const events = (number, type) =>
      room.evaluate(
        ([index, wanted]) => globalThis.pupils[index].events.filter((one) => one.type === wanted),
        [number, type],
      );
    const received = (type, what) =>
      until(PUPILS, () =>
        room.evaluate(([wanted, fields]) =>
          globalThis.pupils.filter(({ events: all }) => (
            all.some((one) =>
              one.type === wanted && Object.entries(fields).every(([key, value]) =>
                one[key] === value
              )
            )
          )).length, [type, what]), `${type} for all`);
    await teacher.page.getByText('30 people').waitFor();
    await teacher.say('Good morning');
    await received('message', { text: 'Good morning', owner: true });
    await ada.log.locator('.owner').waitFor();

    // The door.
    await teacher.rule('Close the door');
    await received('door', { open: false });
    for (const person of [ada, bob]) await person.page.getByText('The door is closed').waitFor();
    const late = await meet(null);
    await late.enter('Late');
    await late.page.getByRole('alert').filter({ hasText: /closed/ }).waitFor();
    await bob.page.reload();
    await bob.said('Good morning').waitFor(); // one of those inside comes back

    // A word on the projector, and the one who wrote it.
    await bob.say('a rude word');
    await teacher.said('a rude word').waitFor();
    await teacher.act('a rude word', 'Delete');
    await bob.log.getByText('Message deleted by Teacher.').waitFor();
    await received('deleted', { by: 'Teacher' });
    await teacher.person('Bob').click();
    await teacher.role('menuitem', 'Mute Bob…').click();
    await teacher.role('button', '5 minutes', true).click();
    await bob.page.getByText('The owner has muted you').waitFor();
    await bob.say('but why');
    await bob.log.getByText('Not sent:').waitFor();
    assert.equal(await ada.said('but why').count(), 0);
    await teacher.page.screenshot({ path: `${OUT}class-teacher.png` });

    // Remove: out, and not in again.
    await teacher.person('pupil5').click();
    await teacher.role('menuitem', 'Remove pupil5…').click();
    await teacher.role('button', '5 minutes', true).click();
    await until('1008 removed by the owner',
      () => room.evaluate(() => globalThis.pupils[5].closed));
    const session = await room.evaluate(() => globalThis.pupils[5].session);
    await room.evaluate((token) =>
      new Promise((resolve) => {
        globalThis.connect(5, { name: 'pupil5', session: token }, resolve);
      }), session);
    assert.equal((await events(5, 'error'))[0].code, 'kicked');
    await teacher.rule('Muted and removed (2)…');
    const list = teacher.role('dialog', 'Muted and removed people');
    await list.getByRole('button', { name: 'Undo: Bob' }).click();
    await list.getByRole('button', { name: 'Undo: pupil5' }).click();
    await list.getByText('No one is muted or removed.').waitFor();
    await teacher.page.keyboard.press('Escape');
    await bob.log.getByRole('button', { name: 'Try again' }).click();
    await ada.said('but why').waitFor();
    await room.evaluate((token) =>
      new Promise((resolve) => {
        globalThis.connect(5, { name: 'pupil5', session: token }, resolve);
      }), session);
    assert.equal((await events(5, 'joined')).length, 1);

    // Freeze: only the teacher writes.
    await teacher.rule('Who may write…');
    await teacher.role('menuitemradio', 'Only the owner writes').click();
    await received('channel_changed', { writing: 'owner' });
    await ada.page.getByText('Only the owner can write here.').waitFor();
    await send(1, { type: 'message', channel: 'general', text: 'me too', id: 9 });
    await until('read_only', async () => (await events(1, 'error')).at(-1)?.code);
    await teacher.say('Listen, please');
    await received('message', { text: 'Listen, please', owner: true });
    await ada.page.screenshot({ path: `${OUT}class-pupil.png` });
    await teacher.rule('Who may write…');
    await teacher.role('menuitemradio', 'Everyone writes').click();
    await received('channel_changed', { writing: 'all' });
    await send(1, { type: 'message', channel: 'general', text: 'thank you' });
    await teacher.said('thank you').waitFor();

    // The transcript has the lesson, and not the rude word.
    const download = teacher.page.waitForEvent('download');
    await teacher.more('Save transcript');
    const html = readFileSync(await (await download).path(), 'utf8');
    for (const part of [
      'Good morning',
      'but why',
      'Listen, please',
      'thank you',
      'Message deleted by',
    ]) assert.ok(html.includes(part), part);
    assert.doesNotMatch(html, /rude/);

    // Clear: everything is gone for everyone, and the numbers go on.
    const newest = (await events(1, 'message')).at(-1).seq;
    await teacher.rule('Clear this channel…');
    await teacher.role('dialog', 'Clear #general?').getByRole('button', { name: 'Clear channel' })
      .click();
    await received('cleared', { first: newest + 1 });
    for (const person of [teacher, ada, bob])
      await until(0, () => person.said('Listen, please').count());
    await send(2, { type: 'message', channel: 'general', text: 'a new page' });
    for (const person of [teacher, ada, bob]) await person.said('a new page').waitFor();
    await until(newest + 1, async () => (await events(1, 'message')).at(-1).seq);
    await ada.page.reload();
    await ada.said('a new page').waitFor();
    assert.equal(await ada.said('Good morning').count(), 0);
    people.splice(people.indexOf(late), 1); // its console has the refusal
  }, 180_000);

scene('an owner by typed lines, and a room in slow mode', ['--owner-key', secret('lines', KEY)],
  async ({ meet }) => {
    const [ada, bob] = [await meet('Ada'), await meet('Bob')];
    await ada.say('/own wrong');
    await ada.page.getByRole('alert').filter({ hasText: /key/i }).waitFor();
    await ada.say(`/own ${KEY}`);
    await ada.role('button', 'Owner', true).waitFor();
    assert.equal(await bob.log.getByText('/own').count(), 0);
    await ada.say('/writing 10');
    await bob.page.getByText('One message every 10 seconds for each person.').waitFor();
    await bob.say('one');
    await bob.said('one').waitFor();
    await bob.say('two');
    await bob.log.getByText('Waiting to send…').waitFor();
    await ada.said('two').waitFor(); // sent by itself, when it may be
    await ada.say('/mute Bob 5');
    await bob.page.getByText('The owner has muted you').waitFor();
    await ada.say('/mute Bob 0');
    await bob.page.getByText('You can write again.').waitFor();
    await bob.create('garden');
    await bob.heading('#garden').waitFor();
    await bob.say('a rose');
    await ada.say('/remove garden');
    await ada.role('dialog', 'Remove #garden?').getByRole('button', { name: 'Remove channel' })
      .click();
    await bob.heading('#general').waitFor();
    await until(0, () => bob.channel('garden').count());
    await bob.create('garden'); // the name is free
    await bob.heading('#garden').waitFor();
    assert.equal(await bob.said('a rose').count(), 0);
    await bob.say('a new rose');
    await bob.said('a new rose').waitFor();
    await ada.say('/kick Bob 5');
    await bob.page.getByRole('alert').filter({ hasText: /owner removed you/i }).waitFor();
    await bob.name.waitFor();
  });

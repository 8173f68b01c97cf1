// What was said before: messages of chosen times and authors, from a history that was imported.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROGRAM, keepsHistory, scene, scratch, until } from './harness.mjs';

const MINUTE = 60_000;

/**
 * A scene whose `general` has these messages; `minutes` is when each was said, counted from noon of
 * a day.
 */
export function past(name, messages, play) {
  const noon = new Date(2026, 4, 6, 12).getTime();
  const lines = [
    { type: 'parlor', version: 1 },
    { type: 'channel', name: 'general', newest: messages.length },
    ...messages.map(({ minutes, ...message }, index) => ({
      type: 'message',
      seq: index + 1,
      at: noon + minutes * MINUTE,
      ...message,
    })),
  ];
  const imported = () => {
    const folder = scratch();
    const [file, database] = [join(folder, 'lines'), join(folder, 'history.db')];
    writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    execFileSync(PROGRAM, ['import', '--history', database, file], {
      stdio: 'ignore',
      timeout: 20_000,
    });
    return ['--history', database];
  };
  scene(name, imported, play);
}

if (keepsHistory()) {
  past('one name above what was said within five minutes', [
    { minutes: 0, author: 1, from: 'Bob', text: 'one' },
    { minutes: 4, author: 1, from: 'Bob', text: 'two' },
    { minutes: 8.9, author: 1, from: 'Bob', text: 'three' },
    { minutes: 14.9, author: 1, from: 'Bob', text: 'four, six minutes on' },
    { minutes: 15, author: 2, from: 'Cleo', text: 'five' },
    { minutes: 15.1, author: 1, from: 'Bob', text: 'six' },
  ], async ({ meet }) => {
    const ada = await meet('Ada', { timezoneId: Intl.DateTimeFormat().resolvedOptions().timeZone });
    await ada.said('six').waitFor();
    const heads = await ada.log.locator('.from .name').allInnerTexts();
    assert.deepEqual(heads, ['Bob', 'Bob', 'Cleo', 'Bob']);
    for (const [text, named] of [
      ['one', true],
      ['two', false],
      ['three', false],
      ['four, six minutes on', true],
      ['six', true],
    ]) {
      const row = ada.log.locator('.row', { has: ada.page.getByText(text, { exact: true }) });
      assert.equal(await row.locator('.from .name').count() > 0, named, text);
      assert.equal(await row.locator('time').count(), 1, `${text}: its time stands there once`);
    }
    assert.equal(await ada.log.locator('.from time').first().innerText(), '12:00');
  });

  past('a day above what was said on it', [
    { minutes: 0, author: 1, from: 'Bob', text: 'on one day' },
    { minutes: 11 * 60, author: 1, from: 'Bob', text: 'the same day' },
    { minutes: 13 * 60, author: 1, from: 'Bob', text: 'after midnight' },
  ], async ({ meet }) => {
    const ada = await meet('Ada', { timezoneId: Intl.DateTimeFormat().resolvedOptions().timeZone });
    await ada.said('after midnight').waitFor();
    const rows = (await ada.log.innerText()).split('\n').map((line) => line.trim());
    const days = rows.filter((line) => /\b[67] May 2026\b/.test(line));
    assert.equal(days.length, 2, rows.join(' | '));
    assert.ok(
      rows.indexOf('the same day') < rows.indexOf(days[1])
        && rows.indexOf(days[1]) < rows.indexOf('after midnight'),
      rows.join(' | '),
    );
  });

  past('one name, two people: both are marked', [
    { minutes: 0, author: 7, from: 'Bob', text: 'I am Bob' },
    { minutes: 1, author: 8, from: 'Cleo', text: 'I am Cleo' },
    { minutes: 2, author: 2 ** 32 + 9, from: 'Bob', text: 'I am Bob, too' },
  ], async ({ meet }) => {
    const ada = await meet('Ada');
    await ada.said('I am Bob, too').waitFor();
    const which = (text) =>
      ada.log.locator('.row', { has: ada.page.getByText(text, { exact: true }) }).locator('.which')
        .allInnerTexts();
    assert.deepEqual(await which('I am Bob'), ['1st']);
    assert.deepEqual(await which('I am Bob, too'), ['2nd']);
    assert.deepEqual(await which('I am Cleo'), []);
  });

  past('earlier messages come without a jump', Array.from({ length: 600 }, (_, index) => (
    {
      minutes: index,
      author: 1 + (index >> 4) % 3,
      from: ['Bob', 'Cleo', 'Dora'][(index >> 4) % 3],
      text: `line ${index + 1}${' and so on'.repeat(index % 40)}`,
    }
  )), async ({ meet }) => {
    const ada = await meet('Ada');
    await ada.log.getByText(/^line 600 /).waitFor();
    // Each time: a message in sight, its place on the screen, and how much the feed holds.
    const look = () =>
      ada.log.evaluate((log) => {
        const { top } = log.getBoundingClientRect();
        const node = [...log.querySelectorAll('[data-seq]')].find((one) =>
          one.getBoundingClientRect().top > top
        );
        return {
          seq: Number(node.dataset.seq),
          y: node.querySelector('.text').getBoundingClientRect().top,
        };
      });
    const where = (seq) =>
      ada.log.evaluate(
        (log, number) =>
          log.querySelector(`[data-seq="${number}"] .text`)?.getBoundingClientRect().top,
        seq,
      );
    const first = () =>
      ada.log.evaluate((log) => Number(log.querySelector('[data-seq]').dataset.seq));
    for (let page = 0; page < 4; page += 1) {
      const oldest = await first();
      // So near to the top that earlier ones are fetched; nothing is scrolled after that.
      await ada.log.evaluate((log) => {
        log.scrollTop = 40;
      });
      const { seq, y } = await look();
      await until(true, async () => await first() < oldest, 'earlier ones came');
      assert.ok(Math.abs(await where(seq) - y) <= 1, `message ${seq} stays`);
    }
  });
}

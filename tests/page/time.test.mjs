// Times and days: at midnight, and when the time zone changes while the page is open.

import assert from 'node:assert/strict';
import { test } from 'node:test';

process.env.TZ = 'Europe/Berlin';
const { calendar, dayName, timeOf } = await import('../../www/views/time.js');
const at = (text) => new Date(text).getTime();

test('the calendar changes at midnight and with the time zone only', () => {
  process.env.TZ = 'Europe/Berlin';
  const noon = calendar(at('2026-03-01T11:00Z'));
  assert.equal(calendar(at('2026-03-01T22:59Z')), noon);
  assert.notEqual(calendar(at('2026-03-01T23:00Z')), noon);
  process.env.TZ = 'Europe/Paris'; // the same time
  assert.notEqual(calendar(at('2026-03-01T11:00Z')), noon);
});

test('times follow the time zone', () => {
  const shown = ['Europe/Berlin', 'Asia/Tokyo'].map((zone) => {
    process.env.TZ = zone;
    calendar();
    return timeOf(at('2026-03-01T11:05Z'));
  });
  assert.match(shown[0], /12:05/);
  assert.match(shown[1], /8:05|20:05/);
  assert.doesNotMatch(shown.join(), /\u202f/, 'a narrow space would not wrap');
});

test('Today becomes Yesterday at midnight', () => {
  process.env.TZ = 'Europe/Berlin';
  const message = at('2026-03-29T00:30Z'); // the day on which summer time begins
  assert.equal(dayName(message, at('2026-03-29T21:59Z')), 'Today');
  assert.equal(dayName(message, at('2026-03-29T22:00Z')), 'Yesterday');
  assert.match(dayName(message, at('2026-03-30T22:00Z')), /29/);
});

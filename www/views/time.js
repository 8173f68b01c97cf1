// Times and days in the reader's language and time zone, which may change while the page is open.

import { locale, nearDay, t } from '../texts/language.js';

let formats = null;

/** Changes when shown times are outdated: at midnight, and when the time zone changes. */
export function calendar(now = Date.now()) {
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (formats?.zone !== zone) {
    formats = {
      zone,
      time: new Intl.DateTimeFormat(locale(), { hour: 'numeric', minute: '2-digit' }),
      day: new Intl.DateTimeFormat(locale(), {
        weekday: 'long',
        day: 'numeric',
        month: 'long',
        year: 'numeric',
      }),
    };
  }
  return `${zone} ${day(now)}`;
}

/** The time of day; with ordinary spaces, so that "9:06 PM" can be wrapped. */
export function timeOf(at) {
  if (!formats) calendar();
  return formats.time.format(at).replace(/\u202f/g, ' ');
}

/** The day and the time. */
export const whenOf = (at) => t.feed.when(dayName(at), timeOf(at));

/** The local date, as a key. */
export function day(at) {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

/** The local date in words. */
export function dayName(at, now = Date.now()) {
  const noon = (time) => new Date(time).setHours(12, 0, 0, 0);
  const daysAgo = Math.round((noon(now) - noon(at)) / 86_400_000);
  if (!formats) calendar();
  return nearDay(daysAgo) ?? formats.day.format(at);
}

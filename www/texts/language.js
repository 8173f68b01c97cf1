// The language of the page, which app/start.js chooses: its texts, and how it writes numbers,
// lists, and lengths of time.
//
// `t` has the English texts. `loadTexts` puts those of the chosen language over them, so that
// English remains where one is missing. So texts must be read when they are shown, not when a
// module is evaluated.

import { texts } from './en.js';

/**
 * `tag` is the language of the page; `file`, a promise of the module with its texts, or null for
 * English; `all`, the tags of all.
 */
const chosen = globalThis.parlorLanguage ?? { tag: 'en', file: null, all: ['en'] };
const formats = new Map();

/**
 * The locale for `Intl`: the language of the page in the form that the browser is set to, such as
 * de-AT.
 */
export function locale() {
  const base = (tag) => tag.split('-')[0];
  const isSame = (tag) =>
    base(tag) === base(chosen.tag) && /^[a-z]{2,3}(-[a-z\d]{2,8})*$/i.test(tag);
  return globalThis.navigator?.languages?.find(isSame) ?? chosen.tag;
}

/**
 * Returns a formatter of `Intl` for the language of the page. Each is made once, since making it is
 * slow.
 */
function format(kind, options) {
  const key = `${locale()} ${kind} ${JSON.stringify(options)}`;
  if (!formats.has(key)) formats.set(key, new Intl[kind](locale(), options));
  return formats.get(key);
}

export const number = (n) => format('NumberFormat').format(n);

/**
 * A count beside a name; nothing for 0: a page starts with nothing to count, and the first
 * formatter takes 16 ms.
 */
export const countOf = (n) => (n > 0 ? number(n) : '');

/**
 * The form of `forms` for a number; `#` in it is the number. The categories are those of the
 * language (CLDR plural rules).
 */
const plural = (n, forms, type = 'cardinal') =>
  (forms[format('PluralRules', { type }).select(n)] ?? forms.other).replace('#', number(n));

/** A number and its unit, which stay on one line. */
const unit = (n, name, unitDisplay) =>
  format('NumberFormat', { style: 'unit', unit: name, unitDisplay }).format(n).replaceAll(' ',
    '\u00a0');
const UNITS = [['day', 86_400], ['hour', 3600], ['minute', 60], ['second', 1]];

/** The functions with which the texts of a language are made. */
const tools = {
  number,
  plural,
  ordinal: (n, forms) => plural(n, forms, 'ordinal'),
  bytes: (n) => unit(n, 'byte', 'long'),
  /** A length of time in its largest whole unit; `display` is `long`, `short` or `narrow`. */
  duration(seconds, display = 'long') {
    const [name, length] = UNITS.find(([, one]) => seconds % one === 0 && seconds >= one)
      ?? UNITS.at(-1);
    return unit(seconds / length, name, display);
  },
  /** Words as one text. */
  words: (all) => format('ListFormat').format(all),
  /** Names, which may be nodes, as a list of parts: at most four, the rest as `others(n)`. */
  list(names, others) {
    const shown = names.length > 4 ? [...names.slice(0, 3), others(names.length - 3)] : names;
    return format('ListFormat').formatToParts(shown.map((_, index) => String(index)))
      .map(({ type, value }) => (type === 'element' ? shown[Number(value)] : value));
  },
};

export const t = texts(tools);

/** The tags of all languages that the page has. */
export const languages = chosen.all;

/** Puts the texts of the chosen language into `t`. A page awaits it before it shows anything. */
export const loadTexts = async () => {
  const file = await chosen.file;
  if (file) merge(t, file.texts(tools));
};

function merge(into, from) {
  for (const [key, value] of Object.entries(from)) {
    if (typeof value === 'object' && typeof into[key] === 'object') merge(into[key], value);
    else into[key] = value;
  }
}

/** Today, yesterday, or null. */
export const nearDay = (daysAgo) => (daysAgo === 0 || daysAgo === 1
  ? capitalized(format('RelativeTimeFormat', { numeric: 'auto' }).format(-daysAgo, 'day'))
  : null);

export const capitalized = (text) => text.charAt(0).toLocaleUpperCase(locale()) + text.slice(1);

/**
 * What a screen reader says for an emoji: its English name; elsewhere nothing, since a screen
 * reader has names of its own.
 */
export const emojiLabel = (name) => (chosen.tag === 'en' ? name.replaceAll('_', ' ') : null);

/** The name of a language in itself. */
export const nameOf = (tag) =>
  capitalized(new Intl.DisplayNames(tag, { type: 'language' }).of(tag));

/**
 * An error of the server as a sentence in the language of the page. The server's sentences begin
 * with a small letter.
 */
export function errorText(error) {
  const message = capitalized(error.message).replace(/[^.!?]$/, '$&.');
  const text = t.errors[error.code] ?? message;
  return typeof text === 'function' ? text({ ...error, message }) : text;
}

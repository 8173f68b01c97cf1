// The colours of names: enough contrast in both themes, and different colours for similar names.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { hue } from '../../www/views/avatar.js';

const css = await readFile(new URL('../../www/styles/chat.css', import.meta.url), 'utf8');
const colour = (name) =>
  /light-dark\((#[\da-f]+), (#[\da-f]+)\)/.exec(css.slice(css.indexOf(`--${name}: `))).slice(1);

/** The relative luminance of a colour, and the contrast of two (WCAG 2, 1.4.3). */
function luminance(hex) {
  const digits = hex.length === 4
    ? [...hex.slice(1)].map((digit) => digit + digit)
    : hex.slice(1).match(/../g);
  const [red, green, blue] = digits.map((two) => parseInt(two, 16) / 255).map((
    part,
  ) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

const HUES = [...css.matchAll(/--(hue-\d+): light-dark/g)].map(([, name]) => name);

test('colours of names have enough contrast in both themes', () => {
  assert.equal(HUES.length, 16);
  for (const name of HUES) {
    for (const theme of [0, 1]) {
      for (const ground of ['ground', 'raised', 'theirs', 'hue-ink']) {
        const ratio = contrast(colour(name)[theme], colour(ground)[theme]);
        assert.ok(ratio >= 4.5, `${name} on ${ground}, theme ${theme}: ${ratio.toFixed(2)}`);
      }
    }
  }
});

test('names are spread evenly over the colours', () => {
  for (const names of [
    Array.from({ length: 1600 }, (_, index) => `user${index}`),
    Array.from({ length: 1600 }, (_, index) => `${index}pupil`),
  ]) {
    const counts = new Map(HUES.map((name) => [name, 0]));
    for (const name of names) counts.set(hue(name), counts.get(hue(name)) + 1);
    assert.ok([...counts.values()].every((count) => count > 60 && count < 150),
      [...counts.values()].join());
  }
});

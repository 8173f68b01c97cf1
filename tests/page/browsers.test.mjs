// The browsers that the page supports: nothing newer is used without a guard.
//
// Chrome and Edge 123, Firefox 128, Safari 17.5 (all of 2024). README.md and index.html state the
// same.

import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { parse } from '../../www/texts/markup.js';

const SUPPORTED = ['Chrome and Edge 123', 'Firefox 128', 'Safari 17.5'];

/**
 * Features that at least one of them lacks. A line that uses one must have a guard: `?.`, `in`,
 * `typeof` or `@supports`.
 */
const NEWER = {
  js: [
    /\bPromise\.try\b/,
    /\bRegExp\.escape\b/,
    /\bURL\.parse\b/,
    /\bError\.isError\b/,
    /\bMath\.(?:sumPrecise|f16round)\b/,
    /\bIterator\.from\b/,
    /(?<!\bObject)\.(?:values|keys|entries|matchAll)\([^()]*\)\.(?:map|filter|take|drop|flatMap|reduce|toArray|forEach|some|every|find)\(/,
    /\.(?:toBase64|toHex|setFromBase64|setFromHex)\(/,
    /\bUint8Array\.from(?:Base64|Hex)\b/,
    /\.getOrInsert(?:Computed)?\(/,
    /\bTemporal\b/,
    /\bIntl\.DurationFormat\b/,
    /\(\?[ims]*-?[ims]+:/,
    /\bawait using\b|^\s*using \w/,
    /\bimport defer\b/,
    /\bwith \{ type:/,
    /\bFloat16Array\b/,
    /\bstartViewTransition\b/,
    /\bscrollend\b/,
    /\brequestIdleCallback\b/,
    /\buserAgentData\b/,
    /\bCloseWatcher\b/,
    /\.moveBefore\(/,
    /\bnavigator\.keyboard\b/,
    /\bcaretPositionFromPoint\b/,
    /\bdocumentPictureInPicture\b/,
    /\bWebSocketStream\b/,
    /\bEditContext\b/,
    /\bshow(?:Open|Save)FilePicker\b/,
  ],
  css: [
    /@starting-style/,
    /\banchor\(|\banchor-name\b|\bposition-area\b/,
    /\binterpolate-size\b|\bcalc-size\(/,
    /(?<![\w-])if\(/,
    /@function\b/,
    /:open\b/,
    /\banimation-timeline\b/,
    /\bsibling-index\(/,
    /\breading-flow\b/,
    /\battr\([^)]* type\(/,
  ],
  html: [/\bclosedby=/, /\bcommandfor=/, /\bpopover="hint"/, /<selectedcontent/],
};
const GUARD = /\?\.|\btypeof\b|\bin\b|@supports/;

const www = new URL('../../www/', import.meta.url);
const names = (await readdir(www, { recursive: true })).filter((name) =>
  /\.(?:js|css|html)$/.test(name)
);

test('nothing newer than the supported browsers is used without a guard', async () => {
  for (const name of names) {
    const source = (await readFile(new URL(name, www), 'utf8')).replace(
      /\/\*[^]*?\*\/|(?<=^|\s)\/\/ .*$/gm,
      '',
    );
    for (const pattern of NEWER[name.split('.').at(-1)]) {
      for (const line of source.split('\n'))
        assert.ok(!pattern.test(line) || GUARD.test(line), `${name}: ${pattern} in ${line.trim()}`);
    }
  }
});

test('README and index.html state the supported browsers', async () => {
  for (const name of ['../../README.md', '../../www/index.html']) {
    const text = await readFile(new URL(name, import.meta.url), 'utf8');
    for (const browser of SUPPORTED) assert.ok(text.includes(browser), `${name}: ${browser}`);
  }
});

test('links are found without URL.canParse', (t) => {
  const { canParse } = URL;
  t.after(() => {
    URL.canParse = canParse;
  });
  delete URL.canParse;
  assert.equal(parse('https://example.org')[0].parts[0].kind, 'link');
});

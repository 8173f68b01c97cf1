// The keys that the page handles, on several layouts and systems. It must not handle the browser's
// own.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shortcut } from '../../www/views/keys.js';

/** `Ctrl+Shift+k KeyK` as a keydown event. */
function event(written, more) {
  const [keys, code] = written.split(' ');
  const parts = keys.split(/\+(?=.)/);
  const has = (name) => parts.slice(0, -1).includes(name);
  return {
    key: parts.at(-1),
    code: code ?? '',
    ctrlKey: has('Ctrl'),
    metaKey: has('Meta'),
    altKey: has('Alt'),
    shiftKey: has('Shift'),
    ...more,
  };
}

test('keys on Windows and Linux', () => {
  const table = [
    ['Ctrl+K', 'Ctrl+k KeyK', 'jump'],
    ['with Caps Lock', 'Ctrl+K KeyK', 'jump'],
    ['Dvorak: K prints elsewhere', 'Ctrl+k KeyV', 'jump'],
    ['Dvorak: another letter on its place', 'Ctrl+t KeyK', null],
    ['Cyrillic', 'Ctrl+л KeyK', 'jump'],
    ['Greek', 'Ctrl+κ KeyK', 'jump'],
    ['Hebrew', 'Ctrl+ל KeyK', 'jump'],
    ['Arabic', 'Ctrl+ن KeyK', 'jump'],
    ['Cyrillic, another key', 'Ctrl+к KeyR', null],
    ['Ctrl+Shift+K is the browser’s', 'Ctrl+Shift+K KeyK', null],
    ['AltGr+K', 'Ctrl+Alt+k KeyK', null],
    ['the key with the logo', 'Meta+k KeyK', null],
    ['both', 'Ctrl+Meta+k KeyK', null],
    ['k alone', 'k KeyK', null],
    ['slash', 'Ctrl+/ Slash', 'help'],
    ['slash with Shift, German', 'Ctrl+Shift+/ Digit7', 'help'],
    ['question mark', 'Ctrl+Shift+? Slash', 'help'],
    ['on the number block', 'Ctrl+/ NumpadDivide', 'help'],
    ['slash on a Cyrillic layout', 'Ctrl+/ Backslash', 'help'],
    ['the same place, Thai', 'Ctrl+ฝ Slash', 'help'],
    ['zoom out, German', 'Ctrl+- Slash', null],
    ['zoom out, Nordic', 'Ctrl+- Slash', null],
    ['underscore, German', 'Ctrl+Shift+_ Slash', null],
    ['Turkish', 'Ctrl+. Slash', null],
    ['French', 'Ctrl+! Slash', null],
    ['Cyrillic full stop', 'Ctrl+. Slash', null],
    ['Brazilian', 'Ctrl+; Slash', null],
    ['Latin letter outside ASCII', 'Ctrl+é Slash', null],
    ['zoom in', 'Ctrl++ Equal', null],
    ['zoom reset', 'Ctrl+0 Digit0', null],
    ['find', 'Ctrl+f KeyF', 'search'],
    ['up', 'Alt+ArrowUp', 'previous'],
    ['down', 'Alt+ArrowDown', 'next'],
    ['up, unread', 'Alt+Shift+ArrowUp', 'previousUnread'],
    ['down, unread', 'Alt+Shift+ArrowDown', 'nextUnread'],
    ['the browser’s back', 'Alt+ArrowLeft', null],
    ['virtual desktops', 'Ctrl+Alt+ArrowUp', null],
    ['the system’s', 'Meta+ArrowUp', null],
    ['Escape', 'Escape', 'escape'],
    ['the task manager', 'Shift+Escape', null],
    ['the start menu', 'Ctrl+Escape', null],
    ['another window', 'Alt+Escape', null],
    ['a dead key', 'Ctrl+Dead Slash', null],
    ['no key at all', 'Ctrl+Unidentified KeyK', null],
  ];
  for (const [name, written, expected] of table)
    assert.equal(shortcut(event(written), false), expected, name);
  assert.equal(shortcut(event('Alt+ArrowDown', { target: { tagName: 'SELECT' } }), false), null,
    'it opens the list');
  assert.equal(
    shortcut(event('Alt+ArrowUp', { target: { tagName: 'TEXTAREA', value: 'text' } }), false),
    'previous',
  );
  assert.equal(shortcut(event('Ctrl+k KeyK', { isComposing: true }), false), null);
  assert.equal(shortcut(event('Escape', { keyCode: 229 }), false), null);
});

test('keys on Apple’s systems', () => {
  const table = [
    ['⌘K', 'Meta+k KeyK', 'jump'],
    ['⌘K, Cyrillic', 'Meta+л KeyK', 'jump'],
    ['delete to the end of the line', 'Ctrl+k KeyK', null],
    ['⌘/', 'Meta+/ Slash', 'help'],
    ['⌘-', 'Meta+- Slash', null],
    ['Ctrl+/', 'Ctrl+/ Slash', null],
    ['⌥↑', 'Alt+ArrowUp', 'previous'],
    ['⌃⌥↑', 'Ctrl+Alt+ArrowUp', null],
    ['⌘↑', 'Meta+ArrowUp', null],
  ];
  for (const [name, written, expected] of table)
    assert.equal(shortcut(event(written), true), expected, name);
  assert.equal(
    shortcut(event('Alt+ArrowUp', { target: { tagName: 'TEXTAREA', value: 'text' } }), true),
    null,
    'it moves the caret',
  );
  assert.equal(shortcut(event('Alt+ArrowUp', { target: { tagName: 'TEXTAREA', value: '' } }), true),
    'previous');
});

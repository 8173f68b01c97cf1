// The imports of the page's modules: one direction between folders, without circles.

import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { test } from 'node:test';

/** The folders from which the modules of a folder may import, besides their own. */
const LAYERS = {
  texts: [],
  connection: ['texts'],
  store: ['texts', 'connection/protocol.js'],
  views: ['texts', 'store', 'connection/protocol.js'],
  wire: ['texts', 'connection/protocol.js', 'views/dom.js'],
  app: ['texts', 'connection', 'store', 'views', 'wire'],
};
/** Folders whose modules run without a DOM. */
const WITHOUT_DOM = ['texts', 'store'];

const www = new URL('../../www/', import.meta.url);
const names = (await readdir(www, { recursive: true })).filter((name) => name.endsWith('.js'))
  .sort();
const modules = new Map(await Promise.all(names.map(async (name) => {
  const source = await readFile(new URL(name, www), 'utf8');
  const resolved = (path) => new URL(path, new URL(name, www)).href.slice(www.href.length);
  const imports = [...source.matchAll(/^(?:import|export)[^;]*?from '([^']+)';/gm)].map((
    [, path],
  ) => resolved(path));
  return [name, {
    source,
    imports,
    lazy: [...source.matchAll(/import\('([^']+)'\)/g)].map(([, path]) => resolved(path)),
  }];
})));
const folder = (name) => name.split('/')[0];

test('every import names a module that exists', () => {
  for (const [name, { imports, lazy }] of modules) {
    for (const other of [...imports, ...lazy])
      assert.ok(modules.has(other), `${name} imports ${other}`);
  }
});

test('imports between folders point one way', () => {
  for (const [name, { imports, lazy }] of modules) {
    const allowed = LAYERS[folder(name)];
    assert.ok(allowed, `${name} is in no known folder`);
    for (const other of [...imports, ...lazy]) {
      assert.ok(
        folder(other) === folder(name) || allowed.includes(folder(other))
          || allowed.includes(other),
        `${name} imports ${other}`,
      );
    }
  }
});

test('no module imports itself through others', () => {
  const done = new Set();
  const visit = (name, path) => {
    assert.ok(!path.includes(name), `a circle: ${[...path, name].join(' → ')}`);
    if (done.has(name)) return;
    for (const other of modules.get(name).imports) visit(other, [...path, name]);
    done.add(name);
  };
  for (const name of modules.keys()) visit(name, []);
});

test('texts and store know no DOM, views know no socket', () => {
  for (const [name, { source }] of modules) {
    const code = source.replace(/\/\*[^]*?\*\/|\/\/.*$/gm, '');
    if (WITHOUT_DOM.includes(folder(name)))
      assert.doesNotMatch(code, /\bdocument\b|\bwindow\b|\bHTML\w*Element/, name);
    if (folder(name) === 'views') assert.doesNotMatch(code, /\bWebSocket\b/, name);
  }
});

test('imports have the forms that the bundle of build.rs understands', () => {
  for (const [name, { source, lazy }] of modules) {
    // Later modules must be loaded soon after the start, because the server may be unreachable when
    // they are needed.
    assert.deepEqual(lazy, name === 'app/main.js' ? ['app/later.js'] : [], name);
    for (const [, names, path] of source.matchAll(/^import \{ (.*) \} from '([^']+)';/gm)) {
      const other =
        modules.get(new URL(path, new URL(name, www)).href.slice(www.href.length)).source;
      const exported = [...other.matchAll(/^export (?:const|class|function) (\w+)/gm)].map((
        [, one],
      ) => one);
      for (const one of names.split(', '))
        assert.ok(exported.includes(one.split(' as ')[0]), `${name} imports ${one} from ${path}`);
    }
  }
});

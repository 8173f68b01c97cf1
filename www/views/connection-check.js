// The dialog of the connection check: the findings so far, and for each problem the lines that fix
// it.

import { fixes } from '../texts/fixes.js';
import { t } from '../texts/language.js';
import * as dialogs from './dialogs.js';
import { element, setText } from './dom.js';

const SIGNS = { ok: '✓', note: '·', problem: '!' };

/** The lines to add for a problem; words in braces are replaced by its values. */
function lines(finding) {
  const values = {
    origin: location.origin,
    host: location.host,
    path: new URL('.', location).pathname,
    ...finding,
  };
  const fill = (line) => line.replace(/\{(\w+)\}/g, (word, name) => values[name] ?? word);
  return Object.entries(fixes[finding.code] ?? {}).flatMap(([place, all]) => [
    element('h3', {}, t.check.places[place]),
    element('pre', { dir: 'ltr', tabindex: '0' }, all.map(fill).join('\n')),
  ]);
}

function item(finding) {
  const { level, code } = finding;
  const text = t.check[level][code];
  const sign = element('span', { class: 'sign', 'aria-label': t.check.levels[level], role: 'img' },
    SIGNS[level]);
  const body = element('div', {}, typeof text === 'function' ? text(finding) : text,
    ...(level === 'problem' ? lines(finding) : []));
  return element('li', { class: level }, sign, body);
}

/** Opens the dialog. `run()` yields the findings. */
export const openConnectionCheck = async (run) => {
  const status = element('p', { role: 'status' }, t.check.running);
  const countdown = element('p', { class: 'hint' });
  const list = element('ul', {
    class: 'check scroll',
    role: 'list',
    tabindex: '0',
    'aria-label': t.check.title,
  });
  const dialog = dialogs.make(t.check.title, list, countdown, status);
  dialogs.open(dialog, list);
  let problems = 0;
  for await (const finding of run()) {
    if (!dialog.open) break; // leaving the loop closes the connection
    setText(countdown, finding.level === 'wait' ? t.check.waiting(finding.seconds) : '');
    if (finding.level === 'wait') continue;
    problems += finding.level === 'problem' ? 1 : 0;
    list.append(item(finding));
  }
  setText(status, problems > 0 ? t.check.problems(problems) : t.check.fine);
  if (dialog.open)
    await new Promise((closed) => {
      dialog.addEventListener('close', closed, { once: true });
    });
  dialog.remove();
};

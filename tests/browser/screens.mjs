// All screens of the page, one after another, and what axe-core finds on one.
//
// look.mjs checks them, and measure.mjs measures them.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

export const PHONE = { viewport: { width: 320, height: 640 }, isMobile: true, hasTouch: true };
export const DEVICES = {
  desktop: { viewport: { width: 1280, height: 760 }, locale: 'en-US' },
  phone: PHONE,
  tablet: { viewport: { width: 820, height: 1180 }, hasTouch: true },
};
export const SCHEMES = ['light', 'dark'];

const TEXT =
  '> so they say\n**Yes**, see https://example.org/ and `code` :tada: @Ada\n```\nlet it = be;\n```';

/**
 * What axe-core finds; in the page's own policy no script from elsewhere runs, so it is handed in
 * by the debugger.
 */
export async function faults(page) {
  await page.evaluate(readFileSync(AXE, 'utf8'));
  return page.evaluate(async () => {
    // A drawer that is still sliding shut stands beside the page, and its links look like ones that
    // lead to nothing.
    const ending = document.getAnimations().filter(({ effect }) =>
      Number.isFinite(effect.getComputedTiming().endTime)
    );
    await Promise.allSettled(ending.map(({ finished }) => finished));
    const { violations } = await globalThis.axe.run(document, { resultTypes: ['violations'] });
    return violations.map(({ id, nodes }) =>
      `${id}: ${
        nodes.map(({ html, any }) => `${html.slice(0, 120)} ${any[0]?.message ?? ''}`).join(' | ')
      }`
    );
  });
}

/**
 * Walks through them with a new person, and calls `look(page, what)` at each. The server is stopped
 * at the end, and comes again.
 */
export async function screens({ meet, server, device, colorScheme, language, key }, look) {
  const ada = await meet(null, {
    ...DEVICES[device],
    colorScheme,
    ...(language && { language, locale: language, reducedMotion: 'reduce' }),
  });
  const { keyboard } = ada.page;
  const seen = (what) => look(ada.page, what);
  const menu = async () => {
    if (device === 'phone') await ada.role('button', 'Menu', true).click();
  };
  await seen('the door');
  await ada.enter('Ada');
  await ada.heading('#general').waitFor();
  await seen('an empty channel');
  const bob = await meet('Bob');
  await bob.say(TEXT);
  await ada.say(TEXT);
  await ada.say('/nothing');
  await ada.log.getByText('let it = be;').last().waitFor();
  await seen('a channel');
  await ada.role('button', 'Actions:').or(ada.role('button', 'Message actions')).press('Enter');
  await ada.role('menu', 'Message actions').waitFor();
  await seen('the menu of a message');
  await keyboard.press('Escape');
  await ada.text.fill('');
  await ada.text.press('ArrowUp');
  await ada.page.getByText(ada.words('Editing your message', true)).waitFor();
  await seen('editing');
  await ada.text.press('Escape');
  await keyboard.press('Control+f');
  await ada.role('searchbox', 'Search for').waitFor();
  await seen('the search');
  await keyboard.press('Escape');
  await ada.text.fill('');
  await ada.text.pressSequentially('@B');
  await ada.role('listbox', 'Suggestions').waitFor();
  await seen('suggestions');
  await ada.text.fill('');
  if (device === 'phone') {
    await ada.role('button', 'People', true).click();
    await ada.people.waitFor();
    await seen('people');
    await keyboard.press('Escape');
    await menu();
    await ada.channel('general').waitFor();
    await ada.page.waitForTimeout(300); // the drawer slides
    await seen('the drawer');
    await keyboard.press('Escape');
  }
  for (const [keys, name] of [['Control+k', 'Jump to'], ['Control+/', 'Keyboard shortcuts']]) {
    await keyboard.press(keys);
    await ada.role('dialog', name).waitFor();
    await seen(name);
    await keyboard.press('Escape');
  }
  for (const [opener, name] of [['More', 'More'], ['Your settings', 'Your settings']]) {
    if (name !== 'More') await menu();
    await ada.role('button', opener).click();
    await ada.role('menu', name, true).waitFor();
    await seen(`the menu ${name}`);
    await keyboard.press('Escape');
    if (name !== 'More' && device === 'phone') await keyboard.press('Escape');
  }
  await bob.say('for @Ada');
  await bob.create('garden');
  await bob.heading('#garden').waitFor();
  await menu();
  await ada.role('button', 'Browse channels').click();
  await ada.role('dialog', 'Browse channels').getByText('garden').waitFor();
  await seen('channels');
  await keyboard.press('Escape');
  if (device !== 'desktop') await ada.role('button', 'People', true).click();
  await ada.person('Bob').click();
  await ada.heading('Bob').waitFor();
  await bob.channel('general').click();
  await bob.say('unread');
  await ada.page.locator('.unread').first().waitFor({ state: 'attached' });
  await ada.say('psst');
  await ada.said('psst').waitFor();
  await seen('a private conversation');
  for (const list of ['Unread', 'Mentions']) {
    await menu();
    await ada.role('button', list, true).click();
    await ada.role('heading', list, true).waitFor();
    await seen(list);
    await keyboard.press('Escape');
  }
  await ada.more('Invite people…');
  await ada.role('dialog', 'Invite people').waitFor();
  await seen('the invitation');
  await keyboard.press('Escape');
  await ada.more('Connection check');
  await ada.role('dialog', 'Connection check').getByRole('listitem').nth(2).waitFor();
  await seen('the connection check');
  await keyboard.press('Escape');
  if (key) {
    await menu();
    await ada.channel('general').click();
    await ada.heading('#general').waitFor();
    await ada.say(`/own ${key}`);
    for (const [item, role, name] of [['Who may write…', 'menu'], [
      'Muted and removed (0)…',
      'dialog',
      'Muted and removed people',
    ]]) {
      await ada.rule(item);
      await ada.role(role, name ?? /./).waitFor();
      await seen(item);
      await keyboard.press('Escape');
    }
  }
  await ada.more('Wire view');
  await ada.role('complementary', 'Wire view').waitFor();
  await seen('the wire panel');
  await keyboard.press('Escape');
  await server.stop();
  await ada.say('into the void');
  await ada.page.getByText(ada.words('Reconnecting…')).or(
    ada.page.getByText(ada.words('Reconnecting in ')),
  ).first().waitFor();
  await seen('no connection, and a text that waits for one');
  await server.again();
  for (const path of ['wire', 'join']) {
    await ada.page.goto(new URL(path, server.url).href);
    await ada.page.getByRole('heading', { level: 1 }).waitFor();
    await seen(`/${path}`);
  }
}

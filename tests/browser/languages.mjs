// The languages of the page: which one is chosen, that each fits, and that nothing is left in English.

import assert from 'node:assert/strict';
import { scene, until } from './harness.mjs';

scene('the browser’s language chooses, and only its file is loaded', [], async ({ meet }) => {
  for (const [locale, lang, dir, button, files] of [
    ['en-US', 'en', 'ltr', 'Join chat', []], ['de-AT', 'de', 'ltr', 'Chat beitreten', ['de.js']], ['pt-PT', 'pt-BR', 'ltr', 'Entrar no chat', ['pt-BR.js']],
    ['ar-EG', 'ar', 'rtl', 'انضم إلى الدردشة', ['ar.js']], ['sv-SE', 'en', 'ltr', 'Join chat', []],
  ]) {
    const asked = [];
    const { page } = await meet(null, { locale });
    page.on('request', (request) => asked.push(...request.url().match(/(?<=\/texts\/).*/) ?? []));
    await page.reload();
    await page.getByRole('button', { name: button }).waitFor();
    assert.deepEqual(await page.evaluate(() => [document.documentElement.lang, document.documentElement.dir]), [lang, dir], locale);
    assert.deepEqual(asked, files, locale);
  }
});

scene('English stands in for a text, or a file, that is missing', [], async ({ meet, server }) => {
  const { page } = await meet(null, { locale: 'ar' });
  await page.route('**/texts/ar.js', (route) => route.fulfill({ contentType: 'text/javascript', body: "export const texts = () => ({ page: { yourName: 'الاسم' } });" }));
  await page.reload();
  await page.getByRole('textbox', { name: 'الاسم' }).waitFor();
  await page.getByRole('button', { name: 'Join chat' }).waitFor();
  await page.route('**/texts/ar.js', (route) => route.fulfill({ status: 404, body: '' }));
  await page.goto(new URL('join', server.url).href);
  await page.getByRole('heading', { name: 'Join the chat at' }).waitFor();
  assert.deepEqual(await page.evaluate(() => [document.documentElement.lang, document.documentElement.dir]), ['en', 'ltr']);
});

scene('the menu changes the language, and this browser keeps it', [], async ({ meet, server }) => {
  const ada = await meet('Ada');
  await ada.text.fill('a draft');
  await ada.page.getByRole('combobox', { name: 'Language' }).selectOption('Français');
  await ada.page.getByRole('button', { name: 'Envoyer' }).waitFor();
  assert.equal(await ada.page.locator('#p\\:text').inputValue(), 'a draft');
  await ada.page.goto(new URL('wire', server.url).href);
  await ada.page.getByRole('link', { name: 'Retour au chat' }).waitFor();
  await until('fr', () => ada.page.evaluate(() => document.documentElement.lang));
});

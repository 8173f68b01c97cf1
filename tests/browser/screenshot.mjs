// Makes the pictures of the README, docs/screenshot*.png: three people in a lively channel; light,
// dark, and on a telephone. Run it by hand when the look has changed:
//
//   cargo build && tests/browser/run nothing; node tests/browser/screenshot.mjs

import { fileURLToPath } from 'node:url';
import { Person, Server, browser } from './harness.mjs';

const target = (name) => fileURLToPath(new URL(`../../docs/${name}.png`, import.meta.url));
const server = await Server.start();
const chromium = await browser();
const view = { viewport: { width: 1240, height: 740 }, deviceScaleFactor: 1.5 };
const phone = {
  viewport: { width: 390, height: 720 },
  deviceScaleFactor: 1.5,
  isMobile: true,
  hasTouch: true,
};
const [grace, ada, linus] = [
  await Person.named('Grace', chromium, server.url, view),
  await Person.named('Ada', chromium, server.url, view),
  await Person.named('Linus', chromium, server.url, view),
];

/** Each sees what was said before the next one speaks. */
async function say(person, text, part = null) {
  await person.say(text);
  const shown = text.startsWith('/me ')
    ? `${await person.page.locator('#p\\:me').innerText()} ${text.slice(4)}`
    : text;
  await (part ? grace.log.getByText(part) : grace.said(shown.replaceAll('`', ''))).last().waitFor();
}

for (const channel of ['garden', 'kitchen', 'rfc6455']) {
  await grace.create(channel);
  await grace.heading(`#${channel}`).waitFor();
}
await grace.channel('general').click();
await say(ada, 'Good morning! Is anyone else reading RFC 6455 with their coffee?');
await say(linus, 'Section 5.3, since seven. Why does only the client mask its frames?');
await say(ada,
  'So that no proxy in between takes a clever payload for a request of its own. See https://www.rfc-editor.org/rfc/rfc6455#section-10.3');
await say(ada, 'The key is four random bytes, new for each frame:');
await say(ada,
  '```\nfor (i, byte) in payload.iter_mut().enumerate() {\n    *byte ^= key[i % 4];\n}\n```',
  'for (i, byte) in payload');
await say(grace,
  'And the server must close the connection when a frame comes unmasked. That is 5.1.');
await say(linus, '/me counts the bits of the length again');
await say(grace,
  'Seven, or sixteen, or sixty-four. The shortest one that fits, nothing else is legal.');
await say(linus,
  '> Seven, or sixteen, or sixty-four.\nThen I know what is wrong with mine. Thank you, @Grace!',
  'Then I know what is wrong');
await say(grace, 'You are welcome. There is cake in #kitchen.');
await linus.act('You are welcome. There is cake in #kitchen.', 'heart');
await grace.role('button', '❤️ 1', true).waitFor();
await ada.role('button', '❤️ 1', true).click();
await grace.role('button', '❤️ 2', true).waitFor();
await ada.person('Grace').click();
await ada.say('What kind of cake?');
await linus.join('kitchen');
await linus.heading('#kitchen').waitFor();
await linus.say('It is gone.');
await linus.channel('general').click();
await linus.heading('#general').waitFor();
await grace.conversations.getByRole('link', { name: 'Ada, 1 unread' }).waitFor();
await grace.channels.getByRole('link', { name: 'kitchen, 1 unread' }).waitFor();
await grace.text.focus();
await new Promise((resolve) => {
  setTimeout(resolve, 1200);
}); // the server passes typing on once a second
await linus.text.pressSequentially('Wait');
await grace.page.getByText('Linus is typing…').waitFor();
await grace.page.screenshot({ path: target('screenshot') });
await grace.page.emulateMedia({ colorScheme: 'dark' });
await grace.page.screenshot({ path: target('screenshot-dark') });

const ida = await Person.named('Ida', chromium, server.url, phone);
await ida.said('You are welcome. There is cake in #kitchen.').waitFor();
await ida.say('Good morning! Late, and on the bus.');
await ida.said('Good morning! Late, and on the bus.').waitFor();
await ida.page.screenshot({ path: target('screenshot-phone') });
for (const channel of ['kitchen', 'garden']) {
  await ida.say(`/join ${channel}`);
  await ida.heading(`#${channel}`).waitFor();
}
await ada.person('Ida').click();
await ada.heading('Ida').waitFor();
await ada.say('Shall I keep you a piece?');
await linus.say('@Ida, welcome!');
await ida.role('button', 'Menu', true).tap();
await ida.channels.getByRole('link', { name: 'general, 1 unread, mentioned' }).waitFor();
await ida.conversation('Ada, 1 unread').waitFor();
await new Promise((resolve) => {
  setTimeout(resolve, 400);
}); // the drawer slides
await ida.page.screenshot({ path: target('screenshot-drawer') });
await chromium.close();
await server.stop();

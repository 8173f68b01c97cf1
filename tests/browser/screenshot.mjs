// Makes docs/screenshot.png: three people in a lively channel, seen by one of them. Run it by hand when the look has changed:
//
//   cargo build && tests/browser/run nothing; node tests/browser/screenshot.mjs

import { fileURLToPath } from 'node:url';
import { Person, Server, browser } from './harness.mjs';

const target = fileURLToPath(new URL('../../docs/screenshot.png', import.meta.url));
const server = await Server.start();
const chromium = await browser();
const view = { viewport: { width: 1080, height: 740 }, deviceScaleFactor: 2 };
const [grace, ada, linus] = [await Person.named('Grace', chromium, server.url, view), await Person.named('Ada', chromium, server.url, view), await Person.named('Linus', chromium, server.url, view)];

/** Each sees what was said before the next one speaks. */
async function say(person, text) {
  await person.say(text);
  const shown = text.startsWith('/me ') ? `${await person.page.locator('#p\\:me').innerText()} ${text.slice(4)}` : text;
  await grace.said(shown).last().waitFor();
}

for (const channel of ['garden', 'kitchen', 'rfc6455']) {
  await grace.create(channel);
  await grace.heading(`#${channel}`).waitFor();
}
await grace.channel('general').click();
await say(ada, 'Good morning! Is anybody else reading RFC 6455 with their coffee?');
await say(linus, 'Section 5.3, since seven. Why does only the client mask its frames?');
await say(ada, 'So that no proxy in between takes a clever payload for a request of its own.');
await say(ada, 'The key is four random bytes, new for each frame.');
await say(grace, 'And the server must close the connection when a frame comes unmasked. That is 5.1.');
await say(linus, '/me counts the bits of the length again');
await say(grace, 'Seven, or sixteen, or sixty-four. The shortest one that fits, nothing else is legal.');
await say(linus, 'Then I know what is wrong with mine. Thank you both!');
await say(grace, 'You are welcome. There is cake in #kitchen.');
await ada.person('Grace').click();
await ada.say('What kind of cake?');
await linus.channel('kitchen').click();
await linus.heading('#kitchen').waitFor();
await linus.say('It is gone.');
await linus.channel('general').click();
await linus.heading('#general').waitFor();
await grace.conversations.getByRole('link', { name: 'Ada, 1 unread' }).waitFor();
await grace.channels.getByRole('link', { name: 'kitchen, 1 unread' }).waitFor();
await grace.text.focus();
await new Promise((resolve) => { setTimeout(resolve, 1200); }); // the server passes typing on once a second
await linus.text.pressSequentially('Wait');
await grace.page.getByText('Linus is typing…').waitFor();
await grace.page.screenshot({ path: target });
await chromium.close();
await server.stop();

// How the page looks and feels to everybody: axe finds nothing, hostile texts break nothing,
// fingers find every control, themes.

import assert from 'node:assert/strict';
import { KEY, secret } from './change.mjs';
import { OUT, UNSENT, scene, until } from './harness.mjs';
import { DEVICES, PHONE, SCHEMES, faults, screens } from './screens.mjs';

for (const colorScheme of SCHEMES) {
  for (const device of Object.keys(DEVICES)) {
    scene(`axe finds nothing: ${device}, ${colorScheme}`, [], async ({ meet, server }) => {
      await screens({ meet, server, device, colorScheme }, async (page, what) => {
        assert.deepEqual(await faults(page), [], what);
        if (what === 'a channel')
          await page.screenshot({ path: `${OUT}look-${device}-${colorScheme}.png` });
      });
    }, 180_000);
  }
}

scene('hostile texts break neither layout nor safety', ['--rate', '0'], async ({ meet }) => {
  const ada = await meet('Ada', PHONE);
  const bob = await meet('Bob');
  const pile = `Z${'\u0301\u0302\u0316\u0334'.repeat(200)}x`;
  const texts = [
    '<img src=x onerror=document.title="hurt"><svg/onload=alert(1)>',
    'x'.repeat(4000),
    `https://example.org/${'y'.repeat(3000)}`,
    '\u202Eright to left\u202E \u2066isolated',
    '\u200b\u200d\ufeffnothing\u200b to see',
    pile,
    `${'Z\u0301\u0302\u0303\u0304\u0305\u0306'.repeat(300)}`,
    '**'.repeat(1000),
    '`'.repeat(999),
    '> '.repeat(500),
    `\`\`\`\n${'z'.repeat(3000)}\n\`\`\``,
    'a\n'.repeat(200),
    'العربية https://good.com@evil.example/ עברית',
    '[x](javascript:alert(1)) javascript:alert(1)',
    '\t'.repeat(300) + 'x',
    '👩‍👩‍👧‍👦'.repeat(300),
  ];
  for (const one of texts) await bob.say(one);
  await bob.say('the last one');
  await ada.said('the last one').waitFor();
  for (const { page } of [ada, bob]) {
    const [wide, most, hurt] = await page.evaluate(() => [
      document.documentElement.scrollWidth - innerWidth,
      Math.max(
        ...[...document.querySelectorAll('[role=log] .row')].map((row) =>
          row.scrollWidth - row.clientWidth
        ),
      ),
      document.querySelectorAll(
        '[role=log] :is(img, svg, script, [onerror], a[href^="javascript:"])',
      ).length,
    ]);
    assert.deepEqual([wide <= 0, most <= 0, hurt], [true, true, 0],
      'nothing sticks out, nothing comes alive');
    assert.ok(!(await page.title()).includes('hurt'));
    const links = await page.locator('[role=log] a').evaluateAll((all) =>
      all.filter(({ target, rel }) => target !== '_blank' || rel !== 'noopener noreferrer nofollow')
        .length
    );
    assert.equal(links, 0);
  }
  await ada.log.getByText('(leads to evil.example)').waitFor();
  const high = await ada.page.locator('.pile').first().evaluate((node) =>
    node.getBoundingClientRect().height - parseFloat(getComputedStyle(node).lineHeight)
  );
  assert.ok(high <= 1, 'a pile of marks is as high as its line');
});

scene('what one says in a row stands close together, also where it fills the line', [],
  async ({ meet }) => {
    const ada = await meet('Ada', { viewport: { width: 390, height: 844 } });
    await ada.say('first');
    await ada.say('so long a text that it does not fit into a line of this screen, and takes two');
    await ada.text.fill('third');
    await ada.text.press('Enter');
    await ada.said('third').waitFor();
    await until(0, () => ada.page.getByText(UNSENT).count());
    const boxes = await ada.log.locator('.text').evaluateAll((texts) =>
      texts.map((one) => one.getBoundingClientRect()).map(({ top, bottom }) => ({ top, bottom }))
    );
    assert.equal(boxes.length, 3);
    for (const index of [1, 2])
      assert.ok(boxes[index].top - boxes[index - 1].bottom < 8, JSON.stringify(boxes));
  });

scene('the longest names fit on the smallest screen', [], async ({ meet }) => {
  const ada = await meet('W'.repeat(32), { viewport: { width: 320, height: 568 } });
  await ada.say(`/join ${'m'.repeat(32)}`);
  await ada.heading(`#${'m'.repeat(32)}`).waitFor();
  await ada.say('hello');
  await ada.said('hello').waitFor();
  assert.equal(await ada.page.evaluate(() => document.documentElement.scrollWidth), 320);
  assert.ok(await ada.text.evaluate((box) => box.offsetHeight) < 60,
    'what stands in the empty box takes one line');
});

scene('a phone in landscape: the sign-in form fits, and the owner’s button has its name', [
  '--owner-key',
  secret('look', KEY),
], async ({ meet }) => {
  const ada = await meet(null, { ...PHONE, viewport: { width: 640, height: 320 } });
  const form = await ada.page.locator('.join form').boundingBox();
  assert(form.y >= 0 && form.y + form.height <= 320, JSON.stringify(form));
  await ada.enter('Ada');
  await ada.heading('#general').waitFor();
  await ada.say(`/own ${KEY}`);
  await ada.rule('Close the door');
});

scene('on the smallest screen a channel to join is one row: name, members, button', [],
  async ({ meet }) => {
    const [ada, bob] = [await meet('Ada', PHONE), await meet('Bob')];
    await bob.create('kitchen-and-garden');
    await ada.role('button', 'Menu', true).click();
    await ada.role('button', 'Browse channels').click();
    const row = ada.role('dialog', 'Browse channels').getByRole('listitem').filter({
      hasText: '1 person',
    });
    const [all, name, members, join] = await Promise.all(
      ['button', '.name', '.hint', '.go'].map((one) => row.locator(one).boundingBox()),
    );
    assert(members.y >= name.y + name.height && join.x + join.width > all.x + all.width - 20,
      JSON.stringify({ all, name, members, join }));
  });

scene('fingers find every control', [], async ({ meet }) => {
  const ada = await meet('Ada', PHONE);
  const bob = await meet('Bob', { ...PHONE, viewport: { width: 820, height: 1180 } });
  const small = ({ page }) =>
    page.evaluate(() =>
      [...document.querySelectorAll('button, input, select, textarea, nav a')]
        .filter((node) =>
          node.checkVisibility({ visibilityProperty: true }) && !node.closest('.spoken')
          && !node.classList.contains('curtain')
        )
        .map((
          node,
        ) => [node.getAttribute('aria-label') ?? node.textContent, node.getBoundingClientRect()])
        .filter(([, { width, height }]) => width < 44 || height < 44).map((
          [name, { width, height }],
        ) => `${name} ${width}×${height}`)
    );
  assert.deepEqual(await small(ada), []);
  await ada.role('button', 'Menu', true).click();
  await ada.channel('general').waitFor();
  assert.deepEqual(await small(ada), []);
  assert.deepEqual(await small(bob), [], 'on a tablet, where there is no drawer');
  assert.equal(await ada.page.evaluate(() => document.documentElement.scrollWidth), 320);
});

scene('themes: as the system has it, light, dark; remembered', [], async ({ meet }) => {
  const ada = await meet('Ada', { colorScheme: 'dark' });
  const ground = () => ada.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  await ada.own('Light', 'menuitemradio');
  assert.notEqual(await ground(), dark);
  const light = await ground();
  await ada.page.reload();
  await ada.heading('#general').waitFor();
  assert.equal(await ground(), light);
  await ada.role('button', 'Your settings').click();
  assert.equal(await ada.role('menuitemradio', 'Light', true).getAttribute('aria-checked'), 'true');
  await ada.page.keyboard.press('Escape');
  await ada.own('System', 'menuitemradio');
  assert.equal(await ground(), dark);
});

scene('the page can be installed, and the icon shows what is unread', [],
  async ({ meet, server }) => {
    const ada = await meet('Ada');
    const bob = await meet('Bob');
    const manifest = await (await fetch(new URL('manifest.webmanifest', server.url))).json();
    for (const { src, type } of [
      ...manifest.icons,
      ...manifest.shortcuts.flatMap(({ icons }) => icons),
    ]) {
      assert.equal((await fetch(new URL(src, server.url))).headers.get('content-type'), type, src);
    }
    const debug = await ada.context.newCDPSession(ada.page);
    assert.deepEqual(
      (await debug.send('Page.getInstallabilityErrors')).installabilityErrors.map(({ errorId }) =>
        errorId
      ).filter((id) => id !== 'in-incognito'),
      [],
    );
    await ada.create('garden');
    await ada.heading('#garden').waitFor();
    await bob.say('hello @ada');
    await ada.channels.getByRole('link', { name: 'general, 1 unread, mentioned', exact: true })
      .waitFor();
    assert.match(await ada.page.locator('link[rel=icon]').getAttribute('href'), /unread/);
    await ada.channel('general').click();
    await until('icon.svg',
      async () =>
        (await ada.page.locator('link[rel=icon]').getAttribute('href')).split('/').at(-1));
  });

scene('members, a filter, and who came and went', [], async ({ meet }) => {
  const wide = { viewport: { width: 1280, height: 720 } };
  const ada = await meet('Ada', wide);
  const bob = await meet('Bob', { viewport: { width: 900, height: 720 } });
  const members = (person) => person.role('list', 'In this channel', true);
  await until(['Ada (you)', 'Bob'], () => members(ada).getByRole('button').allInnerTexts());
  assert.equal(await members(bob).count(), 0);
  await bob.role('button', 'People', true).click();
  await members(bob).waitFor();
  await bob.page.keyboard.press('Escape');
  await until(0, () => members(bob).count());
  await ada.log.getByText('Bob joined').waitFor();

  for (const name of ['garden', 'kitchen']) {
    await ada.create(name);
    await ada.heading(`#${name}`).waitFor();
  }
  // One list of people: those who are in the channel, then those who are not.
  await until(['Bob'], () => ada.role('list', 'Online', true).getByRole('button').allInnerTexts());
  await ada.people.getByText('Not in this channel').waitFor();
  await ada.role('button', 'People', true).click();
  await until(0, () => ada.people.count());
  await ada.page.reload();
  await ada.heading('#kitchen').waitFor();
  assert.equal(await ada.people.count(), 0, 'the column stays closed');
  await ada.role('button', 'People', true).click();
  await ada.people.waitFor();
  await ada.role('searchbox', 'Filter').fill('kit');
  await until(['#\nkitchen'],
    async () => (await ada.channels.getByRole('link').allInnerTexts()).map((one) => one.trim()));
  await ada.role('searchbox', 'Filter').fill('gard');
  await ada.page.keyboard.press('Enter');
  await ada.heading('#garden').waitFor();
  await until(3, () => ada.channels.getByRole('link').count());
  await ada.log.getByRole('link').waitFor();
});

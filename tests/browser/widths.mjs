// Every width of the page, with and without touch: everything is within reach.

import assert from 'node:assert/strict';
import { scene, until } from './harness.mjs';

const WIDTHS = [320, 360, 414, 568, 719, 720, 820, 1023, 1024, 1152, 1280, 1920];

/** The size of an element, and whether its middle is what a finger there would hit. */
const box = (page, selector) =>
  page.evaluate((wanted) => {
    const node = document.querySelector(wanted);
    const { x, y, width, height } = node.getBoundingClientRect();
    const hit = document.elementFromPoint(x + width / 2, y + height / 2);
    return {
      width,
      right: x + width,
      isReachable: width > 0 && node.checkVisibility({ visibilityProperty: true })
        && node.contains(hit),
    };
  }, selector);

for (const hasTouch of [false, true]) {
  scene(`every width is usable ${hasTouch ? 'with' : 'without'} touch`, [], async ({ meet }) => {
    const ada = await meet('Ada', {
      hasTouch,
      isMobile: hasTouch,
      reducedMotion: 'reduce',
      viewport: { width: 320, height: 700 },
    });
    const { page } = ada;
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 700 });
      const at = `at ${width} px`;
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width,
        `nothing sticks out ${at}`);
      assert.ok((await box(page, '#p\\:text')).isReachable, `the composer ${at}`);
      const menu = ada.role('button', 'Menu', true);
      const isDrawer = await menu.isVisible();
      assert.equal((await box(page, '#p\\:channels a')).isReachable, !isDrawer,
        `a sidebar or a menu ${at}`);
      if (isDrawer) {
        await menu.click();
        await until(true, async () => (await box(page, '#p\\:channels a')).isReachable,
          `the drawer ${at}`);
        await ada.channel('general').click();
        await until(true, async () => (await box(page, '#p\\:text')).isReachable,
          `the composer after the drawer ${at}`);
      }
      await ada.more('Wire view');
      await page.locator('.wire.panel h2').waitFor();
      const panel = await box(page, '.wire.panel h2');
      assert.ok(panel.isReachable, `the wire panel ${at}`);
      const feed = await box(page, '#p\\:feed');
      const isBeside = (await box(page, '#p\\:text')).isReachable;
      assert.ok(!isBeside || feed.width >= 320,
        `a feed of ${feed.width} px beside the wire panel ${at}`);
      assert.equal(isBeside, width >= 1024, at);
      await page.keyboard.press('Escape');
      await until('p:more', () => page.evaluate(() => document.activeElement.id),
        'Escape gives the focus back');
    }
  });
}

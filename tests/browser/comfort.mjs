// A page at twice its size, and one that does not move.

import assert from 'node:assert/strict';
import { scene, until } from './harness.mjs';

scene('at twice its size nothing is out of reach', [], async ({ meet }) => {
  // Zoomed to 200 %, a window of 1280 by 800 has room for half as much (WCAG 2.2, 1.4.4 and
  // 1.4.10).
  const ada = await meet('Ada', { viewport: { width: 640, height: 400 } });
  await ada.say('half as much');
  await ada.said('half as much').waitFor();
  const wide = await ada.page.evaluate(() =>
    document.documentElement.scrollWidth - window.innerWidth
  );
  assert.ok(wide <= 0, `${wide} px to the side`);
  const box = await ada.text.boundingBox();
  assert.ok(box.y >= 0 && box.y + box.height <= 400, JSON.stringify(box));
});

scene('who wants no motion gets none', [], async ({ meet }) => {
  const ada = await meet('Ada', { reducedMotion: 'reduce' });
  const bob = await meet('Bob');
  await bob.say('still');
  await ada.said('still').waitFor();
  const moving = () => ada.page.evaluate(() => document.getAnimations().length);
  await until(0, moving, 'animations');
});

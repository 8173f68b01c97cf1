// Draws the icons that must be PNG files (www/*.png) from the SVG files beside them. Run it by hand
// when those have changed:
//
//   tests/browser/run nothing; node tests/browser/icons.mjs

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { browser } from './harness.mjs';

const www = new URL('../../www/', import.meta.url);
const ICONS = [['icon-192', 'icon', 192], ['icon-512', 'icon', 512], [
  'icon-maskable-512',
  'icon-maskable',
  512,
], ['apple-touch-icon', 'icon-maskable', 180]];

const chromium = await browser();
const page = await chromium.newPage();
for (const [name, source, size] of ICONS) {
  const svg = readFileSync(new URL(`${source}.svg`, www), 'utf8').replace('<svg',
    `<svg style="position: fixed; inset: 0" width="${size}" height="${size}"`);
  await page.setViewportSize({ width: size, height: size });
  await page.setContent(svg);
  await page.screenshot({ path: fileURLToPath(new URL(`${name}.png`, www)), omitBackground: true });
}
await chromium.close();

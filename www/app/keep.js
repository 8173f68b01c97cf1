// Keeps the page in the browser, for a start without the server: see worker.js. Only a page that
// came from the folder of a build is kept, because its files never change, and only for the
// server's current build.

import { beside } from '../texts/address.js';
import { BUILD, fileUrl } from '../views/dom.js';

const scope = () => beside('./', location.href).href;

/** Keeps the page and the files that it has loaded so far, and forgets those of other builds. */
export const keep = async () => {
  if (BUILD === null || !navigator.serviceWorker) return; // over plain HTTP
  const folder = scope() + BUILD;
  try {
    await navigator.serviceWorker.register(fileUrl('app/worker.js'), {
      scope: scope(),
      updateViaCache: 'all',
    });
    await forget(folder);
    const cache = await caches.open(folder);
    const loaded = performance.getEntriesByType('resource').map(({ name }) => name).filter((name) =>
      name.startsWith(folder)
    );
    for (const name of new Set(loaded)) if (!await cache.match(name)) await cache.add(name);
    if (await cache.match(scope())) return;
    const page = await fetch(scope());
    if (page.ok && (await page.clone().text()).includes(BUILD)) await cache.put(scope(), page);
  } catch { /* full, forbidden, or the server is away */ }
};

/** Forgets the pages of all builds but that of one folder. */
export const forget = async (folder = null) => {
  const names = await globalThis.caches?.keys().catch(() => []) ?? [];
  const isOther = (name) =>
    name !== folder && name.startsWith(scope())
    && /^[0-9a-f]{16}$/.test(name.slice(scope().length));
  await Promise.all(names.filter(isOther).map((name) => caches.delete(name)));
};

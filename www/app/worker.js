// The service worker. It opens the page if the server can't be reached, and shows notifications
// where a page can't (on Android).
//
// A page comes from the server. Only without an answer the kept page opens; `keep.js` keeps the
// newest one only. Its files are kept too: they have the build in their addresses and never change.

const { scope } = self.registration;

async function page(event) {
  try {
    return await event.preloadResponse ?? await fetch(event.request);
  } catch {
    return await caches.match(scope) ?? Response.error();
  }
}

const file = async (request) => await caches.match(request) ?? fetch(request);

self.addEventListener('install', () => self.skipWaiting());
// The browser asks for the page while it starts the worker.
self.addEventListener('activate',
  (event) => event.waitUntil(self.registration.navigationPreload?.enable()));

self.addEventListener('fetch', (event) => {
  const { mode, method, url } = event.request;
  const [address] = url.split(/[?#]/);
  if (method !== 'GET' || !address.startsWith(scope)) return;
  if (mode === 'navigate' && address === scope) event.respondWith(page(event));
  else if (/^[0-9a-f]{16}\//.test(address.slice(scope.length)))
    event.respondWith(file(event.request));
});

/**
 * Opens the room of a notification, whose address is its data, in an existing window or in a new
 * one.
 */
async function open({ data }) {
  const windows = await self.clients.matchAll({ type: 'window', includeUncontrolled: true });
  const window = windows.find(({ url }) => url.split(/[?#]/)[0] === scope);
  if (!window) return self.clients.openWindow(scope + data);
  window.postMessage({ open: data });
  return window.focus();
}

self.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification));
});

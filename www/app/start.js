// Watches how the page starts, before anything else is loaded. A script or style sheet that fails is tried again by reloading
// the page; where that does not help, the page says why. It also sets the theme before the first paint. A classic script, so
// that it runs in any browser; each HTML file names it first, and a page that has started says so by `data-started`.
(() => {
  const PAUSES_MS = [500, 2000, 5000];
  const SLOW_MS = 15_000;
  const page = document.documentElement;
  const base = `parlor:${new URL('.', location.href).pathname}:`; // as in store/storage.js
  let failed = false;

  const stored = (action) => {
    try {
      return action();
    } catch {
      return null; // where storage is forbidden, even naming it throws
    }
  };

  const theme = stored(() => JSON.parse(localStorage.getItem(`${base}theme`)));
  if (theme) page.setAttribute('data-theme', theme);

  /** Shows a sentence at the top of the page. */
  function say(sentence, reload = true) {
    const box = document.querySelector('.start') ?? document.createElement('div');
    const text = document.createElement('p');
    text.append(`${sentence} `);
    if (reload) {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = 'Reload the page';
      button.onclick = () => location.reload();
      text.append(button);
    }
    box.className = 'start failed';
    box.setAttribute('role', 'status');
    box.replaceChildren(text);
    if (!box.isConnected) (document.body ?? page).prepend(box);
  }

  /** Why a file can't be loaded, as a sentence. */
  async function reason(address) {
    try {
      const url = new URL(address);
      url.username = url.password = '';
      const answer = await fetch(url, { cache: 'no-store' });
      const text = answer.ok ? '' : (await answer.text()).trim().slice(0, 300);
      return answer.ok ? 'Part of the page could not be loaded.' : `The server refused part of the page (${answer.status}): ${text}`;
    } catch {
      return 'Part of the page could not be loaded: the server can’t be reached.';
    }
  }

  async function fail(why) {
    if (failed) return;
    failed = true;
    const tries = stored(() => Number(sessionStorage.getItem(`${base}starts`)));
    if (tries !== null && tries < PAUSES_MS.length && stored(() => sessionStorage.setItem(`${base}starts`, tries + 1)) !== null) {
      setTimeout(() => location.reload(), PAUSES_MS[tries] * (0.5 + Math.random()));
      return say('Part of the page could not be loaded. Trying again…', false);
    }
    stored(() => sessionStorage.removeItem(`${base}starts`)); // the next reload may try again
    say(await why());
    return undefined;
  }

  addEventListener('error', ({ target, message, filename }) => {
    if (target instanceof HTMLScriptElement || (target instanceof HTMLLinkElement && target.rel === 'stylesheet')) {
      fail(() => reason(target.src || target.href));
    } else if (target === window && filename.startsWith(location.origin) && page.dataset.started === undefined) {
      fail(() => `The page could not start: ${message}. It needs Chrome or Edge 123, Firefox 128, Safari 17.5, or a newer browser.`);
    }
  }, true);
  addEventListener('load', () => {
    if (!failed) stored(() => sessionStorage.removeItem(`${base}starts`));
  });
  setTimeout(() => {
    if (page.dataset.started === undefined && !failed) say('The page is still loading.');
  }, SLOW_MS);
})();

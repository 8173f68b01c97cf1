// Watches the start of the page, before anything else is loaded. If a script or style sheet fails,
// the page is reloaded; if that does not help, it shows the reason. This script also sets the theme
// and the language before the first paint, and loads the texts of the language. A classic script,
// so that it runs in any browser; each HTML file names it first, and a page that has started says
// so by `data-started`.
(() => {
  /** The other languages have these keys as `start`. */
  const ENGLISH = {
    loading: 'Loading the chat… If it doesn’t appear, part of the page could not be loaded.',
    reload: 'Reload the page',
    incomplete: 'Part of the page could not be loaded.',
    refused: (status, reason) => `The server refused part of the page (${status}): ${reason}`,
    unreachable: 'Part of the page could not be loaded: the server can’t be reached.',
    again: 'Part of the page could not be loaded. Trying again…',
    broken: (message) =>
      `The page could not start: ${message}. It needs Chrome or Edge 123, Firefox 128, Safari 17.5, or a newer browser.`,
    slow: 'The page is still loading.',
  };
  const RIGHT_TO_LEFT = /^(?:ar|fa|he|ur)\b/;
  const PAUSES_MS = [500, 2000, 5000];
  const SLOW_MS = 15_000;
  const page = document.documentElement;
  const prefix = `parlor:${new URL('.', location.href).pathname}:`; // as in store/storage.js
  let failed = false;

  const stored = (action) => {
    try {
      return action();
    } catch {
      return null; // where storage is forbidden, even naming it throws
    }
  };

  const theme = stored(() => JSON.parse(localStorage.getItem(`${prefix}theme`)));
  if (theme) page.setAttribute('data-theme', theme);

  // The connection of a returning user is opened while the page loads; Connection takes it.
  if (
    document.currentScript.id === 'p:start'
    && stored(() => JSON.parse(localStorage.getItem(`${prefix}session`)))?.name
  ) {
    const url = Object.assign(new URL('chat', document.baseURI), { username: '', password: '' });
    globalThis.parlorSocket = new WebSocket(url.href.replace(/^http/, 'ws'), 'chat');
  }

  // With the first listener for changes of storage the browser loads it, which takes 15 ms that
  // main.js need not wait for.
  addEventListener('storage', () => {});

  // The reader's choice, or the browser's first language that there is: the script element names
  // their files (data-de="texts/de.js").
  const files = new Map([
    ['en', null],
    ...[...document.currentScript.attributes].filter(({ name }) => name.startsWith('data-'))
      .map(({ name, value }) => [Intl.getCanonicalLocales(name.slice(5))[0], value]),
  ]);
  const base = (tag) => tag.split('-')[0];
  const found = (tag) =>
    [...files.keys()].find((one) => one === tag)
      ?? [...files.keys()].find((one) => base(one) === base(tag));
  const wanted = [
    stored(() => JSON.parse(localStorage.getItem(`${prefix}language`))),
    ...navigator.languages,
  ].filter(Boolean);
  const language = {
    tag: wanted.map(found).find(Boolean) ?? 'en',
    file: null,
    all: [...files.keys()],
  };
  let texts = ENGLISH;
  if (files.get(language.tag)) {
    const url = Object.assign(new URL(files.get(language.tag), document.baseURI), {
      username: '',
      password: '',
    });
    language.file = import(url).then((file) => {
      texts = { ...ENGLISH, ...file.texts({}).start };
      const notice = document.querySelector('.start:not(.failed) p');
      if (notice)
        [notice.firstChild.data, notice.lastElementChild.textContent] = [
          `${texts.loading} `,
          texts.reload,
        ];
      return file;
    }).catch(() => {
      language.tag = 'en';
      setLanguage();
      return null;
    });
  }
  function setLanguage() {
    page.lang = language.tag;
    page.dir = RIGHT_TO_LEFT.test(language.tag) ? 'rtl' : 'ltr';
  }
  setLanguage();
  globalThis.parlorLanguage = language;

  /** Shows a sentence at the top of the page. */
  function say(sentence, reload = true) {
    const box = document.querySelector('.start') ?? document.createElement('div');
    const text = document.createElement('p');
    text.append(`${sentence} `);
    if (reload) {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = texts.reload;
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
      return answer.ok ? texts.incomplete : texts.refused(answer.status, text);
    } catch {
      return texts.unreachable;
    }
  }

  async function fail(why) {
    if (failed) return;
    failed = true;
    const tries = stored(() => Number(sessionStorage.getItem(`${prefix}starts`)));
    if (
      tries !== null && tries < PAUSES_MS.length
      && stored(() => sessionStorage.setItem(`${prefix}starts`, tries + 1)) !== null
    ) {
      setTimeout(() => location.reload(), PAUSES_MS[tries] * (0.5 + Math.random()));
      return say(texts.again, false);
    }
    stored(() => sessionStorage.removeItem(`${prefix}starts`)); // the next reload may try again
    say(await why());
    return undefined;
  }

  addEventListener('error', ({ target, message, filename }) => {
    if (
      target instanceof HTMLScriptElement
      || (target instanceof HTMLLinkElement && target.rel === 'stylesheet'
        && target.dataset.later === undefined)
    ) {
      fail(() => reason(target.src || target.href));
    } else if (
      target === window && filename.startsWith(location.origin)
      && page.dataset.started === undefined
    ) {
      fail(() => texts.broken(message));
    }
  }, true);
  addEventListener('load', () => {
    if (!failed) stored(() => sessionStorage.removeItem(`${prefix}starts`));
  });
  setTimeout(() => {
    if (page.dataset.started === undefined && !failed) say(texts.slow);
  }, SLOW_MS);
})();

// The connection check: finds problems between this page and the server. The same checks as those
// of `parlor doctor`, as far as a page can see them. A finding is `{ level, code }` with the values
// that its text needs; `level` is ok, note, problem or wait.

import { beside } from '../texts/address.js';

const ANSWER_MS = 10_000;
const CLOCK_MS = 10_000; // a clock that differs by more is wrong
const HELLO = 'parlor connection check';

const sleep = (ms) =>
  new Promise((over) => {
    setTimeout(over, ms);
  });

const found = (level, code, values = {}) => ({ level, code, ...values });

/** Whether an address needs no TLS: it stays on this computer or in the home network. */
const isNear = (host) =>
  !host.includes('.') || /^[\d.]+$|^\[|\.(?:localhost|local|lan|internal)$/.test(host);

/**
 * Finds problems in the request as the server received it. `page` is the page's location; `trace`,
 * the trace of the handshake; `now`, the time of this clock.
 */
export function judge(trace, page, now) {
  const { request, client } = trace.handshake;
  const headers = request.lines.map(({ text }) => /^([^:]+): (.*)$/.exec(text)).filter(Boolean);
  const header = (wanted) =>
    headers.filter(([, name]) => name.toLowerCase() === wanted).map(([, , value]) => value).join(
      ', ',
    );
  const forwarded = header('x-forwarded-for') || header('forwarded');
  const [host, first] = [header('host'), header('x-forwarded-for').split(',')[0].trim()];
  const bare = (name) =>
    name.toLowerCase().replace(page.protocol === 'https:' ? /:443$/ : /:80$/, '');
  const address = client.address ?? '';
  const apart = Math.round(Math.abs(now - trace.at) / 1000);
  const findings = [found('note', 'seen', { address, forwarded, host, origin: header('origin') })];
  if (bare(host) !== bare(page.host))
    findings.push(found('problem', 'host', { detail: host, host: page.host }));
  if (!forwarded && page.protocol === 'https:') findings.push(found('problem', 'forwarded'));
  // A page can't send these headers, so the first address is its own.
  if (forwarded && (!client.trusted_proxy || (first && first !== address)))
    findings.push(found('problem', 'trusted-proxy', { address }));
  findings.push(
    apart * 1000 > CLOCK_MS ? found('problem', 'clock', { seconds: apart }) : found('ok', 'clock'),
  );
  return findings;
}

/**
 * Finds out why no WebSocket opens. A script can't see the response to an upgrade; a request by
 * OPTIONS has an Origin, too.
 */
async function whyNot(url, page) {
  try {
    const response = await fetch(url.href.replace(/^ws/, 'http'), {
      method: 'OPTIONS',
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const detail = (await response.text()).trim();
    if (response.status === 403 && detail.includes('--origin'))
      return found('problem', 'origin', { origin: page.origin });
    if (response.ok) return found('problem', 'upgrade');
    if ([502, 504].includes(response.status))
      return found('problem', 'upstream', { detail: String(response.status) });
    if (response.status === 404)
      return found('problem', 'path', { path: new URL('.', page.href).pathname });
    return found('problem', 'refused', {
      detail: /^[^<]{1,200}$/.test(detail) ? detail : String(response.status),
    });
  } catch {
    return found('problem', 'unreachable');
  }
}

/**
 * Yields one finding after another. `silence` is how long the connection must survive without a
 * message, in ms.
 */
export const check = async function* findings(page, silence = 75_000) {
  if (page.protocol === 'https:') yield found('ok', 'tls');
  else yield found(isNear(page.hostname) ? 'note' : 'problem', 'tls', { host: page.host });
  const url = beside('echo?trace=1&deflate=0', page.href);
  url.protocol = url.protocol.replace('http', 'ws');
  const [socket, texts] = [new WebSocket(url), []];
  socket.onmessage = ({ data }) => texts.push(data);
  const until = async (ready, ms) => {
    for (const end = performance.now() + ms; !ready() && performance.now() < end;) await sleep(50);
    return ready();
  };
  const isOpen = () => socket.readyState === WebSocket.OPEN;
  const isEchoed = () => {
    texts.length = 0;
    if (isOpen()) socket.send(HELLO);
    return until(() => texts.includes(HELLO), ANSWER_MS);
  };
  try {
    await until(() => socket.readyState !== WebSocket.CONNECTING, ANSWER_MS);
    if (!isOpen()) return yield whyNot(url, page);
    yield found('ok', 'upgrade');
    await until(() => texts.length > 0 || !isOpen(), ANSWER_MS);
    const trace = texts.map((text) => JSON.parse(text)).find(({ handshake }) => handshake);
    const echoed = await isEchoed();
    if (trace) yield* judge(trace, page, Date.now());
    else if (echoed) yield found('note', 'hidden');
    if (!echoed || (!trace && texts.some((text) => text.includes('"handshake"'))))
      return yield found('problem', 'buffering');
    yield found('ok', 'echo');
    const since = performance.now();
    for (let left = silence; left > 0 && isOpen(); left = since + silence - performance.now()) {
      yield found('wait', 'silence', { seconds: Math.ceil(left / 1000) });
      await sleep(Math.min(left, 1000));
    }
    const seconds = Math.round((performance.now() - since) / 1000);
    const survived = isOpen() && await isEchoed();
    yield survived
      ? found('ok', 'silence', { seconds })
      : found('problem', 'timeout', { seconds, ping: Math.max(1, Math.floor(seconds / 2)) });
  } finally {
    socket.close();
  }
};

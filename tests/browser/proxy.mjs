// A line between page and server that can be cut: every connection goes through here, byte by byte.
//
// The scenes that break the connection use it.

import { connect, createServer } from 'node:net';

export class Proxy {
  #server; #target; #pairs = new Set();
  /** `open`: bytes pass · `silent`: they are swallowed both ways, as by a network that is gone · `shut`: connections are refused. */
  mode = 'open';
  url = null;

  /** In front of the server at `url`. */
  static async before(url) {
    const proxy = new Proxy();
    proxy.#target = new URL(url);
    proxy.#server = createServer({ allowHalfOpen: false }, (near) => proxy.#join(near));
    await new Promise((listening) => proxy.#server.listen(0, '127.0.0.1', listening));
    proxy.url = `http://127.0.0.1:${proxy.#server.address().port}/`;
    return proxy;
  }

  #join(near) {
    if (this.mode === 'shut') return near.destroy();
    const far = connect(Number(this.#target.port), this.#target.hostname);
    const pair = [near, far];
    this.#pairs.add(pair);
    for (const [one, other] of [pair, [far, near]]) {
      one.on('data', (bytes) => this.mode !== 'silent' && other.write(bytes));
      one.on('error', () => {});
      one.on('close', () => {
        other.destroy();
        this.#pairs.delete(pair);
      });
    }
    return undefined;
  }

  /** Cuts everything that stands, in the middle of whatever was said. */
  cut() {
    for (const [near, far] of this.#pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  close() {
    this.cut();
    this.#server.close();
  }
}

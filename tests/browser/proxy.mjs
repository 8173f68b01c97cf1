// A line between page and server that can be cut: every connection goes through here, byte by byte.
//
// The scenes that break the connection use it.

import { connect, createServer } from 'node:net';

/**
 * A slow line passes bytes in packets, so that a browser can read the beginning of a file before
 * its end.
 */
const PACKET_BYTES = 1460;

export class Proxy {
  static #open = new Set();
  #server;
  #target;
  #pairs = new Set();
  #busyUntil = 0;
  /**
   * How long bytes take in one direction, and how many a millisecond come from the server, for all
   * connections together.
   */
  latency = 0;
  rate = Infinity;
  /** What passed so far: requests, and bytes from the server. */
  requests = 0;
  bytes = 0;
  /**
   * `open`: bytes pass · `silent`: they are swallowed both ways, as by a network that is gone ·
   * `shut`: connections are refused.
   */
  mode = 'open';
  url = null;

  /** In front of the server at `url`. */
  static async before(url) {
    const proxy = new Proxy();
    proxy.#target = new URL(url);
    proxy.#server = createServer({ allowHalfOpen: false }, (near) => proxy.#join(near));
    await new Promise((listening) => proxy.#server.listen(0, '127.0.0.1', listening));
    proxy.url = `http://127.0.0.1:${proxy.#server.address().port}/`;
    Proxy.#open.add(proxy);
    return proxy;
  }

  #join(near) {
    if (this.mode === 'shut') return near.destroy();
    const far = connect(Number(this.#target.port), this.#target.hostname);
    const pair = [near, far];
    this.#pairs.add(pair);
    for (const [one, other] of [pair, [far, near]]) {
      const packets = []; // on their way
      one.on('data', (bytes) =>
        this.mode !== 'silent' && this.#pass(bytes, other, one === far, packets));
      one.setNoDelay();
      one.on('error', () => {});
      one.on('close', () => {
        other.destroy();
        this.#pairs.delete(pair);
      });
    }
    return undefined;
  }

  #pass(bytes, to, isDown, packets) {
    if (isDown) this.bytes += bytes.length;
    else this.requests += bytes.toString('latin1').match(/^GET /gm)?.length ?? 0;
    if (this.latency === 0) return to.write(bytes);
    const now = performance.now();
    for (let from = 0; from < bytes.length; from += PACKET_BYTES) {
      const packet = bytes.subarray(from, from + PACKET_BYTES);
      packets.push(packet);
      if (isDown) this.#busyUntil = Math.max(now, this.#busyUntil) + packet.length / this.rate;
      setTimeout(() => to.write(packets.shift()),
        this.latency + (isDown ? this.#busyUntil - now : 0)); // timers may swap
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
    Proxy.#open.delete(this);
  }

  /**
   * Closes all that are open. The harness calls it after each scene, since an open one keeps the
   * process alive.
   */
  static closeAll() {
    for (const proxy of Proxy.#open) proxy.close();
  }
}

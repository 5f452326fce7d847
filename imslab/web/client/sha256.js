// SHA-256 (FIPS 180-4, section 6.2). The browser has one too, but it answers later, from another thread: a login
// hashes eight times a few octets, each after the other, and would wait eight times for nothing.

import { concat } from "./octets.js";

// The first 32 bits of the fractions of a root of the first primes (4.2.2 and 5.3.3).
const PRIMES = [];
for (let n = 2; PRIMES.length < 64; n++) if (PRIMES.every((prime) => n % prime)) PRIMES.push(n);
const fraction = (root) => ((root - Math.floor(root)) * 2 ** 32) | 0;
const K = PRIMES.map((prime) => fraction(Math.cbrt(prime)));
const START = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));

const rotate = (word, bits) => (word >>> bits) | (word << (32 - bits));

// Section 5.1.1: a one bit, zeros, then the length in bits, 64 octets a block.
function padded(octets) {
  const zeros = new Uint8Array(((119 - (octets.length % 64)) % 64) + 1);
  zeros[0] = 0x80;
  const length = new DataView(new ArrayBuffer(8));
  length.setUint32(0, Math.floor(octets.length / 2 ** 29));
  length.setUint32(4, octets.length << 3);
  return concat(octets, zeros, new Uint8Array(length.buffer));
}

// Section 6.2.2, step 1: sixteen words of the block, and what follows from them.
function schedule(view, at) {
  const words = Array.from({ length: 16 }, (_, i) => view.getInt32(at + 4 * i));
  for (let i = 16; i < 64; i++) {
    const [a, b] = [words[i - 15], words[i - 2]];
    const small0 = rotate(a, 7) ^ rotate(a, 18) ^ (a >>> 3);
    const small1 = rotate(b, 17) ^ rotate(b, 19) ^ (b >>> 10);
    words.push((words[i - 16] + small0 + words[i - 7] + small1) | 0);
  }
  return words;
}

function block(state, words) {
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i++) {
    const big1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (h + big1 + ((e & f) ^ (~e & g)) + K[i] + words[i]) | 0;
    const big0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (big0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
  }
  return [a, b, c, d, e, f, g, h].map((word, i) => (word + state[i]) | 0);
}

// The 32 octets of SHA-256(octets).
export function sha256(octets) {
  const whole = padded(octets);
  const view = new DataView(whole.buffer);
  let state = START;
  for (let at = 0; at < whole.length; at += 64) state = block(state, schedule(view, at));
  const out = new DataView(new ArrayBuffer(32));
  state.forEach((word, i) => out.setInt32(4 * i, word));
  return new Uint8Array(out.buffer);
}

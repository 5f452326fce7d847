// MD5 (RFC 1321). SIP Digest still asks for it, and the browser's own crypto.subtle has no MD5.
// MD5 is broken as a hash of documents; here it is used as RFC 2617 and RFC 4169 say.

import { concat } from "./octets.js";

// Section 3.4: T[i] = floor(2^32 * |sin(i)|), and how far each round rotates.
const T = Array.from({ length: 64 }, (_, i) => Math.floor(2 ** 32 * Math.abs(Math.sin(i + 1))));
const SHIFTS = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

// One function and one order of the sixteen words for each of the four rounds.
const ROUNDS = [
  [(b, c, d) => (b & c) | (~b & d), (i) => i],
  [(b, c, d) => (d & b) | (~d & c), (i) => (5 * i + 1) % 16],
  [(b, c, d) => b ^ c ^ d, (i) => (3 * i + 5) % 16],
  [(b, c, d) => c ^ (b | ~d), (i) => (7 * i) % 16],
];

const rotate = (word, bits) => (word << bits) | (word >>> (32 - bits));

// Sections 3.1 and 3.2: a one bit, zeros, then the length in bits, 64 octets a block.
function padded(octets) {
  const zeros = new Uint8Array(((119 - (octets.length % 64)) % 64) + 1);
  zeros[0] = 0x80;
  const length = new DataView(new ArrayBuffer(8));
  length.setUint32(0, octets.length << 3, true);
  length.setUint32(4, Math.floor(octets.length / 2 ** 29), true);
  return concat(octets, zeros, new Uint8Array(length.buffer));
}

function block([a, b, c, d], words) {
  const start = [a, b, c, d];
  for (let i = 0; i < 64; i++) {
    const round = i >> 4;
    const [mix, order] = ROUNDS[round];
    const sum = (a + mix(b, c, d) + words[order(i)] + T[i]) | 0;
    [a, d, c, b] = [d, c, b, (b + rotate(sum, SHIFTS[round][i % 4])) | 0];
  }
  return [a, b, c, d].map((word, i) => (word + start[i]) | 0);
}

// The 16 octets of MD5(octets).
export function md5(octets) {
  const whole = padded(octets);
  const view = new DataView(whole.buffer);
  let state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
  for (let at = 0; at < whole.length; at += 64) {
    state = block(state, Array.from({ length: 16 }, (_, i) => view.getUint32(at + 4 * i, true)));
  }
  const out = new DataView(new ArrayBuffer(16));
  state.forEach((word, i) => out.setUint32(4 * i, word, true));
  return new Uint8Array(out.buffer);
}

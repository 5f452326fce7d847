// A hash by its name, and HMAC (RFC 2104) over any of them.
// MD5 is our own; SHA-256 is the browser's, which has it on secure origins (https, localhost, 127.0.0.1).

import { concat } from "./octets.js";
import { md5 } from "./md5.js";

const BLOCK = 64; // octets: MD5 and SHA-256 alike

export async function hash(name, octets) {
  if (name === "MD5") return md5(octets);
  return new Uint8Array(await crypto.subtle.digest(name, octets));
}

// H(K xor opad, H(K xor ipad, text)); a key longer than a block is hashed first.
export async function hmac(name, key, octets) {
  const short = key.length > BLOCK ? await hash(name, key) : key;
  const masked = (mask) => Uint8Array.from({ length: BLOCK }, (_, i) => (short[i] ?? 0) ^ mask);
  const inner = await hash(name, concat(masked(0x36), octets));
  return hash(name, concat(masked(0x5c), inner));
}

// A hash by its name, and HMAC (RFC 2104) over any of them.

import { concat } from "./octets.js";
import { md5 } from "./md5.js";
import { sha256 } from "./sha256.js";

const BLOCK = 64; // octets: MD5 and SHA-256 alike
const HASHES = { MD5: md5, "SHA-256": sha256 };

export const hash = (name, octets) => HASHES[name](octets);

// H(K xor opad, H(K xor ipad, text)); a key longer than a block is hashed first.
export function hmac(name, key, octets) {
  const short = key.length > BLOCK ? hash(name, key) : key;
  const masked = (mask) => Uint8Array.from({ length: BLOCK }, (_, i) => (short[i] ?? 0) ^ mask);
  return hash(name, concat(masked(0x5c), hash(name, concat(masked(0x36), octets))));
}

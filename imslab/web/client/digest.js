// HTTP Digest in SIP, with a password or with AKA.
//
// RFC 7616 and RFC 8760 (Digest, SHA-256), RFC 3310 (AKAv1), RFC 4169 (AKAv2).
// AKAv1: the password is RES, as octets and not as text: it may hold any octet.
// AKAv2: the password is base64(HMAC(RES | IK | CK, label)), the text with its "=".
// Teaching code: it is not constant time.

import { base64, concat, hex, unbase64, utf8 } from "./octets.js";
import { hash, hmac } from "./hash.js";

const LABEL = utf8("http-digest-akav2-password"); // RFC 4169, 2.1: 26 octets, no NUL

// "AKAv2-SHA-256" -> { aka: 2, hash: "SHA-256" }; a plain password has aka 0. No name means MD5.
export function parseAlgorithm(name) {
  const found = /^(?:AKAv([12])-)?(MD5|SHA-256)$/i.exec(name ?? "MD5");
  if (!found) throw new Error(`unknown digest algorithm ${name}`);
  return { aka: Number(found[1] ?? 0), hash: found[2].toUpperCase() };
}

// The nonce is base64(RAND | AUTN | server data) (RFC 3310, 3.2): 16, 16 and any number of octets.
export function parseNonce(nonce) {
  const octets = unbase64(nonce);
  if (octets.length < 32) throw new Error(`the nonce holds ${octets.length} octets, not RAND and AUTN`);
  return { rand: octets.slice(0, 16), autn: octets.slice(16, 32) };
}

// What a card's answer makes as password. Note IK before CK: elsewhere it is the other way round.
export function akaPassword(algorithm, { res, ik, ck }) {
  const { aka, hash: name } = parseAlgorithm(algorithm);
  if (aka === 1) return res;
  return utf8(base64(hmac(name, concat(res, ik, ck), LABEL)));
}

// "auth" where it is offered, else "auth-int"; nothing where nothing is (RFC 2069).
export function chooseQop(offered) {
  const values = (offered ?? "").split(",").map((one) => one.trim().toLowerCase()).filter(Boolean);
  if (!values.length) return null;
  const known = ["auth", "auth-int"].find((one) => values.includes(one));
  if (!known) throw new Error(`no known qop in ${offered}`);
  return known;
}

const COLON = utf8(":");

// H(part ":" part ...), in hex; a part is octets or text.
function h(name, ...parts) {
  const octets = parts.map((part) => (typeof part === "string" ? utf8(part) : part));
  return hex(hash(name, concat(...octets.flatMap((part, i) => (i ? [COLON, part] : [part])))));
}

// The response directive (RFC 7616, 3.4.1). `password` is octets; `method` "" gives rspauth (3.5).
export function response(algorithm, said) {
  const { hash: name } = parseAlgorithm(algorithm);
  const { username, realm, nonce, password, method, uri, qop, nc, cnonce, body = "" } = said;
  const ha1 = h(name, username, realm, password);
  const ha2 = h(name, method, uri, ...(qop === "auth-int" ? [h(name, body)] : []));
  return qop ? h(name, ha1, nonce, nc, cnonce, qop, ha2) : h(name, ha1, nonce, ha2);
}

// What the network must send back in Authentication-Info, if it knows the password as well.
export const rspauth = (algorithm, said) => response(algorithm, { ...said, method: "", body: "" });

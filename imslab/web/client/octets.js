// Octets, and the ways in which they are written: hex, base64 (RFC 4648), UTF-8.
// An octet string is a Uint8Array everywhere in this client; text is a string.

const encoder = new TextEncoder();

export const utf8 = (text) => encoder.encode(text);

// What is no UTF-8 becomes U+FFFD: a peer's octets must not stop the page.
export const text = (octets) => new TextDecoder().decode(octets);

export const hex = (octets) =>
  Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");

export function unhex(digits) {
  if (digits.length % 2 || /[^0-9a-f]/i.test(digits)) throw new Error("not hex");
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => parseInt(digits.substr(2 * i, 2), 16));
}

export const base64 = (octets) => btoa(String.fromCharCode(...octets));

// Missing padding is forgiven, as some networks leave it out of their nonce.
export function unbase64(digits) {
  const bare = digits.trim().replace(/=+$/, "");
  return Uint8Array.from(atob(bare + "=".repeat(-bare.length & 3)), (letter) => letter.charCodeAt(0));
}

export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

// Random octets of the browser's generator, in hex: tags, branches, cnonces.
export const token = (octets = 8) => hex(crypto.getRandomValues(new Uint8Array(octets)));

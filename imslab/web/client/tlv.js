// BER-TLV as the files of a card have it (ETSI TS 101 220, section 7; ISO/IEC 7816-4, 5.2.2).
// Tags of one octet, lengths of one to three: no more is needed for an ISIM.

// The values in `octets`, by tag; the first of each tag counts. Padding (00, FF) ends the list.
export function parseTlv(octets) {
  const found = new Map();
  let at = 0;
  while (at < octets.length && octets[at] !== 0x00 && octets[at] !== 0xff) {
    const tag = octets[at];
    let length = octets[at + 1];
    at += 2;
    if (length > 0x80) {
      const more = length - 0x80;
      if (more > 2) throw new Error("a TLV is too long");
      length = Array.from(octets.slice(at, at + more)).reduce((sum, octet) => sum * 256 + octet, 0);
      at += more;
    }
    if (length === undefined || at + length > octets.length) throw new Error("a TLV is cut");
    if (!found.has(tag)) found.set(tag, octets.slice(at, at + length));
    at += length;
  }
  return found;
}

// SIP messages: read, written, and the parts of them that a client looks at.
//
// RFC 3261, sections 7, 19.1, 20 and 25. Over WebSocket one message fills one WebSocket message (RFC 7118, 5),
// so there is no framing here. A message that breaks the grammar is an error, never half a message.

import { text, utf8 } from "./octets.js";

const LONGEST = 65536; // octets of a message
const MOST_HEADERS = 256;
const TOKEN = /^[A-Za-z0-9!%*_+`'~.-]+$/; // section 25.1

// Section 7.3.3 and the IANA registry: one letter for some names.
const COMPACT = {
  a: "Accept-Contact", c: "Content-Type", e: "Content-Encoding", f: "From", i: "Call-ID", k: "Supported",
  l: "Content-Length", m: "Contact", o: "Event", r: "Refer-To", s: "Subject", t: "To", u: "Allow-Events",
  v: "Via", x: "Session-Expires",
};

export class Malformed extends Error {
  constructor(message) {
    super(message);
    this.name = "Malformed";
  }
}

export class SipMessage {
  constructor(startLine, headers, body = "") {
    Object.assign(this, { startLine, headers, body });
    const request = /^([^ ]+) ([^ ]+) SIP\/2\.0$/.exec(startLine);
    const response = /^SIP\/2\.0 ([1-6]\d\d) ?(.*)$/.exec(startLine);
    if (request && TOKEN.test(request[1])) [this.method, this.uri] = request.slice(1);
    else if (response) [this.status, this.reason] = [Number(response[1]), response[2]];
    else throw new Malformed("the first line is neither a request nor a response");
  }

  // A text, or octets, as they came; Malformed says what is wrong with them.
  static parse(data) {
    const whole = typeof data === "string" ? data : text(data);
    if (whole.length > LONGEST) throw new Malformed("the message is too long");
    const end = whole.indexOf("\r\n\r\n");
    if (end < 0) throw new Malformed("the header does not end");
    const [startLine, ...rows] = whole.slice(0, end).replace(/\r\n[ \t]+/g, " ").split("\r\n");
    if (rows.length > MOST_HEADERS) throw new Malformed("too many headers");
    const message = new SipMessage(startLine, rows.map(parseRow));
    message.body = bodyOf(message, whole.slice(end + 4));
    message.check();
    return message;
  }

  get isRequest() {
    return this.method !== undefined;
  }

  // What every message has (RFC 3261, 8.1.1), and what a transaction is found by.
  check() {
    for (const name of ["Via", "From", "To", "Call-ID", "CSeq"]) {
      if (this.get(name) === undefined) throw new Malformed(`${name} is missing`);
    }
    const { number, method } = this.cseq;
    if (this.isRequest && method !== this.method) throw new Malformed("CSeq names another method");
    if (!(number < 2 ** 31)) throw new Malformed("CSeq is no number");
  }

  get(name) {
    const wanted = name.toLowerCase();
    return this.headers.find(([one]) => one.toLowerCase() === wanted)?.[1];
  }

  // All values of a header, those in one row divided at their commas.
  all(name) {
    const wanted = name.toLowerCase();
    const rows = this.headers.filter(([one]) => one.toLowerCase() === wanted);
    return rows.flatMap(([, value]) => splitOutside(value, ","));
  }

  get cseq() {
    const found = /^(\d{1,10})\s+(\S+)$/.exec(this.get("CSeq") ?? "");
    if (!found) throw new Malformed("CSeq is malformed");
    return { number: Number(found[1]), method: found[2] };
  }

  get branch() {
    return params(this.all("Via")[0] ?? "").get("branch") ?? "";
  }

  tag(name) {
    return nameAddr(this.get(name) ?? "").params.get("tag") ?? "";
  }

  toString() {
    const length = ["Content-Length", String(utf8(this.body).length)];
    const rows = [...this.headers.filter(([name]) => name.toLowerCase() !== "content-length"), length];
    return [this.startLine, ...rows.map(([name, value]) => `${name}: ${value}`), "", ""].join("\r\n") + this.body;
  }

  // The response to this request: the headers that section 8.2.6.2 copies, and `more`.
  reply(status, reason, more = [], { body = "", tag = "" } = {}) {
    const copied = this.headers.filter(([name]) => /^(via|from|call-id|cseq|record-route)$/i.test(name));
    const to = tag && !this.tag("To") ? `${this.get("To")};tag=${tag}` : this.get("To");
    return new SipMessage(`SIP/2.0 ${status} ${reason}`, [...copied, ["To", to], ...more], body);
  }
}

export const request = (method, uri, headers, body = "") =>
  new SipMessage(`${method} ${uri} SIP/2.0`, headers, body);

function parseRow(row) {
  const colon = row.indexOf(":");
  const name = row.slice(0, colon).trimEnd();
  if (colon < 1 || !TOKEN.test(name)) throw new Malformed("a header has no name");
  return [COMPACT[name.toLowerCase()] ?? name, row.slice(colon + 1).trim()];
}

// Content-Length may be left out over WebSocket (RFC 7118, 5); where it is there it counts octets.
function bodyOf(message, rest) {
  const said = message.get("Content-Length");
  if (said === undefined) return rest;
  if (!/^\d{1,6}$/.test(said)) throw new Malformed("Content-Length is no number");
  const octets = utf8(rest);
  if (octets.length < Number(said)) throw new Malformed("the body is cut");
  return octets.length === Number(said) ? rest : text(octets.slice(0, Number(said)));
}

// Divide at a mark, but not within quotes nor within < >.
export function splitOutside(value, mark) {
  const parts = [""];
  let quoted = false, angle = false;
  for (let i = 0; i < value.length; i++) {
    const letter = value[i];
    if (quoted && letter === "\\") {
      parts[parts.length - 1] += letter + (value[++i] ?? "");
      continue;
    }
    if (letter === '"') quoted = !quoted;
    else if (!quoted && letter === "<") angle = true;
    else if (!quoted && letter === ">") angle = false;
    if (letter === mark && !quoted && !angle) parts.push("");
    else parts[parts.length - 1] += letter;
  }
  return parts.map((part) => part.trim()).filter(Boolean);
}

// The parameters after the first ";": names in lower case, quotes taken off.
export function params(value) {
  const found = new Map();
  for (const part of splitOutside(value, ";").slice(1)) addParam(found, part);
  return found;
}

function addParam(found, part) {
  const at = part.indexOf("=");
  const name = (at < 0 ? part : part.slice(0, at)).trim().toLowerCase();
  if (!found.has(name)) found.set(name, at < 0 ? "" : unquote(part.slice(at + 1).trim()));
}

export const unquote = (value) =>
  /^".*"$/.test(value) ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value;

export const quote = (value) => `"${value.replace(/["\\]/g, "\\$&")}"`;

// "Alice" <sip:alice@example.com>;tag=1  ->  { display, uri, params }   (section 20.10)
export function nameAddr(value) {
  const found = /^("(?:[^"\\]|\\.)*"\s*|[^<"]*)<([^>]*)>/.exec(value);
  const uri = found ? found[2] : value.split(";")[0].trim();
  return { display: found ? unquote(found[1].trim()) : "", uri, params: params(value) };
}

// Digest realm="...", nonce="..."  ->  { scheme, realm, nonce, ... }   (section 20.44)
export function parseChallenge(value) {
  const scheme = /^\S+/.exec(value)?.[0] ?? "";
  const found = new Map();
  for (const part of splitOutside(value.slice(scheme.length), ",")) addParam(found, part);
  return { scheme, ...Object.fromEntries(found) };
}

// A challenge has commas of its own: each row of these headers is one value.
export function challenges(message, name) {
  const wanted = name.toLowerCase();
  return message.headers.filter(([one]) => one.toLowerCase() === wanted).map(([, row]) => parseChallenge(row));
}

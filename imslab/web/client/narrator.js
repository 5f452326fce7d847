// APDUs and SIP messages in a few words, for the ladder (ETSI TS 102 221, section 10.1.2; 3GPP TS 31.103).

import { hex } from "./octets.js";
import { challenges, parseChallenge } from "./sip-message.js";
import { parseNonce } from "./digest.js";

const FILES = { "6f02": "EF.IMPI", "6f03": "EF.DOMAIN", "6f04": "EF.IMPU", "6f07": "EF.IST", "6f09": "EF.P-CSCF" };
const INSTRUCTIONS = { 0xa4: "SELECT", 0xb0: "READ BINARY", 0xb2: "READ RECORD", 0x88: "AUTHENTICATE" };

// { label, answer } of one exchange with the card.
export function apduWords(command, response) {
  const name = INSTRUCTIONS[command[1]] ?? `INS ${hex(command.slice(1, 2))}`;
  const file = command[1] === 0xa4 ? ` ${FILES[hex(command.slice(5, 7))] ?? hex(command.slice(5, -1))}` : "";
  const number = command[1] === 0xb2 ? ` ${command[2]}` : "";
  return { label: `${name}${file}${number}`, answer: answerWords(command, response) };
}

function answerWords(command, response) {
  const status = hex(response.slice(-2));
  if (command[1] !== 0x88 || status !== "9000") return WORDS[status] ?? `${status}`;
  return response[0] === 0xdc ? "AUTS: the number is not fresh" : "RES, CK, IK";
}

const WORDS = { 9000: "ok", 9862: "MAC wrong: not my network", "6a82": "no such file", 6982: "not permitted" };

// The coloured parts of AUTHENTICATE: RAND and AUTN go in; RES (or AUTS) comes out, CK and IK only by name.
export function apduParts(command, response) {
  if (command[1] !== 0x88) return [];
  return [...challengeParts(command.slice(6, 22), command.slice(23, 39)), ...answerParts(response.slice(0, -2))];
}

// AUTN = SQN xor AK (6 octets), AMF (2), MAC (8) (TS 33.102, 6.3.2).
export const challengeParts = (rand, autn) => [
  ["RAND", rand],
  ["SQN xor AK", autn.slice(0, 6)],
  ["AMF", autn.slice(6, 8)],
  ["MAC", autn.slice(8)],
];

function answerParts(data) {
  if (data[0] === 0xdc) return [["SQN_MS xor AK*", data.slice(2, 8)], ["MAC-S", data.slice(8, 16)]];
  if (data[0] !== 0xdb) return [];
  return [["RES", data.slice(2, 2 + data[1])]];
}

// { label, detail, parts } of a SIP message.
export function sipWords(message) {
  const label = message.isRequest ? message.method : `${message.status} ${message.reason}`;
  const [challenge] = challenges(message, "WWW-Authenticate");
  if (challenge) return { label, detail: offered(message), parts: nonceParts(challenge.nonce) };
  const said = message.get("Authorization");
  if (said) return { label, detail: claimed(parseChallenge(said)), parts: [] };
  const body = message.get("Content-Type") === "application/sdp" ? "SDP" : "";
  return { label, detail: [of(message), body].filter(Boolean).join(", "), parts: [] };
}

const of = (message) => (message.isRequest ? "" : `to ${message.cseq.method}`);

const offered = (message) =>
  challenges(message, "WWW-Authenticate").map((one) => one.algorithm ?? "MD5").join(", ");

function claimed({ scheme, nonce, response, auts, algorithm }) {
  if (scheme.toLowerCase() === "bearer") return "a token of the web server";
  if (auts) return "AUTS: let us resynchronise";
  if (response) return `the answer, ${algorithm}`;
  return nonce ? "AUTN was wrong" : "who I am, and nothing yet";
}

function nonceParts(nonce) {
  try {
    const { rand, autn } = parseNonce(nonce ?? "");
    return challengeParts(rand, autn);
  } catch {
    return []; // the nonce of SIP Digest has no parts
  }
}

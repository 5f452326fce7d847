// The client of an ISIM: reads who the card says the user is, and lets it answer the network's challenge.
//
// 3GPP TS 31.103 (files 4.2, AUTHENTICATE 7.1), ETSI TS 102 221 (SELECT 11.1.1, READ 11.1.3 and 11.1.5).
// Every command passes through channel.transmit(), one by one, as anybody may watch in the ladder.

import { concat, text, unhex } from "./octets.js";
import { parseTlv } from "./tlv.js";

export const ISIM = unhex("a0000000871004"); // the beginning of every ISIM's name (TS 101 220, annex E)

const EF_IMPI = 0x6f02, EF_DOMAIN = 0x6f03, EF_IMPU = 0x6f04, EF_IST = 0x6f07, EF_PCSCF = 0x6f09;
const FCP = 0x62, DESCRIPTOR = 0x82, FILE_SIZE = 0x80, TEXT = 0x80;
const MOST_RECORDS = 20;

// `name` is "CardError", or what an AKA failure is called: "MacFailure", "SyncFailure" (with `auts`).
export class CardError extends Error {
  constructor(name, message, more = {}) {
    super(message);
    this.name = name;
    Object.assign(this, more);
  }
}

export class IsimClient {
  constructor(channel) {
    this.channel = channel;
  }

  async readProfile() {
    const impi = await this.readText(EF_IMPI);
    const domain = await this.readText(EF_DOMAIN);
    const impu = await this.readRecords(EF_IMPU, textOf);
    const services = await this.readBinary(EF_IST);
    const hasPcscf = (services[0] ?? 0) & 0b00010001; // service 1 or 5 (TS 31.103, 4.2.7)
    const pcscf = hasPcscf ? await this.readRecords(EF_PCSCF, addressOf) : [];
    if (!impi || !domain || !impu.length) throw new CardError("CardError", "the ISIM holds no identity");
    return { impi, domain, impu, pcscf };
  }

  // RAND and AUTN (16 octets each) in; RES, CK and IK out. The card checks first who is asking.
  async authenticate(rand, autn) {
    const data = concat([16], rand, [16], autn);
    const command = concat(unhex("00880081"), [data.length], data, [0]);
    const response = await this.channel.transmit(command);
    const status = statusOf(response);
    if (status === 0x9862) {
      throw new CardError("MacFailure", "the card found AUTN wrong: the network does not know the card's key");
    }
    if (status !== 0x9000) throw refused("AUTHENTICATE", status);
    return answerOf(response.slice(0, -2));
  }

  async readText(fid) {
    return textOf(await this.readBinary(fid));
  }

  async readBinary(fid) {
    const size = (await this.select(fid)).get(FILE_SIZE);
    const length = size ? Math.min(256 * size[0] + size[1], 255) : 0; // Le 00: all that is there
    return this.ask("READ BINARY", concat(unhex("00b00000"), [length]));
  }

  async readRecords(fid, decode) {
    const [length, count] = (await this.select(fid)).get(DESCRIPTOR)?.slice(3) ?? [0, MOST_RECORDS];
    const values = [];
    for (let number = 1; number <= Math.min(count, MOST_RECORDS); number++) {
      values.push(decode(await this.ask("READ RECORD", concat([0, 0xb2, number, 4], [length]))));
    }
    return values.filter(Boolean);
  }

  async select(fid) {
    const response = await this.ask("SELECT", concat(unhex("00a4000402"), [fid >> 8, fid & 0xff], [0]));
    return parseTlv(parseTlv(response).get(FCP) ?? new Uint8Array());
  }

  async ask(name, command) {
    const response = await this.channel.transmit(command);
    const status = statusOf(response);
    if (status !== 0x9000) throw refused(name, status);
    return response.slice(0, -2);
  }
}

const statusOf = (response) => (response.at(-2) << 8) | response.at(-1);

const refused = (name, status) =>
  new CardError("CardError", `the card refuses ${name} (${status.toString(16).toUpperCase()})`, { status });

// EF.IMPI, EF.DOMAIN, EF.IMPU: tag 80, UTF-8, then FF to the end of the file.
function textOf(octets) {
  const value = parseTlv(octets).get(TEXT);
  return value ? text(value) : "";
}

// EF.P-CSCF: tag 80, one octet for the kind (00 a name, 01 IPv4), then the address.
function addressOf(octets) {
  const value = parseTlv(octets).get(TEXT);
  if (!value) return "";
  return value[0] === 1 ? value.slice(1).join(".") : text(value.slice(1));
}

// TS 31.103, 7.1.2.1: DB, then RES, CK and IK after a length each; or DC, then AUTS.
function answerOf(data) {
  const parts = [];
  for (let at = 1; at < data.length; at += 1 + data[at]) parts.push(data.slice(at + 1, at + 1 + data[at]));
  if (data[0] === 0xdc && parts[0]?.length === 14) {
    throw new CardError("SyncFailure", "the network's number is not fresh", { auts: parts[0] });
  }
  const [res, ck, ik] = parts;
  if (data[0] !== 0xdb || !ik) throw new CardError("CardError", "the card's answer cannot be read");
  return { res, ck, ik };
}

// How a client proves who it is: with the card, with a password, or with a token of the web server.
//
// The three ways of 3GPP TS 33.203, annex X, and TS 24.371, clause 6: IMS AKA (X.2), SIP Digest (X.2), web
// credentials (X.3). Each knows what to say first, and how to answer a challenge:
//
//   first()                      -> the value of Authorization in the first REGISTER
//   answer(challenge, request)   -> { authorization, proof }: proof() is what rspauth must be, or null
//   prefer                       -> the algorithms it takes, the strongest first

import { base64, token, utf8 } from "./octets.js";
import { akaPassword, chooseQop, parseNonce, response, rspauth } from "./digest.js";
import { quote } from "./sip-message.js";

export const AKA = ["AKAv2-SHA-256", "AKAv2-MD5", "AKAv1-MD5"];

const UNQUOTED = new Set(["algorithm", "qop", "nc"]); // RFC 7616, 3.4
const ORDER = ["username", "realm", "nonce", "uri", "response", "algorithm", "qop", "nc", "cnonce", "opaque", "auts"];

export function digestHeader(said) {
  const given = ORDER.filter((name) => said[name] !== undefined && said[name] !== null);
  return `Digest ${given.map((name) => `${name}=${UNQUOTED.has(name) ? said[name] : quote(said[name])}`).join(", ")}`;
}

// TS 24.229, 5.1.1.2.2: who asks, and nothing else yet.
const nothingYet = (profile) =>
  digestHeader({
    username: profile.impi,
    realm: profile.domain,
    nonce: "",
    uri: `sip:${profile.domain}`,
    response: "",
  });

// What goes into the digest beside the password.
function directives(profile, challenge, { method, uri }) {
  const qop = chooseQop(challenge.qop);
  return {
    username: profile.impi,
    realm: challenge.realm,
    nonce: challenge.nonce,
    opaque: challenge.opaque,
    algorithm: challenge.algorithm,
    method,
    uri,
    ...(qop ? { qop, nc: "00000001", cnonce: token(8) } : {}),
  };
}

function answered(challenge, said, password) {
  const value = response(challenge.algorithm, { ...said, password });
  // What the network must answer is worked out while the answer is under way.
  const proof = () => (said.qop ? rspauth(challenge.algorithm, { ...said, password }) : null);
  return { authorization: digestHeader({ ...said, response: value }), proof };
}

// IMS AKA: the page passes RAND and AUTN to the card, and computes the answer from RES, IK and CK.
export class CardCredentials {
  // `isim()` gives the card as it is now; `watch` is told RAND, AUTN and RES, for the ladder.
  constructor(profile, isim, { allowV1 = false, watch = () => {} } = {}) {
    Object.assign(this, { profile, isim, watch });
    this.prefer = allowV1 ? AKA : AKA.slice(0, -1);
    this.mustBeChallenged = true;
  }

  first() {
    return nothingYet(this.profile);
  }

  async answer(challenge, request) {
    const said = directives(this.profile, challenge, request);
    const { rand, autn } = parseNonce(challenge.nonce);
    this.watch({ rand, autn });
    try {
      const keys = await present(this.isim()).authenticate(rand, autn);
      this.watch({ res: keys.res });
      return answered(challenge, said, akaPassword(challenge.algorithm, keys));
    } catch (error) {
      if (error.name !== "SyncFailure") throw error;
      // RFC 3310, 3.4: beside auts the response is that to an empty password.
      this.watch({ auts: error.auts });
      return answered(challenge, { ...said, auts: base64(error.auts) }, utf8(""));
    }
  }

  // TS 24.229, 5.1.1.5.3: the network's MAC was wrong; an empty response tells it so.
  rejection(challenge, request) {
    const said = directives(this.profile, challenge, request);
    return digestHeader({ ...said, response: "" });
  }
}

function present(card) {
  if (card) return card;
  throw Object.assign(new Error("there is no card"), { name: "NoCard" });
}

// IMS AKA, where the bridge answers by itself and keeps RES, IK and CK (its second mode).
export class BridgeCredentials extends CardCredentials {
  constructor(profile, session, options) {
    super(profile, null, options);
    this.session = session;
  }

  async answer(challenge, { method, uri }) {
    const { rand, autn } = parseNonce(challenge.nonce);
    this.watch({ rand, autn });
    const { algorithm, realm, nonce, qop = "" } = challenge;
    const said = await present(this.session()).answer({ algorithm, realm, nonce, qop, method, uri });
    this.watch({ answer: said.auts ? "AUTS" : "the answer", auts: said.auts });
    return { authorization: digestHeader(said), proof: () => said.rspauth ?? null };
  }
}

// SIP Digest (RFC 7616): a person types a password, and the page knows it.
export class PasswordCredentials {
  constructor(profile, password) {
    Object.assign(this, { profile, password });
    this.prefer = ["SHA-256", "MD5"];
    this.mustBeChallenged = false;
  }

  // Without Authorization: so the network asks for a password, and not the card (TS 33.203, annex P.4).
  first() {
    return null;
  }

  answer(challenge, request) {
    return answered(challenge, directives(this.profile, challenge, request), utf8(this.password));
  }
}

// Web credentials (TS 24.371, A.3.2): the web server vouches, and its token goes to the eP-CSCF.
export class TokenCredentials {
  constructor(profile, bearer) {
    Object.assign(this, { profile, bearer });
    this.prefer = [];
    this.mustBeChallenged = false;
  }

  first() {
    return `Bearer access_token=${quote(this.bearer)}`;
  }
}

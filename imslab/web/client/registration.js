// The registration: REGISTER, the challenge, the answer, and again before it runs out.
//
// RFC 3261, section 10; 3GPP TS 24.229, 5.1.1 (registration at the IMS), RFC 3310 and RFC 4169 (the challenge).
// The page believes a network only after it was challenged, the card has found AUTN right, and rspauth, where
// there is one, fits. Events: "changed", whenever `state`, `until` or `failure` is another.

import { token } from "./octets.js";
import { challenges, nameAddr, params, request } from "./sip-message.js";

const EXPIRES = 600000; // seconds that a UE asks for (TS 24.229, 5.1.1.2.1)
const MOST_CHALLENGES = 3; // the first, one after AUTS, and one more (5.1.1.5.1)

// `name`: Refused (with `status`), Unproven, Downgrade, NoAnswer; or the card's own errors pass through.
export class RegistrationError extends Error {
  constructor(name, message, status = null) {
    super(message);
    Object.assign(this, { name, status });
  }
}

export class Registration extends EventTarget {
  // `send(message)` resolves with the final response; `contact` and `route` are what the UE says of itself.
  constructor({ profile, credentials, send, contact, route, expires = EXPIRES }) {
    super();
    Object.assign(this, { profile, credentials, send, contact, route, expires });
    this.impu = profile.impu[0];
    this.state = "idle"; // registering, registered, leaving, failed
    this.callId = token(12);
    this.number = 0;
  }

  // Register, or renew. Two at once would spoil each other's numbers: the second waits for the first.
  register() {
    if (!this.running) this.running = this.run("registering", this.expires).finally(() => (this.running = null));
    return this.running;
  }

  async leave() {
    clearTimeout(this.timer);
    if (this.state !== "registered") return;
    await this.run("leaving", 0).catch(() => {}); // it runs out by itself then
    this.become("idle");
  }

  async run(state, expires) {
    clearTimeout(this.timer);
    this.become(state);
    try {
      const { response, challenge, proof } = await this.converse(expires);
      if (!expires) return;
      this.believe(response, challenge, proof);
      this.registered(response, challenge);
    } catch (error) {
      this.failure = error;
      this.become("failed");
      throw error;
    }
  }

  become(state) {
    this.state = state;
    if (state === "registering") this.failure = null;
    if (state !== "registered" && state !== "registering") this.until = null;
    this.dispatchEvent(new Event("changed"));
  }

  // Ask until the network has no more questions; return its 200 and what came before it.
  async converse(expires) {
    const tag = token(6);
    let authorization = this.credentials.first();
    let challenge = null, proof = () => null;
    for (let asked = 0; ; asked++) {
      const asking = this.ask(authorization, tag, expires);
      const expected = proof();
      const response = await asking;
      if (response.status >= 200 && response.status < 300) return { response, challenge, proof: expected };
      if (response.status === 423 && expires) {
        expires = Math.max(expires, Number(response.get("Min-Expires")) || 0);
        continue;
      }
      if (response.status !== 401 || asked >= MOST_CHALLENGES) throw refused(response, asked);
      challenge = this.choose(challenges(response, "WWW-Authenticate"));
      ({ authorization, proof } = await this.answer(challenge, tag, expires));
    }
  }

  async answer(challenge, tag, expires) {
    const asked = { method: "REGISTER", uri: `sip:${this.profile.domain}` };
    try {
      return await this.credentials.answer(challenge, asked);
    } catch (error) {
      if (error.name === "MacFailure") {
        // Tell the network that it did not prove itself; whatever it says to that is not believed.
        await this.ask(this.credentials.rejection(challenge, asked), tag, expires).catch(() => {});
      }
      throw error;
    }
  }

  // The strongest that is offered and accepted. Whoever takes AKAv2 out of a 401 gets no answer (RFC 4169, 4.1).
  choose(offered) {
    const byName = new Map(offered.map((one) => [(one.algorithm ?? "MD5").toUpperCase(), one]));
    const found = this.credentials.prefer.find((name) => byName.has(name.toUpperCase()));
    if (found) return byName.get(found.toUpperCase());
    const names = offered.map((one) => one.algorithm ?? "MD5").join(", ") || "nothing";
    throw new RegistrationError("Downgrade", `the network offers ${names}, which is not accepted here`);
  }

  ask(authorization, tag, expires) {
    const headers = [
      ["Route", this.route],
      ["From", `<${this.impu}>;tag=${tag}`],
      ["To", `<${this.impu}>`],
      ["Call-ID", this.callId],
      ["CSeq", `${++this.number} REGISTER`],
      ["Contact", `<${this.contact}>;expires=${expires}`],
      ...(authorization ? [["Authorization", authorization]] : []),
      ["Supported", "path"],
    ];
    return this.send(request("REGISTER", `sip:${this.profile.domain}`, headers));
  }

  believe(response, challenge, proof) {
    if (this.credentials.mustBeChallenged && !challenge) {
      throw new RegistrationError("Unproven", "the network let us in without a challenge: it has proved nothing");
    }
    const said = params(`;${(response.get("Authentication-Info") ?? "").replace(/,/g, ";")}`).get("rspauth");
    if (said && proof && said !== proof) {
      throw new RegistrationError("Unproven", "whoever sent the 200 does not know the answer (rspauth is wrong)");
    }
  }

  registered(response, challenge) {
    const mine = response.all("Contact").find((one) => nameAddr(one).uri === this.contact);
    const granted = Number(params(mine ?? "").get("expires") ?? response.get("Expires") ?? this.expires);
    this.until = Date.now() + 1000 * granted;
    this.routes = response.all("Service-Route");
    this.impus = response.all("P-Associated-URI").map((one) => nameAddr(one).uri);
    this.algorithm = challenge?.algorithm ?? null;
    // TS 24.229, 5.1.1.4.1: 600 s before the end of a long registration, half way of a short one.
    const wait = granted > 1200 ? granted - 600 : granted / 2;
    this.timer = setTimeout(() => this.register().catch(() => {}), Math.min(1000 * wait, 2 ** 31 - 1));
    this.become("registered");
  }
}

function refused(response, asked) {
  if (response.status === 401) {
    return new RegistrationError("Refused", `the network asked ${asked + 1} times and accepts no answer`, 401);
  }
  const { status, reason } = response;
  return new RegistrationError("Refused", `the network answered ${status} ${reason}`, status);
}

// The client: it finds the bridge, reads the card, logs in, and keeps all three together.
//
// The order of things is that of the demo: pair once; then the card says who the user is; then one click. What
// goes wrong is a state that a person understands (words.js). Nothing registers without the card: when it goes,
// the page lets go of the network too. Events: "changed", "apdu" (detail: {command, response, ms}), "aka"
// (detail: octets of the challenge and its answer), "notice" (detail: a name in NOTICES).

import { BridgeCredentials, CardCredentials, PasswordCredentials, TokenCredentials } from "./credentials.js";
import { ISIM, IsimClient } from "./isim.js";
import { Phone } from "./phone.js";
import { SEService } from "./secure-element.js";

const RETRY = 2000; // ms between two looks for the bridge
const TICK = 5000; // ms; a gap of more than three of them is a sleep
const STATE_OF = {
  NoBridge: "noBridge", NotPaired: "notPaired", WrongCode: "notPaired", AccessDenied: "accessDenied",
  NoCard: "noCard", MacFailure: "unproven", Unproven: "unproven", Downgrade: "downgrade", Refused: "refused",
};
const CARD_ERRORS = ["CardError", "BadRequest", "Unknown", "TooMany"];

export class Client extends EventTarget {
  // `settings` come from the server: name, sip (the WebSocket of the P-CSCF), bridge; `tokens` keeps the
  // bearer token of the bridge for this tab.
  constructor(settings, tokens) {
    super();
    Object.assign(this, { settings, tokens, state: "looking", about: {}, allowV1: false });
    this.phone = new Phone({ url: settings.sip, name: settings.name });
    this.phone.addEventListener("registration", () => this.registrationChanged());
    this.phone.addEventListener("ended", () => this.networkEnded());
    this.phone.transport.addEventListener("close", () => this.networkLost());
    this.phone.transport.addEventListener("open", () => this.networkFound());
    this.phone.transport.addEventListener("malformed", () => this.notice("malformed"));
    this.lastTick = Date.now();
    setInterval(() => this.tick(), TICK);
  }

  become(state, about = {}) {
    Object.assign(this, { state, about });
    this.dispatchEvent(new Event("changed"));
  }

  notice(name) {
    this.dispatchEvent(new CustomEvent("notice", { detail: name }));
  }

  // -- the bridge and the card ----------------------------------------------------------------

  // Find the bridge, and the card behind it; `code` pairs this page first, as soon as a bridge is there.
  async start(code = this.code ?? "") {
    clearTimeout(this.retry);
    this.code = code;
    try {
      await this.findBridge(code);
      await this.findCard();
    } catch (error) {
      this.failed(error);
    }
  }

  async findBridge(code) {
    if (!this.service) {
      this.service = await SEService.connect(this.settings.bridge);
      this.service.addEventListener("close", () => this.bridgeLost());
      this.service.addEventListener("card", ({ detail }) => this.cardMoved(detail));
      this.service.addEventListener("refresh", () => this.refresh());
    }
    this.code = "";
    if (code) this.tokens.set(await this.service.pair(code));
    else await this.service.resume(this.tokens.get() ?? "");
    this.mode = await this.service.mode();
  }

  async findCard() {
    const [reader] = await this.service.getReaders();
    this.session = await reader.openSession();
    const channel = await this.session.openLogicalChannel(ISIM);
    this.isim = new IsimClient(this.watched(channel));
    await this.refresh();
    const { registration } = this.phone;
    if (!registration) this.ready();
    else if (registration.state === "registered") this.registrationChanged();
    else registration.register().catch(() => {}); // it could not be renewed while the card was out of reach
  }

  // Who the card says the user is: read once, and again after an update over the air (REFRESH).
  async refresh() {
    this.profile = await this.isim.readProfile();
    this.dispatchEvent(new Event("changed"));
  }

  watched(channel) {
    return {
      transmit: async (command) => {
        const start = performance.now();
        const response = await channel.transmit(command);
        const { duration: ms } = performance.measure("apdu", { start });
        const detail = { command, response, ms };
        this.dispatchEvent(new CustomEvent("apdu", { detail }));
        return response;
      },
    };
  }

  cardMoved({ present }) {
    if (present) {
      if (!this.isim) this.start();
      return;
    }
    this.isim = this.profile = this.session = null;
    this.phone.call?.hangUp("the card was taken out");
    this.phone.drop();
    this.become("noCard");
  }

  bridgeLost() {
    const hadCard = Boolean(this.isim);
    this.service = this.isim = this.session = null;
    if (this.phone.registration) this.notice("bridgeLost");
    else this.become("noBridge", { address: this.settings.bridge });
    this.retry = setTimeout(() => this.start(), hadCard ? 500 : RETRY);
  }

  // -- in and out -----------------------------------------------------------------------------

  async login(way = { kind: "card" }) {
    if (["connecting", "registering", "resynchronising", "registered", "leaving"].includes(this.state)) return;
    if (way.kind === "card" && !this.isim) return;
    performance.mark("login-clicked");
    this.way = way.kind;
    this.become("connecting");
    try {
      const profile = this.profile ?? this.settings.profile;
      await this.phone.login(profile, await this.credentials(profile, way));
    } catch (error) {
      this.failed(error);
    }
  }

  async logout() {
    this.become("leaving");
    await this.phone.logout();
    this.idle();
  }

  idle() {
    if (this.isim) this.ready();
    else this.start();
  }

  ready() {
    this.become("ready");
    this.phone.transport.prepare();
  }

  async credentials(profile, { kind, password }) {
    if (kind === "password") return new PasswordCredentials(profile, password);
    if (kind === "token") return new TokenCredentials(profile, await this.askToken(password));
    const watch = (octets) => this.aka(octets);
    const options = { allowV1: this.allowV1, watch };
    if (this.mode === "answer") return new BridgeCredentials(profile, () => this.session, options);
    return new CardCredentials(profile, () => this.isim, options);
  }

  // Web credentials (TS 24.371, A.3.2): the web server knows the user, and gives the page a token.
  async askToken(password) {
    const answer = await fetch(`/${this.settings.name}/token`, { method: "POST", body: JSON.stringify({ password }) });
    if (answer.ok) return (await answer.json()).token;
    throw Object.assign(new Error(`the web server says: ${(await answer.text()).trim()}`), { name: "Refused" });
  }

  aka(octets) {
    if (octets.auts) this.become("resynchronising");
    this.dispatchEvent(new CustomEvent("aka", { detail: octets }));
  }

  registrationChanged() {
    const { registration } = this.phone;
    if (!registration) return;
    if (registration.state === "registering" && !registration.until) {
      if (this.state !== "resynchronising") this.become("registering");
    } else if (registration.state === "registered") {
      this.recovering = false;
      performance.mark("registered");
      const how = registration.algorithm ?? "a token of the web server";
      this.become("registered", { until: registration.until, how });
    } else if (registration.state === "failed") {
      this.failed(registration.failure);
    }
  }

  failed(error) {
    const state = STATE_OF[error.name];
    if (state === "noBridge") {
      this.become("noBridge", { address: this.settings.bridge });
      this.retry = setTimeout(() => this.start(), RETRY);
      return;
    }
    if (this.lost) return; // the connection broke: networkFound goes on
    if (this.recovering && !state) {
      this.phone.transport.abandon(); // a network that does not answer yet: once more, after a while
      return;
    }
    this.recovering = false;
    this.phone.drop();
    if (state === "notPaired") this.become("notPaired", error.name === "NotPaired" ? {} : { error });
    else if (state) this.become(state, { error, way: this.way });
    else if (CARD_ERRORS.includes(error.name)) this.become("cardError", { error });
    else this.become("noNetwork", { error });
  }

  // -- the network, and time ------------------------------------------------------------------

  networkLost() {
    const { registration, transport, call } = this.phone;
    if (!registration || !transport.wanted) return;
    call?.hangUp("the connection to the network broke");
    clearTimeout(registration.timer);
    this.lost = true;
    this.become("noNetwork", { retrying: true });
  }

  // The connection is back: what was registered over the old one is registered again, with the card.
  networkFound() {
    if (!this.lost) return;
    this.lost = false;
    this.recovering = true;
    this.phone.registration?.register().then(() => this.phone.watch(), () => {});
  }

  // The network has forgotten us, or let us go: with the card there, one more login mends it.
  networkEnded() {
    this.notice("ended");
    this.phone.registration.register().then(() => this.phone.watch(), () => {});
  }

  // A clock that jumps: the computer slept. Timers slept with it, and the network may have forgotten us.
  tick(now = Date.now()) {
    const slept = now - this.lastTick > 3 * TICK;
    this.lastTick = now;
    const { registration, transport } = this.phone;
    if (!registration?.until) return;
    if (now >= registration.until && registration.state === "registered") {
      this.phone.drop();
      this.become("expired");
    } else if (slept) {
      this.notice("slept");
      transport.check();
    }
  }
}

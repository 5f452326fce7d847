// The phone: a registered user agent that calls, is called, and exchanges text messages.
//
// RFC 3261, 8.2 (what a server does with a request), RFC 3428 (MESSAGE), 3GPP TS 24.229, 5.1.2A (what a UE puts
// into its requests), TS 24.371 (a WebRTC IMS client). Events: "registration", "incoming" (detail: a Call),
// "message" (detail: {from, text}), "ended" (by the network).

import { Call } from "./call.js";
import { newTag } from "./dialog.js";
import { token } from "./octets.js";
import { RegEvent } from "./reg-event.js";
import { Registration } from "./registration.js";
import { nameAddr, request } from "./sip-message.js";
import { Transactions } from "./sip-transaction.js";
import { SipTransport } from "./sip-transport.js";

const LONGEST_TEXT = 2000; // letters of a message

export class Phone extends EventTarget {
  constructor({ url, name }) {
    super();
    this.name = name;
    this.call = null;
    this.transport = new SipTransport(url);
    this.transactions = new Transactions(this.transport, {
      serve: (message, respond) => this.serve(message, respond),
      stray: (response) => this.stray(response),
      ack: () => {},
    });
  }

  get isRegistered() {
    return this.registration?.state === "registered";
  }

  // Where the network reaches this page: only over the connection that it holds (RFC 7118, 5.2).
  get contact() {
    const user = this.profile.impi.split("@")[0];
    return `sip:${user}@${this.transport.host};transport=ws`;
  }

  get route() {
    return `<sip:${new URL(this.transport.url).host};transport=ws;lr>`;
  }

  // Open the connection and register; rejects with what went wrong.
  async login(profile, credentials) {
    this.profile = profile;
    await this.transport.connect();
    this.registration = new Registration({
      profile,
      credentials,
      send: (message) => this.transactions.send(message),
      contact: this.contact,
      route: this.route,
    });
    this.registration.addEventListener("changed", () => this.dispatchEvent(new Event("registration")));
    await this.registration.register();
    this.watch();
  }

  // Ask the network to tell when it ends the registration.
  watch() {
    this.regEvent = new RegEvent(this, () => {
      if (this.isRegistered) this.dispatchEvent(new Event("ended"));
    });
    this.regEvent.subscribe();
  }

  // Leave the network, if it still hears us, and close the connection.
  async logout() {
    this.call?.hangUp();
    if (this.transport.isOpen) await this.registration?.leave();
    this.drop();
  }

  // End all at once, without a word to the network: the card or the connection is gone.
  drop() {
    clearTimeout(this.registration?.timer);
    this.transport.disconnect();
    this.registration = null;
    this.dispatchEvent(new Event("registration"));
  }

  // A request outside a dialog: along the Service-Route, as the identity that was registered.
  newRequest(method, uri, more, body) {
    const impu = this.profile.impu[0];
    const headers = [
      ["Route", this.route],
      ...this.registration.routes.map((route) => ["Route", route]),
      ["From", `<${impu}>;tag=${newTag()}`],
      ["To", `<${uri}>`],
      ...(more.some(([name]) => name === "Call-ID") ? [] : [["Call-ID", token(12)]]),
      ["CSeq", `1 ${method}`],
      ["P-Preferred-Identity", `<${impu}>`],
      ...more,
    ];
    return request(method, uri, headers, body);
  }

  dial(peer, options) {
    this.call = new Call(this, peer, options);
    this.call.dial();
    return this.call;
  }

  async sendText(uri, text) {
    const message = this.newRequest("MESSAGE", uri, [["Content-Type", "text/plain;charset=UTF-8"]], text);
    const response = await this.transactions.send(message);
    if (response.status >= 300) throw new Error(`${response.status} ${response.reason}`);
  }

  get isBusy() {
    return this.call !== null && this.call.state !== "ended";
  }

  // -- what others ask ------------------------------------------------------------------------

  serve(message, respond) {
    const { method } = message;
    if (method === "CANCEL") {
      this.cancelled(message, respond);
    } else if (message.tag("To")) {
      this.inDialog(message, respond);
    } else if (method === "INVITE") {
      this.invited(message, respond);
    } else if (method === "MESSAGE") {
      this.told(message, respond);
    } else if (method === "OPTIONS" || method === "NOTIFY") {
      respond(message.reply(200, "OK", [], { tag: newTag() }));
    } else {
      respond(message.reply(405, "Method Not Allowed", [], { tag: newTag() }));
    }
  }

  cancelled(message, respond) {
    const mine = this.call?.invite;
    const fits = mine && this.call.respond && mine.branch === message.branch;
    respond(message.reply(fits ? 200 : 481, fits ? "OK" : "Call/Transaction Does Not Exist"));
    if (fits) this.call.cancelledByPeer();
  }

  inDialog(message, respond) {
    if (this.regEvent?.owns(message)) {
      this.regEvent.notified(message, respond);
      return;
    }
    const fits = this.call?.dialog?.owns(message) && this.call.state !== "ended";
    if (!fits) respond(message.reply(481, "Call/Transaction Does Not Exist"));
    else this.call.requested(message, respond);
  }

  invited(message, respond) {
    if (this.isBusy) {
      respond(message.reply(486, "Busy Here", [], { tag: newTag() }));
    } else if (!message.body) {
      respond(message.reply(488, "Not Acceptable Here", [], { tag: newTag() })); // no offer to answer
    } else {
      this.call = Call.incoming(this, message, respond);
      this.dispatchEvent(new CustomEvent("incoming", { detail: this.call }));
    }
  }

  told(message, respond) {
    if (!/^text\/plain/i.test(message.get("Content-Type") ?? "")) {
      respond(message.reply(415, "Unsupported Media Type", [["Accept", "text/plain"]], { tag: newTag() }));
      return;
    }
    respond(message.reply(200, "OK", [], { tag: newTag() }));
    const from = nameAddr(message.get("P-Asserted-Identity") ?? message.get("From"));
    const text = message.body.slice(0, LONGEST_TEXT);
    this.dispatchEvent(new CustomEvent("message", { detail: { from, text } }));
  }

  // A 200 to INVITE that comes again wants its ACK again (RFC 3261, 13.2.2.4).
  stray(response) {
    const { method, number } = response.cseq;
    const dialog = this.call?.dialog;
    if (method === "INVITE" && response.status < 300 && dialog?.callId === response.get("Call-ID")) {
      this.call.acknowledge(number);
    }
  }
}

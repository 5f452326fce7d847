// The reg event: the network tells a UE what it knows of its registration (RFC 3680; 3GPP TS 24.229, 5.1.1.3).
// So a page learns that its registration was ended by the network, and not first when a call fails.

import { newTag } from "./dialog.js";
import { token } from "./octets.js";

const EXPIRES = 600000; // seconds
const NAMESPACE = "urn:ietf:params:xml:ns:reginfo";

export class RegEvent {
  // `ended()` is called when the network does not list our contact any more.
  constructor(phone, ended) {
    this.phone = phone;
    this.ended = ended;
    this.callId = token(12);
  }

  async subscribe() {
    const { phone } = this;
    const headers = [
      ["Call-ID", this.callId],
      ["Contact", `<${phone.contact}>`],
      ["Event", "reg"],
      ["Accept", "application/reginfo+xml"],
      ["Expires", String(EXPIRES)],
    ];
    const message = phone.newRequest("SUBSCRIBE", phone.profile.impu[0], headers);
    await phone.transactions.send(message).catch(() => {}); // without it the page is only a little less wise
  }

  owns(message) {
    return message.method === "NOTIFY" && message.get("Call-ID") === this.callId;
  }

  notified(message, respond) {
    respond(message.reply(200, "OK", [], { tag: newTag() }));
    if (!lists(message.body, this.phone.contact)) this.ended();
  }
}

// Whether a reginfo document names this contact as active.
function lists(body, contact) {
  const read = new DOMParser().parseFromString(body, "application/xml");
  const contacts = [...read.getElementsByTagNameNS(NAMESPACE, "contact")];
  return contacts.some(
    (one) =>
      one.getAttribute("state") === "active" &&
      one.getElementsByTagNameNS(NAMESPACE, "uri")[0]?.textContent.trim() === contact,
  );
}

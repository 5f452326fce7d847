// A dialog: what both ends of a call remember of each other (RFC 3261, section 12).

import { nameAddr, request } from "./sip-message.js";
import { token } from "./octets.js";

export class Dialog {
  // The caller's side: from the INVITE that was sent and a response to it.
  static ofCaller(invite, response) {
    return new Dialog({
      callId: invite.get("Call-ID"),
      local: invite.get("From"),
      remote: response.get("To"),
      target: nameAddr(response.get("Contact") ?? "").uri || invite.uri,
      routes: response.all("Record-Route").reverse(), // 12.1.2: in reverse order
      number: invite.cseq.number,
      remoteNumber: 0,
    });
  }

  // The callee's side: from the INVITE that came, and the tag that our answer bears.
  static ofCallee(invite, tag) {
    return new Dialog({
      callId: invite.get("Call-ID"),
      local: `${invite.get("To")};tag=${tag}`,
      remote: invite.get("From"),
      target: nameAddr(invite.get("Contact") ?? "").uri,
      routes: invite.all("Record-Route"), // 12.1.1: in order
      number: 0,
      remoteNumber: invite.cseq.number,
    });
  }

  constructor(fields) {
    Object.assign(this, fields);
  }

  get localTag() {
    return nameAddr(this.local).params.get("tag") ?? "";
  }

  get remoteTag() {
    return nameAddr(this.remote).params.get("tag") ?? "";
  }

  // A request within the dialog (12.2.1.1); an ACK has the number of its INVITE.
  request(method, more = [], body = "", number = null) {
    const headers = [
      ...this.routes.map((route) => ["Route", route]),
      ["From", this.local],
      ["To", this.remote],
      ["Call-ID", this.callId],
      ["CSeq", `${number ?? ++this.number} ${method}`],
      ...more,
    ];
    return request(method, this.target, headers, body);
  }

  // Whether a request belongs here, and comes after what came before (12.2.2).
  owns(message) {
    return (
      message.get("Call-ID") === this.callId &&
      message.tag("From") === this.remoteTag &&
      message.tag("To") === this.localTag
    );
  }

  inOrder(message) {
    const { number } = message.cseq;
    if (number <= this.remoteNumber) return false;
    this.remoteNumber = number;
    return true;
  }
}

export const newTag = () => token(6);

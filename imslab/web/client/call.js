// One call: the INVITE session, and the media under it (peer.js).
//
// RFC 3261, sections 13 to 15 (INVITE, re-INVITE, BYE), RFC 3264 (offer and answer), RFC 3262 (PRACK), RFC 3311
// (UPDATE). Events: "changed" (state, held, notice), "track" (a remote stream). States: calling, ringing,
// incoming, connecting, talking, ended (with `reason`).

import { Dialog, newTag } from "./dialog.js";
import { Peer, isHeld, offersVideo } from "./peer.js";
import { nameAddr, params } from "./sip-message.js";

const SDP = "application/sdp";
const ALLOW = "INVITE, ACK, CANCEL, BYE, UPDATE, PRACK, MESSAGE, OPTIONS, NOTIFY";
const NO_MEDIA = 20000; // ms after the answer without a connection: the call ends with a reason

const REASONS = {
  403: "not allowed", 404: "unknown number", 408: "no answer", 410: "number has gone", 430: "not reachable",
  480: "not reachable", 486: "busy", 487: "cancelled", 488: "no common way to talk", 603: "declined",
};

export class Call extends EventTarget {
  // `phone` sends: its `transactions`, `contact`, `newRequest(method, uri, headers, body)`.
  constructor(phone, peer, { video = true } = {}) {
    super();
    Object.assign(this, { phone, peer, video, held: false, heldByPeer: false, state: "calling", reason: "" });
    this.tag = newTag();
  }

  become(state, reason = "") {
    if (this.state === "ended") return;
    Object.assign(this, { state, reason });
    if (state === "talking") this.since ??= Date.now();
    if (state === "ended") this.clean();
    this.changed();
  }

  changed() {
    this.dispatchEvent(new Event("changed"));
  }

  get isOver() {
    return this.state === "ended";
  }

  // -- calling ------------------------------------------------------------------------------

  async dial() {
    try {
      this.openMedia();
      const offer = await this.media.offer();
      if (this.isOver) return;
      const headers = [this.contact(), ["Content-Type", SDP], ["Allow", ALLOW], ["Supported", "100rel"]];
      this.invite = this.phone.newRequest("INVITE", this.peer.uri, headers, offer);
      this.becomesCalled(await this.phone.transactions.send(this.invite, (early) => this.early(early)));
    } catch (error) {
      this.become("ended", error.message);
    }
  }

  contact() {
    return ["Contact", `<${this.phone.contact}>`];
  }

  early(response) {
    if (response.status === 100) return;
    if (params(`;${(response.get("Require") ?? "").replace(/,/g, ";")}`).has("100rel")) this.prack(response);
    if (this.state === "calling") this.become("ringing");
  }

  // RFC 3262, 4: a provisional response that must be confirmed; an answer in it is the answer.
  prack(response) {
    const dialog = Dialog.ofCaller(this.invite, response);
    dialog.number = Math.max(this.lastNumber ?? 0, dialog.number);
    const rack = `${response.get("RSeq")} ${this.invite.cseq.number} INVITE`;
    this.phone.transactions.send(dialog.request("PRACK", [["RAck", rack]])).catch(() => {});
    this.lastNumber = dialog.number;
    if (response.body) this.earlyAnswer = response.body;
  }

  async becomesCalled(response) {
    if (response.status >= 300) {
      this.become("ended", REASONS[response.status] ?? `${response.status} ${response.reason}`);
      return;
    }
    this.dialog = Dialog.ofCaller(this.invite, response);
    this.dialog.number = Math.max(this.dialog.number, this.lastNumber ?? 0);
    this.acknowledge(this.invite.cseq.number);
    if (this.isOver) {
      this.bye(); // the answer and our CANCEL met on the way (RFC 3261, 9.1)
      return;
    }
    try {
      await this.media.accept(response.body || this.earlyAnswer);
      this.waitForMedia();
    } catch {
      this.hangUp("the other side's answer cannot be used");
    }
  }

  acknowledge(number) {
    this.phone.transactions.ack(this.dialog.request("ACK", [], "", number));
  }

  // -- being called -------------------------------------------------------------------------

  static incoming(phone, invite, respond) {
    const identity = nameAddr(invite.get("P-Asserted-Identity") ?? invite.get("From"));
    const call = new Call(phone, { name: identity.display, uri: identity.uri }, { video: offersVideo(invite.body) });
    Object.assign(call, { invite, respond, state: "incoming", dialog: Dialog.ofCallee(invite, call.tag) });
    call.reply(180, "Ringing", [call.contact()]);
    return call;
  }

  reply(status, reason, headers = [], body = "") {
    this.respond(this.invite.reply(status, reason, headers, { body, tag: this.tag }));
  }

  async answer({ video = this.video } = {}) {
    this.video = video;
    this.become("connecting");
    try {
      this.openMedia();
      const answer = await this.media.answer(this.invite.body);
      if (this.isOver) return;
      this.reply(200, "OK", [this.contact(), ["Content-Type", SDP], ["Allow", ALLOW]], answer);
      this.answered = true;
      this.waitForMedia();
    } catch (error) {
      if (!this.answered) this.reply(488, "Not Acceptable Here");
      this.become("ended", `the call cannot be answered: ${error.message}`);
    }
  }

  refuse(status = 486, reason = "Busy Here") {
    this.reply(status, reason);
    this.become("ended", "declined");
  }

  // The caller has given up before an answer (RFC 3261, 9.2).
  cancelledByPeer() {
    if (this.answered || this.isOver) return;
    this.reply(487, "Request Terminated");
    this.become("ended", "missed");
  }

  // -- within the call ----------------------------------------------------------------------

  hangUp(reason = "") {
    if (this.isOver) return;
    try {
      this.sayGoodbye();
    } catch {
      // the connection is gone, and nobody hears us
    }
    this.become("ended", reason);
  }

  sayGoodbye() {
    if (this.state === "incoming") this.reply(603, "Decline");
    else if (this.respond && !this.answered) this.reply(480, "Temporarily Unavailable");
    else if (this.dialog) this.bye();
    else if (this.invite) this.phone.transactions.cancel(this.invite);
  }

  bye() {
    this.phone.transactions.send(this.dialog.request("BYE")).catch(() => {});
  }

  mute(muted) {
    this.media.mute(muted);
    this.changed();
  }

  async hold(held) {
    if (this.state !== "talking" || this.negotiating) return;
    this.negotiating = true;
    try {
      this.media.still(held);
      const headers = [this.contact(), ["Content-Type", SDP], ["Allow", ALLOW]];
      const invite = this.dialog.request("INVITE", headers, await this.media.offer());
      const response = await this.phone.transactions.send(invite);
      if (response.status >= 300) throw new Error(`${response.status} ${response.reason}`);
      this.acknowledge(invite.cseq.number);
      await this.media.accept(response.body);
      this.held = held;
    } catch (error) {
      await this.media.rollback();
      this.media.still(this.held);
      this.media.notice = `Hold did not work: ${error.message}`;
    } finally {
      this.negotiating = false;
      this.changed();
    }
  }

  // A request within the dialog: BYE, re-INVITE, UPDATE, PRACK.
  async requested(message, respond) {
    if (!this.dialog.inOrder(message)) {
      respond(message.reply(500, "Server Internal Error"));
    } else if (message.method === "BYE") {
      respond(message.reply(200, "OK"));
      this.become("ended", "the other side hung up");
    } else if (["INVITE", "UPDATE"].includes(message.method)) {
      await this.offered(message, respond);
    } else if (message.method === "PRACK") {
      respond(message.reply(200, "OK"));
    } else {
      respond(message.reply(405, "Method Not Allowed", [["Allow", ALLOW]]));
    }
  }

  async offered(message, respond) {
    if (!message.body) {
      respond(message.reply(200, "OK", [this.contact()]));
      return;
    }
    if (this.negotiating || !this.media) {
      respond(message.reply(491, "Request Pending")); // RFC 3261, 14.2
      return;
    }
    try {
      const answer = await this.media.answer(message.body);
      this.heldByPeer = isHeld(message.body);
      respond(message.reply(200, "OK", [this.contact(), ["Content-Type", SDP]], { body: answer }));
      this.changed();
    } catch {
      respond(message.reply(488, "Not Acceptable Here"));
    }
  }

  // -- the media under it -------------------------------------------------------------------

  openMedia() {
    this.media = new Peer({ video: this.video, name: this.phone.name });
    this.media.addEventListener("track", ({ detail }) => this.dispatchEvent(new CustomEvent("track", { detail })));
    this.media.addEventListener("connected", () => this.connected());
    this.media.addEventListener("failed", () => this.hangUp("the media broke off"));
    this.media.addEventListener("media", () => this.changed());
  }

  waitForMedia() {
    this.become("connecting");
    this.noMedia = setTimeout(() => this.hangUp("no media arrived: the two ends did not find each other"), NO_MEDIA);
    if (this.media.isConnected) this.connected();
  }

  connected() {
    if (this.state !== "connecting") return;
    clearTimeout(this.noMedia);
    this.become("talking");
  }

  clean() {
    clearTimeout(this.noMedia);
    this.media?.close();
  }
}

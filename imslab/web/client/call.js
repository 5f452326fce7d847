// One call: the INVITE session and the peer connection under it.
//
// RFC 3261, sections 13 to 15 (INVITE, re-INVITE, BYE), RFC 3264 (offer and answer), RFC 3262 (PRACK),
// RFC 8829 (what the browser makes of SDP). Keys of the media come from DTLS between the two ends (RFC 5763):
// the network sees a fingerprint, and never a key.
//
// Events: "changed" (state, held, notice), "track" (a remote stream). States: preparing, calling, ringing,
// incoming, connecting, talking, ended (with `reason`).

import { Dialog, newTag } from "./dialog.js";
import { closeMedia, openMedia } from "./media.js";
import { nameAddr, params } from "./sip-message.js";
import { token } from "./octets.js";

const SDP = "application/sdp";
const ALLOW = "INVITE, ACK, CANCEL, BYE, UPDATE, PRACK, MESSAGE, OPTIONS, NOTIFY";
const GATHERING = 2000; // ms to collect candidates; host candidates take a few
const NO_MEDIA = 20000; // ms after the answer without a connection: the call ends with a reason

const REASONS = {
  403: "not allowed", 404: "unknown number", 408: "no answer", 410: "number has gone", 430: "not reachable",
  480: "not reachable", 486: "busy", 487: "cancelled", 488: "no common way to talk", 603: "declined",
};

export class Call extends EventTarget {
  // `phone` sends: its `transactions`, `contact`, `newRequest(method, uri, headers, body)`.
  constructor(phone, peer, { video = true } = {}) {
    super();
    Object.assign(this, { phone, peer, video, held: false, heldByPeer: false, muted: false, notice: "" });
    this.state = "preparing";
    this.tag = newTag();
  }

  become(state, reason = "") {
    if (this.state === "ended") return;
    Object.assign(this, { state, reason });
    if (state === "talking" && !this.since) this.since = Date.now();
    if (state === "ended") this.clean();
    this.changed();
  }

  changed() {
    this.dispatchEvent(new Event("changed"));
  }

  // -- calling ------------------------------------------------------------------------------

  async dial() {
    try {
      await this.openConnection();
      for (const track of this.stream.getTracks()) this.connection.addTrack(track, this.stream);
      const offer = await this.describe("offer");
      if (this.state === "ended") return;
      this.invite = this.phone.newRequest("INVITE", this.peer.uri, this.inviteHeaders(), offer);
      this.become("calling");
      const response = await this.phone.transactions.send(this.invite, (early) => this.early(early));
      await this.invited(response);
    } catch (error) {
      this.become("ended", error.message);
    }
  }

  inviteHeaders() {
    const contact = ["Contact", `<${this.phone.contact}>`];
    return [contact, ["Content-Type", SDP], ["Allow", ALLOW], ["Supported", "100rel"]];
  }

  early(response) {
    if (response.status === 100) return;
    if (params(`;${(response.get("Require") ?? "").replace(/,/g, ";")}`).has("100rel")) this.prack(response);
    if (this.state === "calling") this.become("ringing");
  }

  // RFC 3262, 4: a provisional response that must be confirmed.
  prack(response) {
    const dialog = Dialog.ofCaller(this.invite, response);
    dialog.number = this.numberOfPrack = Math.max(this.numberOfPrack ?? 0, dialog.number);
    const rack = `${response.get("RSeq")} ${this.invite.cseq.number} INVITE`;
    const message = dialog.request("PRACK", [["RAck", rack]]);
    this.numberOfPrack = dialog.number;
    this.phone.transactions.send(message).catch(() => {});
    if (response.body) this.earlyAnswer = response.body;
  }

  async invited(response) {
    if (response.status >= 300) {
      this.become("ended", REASONS[response.status] ?? `${response.status} ${response.reason}`);
      return;
    }
    this.dialog = Dialog.ofCaller(this.invite, response);
    this.dialog.number = Math.max(this.dialog.number, this.numberOfPrack ?? 0);
    this.acknowledge(this.invite.cseq.number);
    if (this.cancelled || this.state === "ended") {
      this.bye(); // the answer and our CANCEL met on the way (RFC 3261, 9.1)
      return;
    }
    const sdp = response.body || this.earlyAnswer;
    try {
      await this.connection.setRemoteDescription({ type: "answer", sdp });
    } catch {
      this.hangUp("the other side's answer cannot be used");
      return;
    }
    this.waitForMedia();
  }

  acknowledge(number) {
    this.phone.transactions.ack(this.dialog.request("ACK", [], "", number));
  }

  // -- being called -------------------------------------------------------------------------

  static incoming(phone, invite, respond) {
    const identity = nameAddr(invite.get("P-Asserted-Identity") ?? invite.get("From"));
    const call = new Call(phone, { name: identity.display, uri: identity.uri });
    Object.assign(call, { invite, respond, video: offersVideo(invite.body) });
    call.dialog = Dialog.ofCallee(invite, call.tag);
    call.state = "incoming";
    respond(invite.reply(180, "Ringing", [call.contactHeader()], { tag: call.tag }));
    return call;
  }

  contactHeader() {
    return ["Contact", `<${this.phone.contact}>`];
  }

  async answer({ video = this.video } = {}) {
    this.become("connecting");
    try {
      this.video = video;
      await this.openConnection();
      await this.connection.setRemoteDescription({ type: "offer", sdp: this.invite.body });
      for (const track of this.stream.getTracks()) this.connection.addTrack(track, this.stream);
      if (!video) this.withoutVideo();
      const answer = await this.describe("answer");
      if (this.state === "ended") return;
      const headers = [this.contactHeader(), ["Content-Type", SDP], ["Allow", ALLOW]];
      this.respond(this.invite.reply(200, "OK", headers, { body: answer, tag: this.tag }));
      this.answered = true;
      this.waitForMedia();
    } catch (error) {
      if (!this.answered) this.respond(this.invite.reply(488, "Not Acceptable Here", [], { tag: this.tag }));
      this.become("ended", `the call cannot be answered: ${error.message}`);
    }
  }

  withoutVideo() {
    for (const transceiver of this.connection.getTransceivers()) {
      if (transceiver.receiver.track.kind === "video") transceiver.direction = "inactive";
    }
  }

  refuse(status = 486, reason = "Busy Here") {
    this.respond(this.invite.reply(status, reason, [], { tag: this.tag }));
    this.become("ended", "declined");
  }

  // The caller has given up before an answer (RFC 3261, 9.2).
  cancelledByPeer() {
    if (this.answered || this.state === "ended") return;
    this.respond(this.invite.reply(487, "Request Terminated", [], { tag: this.tag }));
    this.become("ended", "missed");
  }

  // -- within the call ----------------------------------------------------------------------

  hangUp(reason = "") {
    if (this.state === "ended") return;
    if (this.state === "incoming") {
      this.refuse();
      return;
    }
    if (this.dialog && (this.answered || !this.respond)) this.bye();
    else if (this.respond) this.respond(this.invite.reply(480, "Temporarily Unavailable", [], { tag: this.tag }));
    else if (this.invite) this.cancel();
    this.become("ended", reason);
  }

  cancel() {
    this.cancelled = true;
    try {
      this.phone.transactions.cancel(this.invite);
    } catch {
      return; // the connection is gone, and the call with it
    }
  }

  bye() {
    this.phone.transactions.send(this.dialog.request("BYE")).catch(() => {});
  }

  mute(muted) {
    this.muted = muted;
    this.stream?.getAudioTracks().forEach((track) => (track.enabled = !muted));
    this.changed();
  }

  // RFC 3264, 8.4: hold without music: nothing flows either way, and the keys stay as they are.
  async hold(held) {
    if (this.state !== "talking" || this.negotiating) return;
    this.negotiating = true;
    try {
      this.still(held);
      const offer = await this.describe("offer");
      const headers = [this.contactHeader(), ["Content-Type", SDP], ["Allow", ALLOW]];
      const invite = this.dialog.request("INVITE", headers, offer);
      const response = await this.phone.transactions.send(invite);
      if (response.status >= 300) throw new Error(`${response.status} ${response.reason}`);
      this.acknowledge(invite.cseq.number);
      await this.connection.setRemoteDescription({ type: "answer", sdp: response.body });
      this.held = held;
    } catch (error) {
      await this.connection?.setLocalDescription({ type: "rollback" }).catch(() => {});
      this.still(this.held);
      this.notice = `Hold did not work: ${error.message}`;
    } finally {
      this.negotiating = false;
      this.changed();
    }
  }

  // What flowed before the hold flows again after it: a call with voice only stays one.
  still(held) {
    const transceivers = this.connection.getTransceivers();
    if (held) this.before = transceivers.map((one) => one.direction);
    transceivers.forEach((one, i) => {
      if (one.direction !== "stopped") one.direction = held ? "inactive" : this.before[i];
    });
  }

  // A request within the dialog: BYE, re-INVITE, UPDATE, INFO, PRACK.
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
      respond(message.reply(200, "OK", [this.contactHeader()]));
      return;
    }
    if (this.negotiating || !this.connection) {
      respond(message.reply(491, "Request Pending")); // RFC 3261, 14.2
      return;
    }
    try {
      await this.connection.setRemoteDescription({ type: "offer", sdp: message.body });
      const answer = await this.describe("answer");
      this.heldByPeer = /^a=(sendonly|inactive)\s*$/m.test(message.body);
      respond(message.reply(200, "OK", [this.contactHeader(), ["Content-Type", SDP]], { body: answer }));
      this.changed();
    } catch {
      respond(message.reply(488, "Not Acceptable Here"));
    }
  }

  // -- the media under it -------------------------------------------------------------------

  async openConnection() {
    // No STUN and no TURN server: both ends are in reach of each other, and nobody else is asked.
    this.connection = new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" });
    this.connection.ontrack = ({ streams, track }) => {
      const detail = streams[0] ?? new MediaStream([track]);
      this.remote = detail;
      this.dispatchEvent(new CustomEvent("track", { detail }));
    };
    this.connection.onconnectionstatechange = () => this.connectionChanged();
    const { stream, notice } = await openMedia({ video: this.video, name: this.phone.name });
    Object.assign(this, { stream, notice });
    if (this.state === "ended") this.clean();
    this.changed();
  }

  // Make a description and wait until it holds the candidates: SIP carries it once (no trickle).
  async describe(kind) {
    const { connection } = this;
    const made = kind === "offer" ? connection.createOffer() : connection.createAnswer();
    await connection.setLocalDescription(await made);
    await new Promise((resolve) => {
      if (connection.iceGatheringState === "complete") resolve();
      connection.addEventListener("icegatheringstatechange", () => {
        if (connection.iceGatheringState === "complete") resolve();
      });
      setTimeout(resolve, GATHERING);
    });
    return connection.localDescription.sdp;
  }

  waitForMedia() {
    this.become("connecting");
    this.connectionChanged();
    this.noMedia = setTimeout(() => this.hangUp("no media arrived: the two ends did not find each other"), NO_MEDIA);
  }

  connectionChanged() {
    const state = this.connection?.connectionState;
    if (state === "connected" && this.state === "connecting") {
      clearTimeout(this.noMedia);
      this.become("talking");
    } else if (state === "failed") {
      this.hangUp("the media broke off");
    }
  }

  clean() {
    clearTimeout(this.noMedia);
    closeMedia(this.stream);
    if (this.connection) {
      this.connection.onconnectionstatechange = this.connection.ontrack = null;
      this.connection.close();
    }
  }
}

// Port 0 is a refusal, unless the medium shares the port of another (a=bundle-only, RFC 9143, 6).
function offersVideo(sdp) {
  const [section] = sdp.split(/^(?=m=)/m).filter((one) => one.startsWith("m=video"));
  return section !== undefined && (!section.startsWith("m=video 0 ") || /^a=bundle-only/m.test(section));
}

export const newCallId = () => token(12);

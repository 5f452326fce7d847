// The media of one call: a peer connection, and what this end sends through it.
//
// RFC 8829 (what a browser makes of SDP), RFC 3264 (offer and answer), RFC 5763 (keys come from DTLS between the
// two ends: the network sees a fingerprint, and never a key). Descriptions are complete: SIP carries them once.
//
// Events: "track" (detail: the remote stream), "connected", "failed", "media" (stream or notice have changed).

import { closeMedia, openMedia } from "./media.js";

const GATHERING = 2000; // ms to collect candidates, at most
const SETTLED = 25; // ms after the first: all host candidates are there, and a browser only waits for other kinds

export class Peer extends EventTarget {
  // `video`: with pictures; `name`: whose, for the test picture.
  constructor({ video, name }) {
    super();
    Object.assign(this, { video, name, stream: null, notice: "", muted: false, closed: false });
    // No STUN and no TURN server: both ends are in reach of each other, and nobody else is asked.
    this.connection = new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" });
    this.connection.ontrack = ({ streams, track }) => {
      const detail = streams[0] ?? new MediaStream([track]);
      this.dispatchEvent(new CustomEvent("track", { detail }));
    };
    this.connection.onconnectionstatechange = () => this.changed();
    this.outgoing = new MediaStream();
    // The camera opens while the two ends speak: what it gives goes in when it is there.
    openMedia({ video, name }).then((opened) => this.take(opened));
  }

  get isConnected() {
    return this.connection.connectionState === "connected";
  }

  changed() {
    if (this.isConnected) this.dispatchEvent(new Event("connected"));
    else if (this.connection.connectionState === "failed") this.dispatchEvent(new Event("failed"));
  }

  async offer() {
    if (!this.connection.getTransceivers().length) {
      const kinds = this.video ? ["audio", "video"] : ["audio"];
      for (const kind of kinds) this.connection.addTransceiver(kind, { streams: [this.outgoing] });
    }
    return this.describe(await this.connection.createOffer());
  }

  async answer(sdp) {
    const isFirst = !this.connection.currentRemoteDescription;
    await this.connection.setRemoteDescription({ type: "offer", sdp });
    if (isFirst) this.connection.getTransceivers().forEach((one) => this.join(one));
    return this.describe(await this.connection.createAnswer());
  }

  accept(sdp) {
    return this.connection.setRemoteDescription({ type: "answer", sdp });
  }

  // The other side did not accept an offer within the call: all is as before.
  rollback() {
    return this.connection.setLocalDescription({ type: "rollback" }).catch(() => {});
  }

  // Send where the other side offers to receive; with voice only, no picture either way.
  join(transceiver) {
    const wanted = this.video || transceiver.receiver.track.kind === "audio";
    transceiver.direction = wanted ? "sendrecv" : "inactive";
    transceiver.sender.setStreams(this.outgoing);
  }

  async describe(description) {
    const { connection } = this;
    await connection.setLocalDescription(description);
    this.fill();
    await new Promise((resolve) => {
      const look = () => connection.iceGatheringState === "complete" && resolve();
      connection.addEventListener("icegatheringstatechange", look);
      connection.addEventListener("icecandidate", () => setTimeout(resolve, SETTLED));
      setTimeout(resolve, GATHERING);
      look();
    });
    return connection.localDescription.sdp;
  }

  take({ stream, notice }) {
    if (this.closed) {
      closeMedia(stream);
      return;
    }
    Object.assign(this, { stream, notice });
    this.fill();
    this.mute(this.muted);
    this.dispatchEvent(new Event("media"));
  }

  // Called when tracks are there, and when there are senders for them: whichever comes last.
  fill() {
    for (const track of this.stream?.getTracks() ?? []) {
      const fits = ({ receiver, sender }) => receiver.track.kind === track.kind && sender.track !== track;
      this.connection.getTransceivers().find(fits)?.sender.replaceTrack(track).catch(() => {});
    }
  }

  mute(muted) {
    this.muted = muted;
    this.stream?.getAudioTracks().forEach((track) => (track.enabled = !muted));
  }

  // RFC 3264, 8.4: hold without music: nothing flows either way, and the keys stay as they are. What flowed
  // before the hold flows again after it: a call with voice only stays one.
  still(held) {
    const transceivers = this.connection.getTransceivers();
    if (held) this.before = transceivers.map((one) => one.direction);
    transceivers.forEach((one, i) => {
      if (one.direction !== "stopped") one.direction = held ? "inactive" : (this.before?.[i] ?? one.direction);
    });
  }

  close() {
    this.closed = true;
    closeMedia(this.stream);
    this.connection.onconnectionstatechange = this.connection.ontrack = null;
    this.connection.close();
  }
}

// Port 0 is a refusal, unless the medium shares the port of another (a=bundle-only, RFC 9143, 6).
export function offersVideo(sdp) {
  const [section] = sdp.split(/^(?=m=)/m).filter((one) => one.startsWith("m=video"));
  return section !== undefined && (!section.startsWith("m=video 0 ") || /^a=bundle-only/m.test(section));
}

export const isHeld = (sdp) => /^a=(sendonly|inactive)\s*$/m.test(sdp) && !/^a=sendrecv\s*$/m.test(sdp);

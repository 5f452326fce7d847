// JsSIP in Node, in somebody else's hands: lines of JSON on stdin are commands, lines on stdout tell what happened.
//
//   node jssip.cjs NODE_MODULES
//
// What Node lacks is brought: WebSocket (the module ws; Node 18 has none), and a peer connection whose descriptions
// are those of whoever gives the commands. What JsSIP lacks: an answer to AKA, which is asked for as well.
"use strict";
const path = require("node:path");
const readline = require("node:readline");

const from = (name) => require(path.join(process.argv[2], name));
const tell = (event, more = {}) => process.stdout.write(`${JSON.stringify({ event, ...more })}\n`);

const waiting = [];
const asked = (event, more) => (tell(event, more), new Promise((done) => waiting.push(done)));

globalThis.WebSocket = from("ws");
globalThis.RTCPeerConnection = class extends EventTarget {
    signalingState = "stable";
    iceGatheringState = "complete";
    iceConnectionState = "new";
    localDescription = null;
    async createOffer() { return { type: "offer", sdp: await asked("offer wanted", {}) }; }
    async createAnswer() { return { type: "answer", sdp: await asked("answer wanted", { offer: this.remote }) }; }
    async setLocalDescription(description) { this.localDescription = description; }
    async setRemoteDescription({ type, sdp }) {
        this.remote = sdp;
        if (type === "answer") tell("answer", { sdp });
    }
    getSenders() { return []; }
    close() { this.signalingState = "closed"; }
};
globalThis.RTCSessionDescription = class { constructor(given) { Object.assign(this, given); } };
globalThis.navigator ??= {};
globalThis.window = globalThis;

const JsSIP = from("jssip");
const RequestSender = from("jssip/lib/RequestSender.js");
let ua = null;
let session = null;

function answerAkaWith(uri) {
    const plain = RequestSender.prototype._receiveResponse;
    RequestSender.prototype._receiveResponse = async function (response) {
        if (response.status_code !== 401 || this.asked > 2) return plain.call(this, response);
        this.asked = (this.asked ?? 0) + 1;
        const challenges = response.getHeaders("WWW-Authenticate");
        const authorization = await asked("challenged", { challenges, method: this._method, uri });
        this._request = this._request.clone();
        this._request.cseq += 1;
        this._request.setHeader("cseq", `${this._request.cseq} ${this._method}`);
        this._request.setHeader("authorization", authorization);
        this._eventHandlers.onAuthenticated(this._request);
        this.send();
    };
}

function followed(one) {
    session = one;
    for (const name of ["progress", "accepted", "confirmed", "ended", "failed"])
        session.on(name, (data) => tell(name, { originator: data?.originator, cause: data?.cause }));
}

const media = { mediaConstraints: { audio: false, video: false }, pcConfig: { iceServers: [] } };
const commands = {
    start({ url, aka, ...account }) {
        if (aka) answerAkaWith(account.registrar_server);
        ua = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(url)], session_timers: false, ...account });
        ua.on("registered", ({ response }) => tell("registered", { status: response.status_code }));
        ua.on("unregistered", () => tell("unregistered"));
        ua.on("registrationFailed", ({ response, cause }) =>
            tell("registrationFailed", { status: response?.status_code, cause }));
        ua.on("newMessage", ({ originator, message, request }) => {
            if (originator === "remote") tell("message", { text: request.body, from: request.from.uri.toString() });
            else message.on("succeeded", () => tell("delivered"));
        });
        ua.on("newRTCSession", ({ session: one, originator }) => {
            followed(one);
            if (originator === "remote") one.answer(media);
        });
        ua.start();
    },
    message({ to, text }) { ua.sendMessage(to, text); },
    call({ to }) { ua.call(to, media); },
    hangup() { session.terminate(); },
    given({ value }) { waiting.shift()(value); },
    again() { ua.register(); },
    leave() { ua.unregister(); },
    quit() { ua?.stop(); setTimeout(() => process.exit(0), 200); },
};

const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => {
    const { command, ...more } = JSON.parse(line);
    commands[command](more);
});
lines.on("close", () => process.exit(0));
tell("ready");

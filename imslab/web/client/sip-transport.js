// SIP over WebSocket (RFC 7118): one connection to the P-CSCF, kept alive, and opened again when it breaks.
//
// Events: "open", "close", "message" (detail: a SipMessage), "sent" and "received" (detail: what passed, for the
// ladder), "malformed" (detail: why a message was dropped).

import { token } from "./octets.js";
import { SipMessage } from "./sip-message.js";

const PING = "\r\n\r\n"; // RFC 7118, 6; RFC 5626, 3.5.1: answered by one CRLF
const KEEP_ALIVE = 25000, PATIENCE = 5000; // ms
const RETRY = [1000, 2000, 4000, 8000, 15000]; // ms, one after the other; the last one repeats

export class SipTransport extends EventTarget {
  constructor(url) {
    super();
    this.url = url;
    // A page does not know its address: it makes up a name that nobody resolves (RFC 7118, 5.2 and 7).
    this.host = `${token(6)}.invalid`;
    this.via = url.startsWith("wss:") ? "WSS" : "WS";
    this.failures = 0;
    this.wanted = false;
  }

  get isOpen() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  // Open, and stay open until disconnect(): resolves, or rejects at the first failure and keeps trying.
  connect() {
    this.wanted = true;
    if (this.isOpen) return Promise.resolve();
    if (!this.opening) this.opening = this.open().finally(() => (this.opening = null));
    return this.opening;
  }

  // Open without staying open: a login that comes soon need not wait for the handshake.
  prepare() {
    if (!this.isOpen) this.connect().catch(() => {});
    this.wanted = false;
  }

  disconnect() {
    this.wanted = false;
    clearTimeout(this.retry);
    clearInterval(this.beat);
    this.socket?.close(1000);
  }

  open() {
    clearTimeout(this.retry);
    const socket = new WebSocket(this.url, "sip");
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    return new Promise((resolve, reject) => {
      const silence = setTimeout(() => socket.close(), PATIENCE);
      socket.onopen = () => {
        clearTimeout(silence);
        this.opened(resolve);
      };
      socket.onmessage = (event) => this.received(event.data);
      socket.onclose = () => {
        clearTimeout(silence);
        this.lost(socket);
        reject(new Error(`no connection to ${this.url}`));
      };
    });
  }

  opened(resolve) {
    this.failures = 0;
    this.heard = Date.now();
    this.beat = setInterval(() => this.check(), KEEP_ALIVE);
    this.dispatchEvent(new Event("open"));
    resolve();
  }

  lost(socket) {
    if (socket !== this.socket) return;
    clearInterval(this.beat);
    this.dispatchEvent(new Event("close"));
    if (!this.wanted) return;
    const wait = RETRY[Math.min(this.failures++, RETRY.length - 1)];
    this.retryAt = Date.now() + wait;
    this.retry = setTimeout(() => this.connect().catch(() => {}), wait);
  }

  // Ask whether the other end is still there; a machine that slept finds out here that it is not.
  check() {
    if (!this.isOpen) return;
    const asked = Date.now();
    this.socket.send(PING);
    setTimeout(() => {
      if (this.isOpen && this.heard < asked) this.abandon();
    }, PATIENCE);
  }

  // A dead connection may take minutes to say so: let go of it at once.
  abandon() {
    const socket = this.socket;
    socket.onmessage = socket.onclose = null;
    socket.close();
    this.lost(socket);
  }

  send(message) {
    if (!this.isOpen) throw new Error("the connection to the network is gone");
    this.socket.send(message.toString());
    this.dispatchEvent(new CustomEvent("sent", { detail: message }));
  }

  received(data) {
    this.heard = Date.now();
    const whole = typeof data === "string" ? data : new Uint8Array(data);
    if (/^[\r\n]*$/.test(data)) return;
    let message;
    try {
      message = SipMessage.parse(whole);
    } catch (error) {
      this.dispatchEvent(new CustomEvent("malformed", { detail: error.message }));
      return;
    }
    this.dispatchEvent(new CustomEvent("received", { detail: message }));
    this.dispatchEvent(new CustomEvent("message", { detail: message }));
  }
}

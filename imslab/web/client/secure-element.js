// The secure element, as a page sees it: SEService, Reader, Session, Channel, transmit.
//
// GlobalPlatform, "Web API for Accessing Secure Elements", after SIMalliance Open Mobile API. No browser
// has it, so a bridge on the user's own machine answers: one WebSocket to 127.0.0.1, one JSON object each
// way, the answer with the `id` of its question. The names of the classes are those of the specification.

import { hex, unhex } from "./octets.js";

const SUBPROTOCOL = "imslab-secure-element";
const PATIENCE = 10000; // ms: a card in a reader may take some hundred

// `name` says what happened: NotPaired, WrongCode, AccessDenied, NoCard, CardError, TooMany, NoBridge ...
export class SecureElementError extends Error {
  constructor(name, message) {
    super(message);
    this.name = name;
  }
}

// Events: "card" (detail: {reader, present}) when a card goes or comes, "close" when the bridge is gone.
export class SEService extends EventTarget {
  static async connect(url) {
    const socket = new WebSocket(url, SUBPROTOCOL);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      // A browser does not tell why: nobody there, another origin, too many pages.
      socket.onerror = () => reject(new SecureElementError("NoBridge", `no bridge answers at ${url}`));
    });
    return new SEService(socket);
  }

  constructor(socket) {
    super();
    this.socket = socket;
    this.last = 0;
    this.waiting = new Map();
    socket.onmessage = (event) => this.heard(event.data);
    socket.onclose = () => this.closed();
  }

  ask(deed, said = {}) {
    if (this.socket.readyState !== WebSocket.OPEN) {
      return Promise.reject(new SecureElementError("NoBridge", "the bridge is gone"));
    }
    const id = ++this.last;
    this.socket.send(JSON.stringify({ id, do: deed, ...said }));
    return new Promise((resolve, reject) => {
      const silence = new SecureElementError("NoBridge", "the bridge does not answer");
      const timer = setTimeout(() => this.waiting.delete(id) && reject(silence), PATIENCE);
      this.waiting.set(id, { resolve, reject, timer });
    });
  }

  heard(data) {
    const said = JSON.parse(data);
    if (said.event) {
      this.dispatchEvent(new CustomEvent(said.event, { detail: said }));
      return;
    }
    const asked = this.waiting.get(said.id);
    if (!asked) return;
    this.waiting.delete(said.id);
    clearTimeout(asked.timer);
    if (said.error) asked.reject(new SecureElementError(said.error.name, said.error.message));
    else asked.resolve(said.ok);
  }

  closed() {
    for (const { reject, timer } of this.waiting.values()) {
      clearTimeout(timer);
      reject(new SecureElementError("NoBridge", "the bridge is gone"));
    }
    this.waiting.clear();
    this.dispatchEvent(new Event("close"));
  }

  // What the bridge lets a page do: "transmit" commands, or only have challenges "answer"ed.
  async mode() {
    return (await this.ask("hello")).mode;
  }

  // The code is shown by the bridge, to the person; the token stands for it from then on.
  async pair(code) {
    return (await this.ask("pair", { code })).token;
  }

  resume(bearer) {
    return this.ask("resume", { token: bearer });
  }

  async getReaders() {
    return (await this.ask("readers")).readers.map((said) => new Reader(this, said));
  }

  shutdown() {
    this.socket.close();
  }
}

class Reader {
  constructor(service, { name, present }) {
    this.service = service;
    this.name = name;
    this.isSecureElementPresent = present;
  }

  async openSession() {
    const { session, atr } = await this.service.ask("openSession", { reader: this.name });
    return new Session(this, session, unhex(atr));
  }
}

class Session {
  constructor(reader, handle, atr) {
    this.reader = reader;
    this.service = reader.service;
    this.handle = handle;
    this.atr = atr;
  }

  getATR() {
    return this.atr;
  }

  async openLogicalChannel(aid) {
    const said = { session: this.handle, aid: hex(aid) };
    const { channel, response } = await this.service.ask("openLogicalChannel", said);
    return new Channel(this, channel, unhex(response));
  }

  // The bridge's second mode: it computes the digest answer, and RES, CK and IK stay with it.
  async answer(challenge) {
    const said = await this.service.ask("answer", { session: this.handle, ...challenge });
    return said.authorization;
  }

  close() {
    return this.service.ask("closeSession", { session: this.handle });
  }
}

class Channel {
  constructor(session, handle, selectResponse) {
    this.session = session;
    this.handle = handle;
    this.selectResponse = selectResponse;
  }

  getSelectResponse() {
    return this.selectResponse;
  }

  // Command APDU in, response with its status word out (ETSI TS 102 221, section 10).
  async transmit(command) {
    const said = { channel: this.handle, command: hex(command) };
    return unhex((await this.session.service.ask("transmit", said)).response);
  }

  close() {
    return this.session.service.ask("closeChannel", { channel: this.handle });
  }
}

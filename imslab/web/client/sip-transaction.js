// Transactions over a transport that repeats what is lost by itself (RFC 3261, section 17, reliable transports).
//
// A client transaction ends with its final response or after 64*T1; an ACK to 300-699 is written here (17.1.1.3).
// A server transaction sends its last response again when the request comes twice (17.2).

import { request as newRequest } from "./sip-message.js";
import { token } from "./octets.js";

const T1 = 500; // ms
const PATIENCE = 64 * T1;
const RINGING = 180000; // ms that an INVITE may ring (timer C, 16.6 item 11)

export class Transactions {
  // `serve(request, respond)` gets each new request; `stray(response)` what no transaction waits for (a
  // second 200 to an INVITE), `ack(request)` the ACK to a 2xx.
  constructor(transport, { serve, stray, ack }) {
    Object.assign(this, { transport, serve, stray, acknowledged: ack });
    this.clients = new Map();
    this.servers = new Map();
    transport.addEventListener("message", (event) => this.received(event.detail));
    transport.addEventListener("close", () => this.fail());
  }

  // Send a request and resolve with its final response; `provisional(response)` sees the 1xx before it.
  // Rejects when no answer comes, or the connection breaks.
  send(message, provisional = () => {}) {
    const branch = `z9hG4bK${token(8)}`; // RFC 3261, 8.1.1.7: the magic cookie, then what is unique
    message.headers.unshift(["Via", `SIP/2.0/${this.transport.via} ${this.transport.host};branch=${branch}`]);
    message.headers.splice(1, 0, ["Max-Forwards", "70"]);
    const key = `${branch} ${message.method}`;
    return new Promise((resolve, reject) => {
      const client = { message, provisional, resolve, reject };
      this.clients.set(key, client);
      this.wait(key, client, PATIENCE);
      try {
        this.transport.send(message);
      } catch (error) {
        this.end(key);
        reject(error);
      }
    });
  }

  // CANCEL has the branch of the INVITE that it cancels (RFC 3261, 9.1).
  cancel(invite) {
    const kept = invite.headers.filter(([name]) => /^(via|max-forwards|route|from|to|call-id)$/i.test(name));
    const headers = [...kept, ["CSeq", `${invite.cseq.number} CANCEL`]];
    this.transport.send(newRequest("CANCEL", invite.uri, headers));
  }

  // An ACK to a 2xx is no transaction: it is sent, and sent again when the 2xx comes again (13.2.2.4).
  ack(message) {
    const via = `SIP/2.0/${this.transport.via} ${this.transport.host};branch=z9hG4bK${token(8)}`;
    message.headers.unshift(["Via", via], ["Max-Forwards", "70"]);
    this.transport.send(message);
  }

  wait(key, client, time) {
    clearTimeout(client.timer);
    client.timer = setTimeout(() => {
      this.end(key);
      client.reject(new Error(`no answer to ${client.message.method}`));
    }, time);
  }

  end(key) {
    clearTimeout(this.clients.get(key)?.timer);
    this.clients.delete(key);
  }

  fail() {
    for (const [key, client] of [...this.clients]) {
      this.end(key);
      client.reject(new Error("the connection to the network is gone"));
    }
    this.servers.clear();
  }

  received(message) {
    if (message.isRequest) this.requested(message);
    else this.answered(message);
  }

  answered(response) {
    const key = `${response.branch} ${response.cseq.method}`;
    const client = this.clients.get(key);
    if (!client) {
      this.stray(response);
      return;
    }
    const isInvite = client.message.method === "INVITE";
    if (response.status < 200) {
      if (isInvite) this.wait(key, client, RINGING);
      client.provisional(response);
      return;
    }
    this.end(key);
    if (isInvite && response.status >= 300) this.acknowledge(client.message, response);
    client.resolve(response);
  }

  // To 300-699: the same Via as the INVITE, the To of the response.
  acknowledge(invite, response) {
    const kept = invite.headers.filter(([name]) => /^(via|max-forwards|route|from|call-id)$/i.test(name));
    const headers = [...kept, ["To", response.get("To")], ["CSeq", `${invite.cseq.number} ACK`]];
    this.transport.send(newRequest("ACK", invite.uri, headers));
  }

  requested(message) {
    if (message.method === "ACK") {
      this.acknowledged(message);
      return;
    }
    const key = `${message.branch} ${message.method}`;
    const known = this.servers.get(key);
    if (known) {
      if (known.last) this.transport.send(known.last);
      return;
    }
    const server = {};
    this.servers.set(key, server);
    const respond = (response) => {
      server.last = response;
      this.transport.send(response);
      if (response.status >= 200) setTimeout(() => this.servers.delete(key), PATIENCE);
    };
    this.serve(message, respond);
  }
}

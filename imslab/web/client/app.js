// The page itself: what stands on it in each state, and what its buttons do. No state of its own.

import { CALL_STATES, NOTICES, STATES } from "./words.js";
import { apduParts, apduWords, challengeParts, sipWords } from "./narrator.js";
import { Client } from "./client.js";
import { Ladder } from "./ladder.js";
import { statistics } from "./media.js";

const $ = (id) => document.getElementById(id);
const name = decodeURIComponent(location.pathname.split("/")[1]);

// The token of the bridge lives as long as this tab: another tab, or another page, has its own.
const tokens = {
  get: () => sessionStorage.getItem(`bridge token of ${name}`),
  set: (value) => sessionStorage.setItem(`bridge token of ${name}`, value),
};

const settings = await (await fetch(`/${name}/settings.json`)).json();
const client = new Client(settings, tokens);
const { phone } = client;
const ladder = new Ladder($("rows"));

// -- state ------------------------------------------------------------------------------------

function show() {
  const { tone, title, text, next = "", can } = STATES[client.state](client.about);
  $("status").dataset.tone = tone;
  $("status").dataset.state = client.state;
  set($("status-title"), title);
  set($("status-text"), text);
  set($("status-next"), next);
  $("pairing").hidden = client.state !== "notPaired";
  const problem = client.state === "notPaired" && client.about.error;
  set($("pairing-problem"), problem ? `Not paired: ${problem.message}.` : "");
  $("login").hidden = can !== "login" && way().kind === "card";
  $("login").disabled = tone === "busy";
  if (way().kind !== "card") $("login").hidden = ["registered", "leaving"].includes(client.state);
  $("logout").hidden = can !== "logout";
  $("identity").hidden = !client.profile;
  set($("impu"), client.profile?.impu[0] ?? "");
  set($("impi"), client.profile?.impi ?? "");
  for (const id of ["people", "messages"]) $(id).hidden = client.state !== "registered";
  if (client.state === "registered") $("notice").hidden = true;
}

// Only what changes is written: a screen reader reads it once.
function set(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

const way = () => ({ kind: document.querySelector("[name=way]:checked").value, password: $("password").value });
$("ways").hidden = settings.ways.length < 2;

// What lasts less than a blink is not shown: a login that takes 30 ms needs no "logging in".
const BLINK = 120; // ms
let blink = 0;
client.addEventListener("changed", () => {
  clearTimeout(blink);
  const isBusy = STATES[client.state](client.about).tone === "busy";
  if (isBusy && $("status").dataset.tone !== "busy") blink = setTimeout(show, BLINK);
  else show();
});
client.addEventListener("notice", ({ detail }) => {
  set($("notice"), NOTICES[detail]);
  $("notice").hidden = false;
  ladder.add({ kind: "note", label: NOTICES[detail] });
});
$("login").onclick = () => client.login(way());
$("logout").onclick = () => client.logout();
$("pairing").onsubmit = (event) => {
  event.preventDefault();
  client.start($("code").value.replaceAll(" ", ""));
  $("code").value = "";
};
$("allow-v1").onchange = () => (client.allowV1 = $("allow-v1").checked);
for (const radio of document.querySelectorAll("[name=way]")) {
  radio.onchange = () => {
    $("secret").hidden = radio.value === "card";
    $("secret-name").textContent = radio.value === "token" ? "Password of the web server" : "Password";
    show();
  };
}

// -- ladder -----------------------------------------------------------------------------------

client.addEventListener("apdu", ({ detail: { command, response, ms } }) => {
  const { label, answer } = apduWords(command, response);
  const parts = apduParts(command, response);
  const took = `${ms.toFixed(1)} ms`;
  if (!parts.length) {
    ladder.add({ kind: "apdu", direction: "left", label, detail: `${answer}, ${took}` });
    return;
  }
  ladder.add({ kind: "apdu", direction: "left", label, detail: "RAND, AUTN", parts: parts.slice(0, 4) });
  ladder.add({ kind: "apdu", direction: "right", label: answer, detail: took, parts: parts.slice(4) });
});
// Where the bridge answers by itself, no command passes here: only the question and the answer.
client.addEventListener("aka", ({ detail: { rand, autn, answer } }) => {
  if (client.mode !== "answer") return;
  const row = { kind: "apdu", detail: "by the bridge" };
  const parts = rand ? challengeParts(rand, autn) : [];
  if (rand) ladder.add({ ...row, direction: "left", label: "answer this challenge", parts });
  if (answer) ladder.add({ ...row, direction: "right", label: answer });
});
for (const [kind, direction] of [["sent", "right"], ["received", "left"]]) {
  phone.transport.addEventListener(kind, ({ detail: message }) => {
    ladder.add({ kind: "sip", direction, ...sipWords(message), text: message.toString() });
  });
}
$("clear").onclick = () => ladder.clear();

// -- people and messages ----------------------------------------------------------------------

function button(text, label, onclick) {
  return Object.assign(document.createElement("button"), { textContent: text, ariaLabel: label, onclick });
}

function addContact({ name: called, uri, about }) {
  const row = document.createElement("li");
  const face = Object.assign(document.createElement("span"), { className: "face", textContent: called[0] });
  face.ariaHidden = "true";
  const words = Object.assign(document.createElement("span"), { className: "name", textContent: called });
  words.append(Object.assign(document.createElement("span"), { className: "about", textContent: about }));
  const deeds = Object.assign(document.createElement("span"), { className: "deeds" });
  deeds.append(
    button("Call", `Call ${called} with video`, () => dial({ name: called, uri }, { video: true })),
    button("Voice", `Call ${called}, voice only`, () => dial({ name: called, uri }, { video: false })),
  );
  row.append(face, words, deeds);
  $("contacts").append(row);
  $("to").append(new Option(called, uri));
}

settings.contacts.forEach(addContact);
$("dial").onsubmit = (event) => {
  event.preventDefault();
  const uri = $("number").value.trim();
  dial({ name: "", uri: /^(sips?|tel):/i.test(uri) ? uri : `sip:${uri}` }, { video: true });
};

const nameOf = ({ display, uri }) => settings.contacts.find((one) => one.uri === uri)?.name || display || uri;

function say(text, from) {
  const row = Object.assign(document.createElement("li"), { className: from ? "" : "mine" });
  row.append(Object.assign(document.createElement("span"), { className: "from", textContent: from || "You" }), text);
  $("chat").append(row);
  while ($("chat").children.length > 100) $("chat").firstElementChild.remove();
  $("chat").scrollTop = $("chat").scrollHeight;
}

phone.addEventListener("message", ({ detail: { from, text } }) => say(text, nameOf(from)));
$("write").onsubmit = async (event) => {
  event.preventDefault();
  const text = $("text").value;
  $("text").value = "";
  try {
    await phone.sendText($("to").value, text);
    say(text, "");
    set($("message-problem"), "");
  } catch (error) {
    set($("message-problem"), `Not delivered: ${error.message}.`);
    $("text").value = text;
  }
};

// -- calls ------------------------------------------------------------------------------------

let call = null;
let figures = 0;

function dial(peer, options) {
  if (phone.isBusy) return;
  performance.mark("call-clicked");
  attach(phone.dial(peer, options));
}

function attach(started) {
  call = started;
  call.addEventListener("changed", showCall);
  call.addEventListener("track", ({ detail }) => ($("remote").srcObject = detail));
  $("stage").classList.remove("seen");
  $("remote").requestVideoFrameCallback?.(() => firstPicture());
  clearInterval(figures);
  figures = setInterval(showFigures, 1000);
  set($("figures"), "");
  showCall();
}

function firstPicture() {
  performance.mark("first-picture");
  $("stage").classList.add("seen");
  showCall(); // our own picture comes after the other side's
  ladder.add({ kind: "media", direction: "left", label: "first picture" });
}

function showCall() {
  const { state, peer, reason, since } = call;
  const called = peer.name || nameOf({ display: "", uri: peer.uri });
  const over = state === "ended";
  $("call").hidden = state === "incoming";
  set($("call-peer"), called);
  const held = call.held ? "On hold" : call.heldByPeer ? "The other side put you on hold" : CALL_STATES[state];
  set($("call-state"), over && reason ? `${CALL_STATES.ended}: ${reason}` : held);
  set($("call-notice"), over ? "" : (call.media?.notice ?? ""));
  set($("face"), called.replace(/^sips?:/, "")[0] ?? "");
  $("stage").classList.toggle("voice", !call.video);
  $("call").dataset.state = state;
  for (const id of ["mute", "hold", "hangup"]) $(id).hidden = over;
  for (const id of ["mute", "hold"]) $(id).disabled = state !== "talking";
  $("dismiss").hidden = !over;
  $("mute").ariaPressed = String(call.media?.muted ?? false);
  $("hold").ariaPressed = String(call.held);
  if (state === "talking" && $("stage").classList.contains("seen")) $("local").srcObject ??= call.media.stream;
  if (state === "talking" && since && !call.told) connected();
  if (state === "incoming") ring(called);
  else if ($("ringing").open) $("ringing").close();
  if (over) ended();
}

function connected() {
  call.told = true;
  performance.mark("connected");
  ladder.add({ kind: "media", direction: "right", label: "DTLS, then SRTP", detail: "between the two ends" });
}

function ended() {
  clearInterval(figures);
  $("remote").srcObject = $("local").srcObject = null;
  $("stage").classList.remove("seen");
  if (!call.told || call.toldEnd) return;
  call.toldEnd = true;
  ladder.add({ kind: "note", label: "the call has ended" });
}

function ring(called) {
  set($("ringing-title"), `${called} ${CALL_STATES.incoming}`);
  set($("ringing-text"), call.video ? "With video" : "Voice only");
  set($("ringing-face"), called.replace(/^sips?:/, "")[0] ?? "");
  $("answer-voice").hidden = !call.video;
  if (!$("ringing").open) $("ringing").showModal();
  $("answer").focus();
}

async function showFigures() {
  if (call?.state !== "talking") return;
  const { octets, frames, size, codecs, lost, srtp, dtls } = await statistics(call.media.connection);
  const time = Math.round((Date.now() - call.since) / 1000);
  const clock = `${Math.floor(time / 60)}:${String(time % 60).padStart(2, "0")}`;
  const data = $("figures").dataset;
  Object.assign(data, { octets, frames });
  const protection = [srtp, dtls && `DTLS ${dtls}`].filter(Boolean).join(", ");
  const picture = frames ? `${frames} pictures ${size}` : "";
  const kilobytes = `${Math.round(octets / 1000)} kB received`;
  const shown = [clock, kilobytes, picture, codecs.join(" + "), `${lost} lost`, protection];
  set($("figures"), shown.filter(Boolean).join(" · "));
}

phone.addEventListener("incoming", ({ detail }) => attach(detail));
$("mute").onclick = () => call.mute(!call.media.muted);
$("hold").onclick = () => call.hold(!call.held);
$("hangup").onclick = () => call.hangUp();
$("dismiss").onclick = () => ($("call").hidden = true);
$("refuse").onclick = () => call.refuse(603, "Decline");
$("answer").onclick = () => call.answer();
$("answer-voice").onclick = () => call.answer({ video: false });
$("ringing").oncancel = (event) => event.preventDefault(); // Escape is no answer

// -- start ------------------------------------------------------------------------------------

set($("who"), settings.title);
document.title = `${settings.name} · imslab phone`;
// The code of the printed address pairs this page; it leaves the address bar at once, and is good once.
const code = new URLSearchParams(location.hash.slice(1)).get("pair") ?? "";
if (code) history.replaceState(null, "", location.pathname);
show();
client.start(code);
addEventListener("pagehide", () => phone.call?.hangUp());

// The ladder: who says what to whom, as it happens. Three columns: the card, this page, the network.
// The octets of a challenge and of its answer have the colours of imslab's charts (style.css).

import { hex } from "./octets.js";

const ENDS = { apdu: ["card", "page"], sip: ["page", "network"], media: ["page", "other side"] };
const MOST = 200; // rows; the oldest goes first
const WAIT = 150; // ms: rows are drawn together, and not while what they tell of is under way
const PAUSE = 80; // ms after a person has scrolled

export class Ladder {
  // `list` is an <ol>; each row can be opened for what it holds.
  constructor(list) {
    this.list = list;
    this.start = null;
    this.waiting = [];
    this.follows = true; // the newest row is in sight, until a person scrolls away from it
    for (const kind of ["wheel", "touchmove", "keydown", "pointerup"]) {
      list.addEventListener(kind, () => setTimeout(() => this.look(), PAUSE), { passive: true });
    }
  }

  look() {
    const { scrollHeight, scrollTop, clientHeight } = this.list;
    this.follows = scrollHeight - scrollTop - clientHeight < 60;
  }

  // kind: "apdu", "sip", "media" or "note"; direction: "left" or "right" (a note has none).
  add({ kind, direction = "", label, detail = "", parts = [], text = "", at = Date.now() }) {
    this.start ??= at;
    this.list.ariaBusy = "true"; // more comes: a screen reader waits for it
    this.waiting.push({ kind, direction, label, detail, parts, text, at: at - this.start });
    if (this.waiting.length === 1) setTimeout(() => requestIdleCallback(() => this.draw(), { timeout: WAIT }), WAIT);
  }

  draw() {
    const { list } = this;
    list.append(...this.waiting.slice(-MOST).map((said) => this.row(said)));
    this.waiting = [];
    list.ariaBusy = "false";
    while (list.children.length > MOST) list.firstElementChild.remove();
    const toTheEnd = () => this.follows && (list.scrollTop = list.scrollHeight);
    toTheEnd();
    requestAnimationFrame(toTheEnd); // rows that come into sight are higher than they were taken for
  }

  row({ kind, direction, label, detail, parts, text, at }) {
    const row = element("li", { className: `row ${kind} ${direction}` });
    const head = element(text ? "summary" : "div", { className: "head" });
    head.append(
      element("span", { className: "time", textContent: seconds(at) }),
      element("span", { className: "visually-hidden", textContent: `${spoken(kind, direction)}: ` }),
      arrow(label, detail),
    );
    row.append(text ? folded(head, text) : head);
    if (parts.length) row.append(strip(parts));
    return row;
  }

  clear() {
    this.list.replaceChildren();
    this.waiting.length = 0;
    this.start = null;
  }
}

// Each octet a cell in the colour of what it means; a legend names them.
export function strip(parts) {
  const box = element("div", { className: "strip" });
  for (const [meaning, octets] of parts) {
    const group = element("span", { className: "octets" });
    group.dataset.meaning = meaning;
    group.append(element("b", { textContent: meaning }));
    const cells = element("span", { className: "cells", role: "img", ariaLabel: `${meaning}: ${hex(octets)}` });
    cells.append(...Array.from(octets, (octet) => element("i", { textContent: hex([octet]) })));
    group.append(cells);
    box.append(group);
  }
  return box;
}

function folded(head, text) {
  const details = element("details", {});
  details.append(head, element("pre", { textContent: text, tabIndex: 0 }));
  return details;
}

function arrow(label, detail) {
  const lane = element("span", { className: "lane" });
  const words = element("span", { className: "words" });
  words.append(element("span", { className: "label", textContent: label }));
  if (detail) words.append(element("span", { className: "detail", textContent: detail }));
  lane.append(words);
  return lane;
}

function spoken(kind, direction) {
  const [left, right] = ENDS[kind] ?? ENDS.sip;
  if (!direction) return "note";
  return direction === "right" ? `${left} to ${right}` : `${right} to ${left}`;
}

const seconds = (ms) => (ms < 10000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);

function element(name, properties) {
  return Object.assign(document.createElement(name), properties);
}

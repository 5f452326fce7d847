// What the page says to a person in each state: a title, a sentence, and what to do next.
// `tone` is "good", "busy", "wait" or "bad"; `can` is what the main button does: "login", "logout" or nothing.

const clock = (time) => new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const day = (time) => new Date(time).toLocaleDateString([], { weekday: "long" });

// "14:32" today, "Friday, 14:32" within a week.
export function when(time, now = Date.now()) {
  const sameDay = new Date(time).toDateString() === new Date(now).toDateString();
  return sameDay ? clock(time) : `${day(time)}, ${clock(time)}`;
}

const RETRYING = "The connection broke. The page tries again by itself, and logs you in again.";

export const STATES = {
  looking: () => ({ tone: "busy", title: "Looking for your card", text: "Asking the bridge on this computer." }),
  noBridge: ({ address }) => ({
    tone: "bad",
    title: "No bridge",
    text: `Nothing on this computer gives the page a card (${address}).`,
    next: "Start it: imslab demo. This page finds it by itself.",
  }),
  notPaired: () => ({
    tone: "wait",
    title: "Pair this page with your card",
    text: "The bridge shows a code in the terminal where it runs. It is needed once.",
  }),
  accessDenied: ({ error }) => ({
    tone: "bad",
    title: "The card does not let this page in",
    text: `Its access rules say: ${error.message}.`,
    next: "Only the card's issuer can change them. Open the page at the address that the card knows.",
  }),
  noCard: () => ({
    tone: "bad",
    title: "No card",
    text: "There is no SIM card in the reader, so nobody is logged in here.",
    next: "Put the card in.",
  }),
  cardError: ({ error }) => ({
    tone: "bad",
    title: "The card cannot be read",
    text: `${error.message}.`,
    next: "Take the card out and put it in again.",
  }),
  ready: () => ({
    tone: "wait",
    title: "Ready to log in",
    text: "Your card is there. No user name, no password: one click.",
    can: "login",
  }),
  connecting: () => ({ tone: "busy", title: "Logging in", text: "Connecting to the network." }),
  registering: () => ({
    tone: "busy",
    title: "Logging in",
    text: "The network and your card prove themselves to each other.",
  }),
  resynchronising: () => ({
    tone: "busy",
    title: "Resynchronising",
    text: "The network's number was too old for the card. They agree on a new one, without you.",
  }),
  registered: ({ until, how }) => ({
    tone: "good",
    title: "You are logged in",
    text: `Registered until ${when(until)}${how ? ` with ${how}` : ""}. It is renewed by itself.`,
    can: "logout",
  }),
  leaving: () => ({ tone: "busy", title: "Logging out", text: "Saying goodbye to the network." }),
  unproven: ({ error }) => ({
    tone: "bad",
    title: "The network could not prove itself",
    text: `Somebody asks your card who does not know its key: ${error.message}. Your card has told them nothing.`,
    next: "Do not trust this network. You may try again.",
    can: "login",
  }),
  downgrade: ({ error }) => ({
    tone: "bad",
    title: "Refused: an old, weaker login",
    text: `${error.message[0].toUpperCase()}${error.message.slice(1)}.`,
    next: "If you know that your network has nothing newer, allow AKAv1 in the settings.",
    can: "login",
  }),
  refused: ({ error, way = "card" }) => ({
    tone: "bad",
    title: "The network refuses",
    text: `${error.message[0].toUpperCase()}${error.message.slice(1)}.`,
    next: way === "card" ? "The network does not know this card, or not its key." : "Is the password right?",
    can: "login",
  }),
  noNetwork: ({ retrying }) => ({
    tone: "bad",
    title: "No connection to the network",
    text: retrying ? RETRYING : "Nobody answers there.",
    next: retrying ? "" : "Is the core running?",
    can: retrying ? "logout" : "login",
  }),
  expired: () => ({
    tone: "bad",
    title: "Your registration ran out",
    text: "This computer slept, or the network did not answer in time.",
    next: "Log in again.",
    can: "login",
  }),
};

// What may be said beside a state.
export const NOTICES = {
  bridgeLost: "The bridge is gone. You stay logged in until the registration runs out; it is found again by itself.",
  malformed: "The network sent a message that breaks the grammar of SIP. It was dropped.",
  ended: "The network had ended your registration. You are being logged in again.",
  slept: "This computer slept. The connection is being checked.",
};

export const CALL_STATES = {
  calling: "Calling",
  ringing: "Ringing",
  incoming: "is calling you",
  connecting: "Connecting",
  talking: "In a call",
  ended: "Call ended",
};

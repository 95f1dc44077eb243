// Live tail of /live/logs: records that come are added at the top. Whoever has scrolled on or reads a record keeps the place,
// and a button says how many wait.
import { onArrive, say } from "./arrive.js";
import { brush } from "./brush.js";
import { shortcut } from "./keys.js";
import { roving } from "./steps.js";
import { zones } from "./zone.js";

/** Between two looks, in milliseconds; longer after one that failed. */
const LOOK_MS = 1000;
const FAILED_MS = 5000;
/** Records in the page; the oldest go. */
const SHOWN_MAX = 1000;
/** So far below the top of the list the reader has scrolled on, in pixels. */
const AWAY = 40;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let next;
let waiting = 0;
/** Rows that wait. @type {DocumentFragment} */
let fresh = new DocumentFragment();

/** @param {string} selector @returns {HTMLElement | null} */
const find = (selector) => document.querySelector(selector);

function list() {
  const known = find("main .logs");
  if (known) return known;
  const made = Object.assign(document.createElement("ol"), { className: "logs" });
  find("[data-tail-new]")?.parentElement?.querySelector(".none")?.replaceWith(made);
  return made;
}

/** Whether new rows would take the place from under the reader's eyes. */
function away() {
  const rows = find("main .logs");
  if (!rows) return false;
  const top = rows.getBoundingClientRect().top;
  return top < AWAY || rows.contains(document.activeElement) || rows.querySelector("details[open]") !== null;
}

/** Puts the waiting rows into the list. */
function add() {
  const rows = list();
  for (const row of fresh.children) row.setAttribute("data-fresh", "");
  rows.prepend(fresh);
  zones();
  while (rows.children.length > SHOWN_MAX) rows.lastElementChild?.remove();
  fresh = new DocumentFragment();
  waiting = 0;
  tell();
}

function tell() {
  const button = find("[data-tail-new]");
  if (!button) return;
  button.hidden = waiting === 0;
  button.textContent = `${waiting} new`;
}

/** @param {string} words */
function note(words) {
  const place = find("[data-tail-said]");
  if (!place || place.textContent === words) return;
  place.textContent = words;
  place.hidden = !words;
}

async function look() {
  const button = find("[data-tail]");
  if (!button || button.getAttribute("aria-pressed") !== "true" || document.hidden) return;
  let pause = LOOK_MS;
  try {
    const url = new URL(button.dataset.api ?? "", location.href);
    url.searchParams.set("after", button.dataset.cursor ?? "0");
    url.searchParams.set("rows", "1");
    const since = button.dataset.cursor;
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(String(answer.status));
    const told = await answer.json();
    // The reader may have stopped it, or gone elsewhere.
    if (find("[data-tail]") !== button || button.getAttribute("aria-pressed") !== "true") return;
    // A page that was drawn anew meanwhile has them.
    const mine = button.dataset.cursor === since;
    if (mine) button.dataset.cursor = told.cursor;
    if (mine && told.count > 0) {
      fresh.prepend(document.createRange().createContextualFragment(told.rows));
      waiting += told.count;
      while (fresh.children.length > SHOWN_MAX) fresh.lastElementChild?.remove();
    }
    note(told.missed ? "So many records come that some were left out." : "");
    if (waiting > 0) away() ? tell() : add();
  } catch {
    pause = FAILED_MS;
    note("The server gives no answer; trying again.");
  }
  clearTimeout(next);
  next = setTimeout(look, pause);
}

/** @param {boolean} on */
function turn(on) {
  const button = find("[data-tail]");
  if (!button) return;
  button.setAttribute("aria-pressed", String(on));
  button.textContent = on ? "Pause" : "Live tail";
  const url = new URL(location.href);
  if (on) url.searchParams.set("tail", "1");
  else url.searchParams.delete("tail");
  history.replaceState(history.state, "", url);
  clearTimeout(next);
  if (on) void look();
  else note("");
}

function start() {
  clearTimeout(next);
  const plot = find("[data-histogram]");
  if (plot) {
    roving(plot);
    const [from, to] = [Number(plot.dataset.from), Number(plot.dataset.to)];
    const moment = (/** @type {number} */ part) => new Date(from + part * (to - from)).toISOString();
    brush(plot, { across: true }, (x0, x1) => {
      const url = new URL(location.href);
      url.searchParams.set("from", moment(x0));
      url.searchParams.set("to", new Date(Math.min(Date.parse(moment(x1)), Date.now())).toISOString());
      url.searchParams.delete("tail");
      location.assign(url);
    });
  }
  const button = find("[data-tail]");
  if (!button) return;
  button.hidden = false;
  fresh = new DocumentFragment();
  waiting = 0;
  tell();
  turn(button.getAttribute("aria-pressed") === "true");
}

/** After the server drew the page anew: its list has what waited, and the button is as the reader left it. */
function resume() {
  const button = find("[data-tail]");
  if (!button) return;
  button.hidden = false;
  button.textContent = button.getAttribute("aria-pressed") === "true" ? "Pause" : "Live tail";
  fresh = new DocumentFragment();
  waiting = 0;
  tell();
}

/** Starts on every page with logs. */
export function tail() {
  onArrive((how) => (how === "refresh" ? resume() : start()));
  document.addEventListener("click", (event) => {
    const at = event.target instanceof Element ? event.target : null;
    const button = at?.closest("[data-tail]");
    if (button) turn(button.getAttribute("aria-pressed") !== "true");
    if (at?.closest("[data-tail-new]")) {
      const top = find("[data-tail-new]")?.parentElement;
      for (const open of document.querySelectorAll("main .logs details[open]")) open.removeAttribute("open");
      const many = waiting;
      add();
      top?.scrollIntoView({ block: "start" });
      say(`${many} records added`);
    }
  });
  document.addEventListener("visibilitychange", () => !document.hidden && find("[data-tail]") && (clearTimeout(next), void look()));
  shortcut("p", "Live tail, or pause it", () => find("[data-tail]")?.click(), { group: "This view", when: () => find("[data-tail]") !== null });
}

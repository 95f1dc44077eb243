// The page of a trace: subtrees that close, a part of the time dragged in the minimap, details fetched when they are
// opened, search that steps, and keys.
import { onArrive, say } from "./arrive.js";
import { brush } from "./brush.js";
import { shortcut } from "./keys.js";
import { refresh } from "./reload.js";
import { here, stand, step } from "./steps.js";

/** Between two looks at a trace that still arrives, in milliseconds. */
const AGAIN_MS = 2000;

/** Ids of rows whose subtree is closed. @type {Set<string>} */
const closed = new Set();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let again;

const panel = () => document.querySelector("[data-waterfall]");
/** @param {Element} row */
const depth = (row) => Number(row.getAttribute("data-depth"));

/** The rows below one, which stand after it. @param {Element} row */
function below(row) {
  const found = [];
  for (let next = row.nextElementSibling; next?.matches("[data-row]") && depth(next) > depth(row); next = next.nextElementSibling) found.push(next);
  return found;
}

/** Hides what closed rows hold. */
function fold() {
  let limit = Infinity;
  for (const row of document.querySelectorAll("[data-waterfall] .rows > ol > li[data-row]")) {
    if (depth(row) <= limit) limit = Infinity;
    row.toggleAttribute("hidden", depth(row) > limit);
    const shut = closed.has(row.id);
    if (shut && depth(row) < limit) limit = depth(row);
    const button = row.querySelector(":scope > .twist");
    button?.setAttribute("aria-expanded", String(!shut));
  }
}

/** Opens or closes what is below a row; a fold itself, which holds its rows. @param {HTMLElement | null} row @param {boolean} [shut] */
function toggle(row, shut) {
  if (!row) return;
  const details = row.matches(".fold") ? row.querySelector("details") : null;
  if (details) {
    details.open = shut === undefined ? !details.open : !shut;
    return;
  }
  const rows = below(row);
  const to = shut ?? !closed.has(row.id);
  if (rows.length === 0 || (to && closed.has(row.id))) {
    // Left from a row without anything open below it leads to its parent.
    if (to) stand(parent(row));
    return;
  }
  if (to) closed.add(row.id);
  else closed.delete(row.id);
  fold();
  say(to ? `${rows.length} lines closed` : "opened");
}

/** @param {Element} row @returns {HTMLElement | null} */
function parent(row) {
  for (let before = row.previousElementSibling; before; before = before.previousElementSibling) {
    if (before instanceof HTMLElement && before.matches("[data-row]") && depth(before) < depth(row)) return before;
  }
  const around = row.parentElement?.closest("[data-row]");
  return around instanceof HTMLElement ? around : null;
}

/** Buttons at rows that have others below. */
function twists() {
  for (const row of document.querySelectorAll("[data-waterfall] .rows > ol > li[data-row]:not(.fold)")) {
    if (row.querySelector(":scope > .twist")) continue;
    const next = row.nextElementSibling;
    if (!next?.matches("[data-row]") || depth(next) <= depth(row)) continue;
    const button = document.createElement("button");
    button.className = "twist";
    button.type = "button";
    button.style.setProperty("--depth", String(depth(row)));
    button.setAttribute("aria-label", `Lines below ${row.querySelector(".name")?.textContent?.trim() ?? ""}`);
    row.prepend(button);
  }
  fold();
}

/** Fetches the details of a span that the page left out. @param {HTMLDetailsElement} details */
async function later(details) {
  const from = details.dataset.later;
  if (!from) return;
  delete details.dataset.later;
  const place = details.querySelector(".details");
  try {
    const answer = await fetch(from, { headers: { accept: "text/html" } });
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".details");
    if (!answer.ok || !next) throw new Error(String(answer.status));
    place?.replaceWith(document.adoptNode(next));
    copies(details);
  } catch {
    // The link in its place still leads there.
    details.dataset.later = from;
  }
}

/** A button at each list of names and values. @param {Element} details */
function copies(details) {
  for (const list of details.querySelectorAll(".details .attributes")) {
    const head = list.previousElementSibling;
    if (head?.localName !== "h3" || head.querySelector(".copy")) continue;
    const button = document.createElement("button");
    button.className = "copy";
    button.type = "button";
    button.textContent = "copy";
    button.setAttribute("aria-label", `Copy ${head.textContent ?? ""}`);
    button.addEventListener("click", async () => {
      const lines = [...list.children].map((pair) => `${pair.querySelector("dt")?.textContent}=${pair.querySelector("dd")?.textContent}`);
      await navigator.clipboard.writeText(lines.join("\n")).then(() => say("copied"), () => say("The browser does not allow copying here"));
      button.textContent = "copied";
    });
    head.append(button);
  }
}

/** The same page for another part of the time. @param {string} zoom `12.50-40.00`, or nothing for all of it */
async function zoomTo(zoom) {
  const url = new URL(location.href);
  if (zoom) url.searchParams.set("zoom", zoom);
  else url.searchParams.delete("zoom");
  url.hash = "";
  history.replaceState(history.state, "", url);
  document.dispatchEvent(new CustomEvent("loggia:address"));
  await refresh();
}

/** Goes to a row that may be hidden or in a fold. @param {string} id of the row's element */
function reveal(id) {
  const row = document.getElementById(id);
  if (!row?.matches("[data-row]")) return false;
  for (let at = row.parentElement?.closest("[data-row]"); at; at = at.parentElement?.closest("[data-row]")) at.querySelector("details")?.setAttribute("open", "");
  for (let at = parent(row); at; at = parent(at)) closed.delete(at.id);
  fold();
  stand(row);
  return true;
}

/** Marks the hit where the reader is. @param {HTMLElement} link */
function hit(link) {
  const all = [...document.querySelectorAll("[data-hit]")];
  for (const one of all) one.removeAttribute("aria-current");
  link.setAttribute("aria-current", "true");
  const said = document.querySelector("[data-found]");
  if (said) said.textContent = `${all.indexOf(link) + 1} of ${said.textContent?.replace(/^\d+ of /, "")}`;
}

/** The next hit after the current one. @param {number} way */
function nextHit(way) {
  const all = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-hit]")]);
  const at = all.findIndex((one) => one.hasAttribute("aria-current"));
  const link = all[(at + way + all.length + (at < 0 && way < 0 ? 1 : 0)) % all.length];
  if (!link) return;
  hit(link);
  if (!reveal(`span-${link.dataset.hit}`)) location.assign(/** @type {HTMLAnchorElement} */ (link).href);
}

function start() {
  clearTimeout(again);
  const waterfall = panel();
  if (!waterfall) return;
  twists();
  for (const details of waterfall.querySelectorAll("details[open]")) {
    if (details instanceof HTMLDetailsElement) void later(details);
    copies(details);
  }
  const map = waterfall.querySelector("[data-minimap]");
  if (map instanceof HTMLElement) {
    brush(map, { across: true, window: [Number(map.dataset.from) / 100, Number(map.dataset.to) / 100] }, (from, to) => zoomTo(`${(from * 100).toFixed(2)}-${(to * 100).toFixed(2)}`), () => zoomTo(""));
  }
  if (document.querySelector("[data-arriving]")) later_again();
}

/** Looks again in a moment; a look that failed is followed by another. */
function later_again() {
  clearTimeout(again);
  again = setTimeout(async () => {
    if (!document.hidden && !(await refresh()) && document.querySelector("[data-arriving]")) later_again();
  }, AGAIN_MS);
}

/** Starts on every page with a trace. */
export function waterfall() {
  document.addEventListener("toggle", (event) => {
    const details = event.target;
    if (!(details instanceof HTMLDetailsElement) || !details.open || !details.closest("[data-waterfall]")) return;
    void later(details);
    copies(details);
  }, true);
  document.addEventListener("click", (event) => {
    const at = event.target instanceof Element ? event.target : null;
    const twist = at?.closest(".twist");
    if (twist) return toggle(/** @type {HTMLElement} */ (twist.parentElement));
    const found = at?.closest("[data-hit]");
    if (found instanceof HTMLElement && !event.ctrlKey && !event.metaKey && document.getElementById(`span-${found.dataset.hit}`)) {
      event.preventDefault();
      hit(found);
      reveal(`span-${found.dataset.hit}`);
    }
  });
  const toHash = () => {
    if (!panel() || !location.hash.startsWith("#span-") || !reveal(location.hash.slice(1))) return;
    document.getElementById(location.hash.slice(1))?.querySelector("details")?.setAttribute("open", "");
  };
  addEventListener("hashchange", toHash);
  document.addEventListener("visibilitychange", () => !document.hidden && document.querySelector("[data-arriving]") && void refresh());
  onArrive((how) => {
    start();
    if (how === "load") toHash();
  });
  const options = { group: "This view", when: () => panel() !== null };
  const failed = (/** @type {HTMLElement} */ row) => row.hasAttribute("data-failed");
  shortcut("e", "Next error", () => step(1, failed), options);
  shortcut("Shift+e", "Previous error", () => step(-1, failed), options);
  shortcut("c", "Open or close what is below", () => toggle(here()), options);
  shortcut("ArrowLeft", "Close what is below, or go to the parent", () => toggle(here(), true), { ...options, when: () => panel() !== null && here() !== null });
  shortcut("ArrowRight", "Open what is below", () => toggle(here(), false), { ...options, when: () => panel() !== null && here() !== null });
  shortcut("z", "Only the time of this line", () => zoomTo(here()?.dataset.zoom ?? ""), options);
  shortcut("Shift+z", "The whole time", () => zoomTo(""), options);
  shortcut("f", "Find in this trace", () => /** @type {HTMLElement | null} */ (document.querySelector(".waterfall .find input[type=search]"))?.focus(), options);
  shortcut("n", "Next found", () => nextHit(1), { ...options, when: () => document.querySelector("[data-hit]") !== null });
  shortcut("Shift+n", "Previous found", () => nextHit(-1), { ...options, when: () => document.querySelector("[data-hit]") !== null });
}

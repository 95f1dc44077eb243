// Values pushed by the server: it formats, this only sets text and attributes.
import { refresh } from "./reload.js";

/**
 * @typedef {{ t?: string, s?: string, h?: string, d?: string, u?: string, p?: string }} Cell text, data-state, explanation, path, address, place
 */

/** Waits after a broken stream, in milliseconds. */
const BACK_OFF = [500, 1000, 2000, 5000, 10000];
/** Without news for so long the figures are called old. */
const OLD_MS = 5000;

/** @type {EventSource | undefined} */
let stream;
let failures = 0;
let newest = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let retry;
/** @type {Map<string, Element[]>} */
let elements = new Map();
let address = "";
/** The shape that the page was last fetched for: never twice for the same. */
let fetchedFor = "";

/** Starts, where a server with telemetry stands behind the page. */
export function connect() {
  address = document.body.dataset.events || "";
  if (!address) return;
  index();
  document.addEventListener("visibilitychange", () => (document.hidden ? pause() : open()));
  addEventListener("pagehide", pause);
  addEventListener("pageshow", (event) => event.persisted && open());
  setInterval(age, 1000);
  document.addEventListener("pointerover", freshTitle, { passive: true });
  if (!document.hidden) open();
}

/** After elements took the place of others. */
export const reindex = () => void (address && index());

/** After a visit to another page: its stream instead of the old one. */
export function follow() {
  if (!address) return;
  address = document.body.dataset.events || address;
  fetchedFor = "";
  index();
  if (!document.hidden) open();
}

/** After the address names another time. */
export function restream() {
  if (!address) return;
  index();
  if (!document.hidden) open();
}

function index() {
  elements = new Map();
  for (const element of document.querySelectorAll("[data-cell]")) {
    const key = element.getAttribute("data-cell") || "";
    const known = elements.get(key);
    if (known) known.push(element);
    else elements.set(key, [element]);
  }
}

function open() {
  close();
  // A moment of the past stays as it is.
  if (document.body.dataset.at) return;
  const page = encodeURIComponent(document.body.dataset.page || "");
  // Charts: the stream sends the time that the address names.
  const typed = new URLSearchParams(location.search);
  const times = ["from", "to", "at"].filter((name) => typed.get(name)).map((name) => `&${name}=${encodeURIComponent(typed.get(name) ?? "")}`).join("");
  const { version } = document.body.dataset;
  stream = new EventSource(`${address}?page=${page}${version ? `&version=${version}` : ""}${times}`);
  stream.addEventListener("open", () => (failures = 0));
  stream.addEventListener("cells", (event) => {
    newest = Date.now();
    patch(JSON.parse(event.data));
    age();
  });
  stream.addEventListener("reload", (event) => {
    const page = JSON.parse(event.data).page;
    if (page === undefined || page === "*" || page === document.body.dataset.page) replace();
  });
  stream.addEventListener("problems", (event) => {
    const panel = document.getElementById("problems");
    if (panel) panel.innerHTML = JSON.parse(event.data).html || "";
  });
  stream.addEventListener("error", () => {
    close();
    show("lost", "reconnecting");
    retry = setTimeout(open, BACK_OFF[Math.min(failures++, BACK_OFF.length - 1)]);
  });
}

function close() {
  clearTimeout(retry);
  stream?.close();
  stream = undefined;
}

function pause() {
  if (document.body.dataset.at) return;
  close();
  show("paused", "paused");
}

async function replace() {
  close();
  const done = await refresh();
  if (done) index();
  // The reader may have gone elsewhere meanwhile; coming back opens the stream.
  if (document.hidden) return done;
  // A page that cannot be had now would be asked for again at once.
  if (done) open();
  else retry = setTimeout(open, BACK_OFF[1]);
  return done;
}

/** No more news: a moment of the past is looked at. @param {number} at seconds since 1970 */
export function freeze(at) {
  close();
  document.body.dataset.at = String(at);
}

/**
 * Puts values in place. A page with other elements than these is fetched again, if `whole` says so.
 * @param {Record<string, Cell>} cells @param {boolean} [whole]
 */
export function patch(cells, whole = true) {
  const shape = cells.shape?.t;
  if (whole && shape !== undefined && shape !== document.body.dataset.shape && shape !== fetchedFor) {
    // Other elements than before, such as a service that just came up.
    // Not asked again at each tick should the page not have them yet; when it could not be had, it is.
    fetchedFor = shape;
    replace().then((done) => { if (!done) fetchedFor = ""; });
    return;
  }
  for (const key in cells) {
    const there = elements.get(key);
    if (there) for (const element of there) apply(element, cells[key]);
  }
}

/**
 * @param {Element} element
 * @param {Cell} cell
 */
function apply(element, cell) {
  if (cell.t !== undefined) write(element, cell.t);
  if (cell.s !== undefined) set(element, "data-state", cell.s);
  if (cell.d !== undefined) set(element, "d", cell.d);
  if (cell.u) set(element, "href", cell.u);
  else if (cell.u === "") element.removeAttribute("href");
  if (cell.p) put(element, cell.p);
  if (cell.h === undefined) return;
  if (element instanceof SVGElement) explain(element, cell.h);
  else if (cell.h) set(element, "title", cell.h);
  else element.removeAttribute("title");
}

/** @param {Element} element @param {string} place percent from the left and from the top */
function put(element, place) {
  const [x, y] = place.split(" ");
  if (!(element instanceof HTMLElement)) return;
  element.style.setProperty("--x", x);
  element.style.setProperty("--y", y);
}

/** In a drawing the words stand in a child that browsers show on hover, which follows when it is looked at. @param {SVGElement} element @param {string} words */
function explain(element, words) {
  if (element.firstElementChild?.localName === "title") set(element, "aria-label", words);
}

/** Before a browser shows it. @param {PointerEvent} event */
function freshTitle(event) {
  const element = /** @type {Element} */ (event.target).closest("[data-cell][aria-label]");
  const title = element?.firstElementChild;
  if (title?.localName === "title") write(title, element?.getAttribute("aria-label") ?? "");
}

/** Changes the text where it stands: a new node would cost several times as much. @param {Element} element @param {string} text */
function write(element, text) {
  const { firstChild } = element;
  if (firstChild instanceof Text && !firstChild.nextSibling) {
    if (firstChild.data !== text) firstChild.data = text;
  } else if (element.textContent !== text) element.textContent = text;
}

/** @param {Element} element @param {string} name @param {string} value */
function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function age() {
  if (!stream || newest === 0) return;
  const seconds = Math.max(1, Math.round((Date.now() - newest) / 1000));
  const old = Date.now() - newest > OLD_MS;
  show(old ? "lost" : "live", old ? `No news for ${seconds} s` : `Live · ${seconds} s ago`);
}

/**
 * Says how the figures are. Only a change of the kind is spoken by screen readers, not every second.
 * @param {string} kind
 * @param {string} text
 */
function show(kind, text) {
  const status = document.getElementById("live");
  const words = status?.querySelector(".live-text");
  if (!status || !words) return;
  status.setAttribute("aria-live", status.dataset.live === kind ? "off" : "polite");
  status.dataset.live = kind;
  words.textContent = text;
}

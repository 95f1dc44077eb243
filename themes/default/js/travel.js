// Visits within the book without a full load: fetched when the reader is about to click, put in place,
// with history, place, focus and title as after a load. Whatever it does not know is left to the browser.
import { arrived, root, say } from "./arrive.js";
import { noteScroll } from "./side.js";

/** @typedef {{ at: number, page: Promise<Fetched | null> }} Waiting */
/** @typedef {{ url: URL, html: string }} Fetched */

/** Addresses of these are not the book's. */
const NOT_OURS = /^(live|api|assets|prometheus|otlp|jaeger|metrics|healthz|readyz)(\/|$)/;
/** Hovering for so long is meant, in milliseconds. */
const HOVER_MS = 60;
/** Pages that are kept for a click, and for how long: figures grow old. */
const [KEPT_MAX, KEPT_MS, LIVE_MS] = [24, 300_000, 4000];
/** Scrolling is over after this time; browsers limit how often history may be written. */
const SETTLED_MS = 150;
/** Parts that a visit replaces; `.bar` keeps its live state and its focus. */
const PARTS = ["#main", "#toc", "#problems", ".site-header", ".site-foot"];

/** Opens the dialog for searching; without script it leads to a page. */
const OPENER = "a[data-search-open]";

/** @type {Map<string, Waiting>} */
const kept = new Map();
/** The page that is shown, without its fragment. */
let shown = "";
/** Counts visits: an answer that comes after the next click is dropped. */
let visit = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let hover;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let settled;

/** Starts where pages come from a server. */
export function travel() {
  if (!/^https?:$/.test(location.protocol) || !bookish(document)) return;
  shown = plain(location);
  history.scrollRestoration = "manual";
  const [entry] = performance.getEntriesByType("navigation");
  const again = /reload|back_forward/.test(/** @type {PerformanceNavigationTiming | undefined} */ (entry)?.type ?? "");
  if (again && typeof history.state?.y === "number") scrollTo({ top: history.state.y, behavior: "instant" });
  document.addEventListener("click", follow);
  document.addEventListener("pointerover", (event) => {
    clearTimeout(hover);
    const link = linkOf(event.target);
    if (link && event.pointerType === "mouse") hover = setTimeout(() => prefetch(link), HOVER_MS);
  });
  document.addEventListener("focusin", (event) => prefetch(linkOf(event.target)));
  document.addEventListener("touchstart", (event) => prefetch(linkOf(event.target)), { passive: true });
  addEventListener("scroll", () => {
    clearTimeout(settled);
    settled = setTimeout(noteScrolled, SETTLED_MS);
  }, { passive: true });
  addEventListener("pagehide", noteScrolled);
  addEventListener("popstate", back);
  document.addEventListener("loggia:address", () => (shown = plain(location)));
}

/** Forgets pages that were fetched before the book changed. */
export const forget = () => kept.clear();

/** Goes to a page of the book. @param {string | URL} to */
export function go(to) {
  const url = new URL(to, location.href);
  if (ours(url) && shown) visitPage(url, "new");
  else location.assign(url);
}

/** @param {Location | URL} url */
const plain = (url) => url.origin + url.pathname + url.search;

/** Whether a document is a page of the book, with the places that a visit fills. @param {Document} page */
const bookish = (page) => page.body?.dataset.kind === "book" && page.querySelector("#main") !== null;

/** @param {URL} url */
function ours(url) {
  const base = root();
  if (url.origin !== location.origin || !url.pathname.startsWith(base.pathname)) return false;
  const rest = url.pathname.slice(base.pathname.length);
  return !NOT_OURS.test(rest) && (rest === "" || rest.endsWith("/") || rest.endsWith(".html"));
}

/** The link that leads to another page of the book. @param {EventTarget | null} target */
function linkOf(target) {
  const link = target instanceof Element ? target.closest("a[href]") : null;
  if (!(link instanceof HTMLAnchorElement)) return null;
  if (link.matches(OPENER)) return null;
  if ((link.target && link.target !== "_self") || link.hasAttribute("download") || /\bexternal\b/.test(link.rel)) return null;
  const url = new URL(link.href);
  return ours(url) && plain(url) !== shown ? url : null;
}

/** @param {MouseEvent} event */
function follow(event) {
  if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const url = linkOf(event.target);
  if (!url) {
    // A jump within the page makes a history entry of its own: this one keeps its place.
    noteScrolled();
    return;
  }
  event.preventDefault();
  visitPage(url, "new");
}

/** @param {URL | null} url */
function prefetch(url) {
  const saving = /** @type {any} */ (navigator).connection?.saveData;
  if (url && !saving) fetched(url);
}

/** A page of the book, or `null` where the browser must load what is there. @param {URL} url */
function fetched(url) {
  const key = plain(url);
  const age = document.body.dataset.events ? LIVE_MS : KEPT_MS;
  const before = kept.get(key);
  if (before && Date.now() - before.at < age) return before.page;
  kept.delete(key);
  const page = take(key).catch(() => null);
  kept.set(key, { at: Date.now(), page });
  for (const oldest of kept.keys()) {
    if (kept.size <= KEPT_MAX) break;
    kept.delete(oldest);
  }
  return page;
}

/** @param {string} address @returns {Promise<Fetched | null>} */
async function take(address) {
  const answer = await fetch(address, { headers: { accept: "text/html" }, credentials: "same-origin" });
  const url = new URL(answer.url || address);
  const html = /^text\/html\b/.test(answer.headers.get("content-type") || "");
  return answer.ok && html && ours(url) ? { url, html: await answer.text() } : null;
}

/** @param {URL} url @param {"new" | "back"} how */
async function visitPage(url, how) {
  const mine = ++visit;
  clearTimeout(hover);
  const found = await fetched(url);
  // Shown once; the next visit asks again.
  kept.delete(plain(url));
  if (mine !== visit) return;
  const page = found && new DOMParser().parseFromString(found.html, "text/html");
  if (!found || !page || !bookish(page) || !sameScripts(page, found.url)) {
    if (how === "new") location.assign(url);
    else location.reload();
    return;
  }
  if (how === "new") {
    clearTimeout(settled);
    noteScrolled();
    history.pushState({ y: 0 }, "", found.url.pathname + found.url.search);
  }
  shown = plain(location);
  put(page);
  arrived("visit");
  land(how, how === "new" ? url.hash : location.hash);
  say(document.title);
}

/** Whether the page was made with the theme that runs here, and brings no script of its own. @param {Document} page @param {URL} url */
function sameScripts(page, url) {
  const scripts = (/** @type {Document} */ from, /** @type {string} */ base) =>
    [...from.querySelectorAll("script")].map((script) => (script.getAttribute("src") ? new URL(script.getAttribute("src") || "", base).pathname : script.textContent)).join("\n");
  return scripts(page, url.href) === (loaded ??= scripts(document, shown));
}
/** @type {string | undefined} */
let loaded;

/** @param {Document} page */
function put(page) {
  noteScroll();
  for (const part of PARTS) {
    const [old, next] = [document.querySelector(part), page.querySelector(part)];
    if (old && next) old.replaceWith(next);
    else if (old) old.remove();
    else if (next) document.querySelector(".frame")?.append(next);
  }
  const side = document.getElementById("side");
  const top = side?.scrollTop ?? 0;
  side?.replaceChildren(...(page.getElementById("side")?.childNodes ?? []));
  side?.scrollTo({ top, behavior: "instant" });
  document.querySelector(".frame")?.classList.toggle("no-toc", !document.getElementById("toc"));
  // Relative to the page, as every address.
  for (const part of [".mark", ".bar > .views", "#live", "#when", "#moment"]) {
    const next = page.querySelector(part);
    if (next) document.querySelector(part)?.replaceWith(next);
  }
  const search = page.querySelector(OPENER)?.getAttribute("href");
  if (search) document.querySelector(OPENER)?.setAttribute("href", search);
  document.title = page.title;
  document.documentElement.lang = page.documentElement.lang;
  for (const name of Object.keys(document.body.dataset)) if (!(name in page.body.dataset)) delete document.body.dataset[name];
  Object.assign(document.body.dataset, page.body.dataset);
  head(page);
  document.dispatchEvent(new CustomEvent("loggia:mode", { detail: page.documentElement.dataset.mode }));
}

/** What the head says of the page: its colours, and what others read. @param {Document} page */
function head(page) {
  const style = document.getElementById("theme");
  const next = page.getElementById("theme");
  if (style && next && style.textContent !== next.textContent) style.textContent = next.textContent;
  const said = "meta[name=description], meta[property], link[rel=canonical], link[rel=prev], link[rel=next], link[rel=alternate]";
  document.head.querySelectorAll(said).forEach((one) => one.remove());
  document.head.append(...page.head.querySelectorAll(said));
}

/** Shows the right place of the new page, and puts the focus there. @param {"new" | "back"} how @param {string} hash */
function land(how, hash) {
  const y = how === "back" && typeof history.state?.y === "number" ? history.state.y : null;
  focusOn(document.querySelector("#main h1") ?? document.getElementById("main"));
  if (y !== null) scrollTo({ top: y, behavior: "instant" });
  else if (hash) jump(hash);
  else scrollTo({ top: 0, behavior: "instant" });
}

/** Lets the browser go to a fragment, so that `:target` and the focus move too. @param {string} hash */
function jump(hash) {
  const html = document.documentElement;
  html.style.scrollBehavior = "auto";
  location.replace(hash);
  focusOn(targetOf(hash));
  html.style.removeProperty("scroll-behavior");
}

/** @param {string} hash */
function targetOf(hash) {
  try {
    return document.getElementById(decodeURIComponent(hash.slice(1)));
  } catch {
    return null;
  }
}

/** @param {Element | null} element */
function focusOn(element) {
  if (!(element instanceof HTMLElement)) return;
  if (!element.matches("a[href], button, input, [tabindex]")) element.tabIndex = -1;
  element.focus({ preventScroll: true });
}

/** Back and forward. */
function back() {
  if (plain(location) !== shown) return void visitPage(new URL(location.href), "back");
  visit++;
  if (typeof history.state?.y === "number") scrollTo({ top: history.state.y, behavior: "instant" });
}

function noteScrolled() {
  if (plain(location) !== shown) return;
  history.replaceState({ ...history.state, y: scrollY }, "");
}

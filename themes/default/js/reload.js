// Fetches the page again and puts it in place without losing the reader's place.
import { arrived } from "./arrive.js";
import { morph } from "./morph.js";

/** Parts that follow the source; the stream and the top bar stay. */
const PARTS = ["#main", "#side", "#toc", "#problems", ".site-header", ".site-foot"];

/**
 * @param {string[]} [more] further parts
 * @returns {Promise<boolean>} whether the page was replaced
 */
export async function refresh(more = []) {
  // The reader may go to another page while this one is fetched.
  const page = document.body.dataset.page;
  let next;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
    // A page whose file was deleted says so, and comes back with its file.
    if (!answer.ok && answer.status !== 404) return false;
    next = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    return false;
  }
  if (document.body.dataset.page !== page) return false;
  // Another script cannot take the place of one that runs.
  if (other(next, "script[src]", "src")) {
    location.reload();
    return true;
  }
  await restyle(next);
  if (document.body.dataset.page !== page) return false;
  const restore = remember();
  // The place is kept by hand below; the browser's own anchoring would count the growth twice.
  document.documentElement.style.overflowAnchor = "none";
  for (const part of [...PARTS, ...more]) replace(part, next);
  document.querySelector(".frame")?.classList.toggle("no-toc", !document.getElementById("toc"));
  document.title = next.title;
  const style = document.getElementById("theme");
  const newer = next.getElementById("theme");
  if (style && newer && style.textContent !== newer.textContent) style.textContent = newer.textContent;
  document.body.dataset.shape = next.body.dataset.shape || "";
  const { at, version } = next.body.dataset;
  if (at === undefined) delete document.body.dataset.at;
  else document.body.dataset.at = at;
  if (version === undefined) delete document.body.dataset.version;
  else document.body.dataset.version = version;
  restore();
  arrived("refresh");
  requestAnimationFrame(() => requestAnimationFrame(() => document.documentElement.style.removeProperty("overflow-anchor")));
  return true;
}

/** @param {string} part @param {Document} next */
function replace(part, next) {
  const [old, newer] = [document.querySelector(part), next.querySelector(part)];
  if (old && newer && old.localName !== newer.localName) old.replaceWith(newer);
  else if (old && newer) morph(old, newer);
  else if (old) old.remove();
  else if (newer) document.querySelector(".frame")?.append(newer);
}

/** Whether the new page names other files. @param {Document} next @param {string} selector @param {string} name */
function other(next, selector, name) {
  const named = (/** @type {Document} */ page) => [...page.querySelectorAll(selector)].map((one) => one.getAttribute(name)).join(" ");
  return named(document) !== named(next);
}

/** The new style sheet beside the old one, which goes when the new one is there: no flash between. @param {Document} next */
async function restyle(next) {
  const sheets = "link[rel=stylesheet]";
  if (!other(next, sheets, "href")) return;
  const old = [...document.querySelectorAll(sheets)];
  const known = new Set(old.map((one) => one.getAttribute("href")));
  const fresh = [...next.querySelectorAll(sheets)];
  const wanted = new Set(fresh.map((one) => one.getAttribute("href")));
  const loaded = fresh.filter((one) => !known.has(one.getAttribute("href"))).map((one) => {
    const link = document.createElement("link");
    for (const { name, value } of one.attributes) link.setAttribute(name, value);
    const ready = new Promise((done) => {
      link.addEventListener("load", done);
      link.addEventListener("error", done);
    });
    old[old.length - 1]?.after(link);
    return ready;
  });
  await Promise.all(loaded);
  for (const one of old) if (!wanted.has(one.getAttribute("href"))) one.remove();
}

/**
 * Notes what the reader sees and where the focus is; returns what puts both back where elements had
 * to go.
 * @returns {() => void}
 */
function remember() {
  const heading = anchor();
  const top = heading?.getBoundingClientRect().top || 0;
  const scroll = window.scrollY;
  const focused = document.activeElement;
  const focus = path(focused);
  return () => {
    const again = heading && document.getElementById(heading.id);
    const to = again ? window.scrollY + again.getBoundingClientRect().top - top : scroll;
    window.scrollTo({ top: to, behavior: "instant" });
    if (focused === document.activeElement) return;
    const target = focus && document.querySelector(focus);
    if (target instanceof HTMLElement || target instanceof SVGElement) target.focus({ preventScroll: true });
  };
}

/** The heading nearest to the window's upper edge: content that grows above it must not move it. */
function anchor() {
  const edge = 80;
  let best;
  for (const heading of document.querySelectorAll("#main :is(h1, h2, h3, h4)[id]")) {
    const far = Math.abs(heading.getBoundingClientRect().top - edge);
    if (!best || far < best.far) best = { heading, far };
  }
  return best?.heading;
}

/**
 * A selector that finds the same element in the new page.
 * @param {Element | null} element
 * @returns {string}
 */
function path(element) {
  const steps = [];
  for (let at = element; at && at !== document.body; at = at.parentElement) {
    if (at.id) {
      steps.unshift(`#${CSS.escape(at.id)}`);
      break;
    }
    const place = [...(at.parentElement?.children || [])].indexOf(at) + 1;
    steps.unshift(`${at.localName}:nth-child(${place})`);
  }
  return steps.length ? steps.join(" > ") : "";
}

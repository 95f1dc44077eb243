// Fetches the page again and puts it in place without losing the reader's place.
import { spy } from "./spy.js";

/** Parts that are replaced; the stream and the top bar stay. */
const PARTS = ["#main", "#side", "#toc", "#problems"];

/** @returns {Promise<boolean>} whether the page was replaced */
export async function refresh() {
  let next;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
    if (!answer.ok) return false;
    next = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    return false;
  }
  const restore = remember();
  // The place is kept by hand below; the browser's own anchoring would count the growth twice.
  document.documentElement.style.overflowAnchor = "none";
  for (const part of PARTS) swap(part, next);
  document.title = next.title;
  const style = document.getElementById("theme");
  const newer = next.getElementById("theme");
  if (style && newer && style.textContent !== newer.textContent) style.textContent = newer.textContent;
  document.body.dataset.shape = next.body.dataset.shape || "";
  restore();
  spy();
  requestAnimationFrame(() => requestAnimationFrame(() => document.documentElement.style.removeProperty("overflow-anchor")));
  return true;
}

/**
 * @param {string} part
 * @param {Document} next
 */
function swap(part, next) {
  const [old, newer] = [document.querySelector(part), next.querySelector(part)];
  if (old && newer) {
    // The sidebar keeps its element, so that an open popover stays open.
    if (part === "#side") {
      if (old.innerHTML !== newer.innerHTML) old.replaceChildren(...newer.childNodes);
    } else old.replaceWith(newer);
  } else if (old) old.remove();
  else if (newer) document.querySelector(".frame")?.append(newer);
  document.querySelector(".frame")?.classList.toggle("no-toc", !document.getElementById("toc"));
}

/**
 * Notes what the reader sees and where the focus is; returns what puts both back.
 * @returns {() => void}
 */
function remember() {
  const heading = anchor();
  const top = heading?.getBoundingClientRect().top || 0;
  const scroll = window.scrollY;
  const focus = path(document.activeElement);
  const details = [...document.querySelectorAll("#main details")].map((one) => /** @type {HTMLDetailsElement} */ (one).open);
  const checked = [...document.querySelectorAll("#main input:checked")].map((one) => /** @type {HTMLInputElement} */ (one));
  const wides = [...document.querySelectorAll("#main .scroll")].map((one) => one.scrollLeft);
  return () => {
    const fresh = [...document.querySelectorAll("#main details")];
    if (fresh.length === details.length) fresh.forEach((one, at) => (/** @type {HTMLDetailsElement} */ (one).open = details[at]));
    for (const { name, value } of checked) {
      const same = [...document.getElementsByName(name)].find((one) => /** @type {HTMLInputElement} */ (one).value === value);
      if (same) /** @type {HTMLInputElement} */ (same).checked = true;
    }
    document.querySelectorAll("#main .scroll").forEach((one, at) => (one.scrollLeft = wides[at] || 0));
    const again = heading && document.getElementById(heading.id);
    const to = again ? window.scrollY + again.getBoundingClientRect().top - top : scroll;
    window.scrollTo({ top: to, behavior: "instant" });
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

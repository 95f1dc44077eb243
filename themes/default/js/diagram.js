// Looking closer at a diagram: zoom, pan, full screen, links to its boxes. Without it a figure scrolls.
import { onArrive } from "./arrive.js";

/** @typedef {{ scale: number, left: number, top: number, height: string, fitted: boolean }} View */

/** One step of a button or a key; limits in pixels for a unit of the drawing; how far a click may slip. */
const [STEP, LEAST, MOST, SLIP] = [1.25, 0.04, 6, 4];
/** To fit, a drawing is not blown up in the page, but it may be where it fills the window. */
const [FIT, FIT_FULL] = [1.05, 2.2];

/** Room that is left beside the outermost boxes at first. */
const EDGE = 24;

/** What the reader zoomed, by the figure's id: it outlives the page's refresh. @type {Map<string, View>} */
const views = new Map();
/** The figure that fills the window, and how it was seen before. */
let full = "";
/** @type {View | undefined} */
let before;
/** Figures that were shown from their first box. */
const begun = new Set();
/** Distance of two fingers. */
let apart = 0;

/** Starts, also for content that later takes the place of this. */
export function diagrams() {
  // A refresh takes away what the figures' elements were given here.
  onArrive((how) => how === "visit" || settle());
  find();
  addEventListener("resize", () => full && views.get(full)?.fitted && fit(figures().find((one) => one.id === full)));
  addEventListener("hashchange", find);
  document.addEventListener("keydown", key);
  document.addEventListener("click", (event) => {
    const [button, figure] = [near(event, "[data-do]"), near(event, FIGURE)];
    if (button && figure) ACTIONS[button.dataset.do || ""]?.(figure);
    else if (near(event, ".links a")) find();
  });
  document.addEventListener("fullscreenchange", () => document.fullscreenElement || leave());
  document.addEventListener("focusin", (event) => full && near(event, FIGURE)?.id !== full && leave());
}

/** Another page came: its figures have the same names. */
export function visited() {
  full = "";
  views.clear();
  begun.clear();
  settle();
  find();
}

const FIGURE = "figure.diagram:has(.drawing)";
/** @returns {any[]} */
const figures = () => [...document.querySelectorAll(FIGURE)];
/** @param {Event} event @param {string} selector @returns {any} */
const near = (event, selector) => event.target instanceof Element && event.target.closest(selector);
/** @param {HTMLElement} figure @returns {any} */
const parts = (figure) => {
  const [scroll, drawing] = [figure.querySelector(".scroll"), /** @type {HTMLElement} */ (figure.querySelector(".drawing"))];
  const width = Number(drawing.style.getPropertyValue("--w"));
  return { scroll, drawing, width, scale: drawing.offsetWidth / width };
};

/** Listeners and the reader's views for the figures that are here now. Adding a listener twice changes nothing. */
function settle() {
  for (const figure of figures()) {
    const { scroll, drawing } = parts(figure);
    for (const element of [scroll, drawing]) sizes.observe(element);
    for (const [name, act] of Object.entries({ wheel, touchmove: pinch, touchend: lift, pointerdown: drag, dragstart: stop, dblclick: twice, scroll: keep })) {
      scroll.addEventListener(name, act, { passive: name === "scroll" });
    }
    figure.classList.toggle("full", figure.id === full);
    const view = views.get(figure.id);
    if (view) show(figure, view);
  }
  spot()?.classList.add("found");
}

/** Says which drawings are larger than their place, and begins each of them where most is seen. */
const sizes = new ResizeObserver(() => {
  for (const figure of figures()) {
    const { scroll } = parts(figure);
    const wide = scroll.scrollWidth > scroll.clientWidth + 1;
    more(figure);
    figure.toggleAttribute("data-wide", wide);
    const pan = wide || scroll.scrollHeight > scroll.clientHeight + 1;
    figure.toggleAttribute("data-pan", pan);
    if (begun.has(figure.id) || !pan) continue;
    begun.add(figure.id);
    if (!scroll.scrollLeft && !scroll.scrollTop) begin(scroll);
  }
});

/** Shows the box that was searched for, else the first one, and as many others with it as there is room for. @param {HTMLElement} scroll */
function begin(scroll) {
  const area = scroll.getBoundingClientRect();
  const place = (/** @type {Element} */ box) => {
    const { left, right, top, bottom } = box.getBoundingClientRect();
    return { x: [left - area.left, right - area.left], y: [top - area.top, bottom - area.top] };
  };
  const all = (/** @type {string} */ name) => [...scroll.querySelectorAll(name)].map(place);
  let boxes = all(".spot");
  let [first] = [...all(".marked > .shape"), ...boxes];
  if (boxes.length === 0) {
    boxes = all(".node > .shape");
    // A map begins at its first layer.
    const side = scroll.closest("figure")?.dataset.begin === "y" ? "y" : "x";
    first ||= boxes.reduce((a, b) => (b[side][0] < a[side][0] ? b : a), boxes[0]);
  }
  if (!first) return;
  /** @param {"x" | "y"} axis @param {number} room */
  const best = (axis, room) => {
    const [from, to] = first[axis];
    const middle = (from + to - room) / 2;
    const starts = boxes.flatMap((box) => [box[axis][0] - EDGE, box[axis][1] + EDGE - room]);
    const seen = (/** @type {number} */ start) => boxes.filter((box) => box[axis][0] >= start && box[axis][1] <= start + room);
    const fair = [middle, ...starts.filter((start) => start <= from && start + room >= to)];
    const ranked = fair.map((start) => ({ start, count: seen(start).length, off: Math.abs(start - middle) }));
    const { start } = ranked.reduce((a, b) => (b.count > a.count || (b.count === a.count && b.off < a.off) ? b : a));
    boxes = seen(start);
    return start;
  };
  scroll.scrollTo({ left: best("x", scroll.clientWidth), top: best("y", scroll.clientHeight), behavior: "instant" });
}

/** Says on which side there is more. @param {HTMLElement} figure */
function more(figure) {
  const { scroll } = parts(figure);
  const left = scroll.scrollLeft > 1 ? "left" : "";
  const right = scroll.scrollLeft + scroll.clientWidth < scroll.scrollWidth - 1 ? "right" : "";
  figure.dataset.more = `${left} ${right}`.trim();
}

/** @param {HTMLElement} figure @param {View} view */
function show(figure, view) {
  const { scroll, drawing, width } = parts(figure);
  views.set(figure.id, view);
  scroll.classList.add("zoomed");
  scroll.style.height = view.height;
  drawing.style.width = `${width * view.scale}px`;
  scroll.scrollTo({ left: view.left, top: view.top, behavior: "instant" });
}

/** Notes how far the reader panned. @param {Event} event */
function keep(event) {
  const figure = near(event, FIGURE);
  const view = views.get(figure.id);
  more(figure);
  if (view) ({ scrollLeft: view.left, scrollTop: view.top } = near(event, ".scroll"));
}

/**
 * Zooms around a point of the window, else around the middle; says whether anything changed.
 * @param {HTMLElement} figure @param {number} factor @param {{ clientX: number, clientY: number }} [at]
 */
function zoom(figure, factor, at) {
  const { scroll, drawing, scale } = parts(figure);
  const next = Math.min(MOST, Math.max(Math.min(LEAST, scale), scale * factor));
  if (Math.abs(next - scale) < 1e-4) return false;
  const area = scroll.getBoundingClientRect();
  const { clientX: x, clientY: y } = at || { clientX: area.left + area.width / 2, clientY: area.top + area.height / 2 };
  const old = drawing.getBoundingClientRect();
  // What stands below stays in place: the part that scrolls keeps its height.
  const height = views.get(figure.id)?.height ?? `${scroll.offsetHeight}px`;
  show(figure, { scale: next, left: scroll.scrollLeft, top: scroll.scrollTop, height, fitted: false });
  const now = drawing.getBoundingClientRect();
  const left = scroll.scrollLeft + now.left + ((x - old.left) / old.width) * now.width - x;
  const top = scroll.scrollTop + now.top + ((y - old.top) / old.height) * now.height - y;
  show(figure, { scale: next, left, top, height, fitted: false });
  return true;
}

/** The whole drawing at once. @param {HTMLElement} figure */
function fit(figure) {
  const { scroll, drawing, scale } = parts(figure);
  const room = 2 * parseFloat(getComputedStyle(scroll).paddingLeft);
  const shares = [(scroll.clientWidth - room) / drawing.offsetWidth, (scroll.clientHeight - room) / drawing.offsetHeight];
  zoom(figure, Math.min(...shares, (full ? FIT_FULL : FIT) / scale));
  const view = views.get(figure.id);
  if (view) view.fitted = true;
}

/** As the page shows it at first. @param {HTMLElement} figure */
function reset(figure) {
  const { scroll, drawing } = parts(figure);
  views.delete(figure.id);
  scroll.style.height = drawing.style.width = "";
  scroll.classList.remove("zoomed");
}

/** Fills the window, and the screen where the browser allows that. @param {HTMLElement} figure */
function enter(figure) {
  before = views.get(figure.id);
  full = figure.id;
  figure.classList.add("full");
  document.documentElement.requestFullscreen?.().catch(() => {});
  fit(figure);
  parts(figure).scroll.focus();
}

function leave() {
  const figure = figures().find((one) => one.id === full);
  full = "";
  if (document.fullscreenElement) document.exitFullscreen();
  if (!figure) return;
  figure.classList.remove("full");
  reset(figure);
  if (before) show(figure, before);
}

/** @type {Record<string, (figure: HTMLElement) => unknown>} */
const ACTIONS = {
  in: (figure) => zoom(figure, STEP),
  out: (figure) => zoom(figure, 1 / STEP),
  fit: (figure) => (views.get(figure.id)?.fitted && !full ? reset(figure) : fit(figure)),
  full: (figure) => (full ? leave() : enter(figure)),
  source: async (figure) => (await import("./copy.js")).source(figure),
  svg: async (figure) => (await import("./copy.js")).svg(figure),
};

/** @param {KeyboardEvent} event */
function key(event) {
  if (event.key === "Escape" && full) leave();
  const name = { "+": "in", "=": "in", "-": "out", 0: "fit", f: "full" }[event.key];
  if (!name || event.ctrlKey || event.metaKey || event.altKey || !near(event, ".diagram > .scroll")) return;
  event.preventDefault();
  ACTIONS[name](near(event, FIGURE));
}

/** With Ctrl or Cmd, or where the figure has the focus; else the page scrolls. @param {WheelEvent} event */
function wheel(event) {
  const asked = event.ctrlKey || event.metaKey;
  if (!asked && (event.shiftKey || near(event, ".scroll") !== document.activeElement)) return;
  const turn = Math.max(-120, Math.min(120, event.deltaY * (event.deltaMode ? 16 : 1)));
  if (zoom(near(event, FIGURE), Math.exp(-turn / 400), event) || asked) event.preventDefault();
}

/** @param {TouchEvent} event */
function pinch(event) {
  if (event.touches.length !== 2) return;
  stop(event);
  const [a, b] = event.touches;
  const now = Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
  const at = { clientX: (a.clientX + b.clientX) / 2, clientY: (a.clientY + b.clientY) / 2 };
  if (apart) zoom(near(event, FIGURE), now / apart, at);
  apart = now;
}

const lift = () => (apart = 0);
/** @param {Event} event */
const stop = (event) => event.preventDefault();
/** @param {MouseEvent} event */
const twice = (event) => near(event, "a") || zoom(near(event, FIGURE), event.shiftKey ? STEP ** -2 : STEP ** 2, event);

/** Pans with the mouse; fingers scroll by themselves. @param {PointerEvent} event */
function drag(event) {
  const scroll = near(event, ".scroll");
  if (event.pointerType !== "mouse" || event.button !== 0 || !scroll.closest("[data-pan]")) return;
  const [x, y] = [event.clientX, event.clientY];
  const [left, top] = [scroll.scrollLeft + x, scroll.scrollTop + y];
  const end = new AbortController();
  const move = (/** @type {PointerEvent} */ to) => {
    if (!scroll.hasPointerCapture(event.pointerId)) {
      if (Math.hypot(to.clientX - x, to.clientY - y) < SLIP) return;
      // From here on it is no click on what lies below.
      scroll.setPointerCapture(event.pointerId);
    }
    scroll.scrollTo({ left: left - to.clientX, top: top - to.clientY, behavior: "instant" });
  };
  addEventListener("pointermove", move, { signal: end.signal });
  for (const name of ["pointerup", "pointercancel"]) addEventListener(name, () => end.abort(), { signal: end.signal });
}

/** The box that the address names. */
function spot() {
  try {
    return document.getElementById(decodeURIComponent(location.hash.slice(1)))?.closest(".spot");
  } catch {
    return null;
  }
}

/** Shows it in the middle. */
function find() {
  document.querySelector(".spot.found")?.classList.remove("found");
  spot()?.classList.add("found");
  spot()?.scrollIntoView({ block: "center", inline: "center" });
}

// The plot of found traces: an area that is dragged narrows the search, and arrows go from mark to mark.
import { onArrive } from "./arrive.js";
import { brush } from "./brush.js";

/** A duration as the search takes it. @param {number} ns */
function written(ns) {
  const [size, unit] = ns >= 1e9 ? [1e9, "s"] : ns >= 1e6 ? [1e6, "ms"] : [1e3, "us"];
  return `${Number((ns / size).toPrecision(3))}${unit}`;
}

/** @param {HTMLElement} plot */
function start(plot) {
  const [from, to, low, high] = ["from", "to", "low", "high"].map((name) => Number(plot.dataset[name]));
  const room = 0.015;
  const moment = (/** @type {number} */ x) => new Date(from + ((x - room) / (1 - 2 * room)) * (to - from)).toISOString();
  const length = (/** @type {number} */ y) => high * (low / high) ** y;
  brush(plot, {}, (x0, x1, y0, y1) => {
    const url = new URL(location.href);
    const ends = { from: moment(x0), to: moment(x1), min: written(length(y1)), max: written(length(y0)) };
    for (const [name, value] of Object.entries(ends)) url.searchParams.set(name, value);
    location.assign(url);
  });
  // One stop for the tabulator; arrows go on from there.
  const marks = [...plot.querySelectorAll("a")];
  marks.forEach((mark, at) => mark.setAttribute("tabindex", at === marks.length - 1 ? "0" : "-1"));
  if (plot.dataset.walks) return;
  plot.dataset.walks = "";
  plot.addEventListener("keydown", (event) => {
    const all = [...plot.querySelectorAll("a")];
    const at = all.indexOf(/** @type {SVGAElement} */ (document.activeElement));
    const way = { ArrowRight: 1, ArrowLeft: -1, ArrowUp: 1, ArrowDown: -1 }[event.key];
    const next = way && at >= 0 ? all[at + way] : undefined;
    if (!next || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    all[at].setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });
}

/** Starts on every page with the plot. */
export function scatter() {
  onArrive(() => {
    const plot = document.querySelector("[data-scatter]");
    if (plot instanceof HTMLElement) start(plot);
  });
}

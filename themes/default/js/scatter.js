// The plot of found traces: an area that is dragged narrows the search.
import { onArrive } from "./arrive.js";
import { brush } from "./brush.js";
import { roving } from "./steps.js";

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
  roving(plot);
}

/** Starts on every page with the plot. */
export function scatter() {
  onArrive(() => {
    const plot = document.querySelector("[data-scatter]");
    if (plot instanceof HTMLElement) start(plot);
  });
}

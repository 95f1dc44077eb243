// The plot of found traces, where an area that is dragged narrows the search, and the lanes of what happened, where it
// narrows the time.
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

/** @param {HTMLElement} lanes */
function span(lanes) {
  const [from, to] = [Number(lanes.dataset.from), Number(lanes.dataset.to)];
  brush(lanes, { across: true }, (x0, x1) => {
    const url = new URL(location.href);
    for (const [name, part] of [["from", x0], ["to", x1]]) url.searchParams.set(String(name), new Date(from + Number(part) * (to - from)).toISOString());
    url.hash = "timeline";
    location.assign(url);
  });
}

/** Starts on every page with the plot or the lanes. */
export function scatter() {
  onArrive(() => {
    const plot = document.querySelector("[data-scatter]");
    if (plot instanceof HTMLElement) start(plot);
    const lanes = document.querySelector("[data-timeline]");
    if (lanes instanceof HTMLElement) span(lanes);
  });
}

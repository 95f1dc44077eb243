// Charts: a crosshair in step on all charts of the page, tooltips, zoom that the address keeps, legends
// that isolate, tables. The server draws and words everything; this asks it for the words of each point.
import { keep, onArrive, recall, say } from "./arrive.js";
import { restream } from "./live.js";
import { refresh } from "./reload.js";

/** How times are told: `ago`, `utc` or `local`. */
const CLOCK = "loggia-clock";
/** Shorter drags are clicks, in pixels. */
const DRAG_MIN = 6;
/** No shorter span is zoomed to, milliseconds. */
const SPAN_MIN = 5000;
/** An exemplar is near the crosshair within so many pixels. */
const NEAR = 9;
/** Rows of a table. */
const ROWS_MAX = 500;

/**
 * @typedef {{ from: number, to: number, step: number, low: number, high: number }} Span
 * @typedef {{ name: string, values: (number | null)[], texts: string[] }} Series
 * @typedef {{ at: number, text: string, trace: string, why: string }} Exemplar
 * @typedef {{ at: number, until: number | null, kind: string, words: string }} Mark
 * @typedef {{ times: number[], series: Series[], exemplars: Exemplar[], marks: Mark[], step: number }} Data
 * @typedef {{ figure: HTMLElement, area: HTMLElement, line?: HTMLElement, tip?: HTMLElement, data?: Data, state?: string, asked?: Promise<Data | undefined> }} Chart
 */

/** @type {Chart[]} */
let charts = [];
/** Where the crosshair is, as a moment. @type {number | undefined} */
let at;
/** The chart under the pointer or the focus. @type {Chart | undefined} */
let active;
/** Charts that are listened on: they outlive their attributes. @type {WeakSet<Element>} */
const listened = new WeakSet();
/** @type {{ chart: Chart, x: number, band: HTMLElement } | undefined} */
let drag;
/** Lines that are shown alone, by the title of their chart. @type {Map<string, Set<string>>} */
const alone = new Map();
const watching = new MutationObserver((changes) => {
  for (const figure of new Set(changes.map((one) => one.target))) {
    const chart = charts.find((one) => one.figure === figure);
    if (!chart) continue;
    axis(chart);
    if (at !== undefined && chart === active) void show(chart);
    if (tabled(chart)) void table(chart);
  }
});

/** Listens once; each page brings its charts. */
export function charting() {
  onArrive(settle);
  document.addEventListener("keydown", keys);
  document.addEventListener("pointerup", drop);
  document.addEventListener("pointercancel", () => (drag?.band.remove(), (drag = undefined)));
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[data-zoom-back], .head .seg a[href^='?from=']") : null;
    if (!(link instanceof HTMLAnchorElement) || !charts.length || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    void visit(new URL(link.href));
  });
  addEventListener("popstate", () => {
    // Pages of the book are put in place by `travel`.
    if (document.body.dataset.kind === "book" || !charts.length) return;
    if ("at" in document.body.dataset || new URL(location.href).searchParams.has("at")) return;
    void arrive();
  });
}

function settle() {
  watching.disconnect();
  [at, active] = [undefined, undefined];
  charts = [...document.querySelectorAll("figure.plot")].map((found) => {
    const figure = /** @type {HTMLElement} */ (found);
    const chart = { figure, area: /** @type {HTMLElement} */ (figure.querySelector(".plot-area")) };
    watching.observe(figure, { attributes: true, attributeFilter: ["data-state"] });
    if (!listened.has(figure)) ready(figure);
    figure.querySelectorAll(".crosshair, .tip, .band").forEach((one) => one.remove());
    axis(chart);
    isolate(chart);
    if (tabled(chart)) void table(chart);
    return chart;
  });
}

/** @param {Element | EventTarget | null} element */
const chartOf = (element) => charts.find((one) => element instanceof Node && one.figure.contains(element));

/** Listens on one chart; the figure itself lives as long as its listeners. @param {HTMLElement} figure */
function ready(figure) {
  listened.add(figure);
  const area = /** @type {HTMLElement} */ (figure.querySelector(".plot-area"));
  area.addEventListener("pointermove", move);
  area.addEventListener("pointerdown", grab);
  area.addEventListener("pointerleave", () => drag || document.activeElement === area || hide());
  area.addEventListener("dblclick", (event) => (event.preventDefault(), back()));
  area.addEventListener("focus", () => {
    const chart = chartOf(area);
    if (!chart || !area.matches(":focus-visible")) return;
    active = chart;
    at ??= span(chart).to;
    void showAll();
  });
  area.addEventListener("blur", hide);
  figure.querySelector(".legend")?.addEventListener("click", (event) => {
    const item = event.target instanceof Element ? event.target.closest("li") : null;
    const chart = chartOf(figure);
    if (item?.querySelector("button") && chart) choose(chart, item, /** @type {MouseEvent} */ (event).shiftKey);
  });
  figure.querySelector(".plot-table")?.addEventListener("toggle", (event) => {
    const chart = chartOf(figure);
    if (chart && /** @type {HTMLDetailsElement} */ (event.target).open) void table(chart);
  });
}

/** @param {Chart} chart @returns {Span} */
function span({ figure }) {
  const [from, to, step, low, high] = (figure.dataset.state || "").split(" ").map(Number);
  return { from, to, step, low, high };
}

/** The words and numbers of a chart as it is drawn now. @param {Chart} chart */
function data(chart) {
  const { source, api, state } = chart.figure.dataset;
  if (!source || !api) return Promise.resolve(undefined);
  if (chart.asked && chart.state === state) return chart.asked;
  chart.state = state;
  const { from, to } = span(chart);
  chart.asked = fetch(`${api}?${source}&from=${from}&to=${to}`)
    .then((answer) => (answer.ok ? answer.json() : undefined))
    .then((found) => (chart.data = found ?? chart.data))
    .catch(() => ((chart.state = undefined), chart.data));
  return chart.asked;
}

/** @param {PointerEvent} event */
function move(event) {
  const chart = chartOf(event.currentTarget);
  if (!chart) return;
  active = chart;
  at = momentAt(chart, event.clientX);
  if (drag) stretch(event.clientX);
  void showAll();
}

/** @param {Chart} chart @param {number} x */
function momentAt(chart, x) {
  const box = chart.area.getBoundingClientRect();
  const { from, to } = span(chart);
  return from + (to - from) * Math.min(1, Math.max(0, (x - box.left) / box.width));
}

/** The step that is nearest. @param {Data} found @param {number} moment */
function nearest(found, moment) {
  let best = -1;
  found.times.forEach((time, nth) => {
    if (best < 0 || Math.abs(time - moment) < Math.abs(found.times[best] - moment)) best = nth;
  });
  return best;
}

const showAll = () => Promise.all(charts.map(show));

/** Puts the crosshair of a chart where it is on all; the active one tells its values. @param {Chart} chart */
async function show(chart) {
  const { from, to, low, high } = span(chart);
  if (at === undefined || at < from || at > to) return clear(chart);
  const percent = (/** @type {number} */ moment) => (100 * (moment - from)) / (to - from);
  chart.line ??= part("div", "crosshair", "");
  if (!chart.line.isConnected) chart.area.append(chart.line);
  if (!chart.data) chart.line.style.left = `${percent(at)}%`;
  const found = chart.data && chart.state === chart.figure.dataset.state ? chart.data : await data(chart);
  if (at === undefined || !chart.line) return;
  if (!found || !found.times.length) return void (chart.line.style.left = `${percent(at)}%`);
  const nth = nearest(found, at);
  chart.line.style.left = `${percent(found.times[nth])}%`;
  const stacks = chart.figure.matches(".stacked, .bar");
  const lines = found.series.map((series, line) => ({ line, name: series.name, value: series.values[nth], text: series.texts[nth] })).filter((one) => !hidden(chart, one.name));
  chart.line.replaceChildren(...(stacks ? [] : lines).filter((one) => one.value !== null).map((one) => {
    const dot = part("i", `s${one.line}`, "");
    dot.style.top = `${100 - (100 * (Number(one.value) - low)) / (high - low)}%`;
    return dot;
  }));
  if (chart === active) tell(chart, found, nth, lines, percent(found.times[nth]));
  else chart.tip?.remove();
}

/** @param {Chart} chart @param {Data} found @param {number} nth @param {{ line: number, name: string, value: number | null, text: string }[]} lines @param {number} x */
function tell(chart, found, nth, lines, x) {
  chart.tip ??= part("div", "tip num", "");
  const time = found.times[nth];
  // Sorted by value, as the lines stand above each other; what was not measured comes last.
  lines.sort((a, b) => (b.value ?? -Infinity) - (a.value ?? -Infinity));
  const list = document.createElement("ol");
  list.append(...lines.map((one) => {
    const item = part("li", `s${one.line}`, "");
    item.append(part("span", "name", one.name), part("b", "", one.text));
    return item;
  }));
  const close = ((found.times[1] ?? time) - found.times[0]) * 1.5 || found.step;
  const words = found.marks.filter((mark) => (mark.until === null ? Math.abs(mark.at - time) <= Math.max(close, pixels(chart, 5)) : mark.at <= time && time <= mark.until)).map((mark) => part("p", "mark-words", `${{ deploy: "▮", restart: "↻" }[mark.kind] ?? "▲"} ${mark.words}`));
  const trace = exemplar(chart, found);
  chart.tip.replaceChildren(part("p", "", told(time, chart)), list, ...words, ...(trace ? [part("p", "", `◆ a trace of ${trace.text} ⏎`)] : []));
  if (!chart.tip.isConnected) chart.area.append(chart.tip);
  const left = x > 50;
  chart.tip.style.left = left ? "auto" : `calc(${x}% + .8rem)`;
  chart.tip.style.right = left ? `calc(${100 - x}% + .8rem)` : "auto";
}

/** Milliseconds that so many pixels stand for. @param {Chart} chart @param {number} count */
const pixels = (chart, count) => (count * (span(chart).to - span(chart).from)) / Math.max(1, chart.area.clientWidth);

/** The exemplar at the crosshair. @param {Chart} chart @param {Data} found */
function exemplar(chart, found) {
  const reach = Math.max(pixels(chart, NEAR), found.step);
  let best;
  for (const one of found.exemplars) if (at !== undefined && Math.abs(one.at - at) <= reach && (!best || Math.abs(one.at - at) < Math.abs(best.at - at))) best = one;
  for (const link of chart.area.querySelectorAll("a.exemplar")) link.classList.toggle("near", !!best && (link.getAttribute("href") ?? "").endsWith(best.trace));
  return best;
}

function hide() {
  [at, active] = [undefined, undefined];
  charts.forEach(clear);
}

/** @param {Chart} chart */
function clear(chart) {
  chart.line?.remove();
  chart.tip?.remove();
  chart.area.querySelectorAll(".near").forEach((one) => one.classList.remove("near"));
}

// --- Zoom: the address says which time is shown.

/** @param {PointerEvent} event */
function grab(event) {
  const chart = chartOf(event.currentTarget);
  if (!chart || "fixed" in chart.figure.dataset || event.button !== 0 || event.pointerType === "touch" || (event.target instanceof Element && event.target.closest("a"))) return;
  const band = part("div", "band", "");
  drag = { chart, x: event.clientX, band };
  chart.area.setPointerCapture(event.pointerId);
}

/** @param {number} x */
function stretch(x) {
  if (!drag) return;
  if (Math.abs(x - drag.x) >= DRAG_MIN && !drag.band.isConnected) drag.chart.area.append(drag.band);
  const box = drag.chart.area.getBoundingClientRect();
  const [from, to] = [Math.min(x, drag.x), Math.max(x, drag.x)].map((edge) => Math.min(box.width, Math.max(0, edge - box.left)));
  drag.band.style.left = `${from}px`;
  drag.band.style.width = `${to - from}px`;
}

/** @param {PointerEvent} event */
function drop(event) {
  if (!drag) return;
  const { chart, x, band } = drag;
  drag = undefined;
  band.remove();
  if (Math.abs(event.clientX - x) < DRAG_MIN) return;
  const ends = [momentAt(chart, x), momentAt(chart, event.clientX)].sort((a, b) => a - b);
  void zoom(ends[0], ends[1]);
}

/** @param {number} from @param {number} to */
function zoom(from, to) {
  const middle = (from + to) / 2;
  const half = Math.max(to - from, SPAN_MIN) / 2;
  const end = Math.min(Math.round(middle + half), Date.now());
  const url = new URL(location.href);
  url.searchParams.set("from", new Date(Math.round(middle - half)).toISOString());
  url.searchParams.set("to", new Date(end).toISOString());
  return visit(url, true);
}

/** Closer or further, with what is under the crosshair in its place. @param {number} factor */
function scale(factor) {
  const chart = active ?? charts[0];
  if (!chart || "fixed" in chart.figure.dataset) return;
  const { from, to } = span(chart);
  const centre = at ?? (from + to) / 2;
  return zoom(centre - (centre - from) * factor, centre + (to - centre) * factor);
}

/** To where the reader came from, else to the present. */
function back() {
  const url = new URL(location.href);
  if (!url.searchParams.has("to")) return;
  if (history.state?.zoomed) return history.back();
  url.searchParams.delete("from");
  url.searchParams.delete("to");
  return visit(url);
}

/** @param {URL} url @param {boolean} [zoomed] */
function visit(url, zoomed = false) {
  if (url.href === location.href) return;
  history.pushState({ ...history.state, zoomed, y: scrollY }, "", url);
  document.dispatchEvent(new CustomEvent("loggia:address"));
  return arrive();
}

/** Shows what the address says: all charts and lists of the page follow. */
async function arrive() {
  const title = active?.figure.dataset.title;
  const focused = document.activeElement?.closest(".plot-area");
  // What cannot be shown has a page that says why, and what to do.
  if (!(await refresh())) return location.reload();
  restream();
  if (focused && title) {
    const chart = charts.find((one) => one.figure.dataset.title === title);
    if (chart && document.activeElement !== chart.area) chart.area.focus({ preventScroll: true });
  }
  const first = charts[0];
  if (first) say(`charts show ${told(span(first).from, first, true)} to ${told(span(first).to, first, true)}`);
}

// --- Keys: those of the chart that has the focus.

/** @param {KeyboardEvent} event */
function keys(event) {
  const chart = charts.find((one) => one.area === document.activeElement);
  if (!chart || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const { from, to, step } = span(chart);
  const go = (/** @type {number} */ moment) => {
    active = chart;
    at = Math.min(to, Math.max(from, moment));
    void showAll().then(() => spoken(chart));
  };
  const stride = Math.max(step, pixels(chart, 1)) * (event.shiftKey ? 10 : 1);
  /** @type {Record<string, () => void>} */
  const known = {
    ArrowLeft: () => go((at ?? to) - stride),
    ArrowRight: () => go((at ?? from) + stride),
    Home: () => go(from),
    End: () => go(to),
    Enter: () => open(chart),
    "+": () => void scale(0.5),
    "=": () => void scale(0.5),
    "-": () => void scale(2),
    0: () => void back(),
    Escape: () => (new URL(location.href).searchParams.has("to") ? void back() : chart.area.blur()),
  };
  const run = known[event.key];
  if (!run) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  run();
}

/** @param {Chart} chart */
function spoken(chart) {
  const words = chart.tip?.isConnected ? [...chart.tip.querySelectorAll("p, li")].map((one) => [...one.childNodes].map((node) => node.textContent).join(" ")) : [];
  say(words.join(", "));
}

/** Opens the trace at the crosshair. @param {Chart} chart */
async function open(chart) {
  const found = await data(chart);
  const one = found && exemplar(chart, found);
  const link = one && [...chart.area.querySelectorAll("a.exemplar[href]")].find((link) => link.getAttribute("href")?.endsWith(one.trace));
  if (link instanceof HTMLAnchorElement) link.click();
}

// --- Legend

/** @param {Chart} chart @param {string} name */
const hidden = (chart, name) => {
  const chosen = alone.get(chart.figure.dataset.title ?? "");
  return !!chosen?.size && !chosen.has(name);
};

/** Shows a line alone, or all again; with Shift it comes to those that are shown, or goes. @param {Chart} chart @param {Element} item @param {boolean} more */
function choose(chart, item, more) {
  const key = chart.figure.dataset.title ?? "";
  const name = item.querySelector(".name")?.textContent ?? "";
  const chosen = alone.get(key) ?? new Set();
  const was = chosen.has(name);
  if (!more) {
    const only = was && chosen.size === 1;
    chosen.clear();
    if (!only) chosen.add(name);
  } else if (was) chosen.delete(name);
  else chosen.add(name);
  alone.set(key, chosen);
  isolate(chart);
}

/** @param {Chart} chart */
function isolate(chart) {
  const items = [...chart.figure.querySelectorAll(".legend li:has(button)")];
  const names = items.map((item) => item.querySelector(".name")?.textContent ?? "");
  const chosen = alone.get(chart.figure.dataset.title ?? "");
  // Lines that are gone cannot be shown alone.
  if (chosen && !names.some((name) => chosen.has(name))) chosen.clear();
  items.forEach((item, nth) => {
    const off = hidden(chart, names[nth]);
    item.classList.toggle("off", off);
    item.querySelector("button")?.setAttribute("aria-pressed", String(!!chosen?.size && !off));
    for (const path of chart.figure.querySelectorAll(`svg path.s${nth}`)) path.classList.toggle("off", off);
  });
}

// --- Times

/** @param {number} moment @param {Chart} chart @param {boolean} [whole] */
function told(moment, chart, whole = false) {
  const { from, to } = span(chart);
  const zone = recall(CLOCK, "", "localStorage") === "local" ? undefined : "UTC";
  const days = whole || to - from > 86_400_000 || new Date(moment).toDateString() !== new Date().toDateString();
  const text = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, ...(days ? { month: "2-digit", day: "2-digit" } : {}), hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(moment);
  return `${text}${zone ? " UTC" : ""}`;
}

/** The words at the time axis as the reader wants them. @param {Chart} chart */
function axis(chart) {
  const place = chart.figure.querySelector(".plot-x");
  const labels = [...(place?.children ?? [])];
  if (!labels.length) return;
  const drawn = /** @type {HTMLElement} */ (labels[0]).textContent ?? "";
  const live = chart.figure.dataset.live ?? (drawn.startsWith("−") ? "1" : "");
  chart.figure.dataset.live = live;
  const how = recall(CLOCK, live ? "ago" : "utc", "localStorage");
  const { from, to } = span(chart);
  const button = chart.figure.querySelector(".plot-clock") ?? clock(chart);
  const words = { ago: "ago", utc: "UTC", local: "local" }[/** @type {string} */ (how)] ?? "UTC";
  if (button.firstChild?.nodeValue !== words) button.textContent = words;
  button.setAttribute("aria-label", `times: ${words}; change`);
  labels.forEach((label, nth) => {
    const own = /** @type {HTMLElement} */ (label);
    own.dataset.ago ??= own.textContent ?? "";
    const moment = from + ((to - from) * nth) / (labels.length - 1);
    const text = how === "ago" && live ? own.dataset.ago : short(moment, to - from, how === "local");
    if (own.textContent !== text) own.textContent = text;
  });
}

/** @param {number} moment @param {number} long @param {boolean} local */
function short(moment, long, local) {
  const zone = local ? undefined : "UTC";
  const parts = long > 86_400_000 ? { month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" } : { hour: "2-digit", minute: "2-digit", ...(long > 600_000 ? {} : { second: "2-digit" }) };
  return new Intl.DateTimeFormat("sv-SE", { timeZone: zone, .../** @type {Intl.DateTimeFormatOptions} */ (parts) }).format(moment);
}

/** @param {Chart} chart */
function clock(chart) {
  const button = part("button", "plot-clock", "");
  button.setAttribute("type", "button");
  button.addEventListener("click", () => {
    const order = ["ago", "utc", "local"];
    const now = recall(CLOCK, chart.figure.dataset.live ? "ago" : "utc", "localStorage");
    keep(CLOCK, order[(order.indexOf(now) + 1) % order.length], "localStorage");
    charts.forEach(axis);
  });
  chart.figure.querySelector(".plot-x")?.before(button);
  return button;
}

// --- Table

/** Whether the reader has opened its table. @param {Chart} chart */
const tabled = ({ figure }) => /** @type {HTMLDetailsElement | null} */ (figure.querySelector(".plot-table"))?.open;

/** Every step in a row, the newest first. @param {Chart} chart */
async function table(chart) {
  const found = await data(chart);
  const place = chart.figure.querySelector(".plot-table table");
  if (!found?.times.length || !place) return;
  const cell = (/** @type {string} */ name, /** @type {string} */ text, /** @type {string} */ scope) => {
    const made = part(name, name === "th" && scope === "row" ? "num" : "r num", text);
    if (scope) made.setAttribute("scope", scope);
    return made;
  };
  const head = document.createElement("tr");
  head.append(part("th", "", "Time"), ...found.series.map((one) => cell("th", one.name, "col")));
  head.firstElementChild?.setAttribute("scope", "col");
  const from = Math.max(0, found.times.length - ROWS_MAX);
  const rows = found.times.slice(from).map((time, nth) => {
    const row = document.createElement("tr");
    row.append(cell("th", told(time, chart), "row"), ...found.series.map((one) => cell("td", one.texts[from + nth], "")));
    return row;
  });
  const [top, body] = [document.createElement("thead"), document.createElement("tbody")];
  top.append(head);
  body.append(...rows.reverse());
  place.replaceChildren(top, body);
}

/** @param {string} name @param {string} className @param {string} text */
function part(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

// Time travel: another moment by slider, steps, keys or field. While it moves, the figures of that moment are put in
// place; when it rests, the whole page is fetched for it and the address says so.
import { say } from "./arrive.js";
import { shortcut } from "./keys.js";
import { freeze, patch } from "./live.js";
import { refresh } from "./reload.js";

/** Between two questions while the slider moves, and until it rests; milliseconds. */
const [ASK_MS, REST_MS] = [120, 450];
/** What arrows and the like move by, seconds. @type {Record<string, number>} */
const KEYS = { ArrowLeft: -10, ArrowDown: -10, ArrowRight: 10, ArrowUp: 10, PageDown: -600, PageUp: 600 };

/** @type {ReturnType<typeof setTimeout> | undefined} */
let asking;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let resting;
/** The moment that is wanted; answers for others are dropped. */
let wanted = 0;
/** Whether the marks of alerts were asked for. */
let marked = false;

/** @returns {HTMLFormElement | null} */
const bar = () => document.querySelector("form#moment");
/** @returns {HTMLInputElement | null | undefined} */
const slider = () => bar()?.querySelector("input[type=range]");
/** Whether a moment of the past is shown. */
const past = () => "at" in document.body.dataset;
/** @param {number} seconds */
const iso = (seconds) => new Date(seconds * 1000).toISOString();

/** Listens; elements may come and go. */
export function moments() {
  document.addEventListener("input", (event) => {
    if (event.target === slider()) move(Number(slider()?.value));
  });
  document.addEventListener("keydown", (event) => {
    if (event.target !== slider() || !(event.key in KEYS) || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    step(KEYS[event.key] * (event.shiftKey ? 6 : 1));
  });
  document.addEventListener("click", follow, true);
  document.addEventListener("submit", submit);
  document.addEventListener("toggle", (event) => event.target === bar() && opened(), true);
  // Without a moment on either side it is a zoom, which `chart` follows.
  addEventListener("popstate", () => document.body.dataset.kind === "live" && (past() || new URL(location.href).searchParams.has("at") || !document.querySelector("figure.plot")) && location.reload());
  const any = { group: "Time", when: () => !!bar() };
  shortcut("m", "Look at another moment", toggle, any);
  shortcut("[", "A minute back", () => step(-60), any);
  shortcut("]", "A minute on", () => step(60), { group: "Time", when: past });
  shortcut("l", "Back to live", () => /** @type {HTMLElement | null} */ (document.querySelector("#moment .to-live"))?.click(), { group: "Time", when: past });
  if (past()) marks();
}

function toggle() {
  const form = bar();
  if (form?.hasAttribute("popover")) form.togglePopover();
  slider()?.focus();
}

/** The page may be open since long: now is now. */
function opened() {
  const input = slider();
  if (input && !past()) input.value = input.max = String(Math.floor(Date.now() / 1000));
  marks();
}

/** @param {MouseEvent} event */
function follow(event) {
  const link = event.target instanceof Element ? event.target.closest("#moment [data-step]") : null;
  if (!(link instanceof HTMLElement) || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  step(Number(link.dataset.step));
}

/** @param {SubmitEvent} event */
function submit(event) {
  const form = bar();
  if (!form || event.target !== form) return;
  const field = form.elements.namedItem("at");
  const at = field instanceof HTMLInputElement ? Date.parse(`${field.value}Z`) / 1000 : NaN;
  if (!Number.isFinite(at)) return;
  event.preventDefault();
  form.querySelector("details")?.removeAttribute("open");
  move(at);
}

/** @param {number} seconds */
function step(seconds) {
  const now = Math.floor(Date.now() / 1000);
  move((past() ? Number(slider()?.value) : now) + seconds);
}

/** Shows another moment, soon. @param {number} seconds */
function move(seconds) {
  const [form, input] = [bar(), slider()];
  if (!form || !input) return;
  const now = Math.floor(Date.now() / 1000) - 1;
  if (seconds > Number(input.max)) input.max = String(now);
  wanted = Math.max(Number(input.min), Math.min(seconds, now));
  input.value = String(wanted);
  const [day, time] = iso(wanted).slice(0, 19).split("T");
  const words = form.querySelector("summary b");
  if (words) words.textContent = time;
  input.setAttribute("aria-valuetext", `${day} ${time} UTC`);
  form.dataset.busy = "";
  freeze(wanted);
  asking ??= setTimeout(ask, ASK_MS);
  clearTimeout(resting);
  resting = setTimeout(rest, REST_MS);
}

/** The figures of the moment, where they stand. */
async function ask() {
  const at = wanted;
  const { page, root } = document.body.dataset;
  try {
    const answer = await fetch(`${root}api/live/snapshot?page=${encodeURIComponent(page ?? "")}&at=${at}`);
    if (answer.ok && past()) patch((await answer.json()).cells, false);
  } catch {
    // The page itself is asked for when the slider rests, and says what is wrong.
  } finally {
    asking = undefined;
  }
  if (at !== wanted) asking = setTimeout(ask, ASK_MS);
}

/** The whole page of the moment, and its address. */
async function rest() {
  const at = wanted;
  const url = new URL(location.href);
  const write = url.searchParams.has("at") ? "replaceState" : "pushState";
  for (const name of ["from", "to"]) url.searchParams.delete(name);
  url.searchParams.set("at", String(at));
  history[write]({ ...history.state, y: scrollY }, "", url.pathname + url.search + url.hash);
  document.dispatchEvent(new CustomEvent("loggia:address"));
  const had = document.activeElement === slider();
  const done = await refresh(["#live", "#when", "#moment", ".bar > .views", ".mark"]);
  if (at !== wanted) return;
  if (!done) return void location.reload();
  delete bar()?.dataset.busy;
  const input = slider();
  if (input) input.value = String(at);
  if (had) input?.focus();
  marked = false;
  marks();
  say(document.querySelector("#live .live-text")?.textContent ?? "");
}

/** Where alerts fired, on the slider. */
async function marks() {
  const input = slider();
  const drawing = bar()?.querySelector(".scrub svg");
  if (!input || !drawing || marked) return;
  marked = true;
  try {
    const answer = await fetch(`${document.body.dataset.root}api/live/moments`);
    const { fired } = await answer.json();
    const [since, until] = [Number(input.min) * 1000, Number(input.max) * 1000];
    const place = (/** @type {number} */ at) => (1000 * (at - since)) / Math.max(1, until - since);
    drawing.replaceChildren(...fired.map((/** @type {{ from: number, to: number }} */ one) => {
      const mark = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      mark.setAttribute("x", place(one.from).toFixed(1));
      mark.setAttribute("width", Math.max(3, place(one.to) - place(one.from)).toFixed(1));
      mark.setAttribute("height", "8");
      return mark;
    }));
  } catch {
    // Without marks it still moves.
  }
}

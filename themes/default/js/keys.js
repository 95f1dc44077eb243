// Keyboard: modules register what a key does; `?` shows them all.
import { keep, recall } from "./arrive.js";

/**
 * @typedef {object} Shortcut
 * @property {string[]} keys `t`, `ArrowLeft`, `Mod+k` (Ctrl, or Cmd on a Mac)
 * @property {string} words what it does, for the help
 * @property {string} group heading of the help under which it stands
 * @property {(event: KeyboardEvent) => void} run
 * @property {() => boolean} [when] whether it means something now; else the key is left to the browser
 * @property {boolean} [repeats] whether it runs again while the key is held
 */

const OFF = "loggia-keys-off";
const MAC = /Mac|iPhone|iPad/.test(navigator.platform);
/** Names on keycaps. @type {Record<string, string>} */
const CAPS = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", Mod: MAC ? "⌘" : "Ctrl" };
/** Keys are theirs. */
const TYPING = "input:not([type=checkbox], [type=radio], [type=button]), textarea, select, [contenteditable]:not([contenteditable=false])";
/** Arrows are theirs. */
const ARROWS = "input, [role=tab], [role=slider], [role=menu], [role=listbox], figure, video, audio";

/** @type {Shortcut[]} */
const known = [];

/**
 * Registers a key: the last one that means something now gets it; one with the same words is replaced. Returns what takes it back.
 * @param {string | string[]} keys @param {string} words @param {(event: KeyboardEvent) => void} run
 * @param {{ group?: string, when?: () => boolean, repeats?: boolean }} [options]
 */
export function shortcut(keys, words, run, options = {}) {
  const one = { keys: [keys].flat(), words, run, group: "Everywhere", ...options };
  const same = known.findIndex((other) => other.words === one.words && other.keys.some((key) => one.keys.includes(key)));
  if (same < 0) known.push(one);
  else known[same] = one;
  return () => void known.splice(known.indexOf(one), 1);
}

/** Listens. */
export function keyboard() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.altKey) return;
    const name = spelled(event);
    const found = known.findLast((one) => one.keys.some((key) => key.toLowerCase() === name) && (one.when?.() ?? true));
    if (!found || (event.repeat && !found.repeats) || !free(event, name)) return;
    event.preventDefault();
    found.run(event);
  });
  document.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("[data-keys-open]")) help();
  });
  shortcut("?", "Show these keys", help);
}

/** @param {KeyboardEvent} event */
const spelled = (event) => (event.ctrlKey || event.metaKey ? "mod+" : event.shiftKey && /^[a-z]$/i.test(event.key) ? "shift+" : "") + event.key.toLowerCase();

/** Whether the key is ours where the focus is. @param {KeyboardEvent} event @param {string} name */
function free(event, name) {
  const at = event.target instanceof Element ? event.target : document.body;
  if (document.querySelector("dialog:modal, #side:popover-open, figure.full")) return false;
  if (name.startsWith("mod+")) return true;
  if (recall(OFF, false, "localStorage") || at.closest(TYPING)) return false;
  return !name.startsWith("arrow") || !(at.closest(ARROWS) || scrolls(at));
}

/** Whether arrows move what has the focus. @param {Element} at */
const scrolls = (at) => at !== document.body && at.id !== "main" && at.scrollWidth > at.clientWidth + 1 && getComputedStyle(at).overflowX !== "visible";

/** Shows all keys. */
function help() {
  const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("keys") ?? made());
  const list = /** @type {Element} */ (dialog.querySelector(".keys-list"));
  const shown = known.filter((one) => one.when?.() ?? true);
  list.replaceChildren(...[...new Set(shown.map((one) => one.group))].map((group) => table(group, shown.filter((one) => one.group === group))));
  if (!dialog.open) dialog.showModal();
}

function made() {
  const dialog = document.createElement("dialog");
  dialog.id = "keys";
  dialog.className = "sheet";
  dialog.setAttribute("aria-labelledby", "keys-title");
  const head = element("header", "");
  const title = element("h2", "Keys");
  title.id = "keys-title";
  const close = element("button", "Close");
  close.className = "btn quiet";
  close.addEventListener("click", () => dialog.close());
  head.append(title, close);
  const list = element("div", "");
  list.className = "keys-list";
  const label = element("label", "");
  label.className = "check";
  const box = document.createElement("input");
  box.type = "checkbox";
  box.checked = !recall(OFF, false, "localStorage");
  box.addEventListener("change", () => keep(OFF, !box.checked, "localStorage"));
  label.append(box, "Keys without Ctrl or Cmd are on");
  dialog.append(head, list, label);
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  return dialog;
}

/** @param {string} group @param {Shortcut[]} shortcuts */
function table(group, shortcuts) {
  const part = element("section", "");
  const list = element("dl", "");
  for (const one of shortcuts) {
    const row = element("div", "");
    const keys = element("dd", "");
    one.keys.forEach((key, at) => {
      if (at) keys.append(" or ");
      keys.append(...key.split("+").map((cap) => element("kbd", CAPS[cap] ?? (cap.length === 1 && key !== cap ? cap.toUpperCase() : cap))));
    });
    row.append(element("dt", one.words), keys);
    list.append(row);
  }
  part.append(element("h3", group), list);
  return part;
}

/** @param {string} name @param {string} text */
function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

// The query of /live/explore: completion while typing, Enter runs, earlier queries.
import { keep, onArrive, recall } from "./arrive.js";

const EARLIER = "loggia-queries";
/** Queries that are remembered. */
const EARLIER_MAX = 30;
/** Suggestions at a time. */
const SHOWN_MAX = 40;
/** Letters of a name, and of what is being typed. */
const NAME = /[A-Za-z0-9_:]*$/;

/** @typedef {{ text: string, kind: string }} Suggestion */

/** Answers of the API, by address: asked once while the page is open. @type {Map<string, Promise<string[]>>} */
const asked = new Map();

/** @param {string} address @returns {Promise<string[]>} */
function ask(address) {
  const known = asked.get(address);
  if (known) return known;
  const answer = fetch(address).then((response) => response.json()).then((body) => body.data || []).catch(() => {
    asked.delete(address);
    return [];
  });
  asked.set(address, answer);
  return answer;
}

/** What may stand where the caret is, and how many letters of it are there. @param {HTMLFormElement} form @param {string} before */
async function candidates(form, before) {
  const api = form.dataset.api || "";
  const inside = /([A-Za-z_:][A-Za-z0-9_:]*)?\{([^{}]*)$/.exec(before);
  if (inside) {
    const match = inside[1] ? `?match[]=${encodeURIComponent(inside[1])}` : "";
    const value = /([A-Za-z_][A-Za-z0-9_]*)\s*(?:=~|!~|!=|=)\s*"([^"]*)$/.exec(inside[2]);
    if (value) {
      const values = await ask(`${api}label/${encodeURIComponent(value[1])}/values${match}`);
      return { typed: value[2], all: values.map((text) => ({ text, kind: "value" })) };
    }
    const names = await ask(`${api}labels${match}`);
    return { typed: NAME.exec(before)?.[0] || "", all: names.map((text) => ({ text, kind: "label" })) };
  }
  const grouped = /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^()]*)$/.exec(before);
  const typed = NAME.exec(before)?.[0] || "";
  if (grouped) return { typed, all: (await ask(`${api}labels`)).map((text) => ({ text, kind: "label" })) };
  const metrics = (await ask(`${api}label/__name__/values`)).map((text) => ({ text, kind: "metric" }));
  const functions = (form.dataset.names || "").split(" ").map((text) => ({ text, kind: "function" }));
  return { typed, all: [...metrics, ...functions] };
}

/** The fitting ones: those that begin so come first. @param {string} typed @param {Suggestion[]} all */
function fitting(typed, all) {
  const wanted = typed.toLowerCase();
  const found = all.filter(({ text }) => text !== typed && text.toLowerCase().includes(wanted));
  const rank = (/** @type {Suggestion} */ one) => (one.text.toLowerCase().startsWith(wanted) ? 0 : 1);
  return found.sort((a, b) => rank(a) - rank(b) || a.text.localeCompare(b.text)).slice(0, SHOWN_MAX);
}

/** @param {HTMLFormElement} form */
function start(form) {
  const field = form.querySelector("textarea");
  if (!field || form.dataset.started) return;
  form.dataset.started = "";
  const list = document.createElement("ul");
  list.className = "suggestions";
  list.id = "suggestions";
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", "Suggestions");
  list.hidden = true;
  field.after(list);
  for (const [name, value] of [["aria-autocomplete", "list"], ["aria-haspopup", "listbox"], ["aria-controls", list.id]]) field.setAttribute(name, value);
  let chosen = -1;
  let typed = "";
  /** @type {Suggestion[]} */
  let shown = [];
  let asking = 0;

  const hide = () => {
    list.hidden = true;
    shown = [];
    field.removeAttribute("aria-activedescendant");
  };
  const choose = (/** @type {number} */ at) => {
    chosen = at;
    [...list.children].forEach((item, nth) => item.setAttribute("aria-selected", String(nth === at)));
    list.children[at]?.scrollIntoView({ block: "nearest" });
    if (at >= 0) field.setAttribute("aria-activedescendant", `suggestion-${at}`);
    else field.removeAttribute("aria-activedescendant");
  };
  const take = (/** @type {number} */ at) => {
    const one = shown[at];
    if (!one) return;
    const caret = field.selectionStart;
    const more = one.kind === "function" ? "(" : "";
    field.setRangeText(one.text + more, caret - typed.length, caret, "end");
    hide();
    field.dispatchEvent(new InputEvent("input", { inputType: "insertReplacementText" }));
  };
  const suggest = async (/** @type {boolean} */ always) => {
    const turn = ++asking;
    const found = await candidates(form, field.value.slice(0, field.selectionStart));
    if (turn !== asking) return;
    shown = found.typed || always ? fitting(found.typed, found.all) : [];
    typed = found.typed;
    if (shown.length === 0) return hide();
    list.replaceChildren(...shown.map(({ text, kind }, nth) => {
      const item = document.createElement("li");
      item.id = `suggestion-${nth}`;
      item.setAttribute("role", "option");
      const word = document.createElement("span");
      word.textContent = text;
      const what = document.createElement("small");
      what.textContent = kind;
      item.append(word, what);
      item.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        take(nth);
      });
      return item;
    }));
    list.hidden = false;
    choose(-1);
  };

  field.addEventListener("input", (event) => {
    if (event instanceof InputEvent && event.inputType === "insertReplacementText") return;
    void suggest(/[{,("]$/.test(field.value.slice(0, field.selectionStart)) && /[{"]$|\b(?:by|without|on|ignoring)\s*\($/.test(field.value.slice(0, field.selectionStart)));
  });
  field.addEventListener("blur", hide);
  field.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const open = !list.hidden;
    if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      void suggest(true);
    } else if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      choose((chosen + step + shown.length + (chosen < 0 && step < 0 ? 1 : 0)) % shown.length);
    } else if (open && (event.key === "Tab" || event.key === "Enter") && (chosen >= 0 || event.key === "Tab")) {
      event.preventDefault();
      take(Math.max(chosen, 0));
    } else if (open && event.key === "Escape") {
      event.preventDefault();
      hide();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  earlier(form, field);
}

/** Remembers the query that was run, and lists those before it. @param {HTMLFormElement} form @param {HTMLTextAreaElement} field */
function earlier(form, field) {
  /** @type {unknown} */
  const kept = recall(EARLIER, [], "localStorage");
  let queries = Array.isArray(kept) ? kept : [];
  const now = field.value.trim();
  if (now && !document.querySelector(".explore-fault")) {
    queries = [now, ...queries.filter((query) => query !== now)].slice(0, EARLIER_MAX);
    keep(EARLIER, queries, "localStorage");
  }
  const place = form.querySelector(".history");
  const others = queries.filter((query) => typeof query === "string" && query !== now);
  if (!(place instanceof HTMLElement) || others.length === 0) return;
  place.hidden = false;
  place.querySelector("ul")?.replaceChildren(...others.map((query) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    // The time that is looked at stays.
    const url = new URL(location.href);
    url.searchParams.set("query", query);
    url.searchParams.delete("format");
    link.href = url.href;
    link.textContent = query;
    item.append(link);
    return item;
  }));
}

/** Starts on every page that has the form. */
export function explore() {
  onArrive(() => {
    const form = document.querySelector("form.explore");
    if (form instanceof HTMLFormElement) start(form);
  });
}

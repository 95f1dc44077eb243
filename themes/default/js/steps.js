// Lists that are walked by keyboard: `j` and `k` go from row to row, wherever elements have `data-row`.
import { shortcut } from "./keys.js";

/** What of a row takes the focus. @param {Element} row @returns {HTMLElement | null} */
const door = (row) => row.querySelector("summary, th a, a");

/** Whether the reader can see it. @param {Element} row */
const open = (row) => row.checkVisibility();

/** The rows that can be seen, in the order of the page. @returns {HTMLElement[]} */
export const rows = () => [...document.querySelectorAll("#main [data-row]")].filter((row) => row instanceof HTMLElement && open(row));

/** The row with the focus, or the one that the reader came to last. @returns {HTMLElement | null} */
export function here() {
  const at = document.activeElement?.closest("[data-row]") ?? document.querySelector("#main [data-row][data-here]");
  return at instanceof HTMLElement && open(at) ? at : null;
}

/** Goes to a row. @param {HTMLElement | undefined | null} row */
export function stand(row) {
  if (!row) return;
  document.querySelector("#main [data-here]")?.removeAttribute("data-here");
  row.setAttribute("data-here", "");
  door(row)?.focus({ preventScroll: true });
  const top = 120;
  const box = (door(row) ?? row).getBoundingClientRect();
  if (box.top < top || box.bottom > innerHeight - 40) row.scrollIntoView({ block: box.top < top ? "start" : "center" });
}

/** The next one of some rows before (-1) or after (1) where the reader is. @param {number} way @param {(row: HTMLElement) => boolean} [wanted] */
export function step(way, wanted = () => true) {
  const all = rows();
  const from = here();
  const at = from ? all.indexOf(from) : way > 0 ? -1 : all.length;
  for (let next = at + way; next >= 0 && next < all.length; next += way) if (wanted(all[next])) return stand(all[next]);
}

/** Makes the links of a drawing one stop of the tabulator, with arrows from one to the next. @param {HTMLElement} drawing */
export function roving(drawing) {
  const links = [...drawing.querySelectorAll("a")];
  links.forEach((link, at) => link.setAttribute("tabindex", at === links.length - 1 ? "0" : "-1"));
  if (drawing.dataset.walks) return;
  drawing.dataset.walks = "";
  drawing.addEventListener("keydown", (event) => {
    const all = [...drawing.querySelectorAll("a")];
    const at = all.findIndex((link) => link === document.activeElement);
    const way = { ArrowRight: 1, ArrowLeft: -1, ArrowUp: 1, ArrowDown: -1 }[event.key];
    const next = way && at >= 0 ? all[at + way] : undefined;
    if (!next || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    all[at].setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  });
}

/** Registers the keys. */
export function steps() {
  const when = () => document.querySelector("#main [data-row]") !== null;
  shortcut("j", "Next line", () => step(1), { group: "This view", when, repeats: true });
  shortcut("k", "Previous line", () => step(-1), { group: "This view", when, repeats: true });
}

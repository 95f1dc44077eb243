// The sidebar: which branches are open, how far it is scrolled, and the drawer that it is on small screens.
import { keep, recall } from "./arrive.js";

const FOLDS = "loggia-folds";
const SCROLL = "loggia-side";
/** Behind the open drawer. */
const BEHIND = ".bar, .skip, #main, #toc, .site-foot";
/** Where the drawer ends and the column begins, as in the style sheet. */
const WIDE = matchMedia("(min-width: 60.001rem)");

/** @returns {HTMLElement | null} */
const side = () => document.getElementById("side");

/** Listens once. */
export function sidebar() {
  document.addEventListener("toggle", (event) => {
    if (event.target instanceof HTMLDetailsElement && event.target.dataset.fold) noteFold(event.target);
  }, true);
  document.addEventListener("beforetoggle", (event) => {
    if (event.target === side()) behind(/** @type {ToggleEvent} */ (event).newState === "open");
  }, true);
  document.addEventListener("click", (event) => {
    // A link in the drawer closes it.
    const link = event.target instanceof Element ? event.target.closest("#side a") : null;
    if (link?.closest(":popover-open")) side()?.hidePopover();
  });
  WIDE.addEventListener("change", () => WIDE.matches && side()?.matches(":popover-open") && side()?.hidePopover());
  addEventListener("pagehide", noteScroll);
}

/** Puts back what the reader folded; the branch of the open page is open in any case. @param {string} how */
export function settleSide(how) {
  const folds = recall(FOLDS, {});
  for (const branch of /** @type {NodeListOf<HTMLDetailsElement>} */ (document.querySelectorAll("#side details[data-fold]"))) {
    const open = folds[branch.dataset.fold || ""];
    if (open !== undefined && !branch.querySelector("[aria-current=page]")) branch.open = open;
  }
  if (how === "load") side()?.scrollTo({ top: recall(SCROLL, 0), behavior: "instant" });
  showCurrent();
}

/** Notes how far the sidebar is scrolled. */
export const noteScroll = () => keep(SCROLL, side()?.scrollTop ?? 0);

/** Hides or shows the sidebar: as a drawer, or beside the text. */
export function toggleSide() {
  const element = side();
  if (!element) return;
  if (!WIDE.matches) element.togglePopover();
  else document.documentElement.toggleAttribute("data-no-side");
}

/** @param {HTMLDetailsElement} branch */
function noteFold(branch) {
  const folds = recall(FOLDS, {});
  folds[branch.dataset.fold || ""] = branch.open;
  keep(FOLDS, folds);
}

/** What lies behind an open drawer takes neither focus nor clicks. @param {boolean} hidden */
function behind(hidden) {
  for (const part of document.querySelectorAll(BEHIND)) part.toggleAttribute("inert", hidden);
}

/** Scrolls the sidebar, and nothing else, until the open page's entry can be seen. */
function showCurrent() {
  const [element, link] = [side(), document.querySelector("#side .tree [aria-current=page]")];
  if (!element || !link) return;
  const [area, place] = [element.getBoundingClientRect(), link.getBoundingClientRect()];
  if (!area.height || (place.top >= area.top && place.bottom <= area.bottom)) return;
  element.scrollTo({ top: element.scrollTop + place.top - area.top - area.height / 3, behavior: "instant" });
}

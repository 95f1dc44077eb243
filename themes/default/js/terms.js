// Glossary terms: the definition shows on hover, focus and touch, above everything and inside the window.
// Without this it shows below the word, by the style sheet alone.

/** Between word and definition, and to the window's edge, in pixels. */
const [GAP, EDGE] = [6, 8];

/** The one that shows. @type {HTMLElement | null} */
let open = null;
/** Whether a finger rather than a mouse came last. */
let touched = false;

/** Listens once, also for terms that come later. */
export function terms() {
  document.documentElement.dataset.tips = "";
  document.addEventListener("pointerdown", (event) => (touched = event.pointerType === "touch"), true);
  document.addEventListener("pointerover", (event) => event.pointerType === "mouse" && look(event.target));
  document.addEventListener("focusin", (event) => look(event.target));
  document.addEventListener("click", (event) => {
    const term = word(event.target);
    // The first touch shows the definition, the next one follows the link.
    if (term && touched && event.target instanceof Element && event.target.closest("a") && !term.hasAttribute("data-read")) {
      event.preventDefault();
      look(event.target);
      term.setAttribute("data-read", "");
    } else if (!term) close();
  }, true);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !open) return;
    event.preventDefault();
    close();
  });
  addEventListener("scroll", () => open && place(open), { passive: true, capture: true });
}

/** @param {EventTarget | null} at @returns {HTMLElement | null} */
const word = (at) => (at instanceof Element ? at.closest(".term") : null);

/** @param {EventTarget | null} at */
function look(at) {
  const term = word(at);
  if (term === open) return;
  const focused = open?.contains(document.activeElement);
  if (!term && focused) return;
  close();
  const tip = term && tipOf(term);
  if (!term || !tip) return;
  open = term;
  tip.popover = "manual";
  tip.showPopover();
  place(term);
}

/** @param {HTMLElement} term */
const tipOf = (term) => /** @type {HTMLElement | null} */ (term.querySelector(".term-tip"));

function close() {
  const tip = open && tipOf(open);
  open?.removeAttribute("data-read");
  open = null;
  if (tip?.isConnected && tip.matches(":popover-open")) tip.hidePopover();
}

/** Below its word, or above where there is no room. @param {HTMLElement} term */
function place(term) {
  const tip = tipOf(term);
  if (!tip?.isConnected) return close();
  const at = term.getClientRects()[0] ?? term.getBoundingClientRect();
  const { width, height } = tip.getBoundingClientRect();
  const left = Math.max(EDGE, Math.min(at.left, innerWidth - width - EDGE));
  const below = at.bottom + GAP + height <= innerHeight - EDGE;
  tip.style.left = `${left}px`;
  tip.style.top = `${below ? at.bottom + GAP : at.top - GAP - height}px`;
}

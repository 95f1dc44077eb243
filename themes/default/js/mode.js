// Light, dark or as the system says, and the button that prints. Loaded before the first paint, so that the saved choice shows at
// once, and as a plain script, so that it also works in a page opened from a file.
(() => {
  const KEY = "loggia-mode";
  const MODES = ["auto", "light", "dark"];
  const root = document.documentElement;
  let authors = root.dataset.mode || "auto";

  /** @returns {string | null} the saved choice; a browser may refuse to say */
  const saved = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };

  /** @param {string} mode */
  const apply = (mode) => {
    root.dataset.mode = root.dataset.choice = mode;
    const button = document.getElementById("mode");
    if (button) button.setAttribute("aria-label", `Colours: ${mode}. Change`);
    if (button) button.title = `Colours: ${mode}`;
  };

  const choice = saved();
  root.dataset.script = "";
  apply(MODES.includes(choice || "") ? /** @type {string} */ (choice) : authors);
  document.addEventListener("DOMContentLoaded", () => apply(root.dataset.mode || "auto"));
  // A visit to another page of the book brings that page's wish.
  document.addEventListener("loggia:mode", (event) => {
    authors = /** @type {CustomEvent} */ (event).detail || "auto";
    apply(MODES.includes(saved() || "") ? /** @type {string} */ (saved()) : authors);
  });
  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    if (event.target.closest("[data-print]")) window.print();
    if (!event.target.closest("#mode")) return;
    const next = MODES[(MODES.indexOf(root.dataset.mode || "auto") + 1) % MODES.length];
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // The choice then holds for this page alone.
    }
    apply(next);
  });
})();

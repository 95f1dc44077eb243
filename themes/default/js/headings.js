// The link at each heading: a click also copies its full address.
import { say } from "./arrive.js";

/** How long the answer stands, in milliseconds. */
const SAID_MS = 2000;

/** Listens once, also for headings that come later. */
export function headings() {
  document.addEventListener("click", async (event) => {
    const link = event.target instanceof Element ? event.target.closest("a.anchor") : null;
    if (!(link instanceof HTMLAnchorElement) || event.ctrlKey || event.metaKey || event.shiftKey) return;
    try {
      await navigator.clipboard.writeText(link.href);
    } catch {
      // The address then stands in the address bar alone.
      return;
    }
    link.dataset.copied = "";
    say("Link copied");
    setTimeout(() => delete link.dataset.copied, SAID_MS);
  });
}

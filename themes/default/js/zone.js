// Times of lists in UTC or in the reader's own zone, as the charts have it too.
import { keep, onArrive, recall } from "./arrive.js";

/** Where the charts keep it. */
const CLOCK = "loggia-clock";

const local = () => recall(CLOCK, "", "localStorage") === "local";

/** Writes every time of the page anew. */
export function zones() {
  const here = local();
  for (const place of document.querySelectorAll("main [data-ms]")) {
    const time = /** @type {HTMLElement} */ (place);
    time.dataset.utc ??= time.textContent ?? "";
    const parts = time.dataset.utc.includes(".") ? { fractionalSecondDigits: /** @type {3} */ (3) } : {};
    const own = () => new Intl.DateTimeFormat("sv-SE", { hour: "2-digit", minute: "2-digit", second: "2-digit", ...parts }).format(Number(time.dataset.ms)).replace(",", ".");
    const text = here ? own() : time.dataset.utc;
    if (time.textContent !== text) time.textContent = text;
  }
  for (const button of document.querySelectorAll("[data-zone]")) {
    button.removeAttribute("disabled");
    button.textContent = here ? "local time" : "UTC";
    button.setAttribute("aria-label", here ? "Times in local time; press for UTC" : "Times in UTC; press for local time");
  }
}

/** Starts. */
export function zone() {
  onArrive(zones);
  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element) || !event.target.closest("[data-zone]")) return;
    keep(CLOCK, local() ? "utc" : "local", "localStorage");
    zones();
  });
}

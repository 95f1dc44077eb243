// When a page arrives: at the first load, after an instant visit, and after its source changed.
// Modules hand in what they do then; `travel` and `reload` tell.

/** @typedef {"load" | "visit" | "refresh"} How */

/** @type {((how: How) => void)[]} */
const starts = [];

/** Runs `start` for the page that is there and for every one that takes its place. @param {(how: How) => void} start */
export function onArrive(start) {
  starts.push(start);
  start("load");
}

/** Tells every module that other elements stand in the page. @param {How} how */
export function arrived(how) {
  for (const start of starts) {
    try {
      start(how);
    } catch (error) {
      // One module's mistake must not keep the others from starting.
      reportError(error);
    }
  }
}

/** Address of the site's root, whose links are relative to the page. @returns {URL} */
export const root = () => new URL(document.body.dataset.root || "./", location.href);

/** Has screen readers say it, and nothing else change. @param {string} words */
export function say(words) {
  const place = document.getElementById("say");
  if (!place) return;
  // The same words again are only spoken when they change.
  place.textContent = "";
  setTimeout(() => (place.textContent = words), 50);
}

/** @typedef {"localStorage" | "sessionStorage"} Place for good, or as long as the tab is open */

/**
 * What the browser kept for this site, or `otherwise`; some refuse to say.
 * @param {string} key @param {any} otherwise @param {Place} [place]
 */
export function recall(key, otherwise, place = "sessionStorage") {
  try {
    return JSON.parse(window[place].getItem(key) ?? "null") ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Keeps it; where the browser refuses, it holds for this page alone. @param {string} key @param {unknown} value @param {Place} [place] */
export function keep(key, value, place = "sessionStorage") {
  try {
    window[place].setItem(key, JSON.stringify(value));
  } catch {
    return;
  }
}

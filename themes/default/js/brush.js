// Choosing an area with the pointer: a part of a minimap, of a histogram, of a scatter plot.

/** Smaller moves are clicks, in pixels. */
const CLICK = 4;
/** So near to an edge of the window the edge is dragged, in pixels. */
const EDGE = 8;

/**
 * @typedef {object} Chosen
 * @property {boolean} [across] only from left to right; the height is all of it
 * @property {[number, number]} [window] what is shown now, which can be moved by dragging it or its edges
 */

/** @type {WeakSet<Element>} */
const known = new WeakSet();
/** @type {WeakMap<Element, { how: Chosen, done: (x0: number, x1: number, y0: number, y1: number) => void, back?: () => void }>} */
const asked = new WeakMap();

/**
 * Lets the reader drag over an element; `done` gets the area in parts of its width and height, the smaller one first.
 * A double click goes back.
 * @param {HTMLElement} element @param {Chosen} how @param {(x0: number, x1: number, y0: number, y1: number) => void} done @param {() => void} [back]
 */
export function brush(element, how, done, back) {
  asked.set(element, { how, done, back });
  if (known.has(element)) return;
  known.add(element);
  element.addEventListener("pointerdown", (event) => press(element, event));
  element.addEventListener("dblclick", () => asked.get(element)?.back?.());
  // A link in the plot would be dragged away instead.
  element.addEventListener("dragstart", (event) => event.preventDefault());
}

/** @param {HTMLElement} element @param {PointerEvent} press */
function press(element, press) {
  const now = asked.get(element);
  if (!now || press.button !== 0 || press.ctrlKey || press.metaKey || press.shiftKey) return;
  const box = element.getBoundingClientRect();
  const part = (/** @type {number} */ at, /** @type {number} */ from, /** @type {number} */ size) => Math.min(1, Math.max(0, (at - from) / size));
  const [x0, y0] = [part(press.clientX, box.left, box.width), part(press.clientY, box.top, box.height)];
  const grip = gripped(now.how.window, x0, EDGE / box.width);
  /** @type {[number, number, number, number] | undefined} */
  let area;
  const mark = element.querySelector(".window") ?? element.appendChild(Object.assign(document.createElement("span"), { className: "window drawn" }));
  const before = mark.getAttribute("style") ?? "";
  const move = (/** @type {PointerEvent} */ event) => {
    if (!area && Math.hypot(event.clientX - press.clientX, event.clientY - press.clientY) < CLICK) return;
    if (!area && event.pointerId >= 0) element.setPointerCapture(event.pointerId);
    const [x, y] = [part(event.clientX, box.left, box.width), part(event.clientY, box.top, box.height)];
    const [from, to] = grip(x0, x);
    area = [from, to, ...(now.how.across ? [0, 1] : [Math.min(y0, y), Math.max(y0, y)])];
    mark.setAttribute("style", `--from:${from * 100};--to:${to * 100};--top:${area[2] * 100};--bottom:${area[3] * 100}`);
  };
  const end = (/** @type {PointerEvent} */ event) => {
    element.removeEventListener("pointermove", move);
    for (const name of ["pointerup", "pointercancel"]) element.removeEventListener(name, /** @type {EventListener} */ (end));
    if (!area) return;
    if (event.type === "pointerup" && area[1] - area[0] > 0.0005) {
      // The click that follows must not open what lies below.
      const stop = (/** @type {Event} */ click) => (click.preventDefault(), click.stopPropagation());
      addEventListener("click", stop, { capture: true });
      setTimeout(() => removeEventListener("click", stop, { capture: true }), 0);
      now.done(...area);
    } else if (mark.matches(".drawn")) mark.remove();
    else mark.setAttribute("style", before);
  };
  element.addEventListener("pointermove", move);
  for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, /** @type {EventListener} */ (end));
}

/** What a drag from `x0` changes: an edge of the window, the window's place, or all of it. @param {[number, number] | undefined} shown @param {number} x0 @param {number} near @returns {(from: number, to: number) => [number, number]} */
function gripped(shown, x0, near) {
  const sorted = (/** @type {number} */ a, /** @type {number} */ b) => /** @type {[number, number]} */ (a < b ? [a, b] : [b, a]);
  if (!shown || shown[1] - shown[0] > 0.999) return sorted;
  if (Math.abs(x0 - shown[0]) < near) return (_, x) => sorted(x, shown[1]);
  if (Math.abs(x0 - shown[1]) < near) return (_, x) => sorted(shown[0], x);
  if (x0 < shown[0] || x0 > shown[1]) return sorted;
  return (from, x) => {
    const by = Math.min(1 - shown[1], Math.max(-shown[0], x - from));
    return [shown[0] + by, shown[1] + by];
  };
}

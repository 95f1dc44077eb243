// Copies of a diagram: its Mermaid source, and the drawing as a file of its own. Loaded when asked for.

/** What a drawing looks like by the page's style sheet, which the copy does not have. */
const LOOK = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "fill-opacity", "stroke-opacity", "opacity", "paint-order"];
const TYPE = ["font-family", "font-size", "font-weight", "font-style", "text-anchor", "dominant-baseline"];
/** Attributes that mean something in the page only. */
const OURS = ["class", "style", "data-cell", "data-state"];
/** How long the answer stands, in milliseconds. */
const SAID_MS = 4000;

/** @param {HTMLElement} figure */
export const source = (figure) => copy(figure, figure.querySelector(".mermaid-source")?.textContent || "", "Source copied");

/** @param {HTMLElement} figure */
export const svg = (figure) => copy(figure, picture(figure), "SVG copied");

/** @param {HTMLElement} figure @param {string} text @param {string} done */
async function copy(figure, text, done) {
  const said = /** @type {Element} */ (figure.querySelector(".said"));
  try {
    await navigator.clipboard.writeText(text);
    said.textContent = done;
  } catch {
    said.textContent = "The browser does not allow copying here";
  }
  setTimeout(() => (said.textContent = ""), SAID_MS);
}

/** The drawing with its live layer. @param {HTMLElement} figure */
function picture(figure) {
  const out = clone(/** @type {Element} */ (figure.querySelector("svg.mermaid")));
  const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  const [x, y] = (out.getAttribute("viewBox") || "0 0").split(/[ ,]+/);
  const fill = plain(getComputedStyle(figure).backgroundColor);
  for (const [name, value] of Object.entries({ x, y, width: "100%", height: "100%", fill })) ground.setAttribute(name, value);
  out.querySelector(":scope > desc")?.after(ground);
  const live = figure.querySelector("svg.overlay");
  if (live) out.append(...clone(live).childNodes);
  return new XMLSerializer().serializeToString(out);
}

/** @param {Element} from @returns {Element} */
function clone(from) {
  const to = /** @type {Element} */ (from.cloneNode(false));
  for (const name of OURS) to.removeAttribute(name);
  if (from instanceof SVGAElement) to.setAttribute("href", new URL(from.href.baseVal, document.baseURI).href);
  const style = getComputedStyle(from);
  for (const name of looks(from)) to.setAttribute(name, plain(style.getPropertyValue(name)));
  for (const child of from.childNodes) {
    if (!(child instanceof Element)) to.append(child.cloneNode());
    else if (child.matches("title, desc") || getComputedStyle(child).display !== "none") to.append(clone(child));
  }
  return to;
}

/** @param {Element} element */
function looks(element) {
  if (element.matches("text, tspan")) return [...LOOK, ...TYPE];
  if (element.matches("rect")) return [...LOOK, "rx", "ry"];
  return element.matches("path, line, polygon, polyline, circle, ellipse") ? LOOK : [];
}

/** @type {CanvasRenderingContext2D | null} */
let pen = null;

/** A colour as every program reads it: mixed ones are painted and looked at. @param {string} value */
function plain(value) {
  if (!/^(color|ok|lab|lch)/.test(value)) return value;
  pen ??= document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  if (!pen) return value;
  pen.clearRect(0, 0, 1, 1);
  pen.fillStyle = value;
  pen.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
  return `rgba(${r}, ${g}, ${b}, ${(a / 255).toFixed(2)})`;
}

// Measures texts, boxes and pills with the browser's real fonts: node overlaps.mjs FOLDER|URL [NAME...]
// FOLDER is a built book. Prints how many drawings of each kind have a fault and which; the last line
// is the tally as JSON, for the caller to judge.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import { step, withBrowser } from "./chromium.mjs";

const [place, ...names] = process.argv.slice(2);
const TYPES = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml" };
const FAULTS = ["texts", "foreign", "cut", "lines", "pills", "boxes"];

const served = /^https?:/.test(place) ? { base: place, close() {} } : await serve(place);
const tally = {};
await withBrowser(async (_browser, open) => {
  for (const name of names.length > 0 ? names : [""]) {
    const page = await open(new URL(name, served.base).href);
    await page.evaluate(() => document.fonts.ready);
    for (const found of await page.evaluate(measure)) note(name, found);
    await page.context().close();
  }
});
served.close();
for (const [kind, counts] of Object.entries(tally).sort()) {
  console.log(`${kind.padEnd(16)} ${String(counts.all).padStart(4)} measured, ${FAULTS.map((fault) => `${fault} ${counts[fault]}`).join(", ")}`);
}
console.log(JSON.stringify(tally));

function note(page, { kind, name, pills, faults }) {
  const counts = (tally[kind] ??= { all: 0, pill: 0, ...Object.fromEntries(FAULTS.map((fault) => [fault, 0])) });
  counts.all += 1;
  counts.pill += pills;
  for (const fault of FAULTS) {
    const all = faults.filter((one) => one.fault === fault);
    if (all.length > 0) counts[fault] += 1;
    for (const { words } of all.slice(0, 4)) step(`${page} ${name} (${kind}) ${fault}: ${words}`);
  }
}

/** A built book over HTTP: browsers load no modules from files. */
async function serve(folder) {
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://x").pathname).replace(/\.\.+/g, "");
    try {
      const bytes = await readFile(join(folder, path.endsWith("/") ? `${path}index.html` : path));
      response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "text/html" }).end(bytes);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return { base: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

/** Runs in the page. Boxes are turned as their element is, so that slanted words count as they stand. */
function measure() {
  /** The four corners of an element's box on the screen; `trim` takes a share off above and below. */
  const corners = (element, trim = 0) => {
    const { x, y, width, height } = element.getBBox();
    const matrix = element.getScreenCTM();
    const cut = height * trim;
    return [[x, y + cut], [x + width, y + cut], [x + width, y + height - cut], [x, y + height - cut]].map(
      ([x, y]) => new DOMPoint(x, y).matrixTransform(matrix),
    );
  };
  /** How deep two turned boxes lie in each other, in pixels. */
  const depth = (one, other) => {
    let least = Infinity;
    for (const box of [one, other]) {
      for (const [a, b] of [[0, 1], [1, 2]]) {
        const length = Math.hypot(box[b].x - box[a].x, box[b].y - box[a].y);
        if (length === 0) return 0;
        const axis = { x: (box[b].x - box[a].x) / length, y: (box[b].y - box[a].y) / length };
        const span = (corners) => {
          const on = corners.map((point) => point.x * axis.x + point.y * axis.y);
          return [Math.min(...on), Math.max(...on)];
        };
        const [p, q] = [span(one), span(other)];
        least = Math.min(least, Math.min(p[1], q[1]) - Math.max(p[0], q[0]));
      }
    }
    return Math.max(0, least);
  };
  const outside = (inner, outer, slack) => {
    const [x, y] = ["x", "y"].map((axis) => outer.map((point) => point[axis]));
    return inner.some((point) => point.x < Math.min(...x) - slack || point.x > Math.max(...x) + slack || point.y < Math.min(...y) - slack || point.y > Math.max(...y) + slack);
  };
  const seen = (element) => {
    const style = getComputedStyle(element);
    return style.display !== "none" && style.visibility !== "hidden" && element.getBoundingClientRect().width > 0;
  };
  const words = (element) => (element.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40);

  const drawings = [...document.querySelectorAll("figure.diagram")].map((figure) => {
    const svg = figure.querySelector("svg.mermaid");
    const faults = [];
    const add = (fault, ...all) => faults.push({ fault, words: all.map((one) => `«${one}»`).join(" ") });
    // A line of a text is its smallest piece that has a place of its own.
    const lines = [...svg.querySelectorAll("text")].filter(seen).flatMap((text) => {
      const rows = [...text.querySelectorAll("tspan")].filter((row) => row.hasAttribute("x") && seen(row));
      return (rows.length > 0 ? rows : [text]).filter((row) => words(row)).map((row) => ({ row, text, box: corners(row, 0.16) }));
    });
    lines.forEach((one, at) => {
      for (const other of lines.slice(at + 1)) {
        if (one.text !== other.text && depth(one.box, other.box) > 1.5) add("texts", words(one.row), words(other.row));
      }
      if (outside(one.box, corners2(svg), 1)) add("cut", words(one.row), "the drawing");
    });
    const boxes = [...svg.querySelectorAll("g.node, rect.actor, rect.note")].filter(seen).map((element) => {
      const shape = element.matches("rect") ? element : element.querySelector(":scope > :is(rect, circle, ellipse, polygon, path), :scope > g > :is(rect, circle, ellipse, polygon, path)");
      return { element, shape, box: shape && corners(shape) };
    });
    for (const { element, shape, box } of boxes.filter((one) => one.box)) {
      const label = element.matches("rect") ? null : element;
      // A block without words of its own is there to hold others.
      const holder = figure.dataset.kind === "block" && label && !words(label);
      for (const line of lines) {
        // The words of a participant or a note stand beside its box in the drawing's order.
        const own = label ? label.contains(line.text) : sameBox(element, line.text);
        if (own && outside(line.box, box, 1)) add("cut", words(line.row), shape.tagName);
        if (!own && !holder && depth(line.box, box) > 1.5) add("foreign", words(line.row), words(label || element.parentElement));
      }
    }
    // Lines of edges may pass under titles, whose letters have a rim, but not through words of boxes.
    const inBoxes = lines.filter((line) => boxes.some(({ element }) => (element.matches("rect") ? sameBox(element, line.text) : element.contains(line.text))));
    for (const path of svg.querySelectorAll("path.flowchart-link, path.relation, path.transition, path.relationshipLine, .edges path, .messageLine0, .messageLine1")) {
      if (!seen(path) || !path.getTotalLength) continue;
      const [matrix, length] = [path.getScreenCTM(), path.getTotalLength()];
      const steps = Math.min(400, Math.ceil(length / 3));
      const hit = inBoxes.find((line) => {
        const [x, y] = ["x", "y"].map((axis) => line.box.map((point) => point[axis]));
        const [left, right, top, bottom] = [Math.min(...x) + 1, Math.max(...x) - 1, Math.min(...y) + 1, Math.max(...y) - 1];
        for (let at = 0; at <= steps; at++) {
          const point = path.getPointAtLength((length * at) / steps).matrixTransform(matrix);
          if (point.x > left && point.x < right && point.y > top && point.y < bottom) return true;
        }
        return false;
      });
      if (hit) add("lines", path.id, words(hit.row));
    }
    const pills = [...figure.querySelectorAll(".overlay .edge-live > .pill")];
    const tags = [...figure.querySelectorAll(".overlay .node-live > .pill")];
    const rings = [...figure.querySelectorAll(".overlay .node-live > .ring")];
    const name = (element) => element.parentElement.getAttribute("data-cell");
    pills.forEach((one, at) => {
      const box = corners(one);
      for (const other of [...pills.slice(at + 1), ...tags, ...rings]) {
        if (depth(box, corners(other)) > 0.5) add("pills", name(one), name(other));
      }
      for (const node of boxes.filter((one) => one.box)) {
        if (depth(box, node.box) > 0.5) add("pills", name(one), words(node.element));
      }
      for (const line of lines) {
        if (depth(box, line.box) > 1) add("pills", name(one), words(line.row));
      }
    });
    tags.forEach((one, at) => {
      for (const other of tags.slice(at + 1)) if (depth(corners(one), corners(other)) > 0.5) add("pills", name(one), name(other));
      for (const line of lines) if (depth(corners(one), line.box) > 1) add("pills", name(one), words(line.row));
      // Of boxes it may lie on its own alone.
      const own = one.parentElement.querySelector(".ring");
      for (const ring of rings) if (ring !== own && depth(corners(one), corners(ring)) > 0.5) add("pills", name(one), name(ring));
    });
    for (const text of figure.querySelectorAll(".overlay text")) {
      const pill = text.parentElement.querySelector(":scope > .pill");
      if (pill && seen(text) && outside(corners(text, 0.16), corners(pill), 0.5)) add("cut", words(text), "a pill");
    }
    return { kind: figure.dataset.kind, name: heading(figure), pills: pills.length + tags.length, faults };
  });
  return [...drawings, ...[...document.querySelectorAll("pre.boxes")].map(columns)];

  function corners2(svg) {
    const { left, top, right, bottom } = svg.getBoundingClientRect();
    return [[left, top], [right, top], [right, bottom], [left, bottom]].map(([x, y]) => ({ x, y }));
  }
  /** Whether a text's middle lies in this box and it is of the box's kind. */
  function sameBox(box, text) {
    const kind = box.matches(".note") ? ".noteText" : "text.actor";
    if (!text.matches(kind)) return false;
    const [a, b] = [box.getBoundingClientRect(), text.getBoundingClientRect()];
    const x = (b.left + b.right) / 2;
    return x > a.left && x < a.right && b.bottom > a.top && b.top < a.bottom;
  }
  function heading(element) {
    const all = [...document.querySelectorAll("main :is(h1, h2, h3, h4)")];
    const above = all.filter((one) => one.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING).pop();
    return `${element.id || "boxes"} in “${(above?.textContent || "").replace(/#$/, "")}”`;
  }
  /** A drawing of characters: each must begin where its column is. */
  function columns(pre) {
    const probe = document.createElement("span");
    probe.textContent = "0".repeat(100);
    pre.append(probe);
    const unit = probe.getBoundingClientRect().width / 100;
    probe.remove();
    const left = pre.getBoundingClientRect().left + parseFloat(getComputedStyle(pre).paddingLeft) + parseFloat(getComputedStyle(pre).borderLeftWidth);
    const range = document.createRange();
    const faults = [];
    let column = 0;
    const tops = new Set();
    const walker = document.createTreeWalker(pre, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const cell = node.parentElement.closest(".cell");
      const parts = cell ? [cell.textContent] : [...node.data];
      let at = 0;
      for (const part of parts) {
        if (part === "\n") {
          column = 0;
          at += 1;
          continue;
        }
        range.setStart(node, at);
        range.setEnd(node, at + (cell ? node.length : part.length));
        at += part.length;
        const box = cell ? cell.getBoundingClientRect() : range.getBoundingClientRect();
        const off = box.left + pre.scrollLeft - left - column * unit;
        if (Math.abs(off) > 0.6) faults.push({ fault: "boxes", words: `«${part}» stands ${off.toFixed(1)} px from column ${column}` });
        if (!cell) tops.add(Math.round(box.top * 4));
        column += cell?.classList.contains("wide") ? 2 : 1;
      }
    }
    // Lines of equal height, else uprights have gaps.
    const steps = [...tops].sort((a, b) => a - b).map((top, nth, all) => top - (all[nth - 1] ?? top)).slice(1).filter((step) => step > 8);
    if (steps.length > 1 && Math.max(...steps) > Math.min(...steps) + 2 && Math.max(...steps) < 2 * Math.min(...steps)) {
      faults.push({ fault: "boxes", words: `lines between ${Math.min(...steps) / 4} and ${Math.max(...steps) / 4} px high` });
    }
    return { kind: "box drawing", name: heading(pre), pills: 0, faults };
  }
}

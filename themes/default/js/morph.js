// Makes one tree of elements like another by changing as little as possible, so that what belongs to
// the reader stays: focus, selection, open details, scrolled boxes, a zoomed drawing.

/** Attributes that the page's scripts or the reader set; the source does not take them away. */
const READERS = new Set(["open", "style", "tabindex", "aria-current", "aria-expanded", "aria-pressed", "data-arrived"]);
/** Larger lists of children are matched by their keys alone: comparing all pairs would take too long. */
const PAIRS_MAX = 250_000;

/**
 * @param {Element} old stays in the document
 * @param {Element} next is taken apart
 */
export function morph(old, next) {
  attributes(old, next);
  children(old, next);
}

/** @param {Element} old @param {Element} next */
function attributes(old, next) {
  for (const { name, value } of [...next.attributes]) {
    if (name === "open" && old.localName === "details") continue;
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!next.hasAttribute(name) && !READERS.has(name)) old.removeAttribute(name);
  }
}

/** @param {Element} old @param {Element} next */
function children(old, next) {
  const [before, after] = [[...old.childNodes], [...next.childNodes]];
  const partner = pairs(before, after);
  const kept = new Set(partner.values());
  for (const node of before) if (!kept.has(node)) node.remove();
  /** @type {ChildNode | null} */
  let place = old.firstChild;
  for (const node of after) {
    const mine = partner.get(node);
    if (!mine) {
      old.insertBefore(node, place);
      continue;
    }
    // Where the order changed, the node moves; otherwise nothing is touched.
    if (mine === place) place = place.nextSibling;
    else old.insertBefore(mine, place);
    if (!mine.isEqualNode(node)) become(mine, node);
  }
}

/** @param {ChildNode} mine @param {ChildNode} node */
function become(mine, node) {
  if (mine instanceof Element && node instanceof Element) morph(mine, node);
  else if (mine.nodeValue !== node.nodeValue) mine.nodeValue = node.nodeValue;
}

/**
 * Which old node becomes which new one: those with the same key, those that are alike, in order, and
 * between these those of the same kind.
 * @param {ChildNode[]} before @param {ChildNode[]} after
 * @returns {Map<ChildNode, ChildNode>} from new to old
 */
function pairs(before, after) {
  /** @type {Map<ChildNode, ChildNode>} */
  const partner = new Map();
  let start = 0;
  while (start < before.length && start < after.length && alike(before[start], after[start])) {
    partner.set(after[start], before[start++]);
  }
  let [end, last] = [before.length, after.length];
  while (end > start && last > start && alike(before[end - 1], after[last - 1])) {
    partner.set(after[--last], before[--end]);
  }
  const [left, right] = [before.slice(start, end), after.slice(start, last)];
  keyed(left, right, partner);
  const taken = new Set(partner.values());
  const [free, open] = [left.filter((node) => !taken.has(node)), right.filter((node) => !partner.has(node))];
  if (free.length * open.length <= PAIRS_MAX) inOrder(free, open, partner);
  const used = new Set(partner.values());
  let at = 0;
  for (const node of open) {
    if (partner.has(node)) {
      const mine = partner.get(node);
      at = Math.max(at, free.indexOf(/** @type {ChildNode} */ (mine)) + 1);
      continue;
    }
    const mine = free[at];
    if (mine && !used.has(mine) && sameKind(mine, node)) {
      partner.set(node, mine);
      at++;
    }
  }
  return partner;
}

/** @param {ChildNode[]} left @param {ChildNode[]} right @param {Map<ChildNode, ChildNode>} partner */
function keyed(left, right, partner) {
  /** @type {Map<string, ChildNode>} */
  const known = new Map();
  for (const node of left) {
    const key = keyOf(node);
    if (key && !known.has(key)) known.set(key, node);
  }
  for (const node of right) {
    const key = keyOf(node);
    const mine = key && known.get(key);
    if (!mine) continue;
    known.delete(key);
    partner.set(node, mine);
  }
}

/** The longest common sequence of nodes that are alike. @param {ChildNode[]} left @param {ChildNode[]} right @param {Map<ChildNode, ChildNode>} partner */
function inOrder(left, right, partner) {
  const signs = [left, right].map((nodes) => nodes.map(sign));
  const width = right.length + 1;
  const best = new Uint32Array((left.length + 1) * width);
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      best[i * width + j] = signs[0][i] === signs[1][j]
        ? best[(i + 1) * width + j + 1] + 1
        : Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
    }
  }
  for (let i = 0, j = 0; i < left.length && j < right.length;) {
    if (signs[0][i] === signs[1][j]) partner.set(right[j++], left[i++]);
    else if (best[(i + 1) * width + j] >= best[i * width + j + 1]) i++;
    else j++;
  }
}

/** @param {ChildNode} a @param {ChildNode} b */
const alike = (a, b) => sameKind(a, b) && sign(a) === sign(b);

/** @param {ChildNode} a @param {ChildNode} b */
const sameKind = (a, b) => a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

/** What tells a node from its siblings for good. @param {ChildNode} node */
function keyOf(node) {
  if (!(node instanceof Element)) return "";
  const key = node.id || node.getAttribute("data-cell") || node.getAttribute("data-fold");
  return key ? `${node.nodeName} ${key}` : "";
}

/** What a reader would call the same. Values that the server pushes are no part of it. @param {ChildNode} node */
const sign = (node) => `${node.nodeName} ${keyOf(node)} ${node.textContent}`;

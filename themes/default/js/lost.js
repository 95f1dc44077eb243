// The page for addresses that do not exist: names the pages whose address is most like the one asked for.
import { root } from "./arrive.js";

/** So many are named, when at least so much of the name is alike. */
const [SHOWN, ALIKE] = [5, 0.3];

/** Fills the suggestions where the server left them empty. */
export function lost() {
  const place = document.querySelector("[data-suggest]");
  if (!place || place.querySelector("a")) return;
  const wanted = pairs(decodeURIComponent(location.pathname.slice(root().pathname.length)));
  const links = /** @type {HTMLAnchorElement[]} */ ([...document.querySelectorAll("#side .tree a[href]")]);
  const scored = links.map((link) => ({ link, score: Math.max(alike(wanted, pairs(rest(link))), alike(wanted, pairs(link.textContent || ""))) }));
  const best = scored.filter(({ score }) => score >= ALIKE).sort((a, b) => b.score - a.score).slice(0, SHOWN);
  if (best.length === 0) return;
  place.querySelector("ul")?.append(...best.map(({ link }) => {
    const item = document.createElement("li");
    const copy = document.createElement("a");
    copy.href = link.href;
    copy.textContent = link.textContent;
    item.append(copy);
    return item;
  }));
  place.removeAttribute("hidden");
}

/** @param {HTMLAnchorElement} link */
const rest = (link) => new URL(link.href).pathname.slice(root().pathname.length);

/** Pairs of letters that stand beside each other. @param {string} text */
function pairs(text) {
  const plain = text.toLowerCase().replace(/\.html$/, "").replace(/[^\p{L}\p{N}]/gu, "");
  return new Set([...plain].map((letter, at, all) => letter + (all[at + 1] ?? "")));
}

/** Sørensen and Dice's coefficient, 0 to 1. @param {Set<string>} one @param {Set<string>} other */
function alike(one, other) {
  const both = [...one].filter((pair) => other.has(pair)).length;
  return (2 * both) / (one.size + other.size || 1);
}

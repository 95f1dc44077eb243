// Marks the section in view in the sidebar and in the table of contents.

/** @type {AbortController | undefined} */
let before;

/** (Re)starts on the page's present headings. */
export function spy() {
  before?.abort();
  before = new AbortController();
  /** @type {Map<string, HTMLAnchorElement[]>} */
  const links = new Map();
  for (const link of document.querySelectorAll("a[data-spy]")) {
    const id = decoded(link.getAttribute("href")?.slice(1) || "");
    links.set(id, [...(links.get(id) || []), /** @type {HTMLAnchorElement} */ (link)]);
  }
  const headings = [...links.keys()].map((id) => document.getElementById(id)).filter((found) => found !== null);
  headings.sort((a, b) => (a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1));
  let waiting = false;
  const mark = () => {
    waiting = false;
    const edge = window.innerHeight * 0.3;
    const passed = headings.filter((heading) => heading.getBoundingClientRect().top <= edge);
    const shown = passed[passed.length - 1]?.id;
    for (const [id, group] of links) {
      // A section that only one of both lists knows leaves the other at what came before it.
      for (const link of group) {
        const inSame = passed.filter((heading) => links.get(heading.id)?.some((other) => other.closest("nav") === link.closest("nav")));
        const current = shown !== undefined && inSame[inSame.length - 1]?.id === id;
        current ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
      }
    }
  };
  const soon = () => {
    if (!waiting) requestAnimationFrame(mark);
    waiting = true;
  };
  addEventListener("scroll", soon, { passive: true, signal: before.signal });
  addEventListener("resize", soon, { passive: true, signal: before.signal });
  mark();
}

/** An id may hold a bare `%`, which is no escape. @param {string} id */
function decoded(id) {
  try {
    return decodeURIComponent(id);
  } catch {
    return id;
  }
}

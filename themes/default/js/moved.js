// Follows a fragment that moved to another page. What moved where stands in the page as JSON: it is
// data, so it needs no inline script.

/** Leaves the page when its fragment is one that moved, or when all of the page did. */
export function moved() {
  const data = document.getElementById("moved")?.textContent;
  if (!data) return;
  /** @type {{ to: string | null, moved: Record<string, string> }} */
  const map = JSON.parse(data);
  // An instant visit to another page leaves this script running.
  const here = location.pathname;
  const follow = () => {
    if (location.pathname !== here) return;
    const fragment = location.hash.slice(1);
    const target = (Object.hasOwn(map.moved, fragment) && map.moved[fragment]) || map.to;
    if (!fragment || !target) return;
    const next = new URL(target, location.href);
    if (!next.hash) next.hash = target === map.to ? fragment : "";
    location.replace(next);
  };
  follow();
  window.addEventListener("hashchange", follow);
}

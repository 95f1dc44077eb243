// Code blocks: a button that copies each, and fences with tabs behind each other instead of below.

/** How long the answer stands, in milliseconds. */
const SAID_MS = 2500;
/** Under which key the reader's last tabs are kept. */
const KEPT = "loggia-tabs";
let rows = 0;

/** Adds what is missing; what is there already stays. @param {ParentNode} [root] */
export function code(root = document) {
  for (const block of root.querySelectorAll(".code:not(:has(> .copy))")) addCopy(block);
  for (const row of root.querySelectorAll(".tabs:not(.ready):has(> .tab)")) addTabs(/** @type {HTMLElement} */ (row));
}

/** @param {Element} block */
function addCopy(block) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy code");
  const said = document.createElement("span");
  said.className = "copied";
  said.setAttribute("role", "status");
  button.addEventListener("click", async () => {
    const answer = await copy(block);
    button.textContent = said.textContent = answer;
    setTimeout(() => {
      button.textContent = "Copy";
      said.textContent = "";
    }, SAID_MS);
  });
  block.append(button, said);
}

/** @param {Element} block */
async function copy(block) {
  try {
    await navigator.clipboard.writeText(source(block));
    return "Copied";
  } catch {
    return "The browser does not allow copying here";
  }
}

/** The code without prompts, and without hidden lines as long as they are. @param {Element} block */
function source(block) {
  const from = block.querySelector("pre > code")?.cloneNode(true);
  if (!(from instanceof Element)) return "";
  const shown = block.querySelector(".code-more > :checked");
  for (const part of from.querySelectorAll(shown ? ".h-p" : ".h-p, .boring")) part.remove();
  return from.textContent || "";
}

/** @param {HTMLElement} row */
function addTabs(row) {
  const panels = /** @type {HTMLElement[]} */ ([...row.querySelectorAll(":scope > .tab")]);
  const list = document.createElement("div");
  list.setAttribute("role", "tablist");
  rows += 1;
  const tabs = panels.map((panel, at) => {
    const tab = document.createElement("button");
    tab.type = "button";
    tab.id = `tab-${rows}-${at}`;
    tab.textContent = panel.dataset.tab || "";
    tab.setAttribute("role", "tab");
    panel.id ||= `panel-${rows}-${at}`;
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", tab.id);
    panel.removeAttribute("aria-label");
    tab.setAttribute("aria-controls", panel.id);
    tab.addEventListener("click", () => choose(tab.textContent || ""));
    list.append(tab);
    return tab;
  });
  list.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined || at < 0) return;
    const next = tabs[(to + tabs.length) % tabs.length];
    next.focus();
    next.click();
    event.preventDefault();
  });
  row.prepend(list);
  row.classList.add("ready");
  const kept = remembered().find((name) => panels.some((panel) => panel.dataset.tab === name));
  show(row, kept ?? panels[0].dataset.tab ?? "");
}

/** Shows a tab in every row that has one of that name, and on later pages. @param {string} name */
function choose(name) {
  for (const row of document.querySelectorAll(".tabs.ready")) {
    const has = [...row.querySelectorAll(":scope > .tab")].some((panel) => panel instanceof HTMLElement && panel.dataset.tab === name);
    if (has) show(row, name);
  }
  try {
    sessionStorage.setItem(KEPT, JSON.stringify([name, ...remembered().filter((other) => other !== name)].slice(0, 20)));
  } catch {
    // Without a store the choice holds for this page.
  }
}

/** @returns {string[]} */
function remembered() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT) || "[]");
    return Array.isArray(kept) ? kept : [];
  } catch {
    return [];
  }
}

/** @param {Element} row @param {string} name */
function show(row, name) {
  let found = false;
  const panels = /** @type {HTMLElement[]} */ ([...row.querySelectorAll(":scope > .tab")]);
  panels.forEach((panel, at) => {
    const chosen = !found && panel.dataset.tab === name;
    found ||= chosen;
    panel.hidden = !chosen;
    const tab = /** @type {HTMLElement} */ (row.querySelectorAll("[role=tab]")[at]);
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
  });
}

// Search: the dialog, the index that is loaded piece by piece, and the marks on the page that was found.
// A classic script, so that it also runs where a book is opened from a file. site/loggia/src/search
// writes the index and follows the same rules.
{
  const HERE = /** @type {HTMLScriptElement} */ (document.currentScript).src;
  const FOLDER = new URL("search/", HERE);
  const ROOT = new URL("../", HERE);
  const GROUPS_MAX = 12, HITS_MAX = 4, PREFIX_WORDS_MAX = 200, QUERY_WORDS_MAX = 12, EXCERPT = 170;
  /** Parts that one beginning of a word may load. */
  const PREFIX_PARTS_MAX = 6;
  /** An index that may change is used for so long, in milliseconds. */
  const FRESH_MS = 1000;
  const KINDS = ["Page", "Term", "Service"];

  // ---- Words, as in words.rs -------------------------------------------------------------------
  const RUN = /[\p{Alphabetic}\p{N}_\u0300-\u036f]+/gu;
  const DENSE = /[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\u{20000}-\u{3ffff}]+/gu;
  const LETTERS = { "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l" };
  /** @param {string} word */
  const fold = (word) => word.toLowerCase().normalize("NFKD").replace(/[\u0300-\u036f]/g, "").replace(/[ıßæœøđł]/g, (c) => LETTERS[/** @type {keyof typeof LETTERS} */ (c)]);

  /** The words of a query, each once. @param {string} query */
  function wordsOf(query) {
    const words = new Set();
    for (const [run] of query.matchAll(RUN)) {
      const plain = run.replace(/^_+|_+$/g, "");
      for (const part of plain.split(/([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\u{20000}-\u{3ffff}]+)/u)) {
        if (!part) continue;
        if (part.match(DENSE)) pairs(part).forEach((pair) => words.add(pair));
        else words.add(fold(part));
      }
    }
    return [...words].slice(0, QUERY_WORDS_MAX);
  }

  /** @param {string} part */
  function pairs(part) {
    const all = [...part];
    return all.length === 1 ? all : all.slice(1).map((c, at) => all[at] + c);
  }

  // ---- The index -------------------------------------------------------------------------------
  /** @type {Map<string, {done: Promise<any>, give: (value: any) => void}>} */
  let loaded = new Map();
  let since = 0;
  /** @type {any} */ (window).loggiaSearch = (/** @type {string} */ name, /** @type {any} */ value) => loaded.get(name)?.give(value);

  /** Whether the index may change while the page is open. */
  const follows = () => "version" in document.body.dataset;

  /** A file of the index. @param {string} name @returns {Promise<any>} */
  function load(name) {
    const known = loaded.get(name);
    if (known) return known.done;
    /** @type {(value: any) => void} */
    let give = () => {};
    const done = new Promise((resolve, reject) => {
      give = resolve;
      const script = document.createElement("script");
      // One document keeps what it loaded under an address, and only the index keeps its name.
      const fresh = follows() && name === "index" ? `?at=${Date.now()}` : "";
      script.src = new URL(`${name}.js${fresh}`, FOLDER).href;
      script.onload = () => script.remove();
      script.onerror = () => {
        script.remove();
        loaded.delete(name);
        reject(new Error(`${name} cannot be loaded`));
      };
      document.head.append(script);
    });
    loaded.set(name, { done, give });
    return done;
  }

  /** Number of the part that holds `key`, where parts begin with `firsts`. @param {any[]} firsts @param {any} key */
  function partOf(firsts, key) {
    let low = 0, high = firsts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (under(key, firsts[middle])) high = middle;
      else low = middle + 1;
    }
    return Math.max(0, low - 1);
  }

  /** Order of code points, as the index is sorted. @param {any} a @param {any} b */
  function under(a, b) {
    if (typeof a === "number") return a < b;
    const [left, right] = [[...a], [...b]];
    for (let at = 0; at < left.length && at < right.length; at++) {
      const distance = /** @type {number} */ (left[at].codePointAt(0)) - /** @type {number} */ (right[at].codePointAt(0));
      if (distance) return distance < 0;
    }
    return left.length < right.length;
  }

  /** @param {string} char */
  const digit = (char) => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".indexOf(char);

  /** Calls `give(slot, section, weight)` for each place. @param {string} places @param {(slot: number, section: number, weight: number) => void} give */
  function eachPlace(places, give) {
    let at = 0, slot = 0, section = 0;
    const next = () => {
      for (let value = 0, unit = 1; ; unit *= 32) {
        const one = digit(places[at++]);
        value += (one % 32) * unit;
        if (one < 32) return value;
      }
    };
    while (at < places.length) {
      const step = next();
      if (step) section = 0;
      slot += step;
      const rest = next();
      section += rest >> 6;
      give(slot, section, rest & 63);
    }
  }

  /** @param {any} index @param {string} word @returns {Promise<[string, string, string] | undefined>} */
  async function entryOf(index, word) {
    if (!index[1].length) return undefined;
    const part = await load(index[2][partOf(index[1], word)]);
    for (let at = 0; at < part.length; at += 3) if (part[at] === word) return [word, part[at + 1], part[at + 2]];
    return undefined;
  }

  /** What a term stands for: word, places, quality. @param {any} index @param {string} term @param {boolean} begins */
  async function matches(index, term, begins) {
    /** @type {Map<string, [string, number]>} */
    const found = new Map();
    const exact = await entryOf(index, term);
    if (exact) {
      found.set(term, [exact[2], 1]);
      const forms = await Promise.all(exact[1].split(" ").filter(Boolean).map((form) => entryOf(index, form)));
      for (const form of forms) if (form) found.set(form[0], [form[2], 0.75]);
    }
    if (begins && index[1].length) {
      const first = partOf(index[1], term);
      let last = first;
      while (last + 1 < index[1].length && last - first + 1 < PREFIX_PARTS_MAX && index[1][last + 1].startsWith(term)) last++;
      const parts = await Promise.all(index[2].slice(first, last + 1).map(load));
      let count = 0;
      for (const part of parts) {
        for (let at = 0; at < part.length && count < PREFIX_WORDS_MAX; at += 3) {
          const word = part[at];
          if (word === term || !word.startsWith(term)) continue;
          count++;
          if (!found.has(word)) found.set(word, [part[at + 2], 0.4 * (1 + [...term].length / [...word].length)]);
        }
      }
    }
    return found;
  }

  /**
   * Searches; see find.rs.
   * @param {string} query
   */
  async function find(query) {
    const index = await load("index");
    const terms = wordsOf(query);
    const open = /\S$/.test(query);
    /** @type {Map<number, Map<number, [number, number]>>} slot -> section -> [score, bits] */
    const docs = new Map();
    const marked = new Set();
    const all = await Promise.all(terms.map((term, at) => matches(index, term, open && at + 1 === terms.length)));
    const unknown = terms.filter((_, at) => !all[at].size);
    all.forEach((found, at) => {
      /** @type {Map<number, Map<number, number>>} */
      const best = new Map();
      let count = 0;
      for (const [word, [places, quality]] of found) {
        marked.add(word);
        eachPlace(places, (slot, section, weight) => {
          let sections = best.get(slot);
          if (!sections) best.set(slot, (sections = new Map()));
          const old = sections.get(section);
          if (old === undefined) count++;
          sections.set(section, Math.max(old || 0, weight * quality));
        });
      }
      const rarity = Math.log(1 + (index[0] - count + 0.5) / (count + 0.5));
      for (const [slot, sections] of best) {
        let doc = docs.get(slot);
        if (!doc) docs.set(slot, (doc = new Map()));
        for (const [section, score] of sections) {
          const [sum, bits] = doc.get(section) || [0, 0];
          doc.set(section, [sum + score * rarity, bits | (1 << at)]);
        }
      }
    });
    const ranked = rank(docs, terms.length);
    const groups = await Promise.all(ranked.slice(0, GROUPS_MAX).map((one) => shown(index, one, marked)));
    return { query, terms, marked: [...marked], unknown, total: ranked.length, groups: groups.filter((group) => group !== null) };
  }

  /** @param {Map<number, Map<number, [number, number]>>} docs @param {number} terms */
  function rank(docs, terms) {
    const full = (1 << terms) - 1;
    const count = (/** @type {number} */ bits) => bits.toString(2).replaceAll("0", "").length;
    const ranked = [...docs].map(([slot, sections]) => {
      let bits = 0;
      const hits = [...sections].map(([section, [score, own]]) => {
        bits |= own;
        return { section, score: score * (own === full ? 1.5 : 1) };
      });
      hits.sort((a, b) => b.score - a.score || a.section - b.section);
      const rest = hits.slice(1).reduce((sum, hit) => sum + hit.score, 0);
      return { slot, words: count(bits), hits, score: hits[0].score + Math.min(rest * 0.1, hits[0].score * 0.25) };
    });
    const most = Math.max(0, ...ranked.map((one) => one.words));
    return ranked.filter((one) => one.words === most).sort((a, b) => b.score - a.score || a.slot - b.slot);
  }

  /** @param {any} index @param {{slot: number, hits: {section: number}[]}} one @param {Set<string>} marked */
  async function shown(index, one, marked) {
    const number = partOf(index[3], one.slot);
    const doc = (await load(index[4][number]))[one.slot - index[3][number]];
    if (!doc) return null;
    const [kind, url, title, sections] = doc;
    const hits = one.hits.slice(0, HITS_MAX).map(({ section }) => ({
      anchor: sections[section * 3],
      title: sections[section * 3 + 1],
      excerpt: excerpt(sections[section * 3 + 2] || "", marked),
    }));
    return { kind, url, title, hits };
  }

  /** Text in turn: not found, found, ... @param {string} text @param {Set<string>} marked @returns {string[]} */
  function excerpt(text, marked) {
    let first = 0;
    for (const run of text.matchAll(RUN)) {
      if (isMarked(run[0], marked)) {
        first = run.index;
        break;
      }
    }
    let from = Math.max(0, first - EXCERPT / 3);
    if (from) from = text.indexOf(" ", from) + 1;
    let to = Math.min(text.length, from + EXCERPT);
    if (to < text.length) to = Math.max(text.lastIndexOf(" ", to), from);
    const cut = text.slice(from, to);
    const parts = [];
    let at = 0;
    for (const run of cut.matchAll(RUN)) {
      if (!isMarked(run[0], marked)) continue;
      parts.push(cut.slice(at, run.index), run[0]);
      at = run.index + run[0].length;
    }
    parts.push(cut.slice(at));
    if (from) parts[0] = `… ${parts[0]}`;
    if (to < text.length) parts[parts.length - 1] += " …";
    return parts;
  }

  /** @param {string} run @param {Set<string>} marked */
  function isMarked(run, marked) {
    if (marked.has(fold(run))) return true;
    return DENSE.test(run) && (DENSE.lastIndex = 0, pairs(run).some((pair) => marked.has(pair)));
  }

  /** The query with unknown words put right, or nothing. @param {{query: string, unknown: string[]}} found */
  async function corrected({ query, unknown }) {
    if (!unknown.length) return "";
    const index = await load("index");
    const words = (await load(index[5])).split(" ");
    let better = query;
    for (const term of unknown) {
      const near = nearest(term, words);
      if (!near) return "";
      better = better.replace(new RegExp(RUN.source, "gu"), (run) => (fold(run) === term ? near : run));
    }
    return better === query ? "" : better;
  }

  /** The most frequent word with the fewest edits: one, or two in long words. @param {string} term @param {string[]} words */
  function nearest(term, words) {
    const most = term.length > 7 ? 2 : term.length > 2 ? 1 : 0;
    let best = "", least = most + 1;
    for (const word of words) {
      if (Math.abs(word.length - term.length) >= least) continue;
      const edits = distance(term, word, least);
      if (edits < least) [best, least] = [word, edits];
      if (least === 1) break;
    }
    return best;
  }

  /** Edits between two words, neighbours swapped counting as one (optimal string alignment). @param {string} a @param {string} b @param {number} limit */
  function distance(a, b, limit) {
    let before = /** @type {number[]} */ ([]), row = Array.from({ length: b.length + 1 }, (_, at) => at);
    for (let i = 1; i <= a.length; i++) {
      const next = [i];
      for (let j = 1; j <= b.length; j++) {
        const same = a[i - 1] === b[j - 1] ? 0 : 1;
        next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + same);
        if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) next[j] = Math.min(next[j], before[j - 2] + 1);
      }
      if (Math.min(...next) >= limit) return limit;
      [before, row] = [row, next];
    }
    return row[b.length];
  }

  // ---- What the reader sees --------------------------------------------------------------------
  /** @param {string} name @param {Record<string, string>} attributes @param {...(Node | string)} children */
  function make(name, attributes, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  /** @param {string} url @param {string} anchor @param {string} words */
  function address(url, anchor, words) {
    const to = new URL(url.split("/").map((part) => part.split("#").map(encodeURIComponent).join("#")).join("/"), ROOT);
    if (!url.startsWith("live/")) to.searchParams.set("highlight", words);
    if (anchor) to.hash = anchor;
    return to.href;
  }

  /** @param {string[]} parts */
  const marks = (parts) => parts.map((part, at) => (at % 2 ? make("mark", {}, part) : part));

  /** Options for a listbox, or list items for a page. @param {Awaited<ReturnType<typeof find>>} found @param {HTMLElement} into @param {boolean} options */
  function show(found, into, options) {
    const words = found.terms.join(" ");
    const role = options ? { role: "option", tabindex: "-1", "aria-selected": "false" } : {};
    let number = 0;
    const groups = found.groups.map((group) => {
      const id = `found-${number}`;
      const option = (/** @type {string} */ anchor, /** @type {string} */ kind, /** @type {(Node | string)[]} */ ...inside) =>
        make("a", { ...role, id: `found-${number++}`, class: kind, href: address(group.url, anchor, words) }, ...inside);
      const top = group.hits.find((hit) => !hit.anchor);
      const heading = [make("span", { class: "found-title" }, group.title)];
      if (group.kind) heading.push(make("span", { class: "found-kind" }, KINDS[group.kind]));
      else heading.push(make("span", { class: "found-where" }, make("bdi", {}, group.url)));
      if (top) heading.push(make("span", { class: "found-text" }, ...marks(top.excerpt)));
      const parts = [option("", "found-page", ...heading)];
      for (const hit of group.hits) {
        if (!hit.anchor) continue;
        parts.push(option(hit.anchor, "found-section", make("span", { class: "found-title" }, hit.title), make("span", { class: "found-text" }, ...marks(hit.excerpt))));
      }
      return make("div", { class: "found-group", ...(options ? { role: "group", "aria-labelledby": id } : {}) }, ...parts);
    });
    into.replaceChildren(...groups);
  }

  /** Ties a field to a list of results. @param {HTMLInputElement} input @param {HTMLElement} list @param {HTMLElement} said @param {boolean} options */
  function tie(input, list, said, options) {
    let asked = "";
    let selected = -1;
    const all = () => /** @type {HTMLAnchorElement[]} */ ([...list.querySelectorAll("a")]);
    const select = (/** @type {number} */ to) => {
      const links = all();
      links[selected]?.setAttribute("aria-selected", "false");
      selected = links.length ? (to + links.length) % links.length : -1;
      const link = links[selected];
      if (!link) return input.removeAttribute("aria-activedescendant");
      link.setAttribute("aria-selected", "true");
      link.scrollIntoView({ block: "nearest" });
      input.setAttribute("aria-activedescendant", link.id);
    };
    async function ask(/** @type {unknown} */ _event, last = !follows()) {
      const query = input.value;
      if (query === asked) return;
      asked = query;
      // Where the page follows its source, the index may be another one by now.
      if (follows() && Date.now() - since > FRESH_MS) {
        loaded = new Map();
        since = Date.now();
      }
      if (!query.trim()) {
        list.replaceChildren();
        said.replaceChildren();
        if (options) input.setAttribute("aria-expanded", "false");
        return;
      }
      try {
        let found = await find(query);
        const better = found.total && !found.unknown.length ? "" : await corrected(found);
        /** @type {(Node | string)[]} */
        let words = [found.total === 1 ? "1 result" : `${found.total} results`];
        if (better) {
          found = await find(better);
          const button = make("button", { type: "button" }, better);
          button.addEventListener("click", () => {
            input.value = better;
            input.focus();
            ask(null);
          });
          words = [`Nothing for “${query.trim()}”. This is what was found for `, button];
        } else if (!found.total) words = [`Nothing was found for “${query.trim()}”. Try fewer or other words.`];
        else if (found.unknown.length) words = [`Nothing for “${found.unknown.join(" ")}”. Found for the other words: ${found.total}`];
        if (asked !== query) return;
        show(found, list, options);
        said.replaceChildren(...words);
        if (!options) return;
        input.setAttribute("aria-expanded", String(found.total > 0));
        selected = -1;
        select(0);
      } catch {
        if (asked !== query) return;
        asked = "";
        if (!last) {
          // The parts that this index names are gone: there is a newer one.
          loaded = new Map();
          return ask(null, true);
        }
        said.replaceChildren("The search index cannot be loaded.");
        list.replaceChildren();
      }
    }
    input.addEventListener("input", ask);
    if (options) {
      input.addEventListener("keydown", (event) => {
        if (event.isComposing) return;
        if (event.key === "ArrowDown") select(selected + 1);
        else if (event.key === "ArrowUp") select(selected - 1);
        else if (event.key === "Enter") all()[selected]?.click();
        else return;
        event.preventDefault();
      });
      list.addEventListener("pointermove", (event) => {
        const link = event.target instanceof Element ? event.target.closest("a") : null;
        if (link && all().indexOf(link) !== selected) select(all().indexOf(link));
      });
    }
    return () => {
      asked = "";
      return ask(null);
    };
  }

  // ---- The dialog ------------------------------------------------------------------------------
  const dialog = /** @type {HTMLDialogElement | null} */ (document.getElementById("search"));
  /** @type {(() => void) | undefined} */
  let again;
  function openDialog() {
    if (!dialog || dialog.open) return;
    const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (dialog.querySelector(name));
    const input = /** @type {HTMLInputElement} */ (part("input"));
    again ??= tie(input, part("[role=listbox]"), part("[role=status]"), true);
    dialog.showModal();
    input.select();
    load("index").catch(() => {});
    again();
  }

  document.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    if (!target || !dialog) return;
    const plain = !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
    if (target.closest("[data-search-open]") && plain) {
      event.preventDefault();
      openDialog();
    } else if (target === dialog || target.closest("[data-search-close]") || (plain && target.closest("#search a"))) dialog.close();
  });
  // The keys that open it are in `main.js`, with all others.
  document.addEventListener("keydown", (event) => {
    if (!event.defaultPrevented && event.key === "Escape" && !dialog?.open) forget();
  });
  document.addEventListener("loggia:search", openDialog);

  // ---- Marks on the page that was found --------------------------------------------------------
  /** @type {Range[]} */
  let ranges = [];
  let current = -1;
  /** Counts what is marked: only the last one goes on. */
  let marking = 0;
  const bar = document.getElementById("highlight");

  /** Marks the words of the address; the page's elements stay untouched. */
  async function mark() {
    const query = new URL(location.href).searchParams.get("highlight");
    const mine = ++marking;
    ranges = [];
    starts.clear();
    if (!query || !("highlights" in CSS) || !bar) return clearBar();
    const words = wordsOf(query);
    const marked = new Set(words);
    try {
      const index = await load("index");
      const entries = await Promise.all(words.map((word) => entryOf(index, word)));
      entries.forEach((entry, at) => {
        if (entry) entry[1].split(" ").filter(Boolean).forEach((form) => marked.add(form));
        // A beginning: the words that begin with it.
        else if (at === words.length - 1) starts.add(words[at]);
      });
    } catch {
      // Without the index the words themselves are marked.
    }
    // Meanwhile another page may have come, or the reader pressed Escape.
    if (mine !== marking) return;
    const walker = document.createTreeWalker(/** @type {Node} */ (document.getElementById("main")), NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (node.parentElement?.closest("script, style, svg, .term-tip, .anchor, .found-group")) continue;
      for (const run of /** @type {Text} */ (node).data.matchAll(RUN)) {
        const folded = fold(run[0]);
        if (!isMarked(run[0], marked) && ![...starts].some((start) => folded.startsWith(start))) continue;
        const range = new Range();
        range.setStart(node, run.index);
        range.setEnd(node, run.index + run[0].length);
        ranges.push(range);
      }
    }
    CSS.highlights.set("search", new Highlight(...ranges));
    current = -1;
    bar.hidden = false;
    count(`${ranges.length} on this page`);
  }
  /** @type {Set<string>} */
  const starts = new Set();

  /** @param {string} words */
  function count(words) {
    const place = bar?.querySelector("[role=status]");
    if (place) place.textContent = words;
  }

  function clearBar() {
    if ("highlights" in CSS) {
      CSS.highlights.delete("search");
      CSS.highlights.delete("search-current");
    }
    if (bar) bar.hidden = true;
  }

  /** Another address for the page that is open; `travel.js` hears of it. @param {URL} url */
  function readdress(url) {
    history.replaceState(history.state, "", url);
    document.dispatchEvent(new Event("loggia:address"));
  }

  /** Takes the marks away, from the address too. */
  function forget() {
    const url = new URL(location.href);
    if (!url.searchParams.has("highlight")) return;
    url.searchParams.delete("highlight");
    readdress(url);
    marking++;
    clearBar();
  }

  /** @param {number} by */
  function step(by) {
    if (!ranges.length) return;
    current = current < 0 && by < 0 ? ranges.length - 1 : (current + by + ranges.length) % ranges.length;
    CSS.highlights.set("search-current", new Highlight(ranges[current]));
    ranges[current].startContainer.parentElement?.scrollIntoView({ block: "center" });
    count(`${current + 1} of ${ranges.length}`);
  }

  bar?.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (button?.value === "clear") forget();
    else if (button) step(button.value === "next" ? 1 : -1);
  });
  mark();
  // A page that is put in place of another, or of its older self.
  document.addEventListener("loggia:arrive", (event) => {
    mark();
    if (/** @type {CustomEvent} */ (event).detail === "visit") searchPage();
  });

  // ---- The page for searching ------------------------------------------------------------------
  function searchPage() {
    const form = document.querySelector("form[data-search-page]");
    if (!form) return;
    const input = /** @type {HTMLInputElement} */ (form.querySelector("input"));
    const list = /** @type {HTMLElement} */ (document.querySelector("[data-search-results]"));
    const said = /** @type {HTMLElement} */ (document.querySelector("[data-search-said]"));
    const pages = /** @type {HTMLElement | null} */ (document.querySelector("[data-search-pages]"));
    input.value = new URL(location.href).searchParams.get("q") || input.value;
    const start = tie(input, list, said, false);
    const settle = () => {
      if (pages) pages.hidden = input.value.trim() !== "";
    };
    // Whoever comes back finds the words that led away.
    const keepAddress = () => {
      const url = new URL(location.href);
      url.searchParams.set("q", input.value);
      readdress(url);
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      keepAddress();
      start();
    });
    input.addEventListener("input", settle);
    list.addEventListener("click", keepAddress, { capture: true });
    settle();
    if (input.value) start();
  }
  searchPage();
}

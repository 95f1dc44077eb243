// Reads a site that was built: its pages, their headings, their links. `main` compares two of them.
import fs from "node:fs";
import path from "node:path";

const NAMED = { lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", amp: "&" };

/** Entities to characters. */
const decode = (text) =>
  text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, number, name) => {
    if (hex) return String.fromCodePoint(parseInt(hex, 16));
    if (number) return String.fromCodePoint(Number(number));
    return NAMED[name] ?? whole;
  });

const words = (html) =>
  decode(html.replace(/<svg[\s\S]*?<\/svg>|<[^>]*>/g, "")).replace(/\s+/g, " ").trim();

const percent = (text) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** All files below `root`, with slashes. */
function files(root) {
  return fs
    .readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)));
}

/** The value of an attribute in the text of a tag. */
function attribute(tag, name) {
  const found = tag.match(new RegExp(`\\s${name}=(?:"([^"]*)"|'([^']*)'|([^\\s>]+))`, "i"));
  return found ? decode(found[1] ?? found[2] ?? found[3]) : undefined;
}

export class Site {
  constructor(root) {
    this.root = root;
    this.files = new Set(files(root));
    this.pages = [...this.files].filter((file) => file.endsWith(".html")).sort();
    this.texts = new Map();
  }

  text(page) {
    if (!this.texts.has(page)) {
      this.texts.set(page, fs.readFileSync(path.join(this.root, page), "utf8").replace(/<!--[\s\S]*?-->/g, ""));
    }
    return this.texts.get(page);
  }

  /** What the author wrote: the inside of `<main>`, without scripts. */
  content(page) {
    const inside = this.text(page).match(/<main[^>]*>([\s\S]*)<\/main>/);
    return (inside ? inside[1] : "").replace(/<script[\s\S]*?<\/script>/g, "");
  }

  /** Level, id and words of each heading that has an id. */
  headings(page) {
    const found = [];
    for (const [, level, tag, inside] of this.content(page).matchAll(/<h([1-6])([^>]*)>([\s\S]*?)<\/h\1>/g)) {
      const id = attribute(tag, "id");
      const own = inside.replace(/<a class="anchor"[\s\S]*?<\/a>/g, "");
      if (id !== undefined) found.push({ level: Number(level), id, text: words(own) });
    }
    return found;
  }

  ids(page) {
    this.known ??= new Map();
    if (!this.known.has(page)) {
      const ids = new Set();
      for (const [tag] of this.text(page).matchAll(/<[a-z][^>]*>/gi)) {
        for (const name of ["id", "name"]) {
          const id = attribute(tag, name);
          if (id !== undefined) ids.add(id);
        }
      }
      this.known.set(page, ids);
    }
    return this.known.get(page);
  }

  /** Links of a page's content into the site: `{ href, broken, outside }`. */
  links(page) {
    const found = [];
    for (const [tag] of this.content(page).matchAll(/<(?:a|img)\s[^>]*>/gi)) {
      if (/class="(?:anchor|header)"/.test(tag)) continue;
      const href = attribute(tag, "href") ?? attribute(tag, "src");
      if (href === undefined || href === "" || /^[a-z][a-z0-9+.-]*:|^\/\//i.test(href)) continue;
      found.push({ href: percent(href), ...this.follow(page, href) });
    }
    return found;
  }

  follow(page, href) {
    const [before, fragment] = href.split(/#(.*)/s);
    const file = percent(before.split("?")[0]);
    let target = page;
    if (file !== "") {
      target = path.posix.join(file.startsWith("/") ? "" : path.posix.dirname(page), file);
      if (target.startsWith("..")) return { broken: false, outside: true };
      target = target.replace(/^\/+/, "");
      if (target === "." || target === "" || target.endsWith("/") || !this.files.has(target)) {
        const index = path.posix.join(target, "index.html");
        target = this.files.has(index) ? index : target;
      }
    }
    if (!this.files.has(target)) return { broken: true, outside: false };
    const known = !fragment || fragment === "top" || !target.endsWith(".html");
    const moved = () => this.moves(target);
    const broken = !known && !this.ids(target).has(percent(fragment)) && !moved();
    return { broken, outside: false };
  }

  /** Whether a page only leads elsewhere. */
  moves(page) {
    return !/<main[\s>]/.test(this.text(page));
  }
}

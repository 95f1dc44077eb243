// A book of any size, the same each time: `SUMMARY.md` and book.toml for Loggia and mdBook, and a
// configuration with one plain layout for Hugo, so that all three read the same Markdown.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Pages of one chapter's folder. */
const FOLDER = 50;
const WORDS = "the service keeps a record of every order and answers within its budget while a queue holds what must not be lost when a node restarts so readers see figures that hold under load and traces that show each step from gateway to store with time spent waiting named as such in plain words".split(" ");

/** Numbers that look random and are the same on every machine (mulberry32). */
function numbers(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const pad = (number, digits) => String(number).padStart(digits, "0");
const folderOf = (nth) => `chapter-${pad(Math.floor(nth / FOLDER), 4)}`;
const nameOf = (nth) => `page-${pad(nth, 5)}`;

/** A page: headings, paragraphs, a list, a table and links to its neighbours. */
function pageOf(nth, count) {
  const random = numbers(nth + 1);
  const sentence = (length) => {
    const words = Array.from({ length }, () => WORDS[Math.floor(random() * WORDS.length)]);
    return `${words.join(" ")}.`.replace(/^./, (c) => c.toUpperCase());
  };
  const paragraph = () => Array.from({ length: 4 }, () => sentence(8 + Math.floor(random() * 12))).join(" ");
  const before = Math.floor(nth / FOLDER) * FOLDER === nth || nth === 0 ? nth : nth - 1;
  const text = [`# Page ${nth} of ${count}`, paragraph()];
  for (let section = 1; section <= 4; section++) {
    text.push(`## Section ${section} of ${nth}`, paragraph(), `Some **bold**, some *emphasis* and some \`code ${section}\`, see [the page before](${nameOf(before)}.md).`, paragraph());
    text.push(Array.from({ length: 4 }, () => `- ${sentence(6)}`).join("\n"));
  }
  text.push(`| Name | Value |\n|---|---|\n${Array.from({ length: 4 }, (_, row) => `| ${sentence(2)} | ${row * nth} |`).join("\n")}`);
  return `${text.join("\n\n")}\n`;
}

/** @param {string} dir @param {number} count pages */
export function writeBook(dir, count) {
  const summary = ["# Summary", ""];
  for (let nth = 0; nth < count; nth++) {
    const folder = folderOf(nth);
    if (nth % FOLDER === 0) {
      mkdirSync(join(dir, "src", folder), { recursive: true });
      const path = `${folder}/README.md`;
      writeFileSync(join(dir, "src", path), `# Chapter ${nth / FOLDER}\n\nWhat stands here.\n`);
      summary.push(`- [Chapter ${nth / FOLDER}](${path})`);
    } else {
      const path = `${folder}/${nameOf(nth)}.md`;
      writeFileSync(join(dir, "src", path), pageOf(nth, count).replaceAll(`(${nameOf(nth - (nth % FOLDER))}.md)`, "(README.md)"));
      summary.push(`  - [Page ${nth}](${path})`);
    }
  }
  writeFileSync(join(dir, "src", "SUMMARY.md"), `${summary.join("\n")}\n`);
  writeFileSync(join(dir, "book.toml"), `[book]\ntitle = "${count} pages"\nlanguage = "en"\nsrc = "src"\n`);
  writeFileSync(join(dir, "hugo.toml"), 'baseURL = "https://example.org/"\ntitle = "Pages"\ncontentDir = "src"\ndisableKinds = ["taxonomy", "term", "RSS", "sitemap"]\n[markup.highlight]\nnoClasses = false\n');
  const layouts = join(dir, "layouts", "_default");
  mkdirSync(layouts, { recursive: true });
  const page = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{ .Title }}</title></head><body><main>{{ .Content }}</main><nav>{{ .TableOfContents }}</nav></body></html>\n';
  for (const name of ["single.html", "list.html"]) writeFileSync(join(layouts, name), page);
}

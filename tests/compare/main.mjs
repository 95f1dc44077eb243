// Compares four books of mdBook's as mdBook and Loggia build them. `tests/books` runs it.
import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { BOOKS, copy, dropFrontMatter, loggia, mdbook, run, source, tools } from "./books.mjs";
import { HEADINGS, HEADINGS_APART, LINKS, ONLY_LOGGIA, ONLY_MDBOOK, signsOnly } from "./excused.mjs";
import { Site } from "./site.mjs";

/** Differences that are shown for each comparison; all are counted. */
const SHOWN = 8;

const { values: given, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    from: { type: "string" },
    mdbook: { type: "string" },
    loggia: { type: "string" },
    tools: { type: "string" },
    "no-tools": { type: "boolean" },
    work: { type: "string", default: "target/books" },
  },
});

let differences = 0;

/** Prints what differs, and counts it. */
function differ(title, list) {
  differences += list.length;
  for (const line of list.slice(0, SHOWN)) console.log(`    ${title}: ${line}`);
  if (list.length > SHOWN) console.log(`    ${title}: ... ${list.length - SHOWN} more`);
}

function pages(theirs, ours) {
  const missing = theirs.pages.filter((page) => !ours.files.has(page) && !(page in ONLY_MDBOOK));
  const more = ours.pages.filter((page) => !theirs.files.has(page) && !(page in ONLY_LOGGIA));
  const equal = theirs.pages.length - theirs.pages.filter((page) => !ours.files.has(page)).length;
  console.log(`  pages: mdBook ${theirs.pages.length}, Loggia ${ours.pages.length}, equal ${equal}`);
  differ("page only at mdBook's", missing);
  differ("page only at Loggia's", more);
  return theirs.pages.filter((page) => ours.files.has(page) && !(page in HEADINGS_APART));
}

const shown = (heading) => (heading ? `h${heading.level} #${heading.id} ${heading.text}` : "nothing");

function headings(theirs, ours, both) {
  let [all, equal, signs, named] = [0, 0, 0, 0];
  const unequal = [];
  for (const page of both) {
    const [left, right] = [theirs.headings(page), ours.headings(page)];
    all += left.length;
    for (let at = 0; at < Math.max(left.length, right.length); at += 1) {
      const [a, b] = [left[at], right[at]];
      const excused = a && b && signsOnly(a.id) && a.level === b.level && a.text === b.text;
      if (shown(a) === shown(b)) equal += 1;
      else if (excused) signs += 1;
      else if (a && `${page} #${a.id}` in HEADINGS) named += 1;
      else unequal.push(`${page}: mdBook ${shown(a)} | Loggia ${shown(b)}`);
    }
  }
  console.log(`  headings (level, id, text): ${all} on ${both.length} pages, equal ${equal}, of signs only ${signs}, excused by name ${named}`);
  differ("heading", unequal);
}

function links(theirs, ours, both) {
  const sides = [theirs, ours].map((site) => {
    const all = both.flatMap((page) => site.links(page).map((link) => ({ page, ...link })));
    const broken = all.filter((link) => link.broken).map((link) => `${link.page} -> ${link.href}`);
    return { inside: all.filter((link) => !link.outside).length, outside: all.length, broken };
  });
  const [left, right] = sides;
  const known = new Set(left.broken);
  const more = right.broken.filter((link) => !known.has(link) && !(link in LINKS));
  console.log(
    `  internal links: mdBook ${left.inside}, Loggia ${right.inside}; leading out of the book: ` +
      `${left.outside - left.inside} and ${right.outside - right.inside}`,
  );
  console.log(
    `  broken: mdBook ${left.broken.length}, Loggia ${right.broken.length}, of these broken at mdBook's ` +
      `too ${right.broken.filter((link) => known.has(link)).length}, excused by name ${right.broken.filter((link) => link in LINKS).length}`,
  );
  for (const link of right.broken.filter((link) => known.has(link))) console.log(`    broken in the book: ${link}`);
  differ("link broken only at Loggia's", more);
}

/**
 * Errors about links on pages where every link leads to its end: alarms that are false. An address
 * such as `std::mem`, which a book's preprocessor would have replaced, is none on any page.
 */
function alarms(said, ours) {
  const all = [...said.matchAll(/^error\[L004\]: (?!links with )(.*)\n\s*--> [^\n]*?src\/([^:\n]+)\.md:/gm)];
  const pages = all.map(([, message, stem]) => [message, `${stem.replace(/(^|\/)README$/, "$1index")}.html`]);
  const sound = ([, page]) => !ours.files.has(page) || !ours.links(page).some((link) => link.broken || link.outside);
  differ("false alarm", pages.filter(sound).map(([message, page]) => `${page}: ${message}`));
}

/** What `loggia build` found, by severity and code. */
function found(said) {
  const counts = {};
  for (const [, kind, code] of said.matchAll(/^(error|warning|note)\[(L\d+)\]/gm)) {
    counts[`${kind} ${code}`] = (counts[`${kind} ${code}`] ?? 0) + 1;
  }
  const list = Object.entries(counts).map(([name, count]) => `${name} ${count} times`);
  return list.join(", ") || "nothing";
}

function compare(book, programs) {
  const dir = source(book, given.work, given.from);
  const made = given["no-tools"] ? { missing: "left out by --no-tools" } : tools(book, dir, given.work, given.tools);
  const here = path.join(given.work, book.name);
  const { used, left } = copy(dir, path.join(here, "source"), made.found ?? {});
  const why = made.missing ? ` (${made.missing})` : "";
  console.log(`${book.name}: preprocessors: ${used.join(", ") || "none"}; left out of both: ${left.join(", ") || "none"}${why}`);
  if (book.frontMatter && used.length === 0) {
    dropFrontMatter(path.join(here, "source"));
    console.log("  the front matter is taken out for both, as the book's preprocessor would");
  }
  const [theirs, ours] = ["mdbook", "loggia"].map((name) => path.resolve(here, name));
  for (const out of [theirs, ours]) fs.rmSync(out, { recursive: true, force: true });
  const cwd = path.join(here, "source");
  const env = { ...process.env, NO_COLOR: "1" };
  const first = run(programs.mdbook, ["build", "-d", theirs], { cwd, env });
  if (!first.ok) throw new Error(`mdbook build: ${first.said.slice(-600)}`);
  const second = run(programs.loggia, ["build", "-d", ours], { cwd, env });
  fs.writeFileSync(path.join(here, "loggia.log"), second.said);
  if (second.status === null || second.status > 1) throw new Error(`loggia build: ${second.said.slice(-600)}`);
  console.log(`  loggia build found: ${found(second.said)}`);
  const sites = [new Site(theirs), new Site(ours)];
  const both = pages(...sites);
  headings(...sites, both);
  links(...sites, both);
  alarms(second.said, sites[1]);
  const others = second.said.match(/^error\[(?!L004)L\d+\].*$/gm) ?? [];
  differ("error", others);
}

const unknown = names.filter((name) => !BOOKS.some((book) => book.name === name));
if (unknown.length > 0) {
  console.error(`error: no book \`${unknown[0]}\`\nhelp: there are ${BOOKS.map((book) => book.name).join(", ")}`);
  process.exit(2);
}
const programs = { mdbook: mdbook(given.work, given.mdbook), loggia: loggia(given.loggia) };
for (const book of BOOKS.filter((book) => names.length === 0 || names.includes(book.name))) {
  try {
    compare(book, programs);
  } catch (error) {
    differences += 1;
    console.log(`${book.name}: ${error.message}`);
  }
}
console.log(differences === 0 ? "equal" : `${differences} differences`);
process.exit(differences === 0 ? 0 : 1);

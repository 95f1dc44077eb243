// How fast books are built, and how soon a save shows: side by side with mdBook and Hugo, in one run
// of about four minutes on two processors.
//
//   cargo build --release -p loggia && node tests/bench/documents.mjs [OPTIONS]
//
//   --runs N           runs of each, the best counts (3); who took longer than 8 s runs once
//   --pages A,B,...    sizes of the generated books (1000,4000,16000)
//   --book DIR         a book with a book.toml to build as well; more than once
//   --mdbook PATH      (mdbook)    --hugo PATH  (hugo)    --loggia PATH  (target/release/loggia)
//   --mdbook-max N     larger books are not given to mdBook, which takes the square of the time (4000)
//   --saves N          saves whose way to the browser is timed (40; 0: none)
//   --install          gets the Rust book, and mdBook with its server, into target/bench first. They
//                      are taken from there by themselves afterwards. This takes minutes more, once.
//
// Every build is cold: a new folder and no cache. No folder is removed before the end, for a file
// system looks long for room that was just given back. Runs of the programs take turns, so that
// whatever else the machine does hits all of them. A program that is not there is left out, and the
// table says so. `time` is what a reader waits, `cpu` what the processors did.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, mkdirSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { writeBook } from "./documents/book.mjs";
import { copyBook } from "./documents/real.mjs";
import { once, present } from "./documents/run.mjs";
import { saves, serves } from "./documents/saves.mjs";

const root = new URL("../..", import.meta.url).pathname;
const kept = join(root, "target/bench");
/** Seconds; a program that took longer is not run again. */
const LONG = 8;
/** Saves of `mdbook serve`, which builds the whole book each time. */
const MDBOOK_SAVES = 10;

const { values: options } = parseArgs({
  options: {
    runs: { type: "string", default: "3" },
    pages: { type: "string", default: "1000,4000,16000" },
    book: { type: "string", multiple: true, default: [] },
    mdbook: { type: "string" },
    hugo: { type: "string", default: "hugo" },
    loggia: { type: "string", default: join(root, "target/release/loggia") },
    "mdbook-max": { type: "string", default: "4000" },
    saves: { type: "string", default: "40" },
    install: { type: "boolean", default: false },
  },
});
const runs = Number(options.runs);

function install() {
  mkdirSync(kept, { recursive: true });
  const run = (program, ...args) => {
    console.error(`${program} ${args.join(" ")}`);
    const { status } = spawnSync(program, args, { stdio: ["ignore", "inherit", "inherit"] });
    if (status !== 0) throw new Error(`${program} failed`);
  };
  if (!existsSync(join(kept, "rust-book"))) run("git", "clone", "--depth", "1", "https://github.com/rust-lang/book", join(kept, "rust-book"));
  if (!existsSync(join(kept, "bin/mdbook"))) run("cargo", "install", "mdbook@^0.5", "--locked", "--root", kept, "--no-default-features", "--features", "search,serve,watch");
}

if (options.install) install();
const own = join(kept, "bin/mdbook");
options.mdbook ??= existsSync(own) ? own : "mdbook";
const rustBook = join(kept, "rust-book");
if (options.book.length === 0 && existsSync(rustBook)) options.book.push(rustBook);
// The programs run in other folders.
for (const name of ["loggia", "mdbook", "hugo"]) if (options[name].includes("/")) options[name] = resolve(options[name]);
options.book = options.book.map((book) => resolve(book));
const has = { loggia: present(options.loggia), mdbook: present(options.mdbook), hugo: present(options.hugo) };
const scratch = mkdtempSync(join(tmpdir(), "documents-bench-"));

let folders = 0;
/** The programs that build one book, each time to a new folder. */
function builders(book, pages, search) {
  const out = () => join(scratch, "out", String(folders++));
  const all = [];
  // 1: built, with findings in somebody's book.
  if (has.loggia) all.push({ name: "loggia", run: () => once(options.loggia, ["build", book, "-d", out(), "--quiet", ...(search ? [] : ["--no-search"])], book, [0, 1]) });
  if (has.mdbook && search && pages <= Number(options["mdbook-max"])) all.push({ name: "mdbook", run: () => once(options.mdbook, ["build", book, "-d", out()], book) });
  if (has.hugo && !search && existsSync(join(book, "hugo.toml"))) all.push({ name: "hugo", run: () => once(options.hugo, ["--source", book, "--destination", out(), "--quiet", "--noBuildLock"], book) });
  return all;
}

const table = [["book", "program", "time", "cpu", "peak", "ratio"]];

/** The best run of each program, taking turns. */
async function compare(label, book, pages, search) {
  console.error(label);
  mkdirSync(join(scratch, "out"), { recursive: true });
  const best = new Map();
  const all = builders(book, pages, search);
  for (let nth = 0; nth < runs; nth++) {
    for (const { name, run } of all) {
      const before = best.get(name);
      if (before && before.seconds > LONG) continue;
      const found = await run();
      const least = (key) => Math.min(before?.[key] ?? Infinity, found[key]);
      best.set(name, { seconds: least("seconds"), cpu: least("cpu"), peak: Math.max(before?.peak ?? 0, found.peak) });
    }
  }
  const ours = best.get("loggia");
  for (const [name, { seconds, cpu, peak }] of best) {
    const ratio = ours && name !== "loggia" ? `${(seconds / ours.seconds).toFixed(2)} x ours` : "";
    table.push([label, name, `${seconds.toFixed(3)} s`, `${cpu.toFixed(2)} s`, `${peak.toFixed(0)} MiB`, ratio]);
  }
  return best;
}

/** How time and memory grow from the smallest book to the largest that a program built. */
function growth(found, label) {
  for (const name of ["loggia", "mdbook", "hugo"]) {
    const sizes = found.filter(({ best }) => best.has(name));
    const [first, last] = [sizes[0], sizes[sizes.length - 1]];
    if (!first || first === last) continue;
    const times = (key) => (last.best.get(name)[key] / first.best.get(name)[key]).toFixed(1);
    const larger = (last.pages / first.pages).toFixed(0);
    table.push([`${first.pages} to ${last.pages} pages (${larger} x), ${label}`, name, `${times("seconds")} x`, `${times("cpu")} x`, `${times("peak")} x`, ""]);
  }
}

async function timeSaves(count) {
  console.error("saves");
  const there = ["loggia", "mdbook"].filter((name) => has[name] && serves(options[name]));
  const found = await saves(root, scratch, there.map((name) => ({ name, program: options[name], count: name === "mdbook" ? Math.min(count, MDBOOK_SAVES) : count })));
  const ours = found.get("loggia");
  for (const [name, { p50, p95, count }] of found) {
    const ratio = ours && name !== "loggia" ? `${(p95 / ours.p95).toFixed(1)} x ours` : "";
    table.push([`save to changed page, 1000 pages, ${count} saves`, name, `p50 ${p50.toFixed(0)} ms`, "", `p95 ${p95.toFixed(0)} ms`, ratio]);
  }
  if (has.mdbook && !there.includes("mdbook")) table.push(["save to changed page", "mdbook", "left out: built without its server (--install)"]);
}

function print() {
  const columns = table[0].map((_, at) => Math.max(...table.filter((row) => row.length === table[0].length).map((row) => row[at].length)));
  for (const row of table) console.log(row.map((cell, at) => cell.padEnd(columns[at])).join("  ").trimEnd());
}

const started = Date.now();
try {
  for (const [name, there] of Object.entries(has)) if (!there) table.push(["all", name, `left out: ${options[name]} is not there`]);
  for (const [nth, from] of options.book.entries()) {
    const book = join(scratch, `real-${nth}`);
    const pages = copyBook(from, book);
    await compare(`${from.split("/").filter(Boolean).pop()} (${pages} files), with search`, book, pages, true);
  }
  const [searched, plain] = [[], []];
  for (const pages of options.pages.split(",").map(Number)) {
    const book = join(scratch, `book-${pages}`);
    mkdirSync(book, { recursive: true });
    writeBook(book, pages);
    searched.push({ pages, best: await compare(`${pages} pages, with search`, book, pages, true) });
    plain.push({ pages, best: await compare(`${pages} pages, without search`, book, pages, false) });
  }
  growth(searched, "with search");
  growth(plain, "without search");
  if (Number(options.saves) > 0) await timeSaves(Number(options.saves));
} finally {
  console.log(`${cpus().length} processors, best of ${runs}, ${Math.round((Date.now() - started) / 1000)} s altogether\n`);
  print();
  rmSync(scratch, { recursive: true, force: true });
}

// How fast books are built, and how soon a save shows: side by side with mdBook and Hugo, in one run.
//
//   cargo build --release -p loggia && node tests/bench/documents.mjs [OPTIONS]
//
//   --runs N           runs of each, the best counts (3)
//   --pages A,B,...    sizes of the generated books (1000,4000,16000)
//   --book DIR         a book with a book.toml to build as well; more than once (the Rust book, say)
//   --mdbook PATH      (mdbook)    --hugo PATH  (hugo)    --loggia PATH  (target/release/loggia)
//   --mdbook-max N     larger books are not given to mdBook, which takes the square of the time (4000)
//   --saves N          saves whose way to the browser is timed (30; 0: none)
//
// Every build is cold: an empty output folder and no cache. Runs of the programs take turns, so that
// whatever else the machine does hits all of them. Peak memory is VmHWM of the process, read while it
// runs. A program that is not there is left out, and the table says so.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { writeBook } from "./documents/book.mjs";

const root = new URL("../..", import.meta.url).pathname;
const { values: options } = parseArgs({
  options: {
    runs: { type: "string", default: "3" },
    pages: { type: "string", default: "1000,4000,16000" },
    book: { type: "string", multiple: true, default: [] },
    mdbook: { type: "string", default: "mdbook" },
    hugo: { type: "string", default: "hugo" },
    loggia: { type: "string", default: join(root, "target/release/loggia") },
    "mdbook-max": { type: "string", default: "4000" },
    saves: { type: "string", default: "30" },
  },
});
const runs = Number(options.runs);
// The programs run in other folders.
for (const name of ["loggia", "mdbook", "hugo"]) if (options[name].includes("/")) options[name] = resolve(options[name]);
options.book = options.book.map((book) => resolve(book));
const scratch = mkdtempSync(join(tmpdir(), "documents-bench-"));
const present = (program) => spawnSync(program, ["--help"], { stdio: "ignore" }).error === undefined;
const has = { loggia: present(options.loggia), mdbook: present(options.mdbook), hugo: present(options.hugo) };

/** Seconds and peak MiB of one run. */
async function once(program, args, cwd) {
  const start = process.hrtime.bigint();
  const child = spawn(program, args, { cwd, stdio: ["ignore", "ignore", "pipe"] });
  let words = "";
  child.stderr.on("data", (chunk) => (words = (words + chunk).slice(-2000)));
  let peak = 0;
  const look = () => {
    try {
      peak = Math.max(peak, Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1] ?? 0) / 1024);
    } catch {
      // It ended in between.
    }
  };
  const timer = setInterval(look, 5);
  const code = await new Promise((done) => child.on("exit", done));
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  clearInterval(timer);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}\n${words}`);
  return { seconds, peak };
}

/** The programs that build one book, each to a folder of its own. */
function builders(book, pages, search) {
  const out = (name) => {
    const dest = join(scratch, "out", name);
    rmSync(dest, { recursive: true, force: true });
    return dest;
  };
  const all = [];
  if (has.loggia) all.push({ name: "loggia", run: () => once(options.loggia, ["build", book, "-d", out("loggia"), "--quiet", ...(search ? [] : ["--no-search"])], book) });
  if (has.mdbook && search && pages <= Number(options["mdbook-max"])) all.push({ name: "mdbook", run: () => once(options.mdbook, ["build", book, "-d", out("mdbook")], book) });
  if (has.hugo && !search && existsSync(join(book, "hugo.toml"))) all.push({ name: "hugo", run: () => once(options.hugo, ["--source", book, "--destination", out("hugo"), "--quiet", "--noBuildLock"], book) });
  return all;
}

/** The best run of each program, taking turns. */
async function compare(label, book, pages, search) {
  const best = new Map();
  const all = builders(book, pages, search);
  for (let nth = 0; nth < runs; nth++) {
    for (const { name, run } of all) {
      const found = await run();
      const before = best.get(name);
      best.set(name, before ? { seconds: Math.min(before.seconds, found.seconds), peak: Math.max(before.peak, found.peak) } : found);
    }
  }
  const ours = best.get("loggia");
  for (const [name, { seconds, peak }] of best) {
    const ratio = ours && name !== "loggia" ? `${(seconds / ours.seconds).toFixed(2)} x ours` : "";
    row([label, name, `${seconds.toFixed(3)} s`, `${peak.toFixed(0)} MiB`, ratio]);
  }
  return ours;
}

const WIDTHS = [44, 8, 11, 10, 14];
const row = (cells) => console.log(cells.map((cell, at) => String(cell).padEnd(WIDTHS[at])).join(" ").trimEnd());

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** Milliseconds from a save to the changed text in the open page, for each of `count` saves. */
async function latencies(browser, program, args, url, file, count) {
  const server = spawn(program, args, { stdio: "ignore" });
  try {
    for (let tries = 0; ; tries++) {
      if (await fetch(url).then((answer) => answer.ok, () => false)) break;
      if (server.exitCode !== null || tries > 600) throw new Error(`${program} does not answer at ${url}`);
      await new Promise((wake) => setTimeout(wake, 100));
    }
    const page = await browser.newPage();
    /** @type {((at: number) => void) | undefined} */
    let seen;
    let wanted = "";
    await page.exposeFunction("benchSaw", (word, at) => word === wanted && seen?.(at));
    await page.addInitScript(() => {
      let last = "";
      const look = () => {
        const word = /save-\d+-done/.exec(document.querySelector("main")?.textContent ?? "")?.[0] ?? "";
        if (word === last) return;
        last = word;
        window.benchSaw(word, performance.timeOrigin + performance.now());
      };
      new MutationObserver(look).observe(document, { childList: true, subtree: true, characterData: true });
    });
    await page.goto(url, { waitUntil: "load" });
    await new Promise((wake) => setTimeout(wake, 2000));
    const source = readFileSync(file, "utf8");
    const found = [];
    for (let nth = 1; nth <= count; nth++) {
      wanted = `save-${nth}-done`;
      const shown = new Promise((resolve, reject) => {
        seen = resolve;
        setTimeout(() => reject(new Error(`save ${nth} did not show within 30 s`)), 30_000).unref();
      });
      const start = performance.timeOrigin + performance.now();
      writeFileSync(file, `${source}\n${wanted}\n`);
      found.push((await shown) - start);
      // Not in step with anybody's clock.
      await new Promise((wake) => setTimeout(wake, 300 + ((nth * 37) % 200)));
    }
    writeFileSync(file, source);
    await page.close();
    return found.sort((a, b) => a - b);
  } finally {
    server.kill();
    await new Promise((done) => (server.exitCode === null ? server.on("exit", done) : done()));
  }
}

const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)];

async function saves(count) {
  const require = createRequire(join(root, "tests/browser/package.json"));
  const { chromium } = require("playwright-core");
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
  const results = new Map();
  try {
    for (const name of ["loggia", "mdbook"].filter((name) => has[name])) {
      // mdBook can be built without its server.
      if (spawnSync(options[name], ["serve", "--help"], { stdio: "ignore" }).status !== 0) {
        console.log(`left out: ${name} serve (this ${name} has no server)`);
        continue;
      }
      const book = join(scratch, `saves-${name}`);
      writeBook(book, 1000);
      const port = await freePort();
      const page = "chapter-0005/page-00255";
      const args = name === "loggia"
        ? ["serve", book, "--port", port, "--otlp-grpc-port", 0, "--otlp-http-port", 0]
        : ["serve", book, "--port", port, "-d", join(scratch, "out", "mdbook-serve")];
      results.set(name, await latencies(browser, options[name], args.map(String), `http://127.0.0.1:${port}/${page}.html`, join(book, "src", `${page}.md`), count));
    }
  } finally {
    await browser.close();
  }
  const ours = results.get("loggia");
  for (const [name, sorted] of results) {
    const [p50, p95] = [at(sorted, 0.5), at(sorted, 0.95)];
    const ratio = ours && name !== "loggia" ? `${(p95 / at(ours, 0.95)).toFixed(1)} x ours` : "";
    row([`save to changed page, 1000 pages, ${count} saves`, name, `p50 ${p50.toFixed(0)} ms`, `p95 ${p95.toFixed(0)} ms`, ratio]);
  }
}

try {
  for (const [name, there] of Object.entries(has)) if (!there) console.log(`left out: ${name} (${options[name]} is not there)`);
  console.log(`${cpus().length} processors, best of ${runs}\n`);
  row(["book", "program", "time", "peak", "ratio"]);
  for (const book of options.book) {
    const pages = readdirSync(book, { recursive: true }).filter((name) => String(name).endsWith(".md")).length;
    await compare(`${book.split("/").filter(Boolean).pop()}, with search`, book, pages, true);
  }
  const growth = [];
  for (const pages of options.pages.split(",").map(Number)) {
    const book = join(scratch, `book-${pages}`);
    mkdirSync(book, { recursive: true });
    writeBook(book, pages);
    const searched = await compare(`${pages} pages, with search`, book, pages, true);
    const plain = await compare(`${pages} pages, without search`, book, pages, false);
    if (searched && plain) growth.push({ pages, searched: searched.seconds, plain: plain.seconds });
  }
  const [first, last] = [growth[0], growth[growth.length - 1]];
  if (first && last && first !== last) {
    const times = (key) => (last[key] / first[key]).toFixed(1);
    console.log(`\n${first.pages} to ${last.pages} pages (${(last.pages / first.pages).toFixed(0)} times): ${times("searched")} times the time with search, ${times("plain")} without`);
  }
  if (Number(options.saves) > 0) await saves(Number(options.saves));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

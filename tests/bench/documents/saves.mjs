// From a save to the changed page in the browser, on a book of 1,000 pages.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import { writeBook } from "./book.mjs";

/** Pages of the book. */
const PAGES = 1000;
/** The page that is saved. */
const PAGE = "chapter-0005/page-00255";

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

const wake = (ms) => new Promise((done) => setTimeout(done, ms));

/** Whether `program serve` exists: mdBook can be built without it. @param {string} program */
export const serves = (program) => spawnSync(program, ["serve", "--help"], { stdio: "ignore" }).status === 0;

/** Milliseconds from each of `count` saves to the changed text in the open page, sorted. */
async function latencies(browser, program, args, url, file, count) {
  const server = spawn(program, args, { stdio: "ignore" });
  try {
    for (let tries = 0; ; tries++) {
      if (await fetch(url).then((answer) => answer.ok, () => false)) break;
      if (server.exitCode !== null || tries > 600) throw new Error(`${program} does not answer at ${url}`);
      await wake(100);
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
    await wake(2000);
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
      await wake(300 + ((nth * 37) % 200));
    }
    writeFileSync(file, source);
    await page.close();
    return found.sort((a, b) => a - b);
  } finally {
    server.kill();
    await new Promise((done) => (server.exitCode === null ? server.on("exit", done) : done()));
  }
}

/** The value below which `share` of a sorted list lies. */
const at = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)];

/**
 * @param {string} root the repository, whose tests/browser has playwright-core
 * @param {string} scratch
 * @param {{ name: string, program: string, count: number }[]} programs
 * @returns {Promise<Map<string, { p50: number, p95: number, count: number }>>} milliseconds
 */
export async function saves(root, scratch, programs) {
  const require = createRequire(join(root, "tests/browser/package.json"));
  const { chromium } = require("playwright-core");
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
  const results = new Map();
  try {
    for (const { name, program, count } of programs) {
      const book = join(scratch, `saves-${name}`);
      writeBook(book, PAGES);
      const port = await freePort();
      const own = name === "mdbook" ? ["-d", join(scratch, "mdbook-serve")] : ["--otlp-grpc-port", 0, "--otlp-http-port", 0];
      const args = ["serve", book, "--port", port, ...own].map(String);
      const sorted = await latencies(browser, program, args, `http://127.0.0.1:${port}/${PAGE}.html`, join(book, "src", `${PAGE}.md`), count);
      results.set(name, { p50: at(sorted, 0.5), p95: at(sorted, 0.95), count });
    }
  } finally {
    await browser.close();
  }
  return results;
}

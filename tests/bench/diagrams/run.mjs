// How fast diagrams are drawn, beside mermaid.js 11 in an open Chromium page and mermaid-rs-renderer;
// and what one tick of live values costs the browser in a diagram with 200 edges.
//
//   cargo build --release --bins && node tests/bench/diagrams/run.mjs [--seeds FOLDER] [--no-peer] [--only-ticks]
//
// FOLDER holds Markdown files whose Mermaid fences are drawn (default: ../shared/seeds, else content/).
// Needs Chromium (CHROMIUM names it), npm and cargo; brings the peers into node_modules and target/bench.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const here = new URL(".", import.meta.url).pathname;
const root = new URL("../../..", import.meta.url).pathname;
const SIZES = [10, 30, 100, 300, 1000, 2000];
const EDGES = 200;
const TICKS = 20;
/** One case of a peer's ends after this time. */
const PEER_LIMIT_MS = 60_000;
const WANTED = { faster: 20, script: 4 };

function run(command, args, options = {}) {
  const done = spawnSync(command, args, { stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 28, ...options });
  if (done.error?.code === "ETIMEDOUT") return undefined;
  if (done.status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${done.status ?? done.signal}`);
  return done.stdout.toString();
}

function prepare() {
  if (!existsSync(join(here, "node_modules/mermaid"))) run("npm", ["ci", "--silent", "--no-audit", "--no-fund"], { cwd: here });
  run("cargo", ["build", "--release", "--quiet", "--manifest-path", join(here, "Cargo.toml"), "--target-dir", join(root, "target/bench")]);
  return join(root, "target/bench/release/bench-diagrams");
}

function seeds() {
  const at = process.argv.indexOf("--seeds");
  const folder = at > 0 ? process.argv[at + 1] : [join(root, "../shared/seeds"), join(root, "content")].find((name) => existsSync(name));
  const cases = [];
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".md")).sort()) {
    const text = readFileSync(join(folder, file), "utf8");
    for (const [, source] of text.matchAll(/^```mermaid[^\n]*\n([\s\S]*?)^```/gm)) {
      const kind = /^\s*([\w-]+)/.exec(source.replace(/^\s*%%.*$/gm, ""))?.[1] ?? "?";
      cases.push({ name: `${file.slice(0, 3)} ${kind} ${cases.length + 1}`, source });
    }
  }
  return cases;
}

/** A layered graph as architecture pages have it: each node calls the next layer, some skip one. */
function grown(nodes) {
  const lines = ["flowchart LR"];
  const layer = Math.max(2, Math.round(Math.sqrt(nodes)));
  for (let n = 0; n < nodes; n++) lines.push(`  n${n}[Service ${n}]`);
  for (let n = layer; n < nodes; n++) {
    lines.push(`  n${n - layer} --> n${n}`);
    if (n % 2 === 0 && n > layer) lines.push(`  n${n - layer - 1} -->|calls| n${n}`);
  }
  return { name: `${nodes} nodes`, source: lines.join("\n") };
}

/** Milliseconds of each case in one of our own processes. */
function drawn(tool, engine, cases, limit) {
  const folder = mkdtempSync(join(tmpdir(), "loggia-bench-"));
  try {
    const file = join(folder, "cases.json");
    writeFileSync(file, JSON.stringify(cases));
    const out = run(tool, [engine, file], { timeout: limit, killSignal: "SIGKILL" });
    if (out === undefined) return cases.map(({ name }) => ({ name, error: `over ${limit / 1000} s` }));
    return out.trim().split("\n").map((line) => JSON.parse(line));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function inMermaid(browser, cases) {
  const page = await browser.newPage();
  await page.setContent("<!doctype html><body><div id=work></div></body>");
  await page.addScriptTag({ path: join(here, "node_modules/mermaid/dist/mermaid.min.js") });
  await page.evaluate(() => globalThis.mermaid.initialize({ startOnLoad: false, maxEdges: 1e6, maxTextSize: 1e7 }));
  const results = [];
  for (const { name, source } of cases) {
    process.stderr.write(`mermaid.js: ${name}          \r`);
    const timed = page.evaluate(async (source) => {
      const once = async (n) => {
        const start = performance.now();
        await globalThis.mermaid.render(`m${n}`, source);
        return performance.now() - start;
      };
      try {
        const first = await once(0);
        if (first > 3000) return { ms: first };
        const times = [];
        for (let n = 1; n <= 15 && (n <= 3 || times.reduce((sum, time) => sum + time, 0) < 1500); n++) times.push(await once(n));
        return { ms: times.sort((a, b) => a - b)[times.length >> 1] };
      } catch (error) {
        return { error: String(error).split("\n")[0].slice(0, 60) };
      }
    }, source);
    const late = new Promise((resolve) => setTimeout(resolve, PEER_LIMIT_MS, { error: `over ${PEER_LIMIT_MS / 1000} s` }).unref());
    const result = await Promise.race([timed, late]);
    results.push({ name, ...result });
    if (result.error?.startsWith("over")) break;
  }
  // A drawing that never ends keeps the page busy: closing it waits for nothing.
  page.close().catch(() => {});
  return results;
}

const ms = (result) => (result?.ms === undefined ? result?.error ?? "-" : result.ms.toFixed(result.ms < 10 ? 2 : 0));
const times = (peer, own) => (peer?.ms === undefined || own?.ms === undefined ? "-" : `${(peer.ms / own.ms).toFixed(1)}x`);

function table(title, cases, own, mermaid, peer) {
  console.log(`\n${title}, milliseconds a drawing (median)`);
  console.log(["", "loggia", "mermaid.js 11", "ratio", "mermaid-rs-renderer", "ratio"].map((word, at) => (at ? word.padStart(20) : word.padEnd(28))).join(""));
  for (const { name } of cases) {
    const [a, b, c] = [own, mermaid, peer].map((list) => list.find((result) => result.name === name));
    console.log([name, ms(a), ms(b), times(b, a), ms(c), times(c, a)].map((word, at) => (at ? String(word).padStart(20) : word.padEnd(28))).join(""));
  }
}

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** A page with one diagram of 200 edges between 100 services that all are bound. */
function writeBook(folder) {
  const services = Array.from({ length: EDGES / 2 }, (_, n) => `svc${n}`);
  const edges = services.flatMap((name, n) => [1, 7].map((step) => [name, services[(n + step) % services.length]]));
  const toml = ["[book]", 'title = "Bench"', 'src = "."', "[output.loggia]", ...services.map((name) => `[output.loggia.services.${name}]`)];
  writeFileSync(join(folder, "book.toml"), `${toml.join("\n")}\n`);
  const drawing = ["flowchart LR", ...edges.map(([from, to]) => `  ${from} --> ${to}`)];
  writeFileSync(join(folder, "index.md"), `# Bench\n\n\`\`\`mermaid\n${drawing.join("\n")}\n\`\`\`\n`);
  return edges;
}

let spans = 0;
const hex = (number, digits) => number.toString(16).padStart(digits, "0");

/** One call over each edge, some more over some, so that every figure changes at each tick. */
function traffic(edges) {
  const bySource = new Map();
  const add = (service, span) => bySource.set(service, [...(bySource.get(service) ?? []), span]);
  const now = BigInt(Date.now()) * 1_000_000n;
  for (const [from, to] of edges) {
    for (let call = 0; call < 1 + Math.floor(Math.random() * 4); call++) {
      const [trace, client, server] = [hex(++spans, 32), hex(2 * spans, 16), hex(2 * spans + 1, 16)];
      const times = { startTimeUnixNano: String(now), endTimeUnixNano: String(now + BigInt(1e6 + Math.floor(Math.random() * 5e7))) };
      add(from, { traceId: trace, spanId: client, name: "call", kind: 3, ...times });
      add(to, { traceId: trace, spanId: server, parentSpanId: client, name: "call", kind: 2, ...times });
    }
  }
  return {
    resourceSpans: [...bySource].map(([service, spans]) => ({
      resource: { attributes: [{ key: "service.name", value: { stringValue: service } }] },
      scopeSpans: [{ spans }],
    })),
  };
}

async function ticks(browser) {
  const folder = mkdtempSync(join(tmpdir(), "loggia-bench-"));
  const edges = writeBook(folder);
  const port = await freePort();
  const server = spawn(join(root, "target/release/loggia"), ["serve", folder, "--port", String(port), "--otlp-grpc-port", "0", "--otlp-http-port", "0"], { stdio: "ignore" });
  const url = `http://127.0.0.1:${port}`;
  const feed = setInterval(() => {
    const body = JSON.stringify(traffic(edges));
    fetch(`${url}/otlp/v1/traces`, { method: "POST", headers: { "content-type": "application/json" }, body }).catch(() => {});
  }, 250);
  try {
    for (let tries = 0; !(await fetch(`${url}/readyz`).catch(() => undefined))?.ok; tries++) {
      if (tries > 100) throw new Error("the server did not start within 10 s");
      await new Promise((wake) => setTimeout(wake, 100));
    }
    const page = await browser.newPage();
    // Times what the page's own listener does with each message; how many figures changed is counted too.
    await page.addInitScript(() => {
      const listen = EventSource.prototype.addEventListener;
      globalThis.taken = [];
      EventSource.prototype.addEventListener = function (kind, handler) {
        listen.call(this, kind, (event) => {
          const start = performance.now();
          handler(event);
          if (kind === "cells") globalThis.taken.push({ ms: performance.now() - start, cells: Object.keys(JSON.parse(event.data)).length });
        });
      };
    });
    await page.goto(url);
    const pills = await page.locator("[data-cell]").count();
    let measured = [];
    for (let waited = 0; measured.length < TICKS && waited < 60; waited++) {
      await page.waitForTimeout(1000);
      measured = (await page.evaluate(() => globalThis.taken)).filter(({ cells }) => cells >= EDGES / 2);
    }
    const sorted = measured.map((tick) => tick.ms).sort((a, b) => a - b);
    return {
      pills,
      ticks: sorted.length,
      cells: Math.round(measured.reduce((sum, tick) => sum + tick.cells, 0) / Math.max(1, measured.length)),
      median: sorted[sorted.length >> 1],
      worst: sorted.at(-1),
    };
  } finally {
    clearInterval(feed);
    server.kill("SIGTERM");
    await new Promise((ended) => server.once("exit", ended));
    rmSync(folder, { recursive: true });
  }
}

/** Draws everything with everybody. @param {import("playwright-core").Browser} browser */
async function drawings(browser) {
  const tool = prepare();
  const [pages, sizes] = [seeds(), SIZES.map(grown)];
  const peer = (cases) => {
    const found = [];
    for (const one of process.argv.includes("--no-peer") ? [] : cases) {
      process.stderr.write(`mermaid-rs-renderer: ${one.name}          \r`);
      const [result] = drawn(tool, "mermaid-rs-renderer", [one], PEER_LIMIT_MS);
      found.push(result);
      // What takes longer than the limit now takes longer still when it grows.
      if (result.error?.startsWith("over")) break;
    }
    return found;
  };
  const own = [...pages, ...sizes].flatMap((one) => drawn(tool, "loggia", [one], 300_000));
  const mermaid = [...(await inMermaid(browser, pages)), ...(await inMermaid(browser, sizes))];
  const renderer = [...peer(pages), ...peer(sizes)];
  table("The documents' diagrams", pages, own, mermaid, renderer);
  const ratios = pages.map(({ name }) => mermaid.find((m) => m.name === name)?.ms / own.find((o) => o.name === name)?.ms).filter(Number.isFinite);
  console.log(`slowest ratio to mermaid.js: ${Math.min(...ratios).toFixed(1)}x (wanted: ${WANTED.faster}x)`);
  table("Growth", sizes, own, mermaid, renderer);
}

const { chromium } = await import("playwright-core");
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
try {
  if (!process.argv.includes("--only-ticks")) await drawings(browser);
  const tick = await ticks(browser);
  console.log(`\nOverlay of ${EDGES} edges: ${tick.ticks} ticks, ${tick.cells} figures changed a tick (${tick.pills} live elements on the page)`);
  console.log(`script a tick: median ${tick.median?.toFixed(2)} ms, worst ${tick.worst?.toFixed(2)} ms (wanted: below ${WANTED.script} ms)`);
} finally {
  await browser.close();
}
process.exit(0);

// How soon a live page is there: first contentful paint on loopback, and what script it loads.
//
//   cargo build --release --bins && (cd tests/browser && npm ci) && node tests/bench/streaming/paint.mjs URL [RUNS]
//
// URL is a server with live figures, such as `cargo up`. Each view is opened RUNS (10) times, each in a fresh profile so
// that nothing is cached. The peer is the same page's HTML, written down once with its style and script and handed out by
// Node from memory: what Chromium takes where the server takes no time.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";

const { chromium } = createRequire(new URL("../../browser/package.json", import.meta.url))("playwright-core");
const [url, runs] = [process.argv[2]?.replace(/\/$/, ""), Number(process.argv[3] ?? 10)];
if (!url) {
  console.error("expected the address of a running server, for instance http://127.0.0.1:3000");
  process.exit(2);
}
const views = ["", "live/services", "live/services/gateway", "live/map", "live/traces", "live/logs", "live/objectives", "live/alerts", "live/explore?query=up", "live/drift", "live/figures"];

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

/** First contentful paint, ms, and the scripts that were loaded. */
async function paint(browser, address) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  const scripts = new Map();
  page.on("response", async (answer) => {
    if (/javascript/.test(answer.headers()["content-type"] ?? "")) scripts.set(answer.url(), (await answer.body().catch(() => Buffer.alloc(0))).length);
  });
  const answer = await page.goto(address, { waitUntil: "load" });
  if (answer.status() !== 200) {
    await context.close();
    return undefined;
  }
  const first = await page.evaluate(
    () =>
      new Promise((resolve) => {
        const seen = () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
        const look = () => (seen() === undefined ? requestAnimationFrame(look) : resolve(seen()));
        look();
      }),
  );
  let compressed = 0;
  for (const script of scripts.keys()) compressed += gzipSync(Buffer.from(await (await context.request.get(script)).body())).length;
  await context.close();
  return { first, compressed };
}

/** A server that hands out what it read once. */
async function copy(address) {
  const kept = new Map();
  const server = createServer(async (asked, answer) => {
    if (asked.url.startsWith("/api/")) return answer.writeHead(204).end();
    if (!kept.has(asked.url)) {
      const got = await fetch(url + asked.url);
      kept.set(asked.url, { status: got.status, type: got.headers.get("content-type"), body: Buffer.from(await got.arrayBuffer()) });
    }
    const { status, type, body } = kept.get(asked.url);
    answer.writeHead(status, { "content-type": type }).end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, address: `http://127.0.0.1:${server.address().port}${address}` };
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: ["--no-sandbox", "--disable-gpu"] });
console.log(`first contentful paint, median of ${runs} in fresh profiles\n`);
for (const view of views) {
  const { server, address } = await copy(`/${view}`);
  await paint(browser, address);
  const [live, still] = [[], []];
  let script = 0;
  for (let run = 0; run < runs; run++) {
    const found = await paint(browser, `${url}/${view}`);
    if (!found) break;
    live.push(found.first);
    script = found.compressed;
    still.push((await paint(browser, address)).first);
  }
  server.close();
  if (live.length === 0) console.log(`/${view}: not there`);
  else console.log(`/${view.padEnd(24)} ${median(live).toFixed(0).padStart(5)} ms  from memory ${median(still).toFixed(0).padStart(5)} ms  ${(median(live) / median(still)).toFixed(2)}x  script ${(script / 1024).toFixed(1)} KiB gzip`);
}
await browser.close();

// What live figures cost: many readers on one page, a tick a second.
//
//   cargo build --release --bin loggia && node tests/bench/streaming/run.mjs [READERS [SECONDS]]
//
// Starts `loggia serve` on this repository's book and gives it metrics and traces of the book's services, so that most
// figures of the page change at every tick. Then READERS (2000) streams are opened on the first page, each a connection
// of its own, and SECONDS (60) are measured: processor time of the server, before and with its readers, bytes, and how
// far apart the readers get the same tick.
//
// The peer in the same run is the least that can be done: a server of Node that writes the very bytes of each tick to as
// many readers and makes nothing.
import { fork } from "node:child_process";
import { rmSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { Server, ask, endAll, sleep } from "../telemetry/servers.mjs";
import { exposition, traces } from "./traffic.mjs";

const readers = Number(process.argv[2] ?? 2000);
const seconds = Number(process.argv[3] ?? 60);
/** Readers that connect at one time. */
const BATCH = 100;
/** Until rates cover their windows. */
const WARM_MS = 20_000;
/** A reader without any tick is a fault of the measurement. */
const FIRST_TICK_MS = 30_000;
const root = new URL("../../..", import.meta.url).pathname;
const program = join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "release", "loggia");

/** Sockets, parsing and clocks of the readers, in a process of their own so that nothing of it is counted. */
class Readers {
  static async open(url, count) {
    const all = new Readers();
    all.child = fork(new URL("readers.mjs", import.meta.url), [url, String(count), String(BATCH)]);
    await all.said("open", FIRST_TICK_MS * 4);
    return all;
  }

  said(kind, limitMs) {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`the readers said no \`${kind}\` within ${limitMs / 1000} s`)), limitMs);
      const hear = (message) => {
        if (message.kind === "failed") reject(new Error(message.why));
        if (message.kind !== kind) return;
        clearTimeout(late);
        this.child.off("message", hear);
        resolve(message);
      };
      this.child.on("message", hear);
    });
  }

  /** What came in the next seconds. */
  async measure(ms) {
    this.child.send({ begin: ms });
    return this.said("measured", ms + 10_000);
  }

  async end() {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    await ended;
  }
}

/** Processor's share of a server during `ms`, in percent of one core. */
async function share(server, ms) {
  const [before, start] = [server.cpu(), performance.now()];
  await sleep(ms);
  return ((server.cpu() - before) * 100_000) / (performance.now() - start);
}

/** With `count` readers: the server's share, and what the readers got. */
async function withReaders(server, path, count) {
  const all = await Readers.open(server.url + path, count);
  await sleep(3000);
  const [cpu, got] = await Promise.all([share(server, seconds * 1000), all.measure(seconds * 1000)]);
  const pss = server.pss();
  await all.end();
  return { cpu, pss, ...got };
}

function print(name, { cpu, pss, ticks, bytes, spread, missed }) {
  const each = bytes / Math.max(ticks, 1);
  console.log(
    `${name.padEnd(34)} ${cpu.toFixed(1).padStart(6)} % of a core  ${pss.toFixed(0).padStart(4)} MiB  ${(ticks / seconds).toFixed(0).padStart(6)} ticks/s  ` +
      `${each.toFixed(0).padStart(6)} bytes a tick  a tick reaches all within ${spread.toFixed(0)} ms (median), readers that missed one: ${missed}`,
  );
}

const target = createServer((_, answer) => answer.setHeader("content-type", "text/plain; version=0.0.4").end(exposition(Date.now())));
await new Promise((resolve) => target.listen(0, "127.0.0.1", resolve));
const { port } = target.address();
const scrape = ["gateway", "auth", "orders", "payments"].flatMap((job) => ["--scrape", `${job}=http://127.0.0.1:${port}/${job}`]);
const server = await Server.start("loggia", program, { book: root, flags: scrape });
const sending = setInterval(() => {
  const [headers, body] = [{ "content-type": "application/json" }, JSON.stringify(traces(Date.now()))];
  ask(`${server.url}/otlp/v1/traces`, { method: "POST", headers, body, agent: server.agent }).catch((error) => console.error(`no traces: ${error.message}`));
}, 1000);
await sleep(WARM_MS);

const page = "/api/live/events?page=index";
console.log(`${readers} readers, ${seconds} s, page: ${(await ask(`${server.url}/`)).body.length} bytes\n`);
const idle = { cpu: await share(server, seconds * 500), pss: server.pss() };
console.log(`${"loggia, nobody reads".padEnd(34)} ${idle.cpu.toFixed(1).padStart(6)} % of a core  ${idle.pss.toFixed(0).padStart(4)} MiB`);
const one = await withReaders(server, page, 1);
print("loggia, one reader", one);
const many = await withReaders(server, page, readers);
print(`loggia, ${readers} readers`, many);
clearInterval(sending);

const tick = Math.round(one.bytes / Math.max(one.ticks, 1));
const peer = await Server.start("writer", process.execPath, { flags: [String(tick)] });
const floor = await withReaders(peer, "/", readers);
print(`Node, writes the same to ${readers}`, floor);
console.log(`\nreaders cost ${(many.cpu - idle.cpu).toFixed(1)} % of a core, ${((many.cpu - idle.cpu) / floor.cpu).toFixed(2)} times what writing alone costs Node`);
await endAll();
target.close();
rmSync(peer.folder, { recursive: true, force: true });

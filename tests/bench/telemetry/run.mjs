// Loggia's telemetry beside Prometheus and VictoriaMetrics: in one run, on loopback, with the very same bytes.
//
//   cargo build --release -p loggia && node tests/bench/telemetry/run.mjs [OPTIONS]
//
//   --only PARTS       of metrics,disk,spans,book (all of them)
//   --minutes N        of samples, every 15 s (60)
//   --copies N         of the 10,000 series (1)
//   --loads N          fresh starts over which loading is timed; the median counts (3)
//   --runs N           of each query; the median counts (21)
//   --spans N          (1000000)
//   --queries N        live queries of the book (500)
//   --ticks N          over which the book's work is measured, one a second (20)
//   --loggia PATH      (target/release/loggia)
//   --prometheus PATH  (prometheus)    --victoriametrics PATH  (victoria-metrics)
//   --install          installs the last two with apt-get when they are missing
//
// All three take Prometheus remote write: one sample of each of 2,500 series a request, over four connections, the next
// one after the answer. Loggia and Prometheus answer when the samples are in their journals, VictoriaMetrics when they are
// in its memory. Each loading is a fresh start. Queries go over kept connections, in turns, so that whatever else the
// machine does hits all alike; the answer's bytes are read and not parsed. VictoriaMetrics is asked past its cache of
// results. Answers are compared: those of Prometheus have to be equal (within 1e-6), those of VictoriaMetrics alike (within
// 25 %), because its rates begin at the sample before the window and extrapolate nothing. `cpu` is what the processors
// worked for it. Spans are kept on disk as usual; all of them are in memory only where the searches are timed.
import { spawnSync } from "node:child_process";
import { cpus, loadavg } from "node:os";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeBook } from "./book.mjs";
import { OFF_STEP_MS, STEP_MS, fleet } from "./data.mjs";
import { QUERIES, STEPS, compare, time } from "./queries.mjs";
import { Server, ask, endAll, sleep } from "./servers.mjs";
import { search, store } from "./spans.mjs";
import { labelFields, remoteWrite } from "./wire.mjs";

const root = new URL("../../..", import.meta.url).pathname;
/** Connections over which samples come; each has a part of the series to itself, so that theirs are in order. */
const CONNECTIONS = 4;
/** Milliseconds for which a server may settle before its memory is read. */
const SETTLE_MS = 15_000;
const HOUR_MS = 3_600_000;

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "metrics,disk,spans,book" },
    minutes: { type: "string", default: "60" },
    copies: { type: "string", default: "1" },
    loads: { type: "string", default: "3" },
    runs: { type: "string", default: "21" },
    spans: { type: "string", default: "1000000" },
    queries: { type: "string", default: "500" },
    ticks: { type: "string", default: "20" },
    loggia: { type: "string", default: join(root, "target/release/loggia") },
    prometheus: { type: "string", default: "prometheus" },
    victoriametrics: { type: "string", default: "victoria-metrics" },
    install: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

if (options.help) {
  const text = readFileSync(new URL(import.meta.url), "utf8");
  console.log(text.slice(0, text.indexOf("\nimport ")).replace(/^\/\/ ?/gm, ""));
  process.exit(0);
}

const PACKAGES = { prometheus: "prometheus", victoriametrics: "victoria-metrics" };
const present = (program) => existsSync(program) || spawnSync("sh", ["-c", `command -v "${program}"`]).status === 0;

function prepare() {
  if (!existsSync(options.loggia)) throw new Error(`${options.loggia} is not there\nhelp: cargo build --release -p loggia`);
  const missing = Object.keys(PACKAGES).filter((kind) => !present(options[kind]));
  if (missing.length > 0 && options.install) {
    const names = missing.map((kind) => PACKAGES[kind]);
    console.error(`installing ${names.join(" and ")} with apt-get`);
    const done = spawnSync("apt-get", ["install", "-y", "--no-install-recommends", ...names], { stdio: ["ignore", "ignore", "inherit"] });
    if (done.status !== 0) throw new Error("apt-get failed");
    return [];
  }
  for (const kind of missing) console.error(`${kind} is left out: it is not there\nhelp: apt-get install ${PACKAGES[kind]}, or --install`);
  return missing;
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

/** The requests of each connection: the samples of `minutes` before `endMs`, which stands on a step. */
function loads(series, endMs, minutes) {
  const count = Math.round((minutes * 60_000) / STEP_MS) + 1;
  const fields = series.map(({ labels }) => ({ fields: labelFields(labels) }));
  const size = Math.ceil(series.length / CONNECTIONS);
  const parts = Array.from({ length: CONNECTIONS }, () => []);
  for (let step = 0; step < count; step++) {
    const values = series.map(({ next }) => next());
    const t = endMs - (count - 1 - step) * STEP_MS - STEP_MS + OFF_STEP_MS;
    parts.forEach((bodies, at) => {
      const range = [at * size, (at + 1) * size];
      bodies.push(remoteWrite(fields.slice(...range), values.slice(...range), t));
    });
    if (process.stderr.isTTY) process.stderr.write(`making samples: ${step + 1} of ${count}   \r`);
  }
  return { parts, samples: count * series.length, bytes: parts.flat().reduce((sum, body) => sum + body.length, 0) };
}

/** Sends it all; gives seconds from the first byte to the last answer, and seconds of processor. */
async function load(server, { parts }) {
  const headers = { "content-type": "application/x-protobuf", "content-encoding": "snappy", "x-prometheus-remote-write-version": "0.1.0" };
  const [start, cpu] = [performance.now(), server.cpu()];
  await Promise.all(
    parts.map(async (bodies) => {
      for (const body of bodies) {
        const answer = await ask(server.url + server.write, { method: "POST", headers, body, agent: server.agent });
        if (answer.status !== 204) throw new Error(`${server.kind} refuses samples: ${answer.status} ${answer.body.toString().slice(0, 300)}`);
      }
    }),
  );
  return { seconds: (performance.now() - start) / 1000, cpu: server.cpu() - cpu };
}

/** Waits until all samples are seen by queries. */
async function seen(server, samples, endMs, minutes) {
  if (server.flush) await ask(server.url + server.flush);
  const names = ["requests_total", "latency_seconds_bucket", "latency_seconds_count", "latency_seconds_sum", "cpu_ratio"];
  const query = encodeURIComponent(names.map((name) => `sum(count_over_time(bench_${name}[${minutes + 1}m]))`).join(" + "));
  let found;
  for (let tries = 0; tries < 100; tries++) {
    const answer = await ask(`${server.url}${server.api}/query?query=${query}&time=${endMs / 1000}${server.query ?? ""}`, { agent: server.agent });
    found = Number(JSON.parse(answer.body).data?.result[0]?.value[1]);
    if (found === samples) return;
    await sleep(100);
  }
  throw new Error(`${server.kind} has ${found} of ${samples} samples`);
}

const columns = [40, 16, 16, 16, 12, 12];
const row = (...cells) => console.log(cells.map((cell, at) => (at ? String(cell).padStart(columns[at]) : String(cell).padEnd(columns[at]))).join(""));
const of = (kind, found) => found.find((one) => one.kind === kind);

/** One line: what Loggia has, what the others have, and how many times that is. `more` says that more is better. */
function line(name, found, { unit = "", digits = 1, more = false } = {}) {
  const cell = (one) => (one === undefined ? "-" : `${one.value.toFixed(digits)}${unit && ` ${unit}`}`);
  const ratio = (one) => {
    if (one === undefined) return "-";
    const own = of("loggia", found).value;
    return `${(more ? own / one.value : one.value / own).toFixed(2)}x`;
  };
  const [prometheus, victoria] = [of("prometheus", found), of("victoriametrics", found)];
  row(name, cell(of("loggia", found)), cell(prometheus), cell(victoria), ratio(prometheus), ratio(victoria));
}

async function metrics(kinds) {
  const minutes = Number(options.minutes);
  // On a minute, a little ago: the future is refused.
  const endMs = Math.floor((Date.now() - 60_000) / 60_000) * 60_000;
  const made = loads(fleet(Number(options.copies)), endMs, minutes);
  console.log(`\n${Number(options.copies) * 10_000} series, ${made.samples} samples, ${(made.bytes / 2 ** 20).toFixed(0)} MiB of remote write. Ratios above 1 are in Loggia's favour.\n`);
  row("", "loggia", "prometheus", "victoriametrics", "to prom.", "to vm");
  const timed = new Map(kinds.map((kind) => [kind, []]));
  let servers = [];
  const idle = new Map();
  for (let round = 0; round < Number(options.loads); round++) {
    for (const server of servers) await server.end();
    servers = [];
    for (const kind of kinds) {
      const server = await Server.start(kind, options[kind]);
      servers.push(server);
      await sleep(1000);
      idle.set(kind, server.pss());
      timed.get(kind).push(await load(server, made));
      await seen(server, made.samples, endMs, minutes);
    }
  }
  const each = (value) => servers.map((server) => ({ kind: server.kind, value: value(server) }));
  line("samples stored a second, thousands", each(({ kind }) => made.samples / median(timed.get(kind).map(({ seconds }) => seconds)) / 1000), { digits: 0, more: true });
  line("cpu a million samples", each(({ kind }) => (median(timed.get(kind).map(({ cpu }) => cpu)) / made.samples) * 1e6), { unit: "s", digits: 2 });
  await sleep(SETTLE_MS);
  const loaded = new Map(each((server) => server.pss()).map(({ kind, value }) => [kind, value]));
  line("memory before", each(({ kind }) => idle.get(kind)), { unit: "MiB", digits: 0 });
  line("memory after the load (PSS)", each(({ kind }) => loaded.get(kind)), { unit: "MiB", digits: 0 });
  line("memory grown, bytes a sample", each(({ kind }) => ((loaded.get(kind) - idle.get(kind)) * 2 ** 20) / made.samples), { digits: 2 });
  line("data folder (log and all), bytes a sample", each((server) => server.disk() / made.samples), { digits: 2 });
  await ownFigures(of("loggia", servers), made.samples);
  const endS = endMs / 1000;
  for (const shape of ["instant", "range"]) {
    for (const asked of QUERIES) {
      const found = await time(servers, asked, shape, endS, Number(options.runs));
      const name = shape === "range" ? `${asked.name}, ${STEPS} steps` : `${asked.name}, instant`;
      line(name, servers.map(({ kind }, at) => ({ kind, value: found[at].ms })), { unit: "ms", digits: 2 });
      line("  cpu", servers.map(({ kind }, at) => ({ kind, value: found[at].cpu * 1000 })), { unit: "ms", digits: 1 });
    }
  }
  line("memory after the queries (PSS)", each((server) => server.pss()), { unit: "MiB", digits: 0 });
  const worst = await compare(servers, endS);
  for (const [kind, most] of worst) console.log(`answers differ from ${kind}'s by ${most.toExponential(1)} at most`);
  for (const server of servers) await server.end();
}

/** What Loggia says of its own memory. */
async function ownFigures(server, samples) {
  const text = (await ask(`${server.url}/metrics`)).body.toString();
  const figure = (name) => Number(new RegExp(`^${name} (\\S+)`, "m").exec(text)?.[1]);
  const [held, series, bytes] = ["loggia_samples", "loggia_series", "loggia_series_bytes"].map(figure);
  console.log(`loggia's own count: ${held} of ${samples} samples of ${series} series in memory, ${(bytes / held).toFixed(2)} bytes a sample with labels and index`);
}

/** Bytes of a whole hour in blocks: the hour that is over and is not waited for any more. */
async function disk() {
  const endMs = Math.floor((Date.now() - 11 * 60_000) / HOUR_MS) * HOUR_MS;
  // The last sample stands before the hour's end.
  const made = loads(fleet(Number(options.copies)), endMs, 60 - STEP_MS / 60_000);
  const server = await Server.start("loggia", options.loggia);
  await load(server, made);
  const blocks = async () => Number(/^loggia_disk_bytes\{kind="metrics"\} (\S+)/m.exec((await ask(`${server.url}/metrics`)).body.toString())?.[1]);
  let bytes = 0;
  for (let tries = 0; tries < 120; tries++) {
    await sleep(1000);
    const now = await blocks();
    if (now > 0 && now === bytes) break;
    bytes = now;
  }
  console.log(`\nblocks of a whole hour on disk: ${(bytes / made.samples).toFixed(2)} bytes a sample (at most 3)`);
  await server.end();
}

async function traces() {
  const [count, rounds] = [Number(options.spans), []];
  for (let round = 0; round < Number(options.loads); round++) rounds.push(await store(options.loggia, count));
  const middle = (of) => median(rounds.map(of));
  const rate = middle(({ stored, seconds }) => stored / seconds / 1000);
  const { stored, idle, pss, held, disk } = rounds.at(-1);
  console.log(`\nspans: ${stored} stored from OTLP protobuf at ${rate.toFixed(0)} thousand a second (wanted: 200), cpu ${middle(({ cpu }) => (cpu / stored) * 1e6).toFixed(1)} us each`);
  console.log(`memory ${idle.toFixed(0)} MiB before, ${pss.toFixed(0)} MiB after; ${held} spans in memory; ${(disk / stored).toFixed(0)} bytes a span on disk`);
  const found = await search(options.loggia, count, Number(options.runs));
  console.log(`search over ${found.held} spans in memory (--trace-memory 2GB; ${found.pss.toFixed(0)} MiB):`);
  for (const { name, ms, found: traces } of found.searches) console.log(`  by ${name}: ${ms.toFixed(2)} ms, ${traces} traces (wanted: below 5 ms)`);
}

async function book() {
  const { folder, tiles } = writeBook(Number(options.queries));
  const empty = await Server.start("loggia", options.loggia);
  const full = await Server.start("loggia", options.loggia, { book: folder });
  try {
    const endMs = Math.floor(Date.now() / STEP_MS) * STEP_MS;
    const made = loads(fleet(), endMs, 15);
    for (const server of [empty, full]) await load(server, made);
    await sleep(3000);
    const before = [empty, full].map((server) => server.cpu());
    const ticks = Number(options.ticks);
    await sleep(ticks * 1000);
    const [without, with_] = [empty, full].map((server, at) => ((server.cpu() - before[at]) / ticks) * 1000);
    const claims = JSON.parse((await ask(`${full.url}/api/live/claims`)).body).claims;
    const measured = claims.filter(({ measured }) => measured.value !== null && measured.value !== undefined).length;
    console.log(`\na book with ${tiles} live queries, each with its history of 61 steps: ${with_.toFixed(1)} ms of cpu a tick (wanted: below 50), ${without.toFixed(1)} ms without; ${measured} of ${claims.length} measured`);
  } finally {
    await empty.end();
    await full.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

const began = Date.now();
const parts = options.only.split(",");
try {
  const missing = prepare();
  const load = loadavg()[0].toFixed(1);
  console.log(`${cpus().length} processors, load before: ${load}; loads: median of ${options.loads}, queries: median of ${options.runs}`);
  if (parts.includes("metrics")) await metrics(["loggia", "prometheus", "victoriametrics"].filter((kind) => !missing.includes(kind)));
  if (parts.includes("disk")) await disk();
  if (parts.includes("spans")) await traces();
  if (parts.includes("book")) await book();
  console.log(`\n${Math.round((Date.now() - began) / 1000)} s altogether, load after: ${loadavg()[0].toFixed(1)}`);
} finally {
  await endAll();
}
process.exit(0);

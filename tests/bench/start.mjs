// How soon the first live figure is there and how much memory everything takes together.
//
//   cargo build --release --bins && node tests/bench/start.mjs [RUNS]
//
// Starts `cloudscale up` RUNS times (3), each on ports and in a folder of its own, waits for the
// first figure that the page shows, lets the traffic run for 20 s and adds up the proportional set
// size of all processes. Prints every run and the median.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const runs = Number(process.argv[2] ?? 3);
const SETTLE_MS = 20_000;
const GIVE_UP_MS = 60_000;
const root = new URL("../..", import.meta.url).pathname;

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** `pid` and all of its descendants. */
function family(pid) {
  const parents = new Map();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      parents.set(Number(entry), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // It ended in between.
    }
  }
  const members = [pid];
  for (const member of members) {
    for (const [child, parent] of parents) if (parent === member) members.push(child);
  }
  return members;
}

/** Proportional set size in MiB. */
function pss(pid) {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(/^Pss:\s+(\d+)/m.exec(rollup)[1]) / 1024;
}

async function firstFigure(url, start) {
  while (Date.now() - start < GIVE_UP_MS) {
    try {
      const page = await (await fetch(url)).text();
      // What a reader sees: a tile's number in the page itself.
      const cell = /data-cell="kpi\.response-time\.value"[^>]*>([^<]*)</.exec(page);
      if (cell && /^[\d.,]+$/.test(cell[1])) return Date.now() - start;
    } catch {
      // Not listening yet.
    }
    await new Promise((wake) => setTimeout(wake, 25));
  }
  throw new Error(`no figure within ${GIVE_UP_MS} ms`);
}

async function once() {
  const data = mkdtempSync(join(tmpdir(), "cloudscale-bench-"));
  const ports = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const options = ["--port", "--gateway-port", "--otlp-grpc-port", "--otlp-http-port"];
  const start = Date.now();
  const program = spawn(
    join(root, "target/release/cloudscale"),
    ["up", "--quiet", "--data-dir", data, ...options.flatMap((option, i) => [option, String(ports[i])])],
    { cwd: root, stdio: "ignore" },
  );
  try {
    const first = await firstFigure(`http://127.0.0.1:${ports[0]}/`, start);
    await new Promise((wake) => setTimeout(wake, SETTLE_MS));
    const members = family(program.pid);
    const memory = members.reduce((sum, pid) => sum + pss(pid), 0);
    return { first, processes: members.length, memory };
  } finally {
    program.kill("SIGTERM");
    await new Promise((ended) => program.once("exit", ended));
    rmSync(data, { recursive: true, force: true });
  }
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const results = [];
for (let run = 1; run <= runs; run += 1) {
  const { first, processes, memory } = await once();
  results.push({ first, memory });
  console.log(`run ${run}: first figure after ${(first / 1000).toFixed(1)} s, ${processes} processes, ${memory.toFixed(0)} MiB PSS`);
}
console.log(`median: first figure after ${(median(results.map((r) => r.first)) / 1000).toFixed(1)} s, ${median(results.map((r) => r.memory)).toFixed(0)} MiB PSS`);

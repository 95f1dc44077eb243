// CloudScale's speed and size: the gateway beside nginx, orders through their whole saga, memory of each service.
//
//   cargo build --release --bin cloudscale && node tests/bench/services/run.mjs [OPTIONS]
//
//   --only PARTS       of proxy,orders,memory (all of them)
//   --seconds N        of each measurement (20)
//   --rounds N         of the proxies, in turns; the median counts (3)
//   --connections N    to the proxies (32)
//   --rate N           orders a second (300)
//   --cloudscale PATH  (target/release/cloudscale)
//   --nginx PATH       (nginx)    --wrk PATH  (wrk)
//   --install          installs the last two with apt-get when they are missing
//
// `cloudscale up` runs with everything that it has, telemetry and the site included, and without traffic of its own.
// proxy: wrk asks for shipping quotes (POST, no cache can answer) through the gateway and through nginx, which stands in
// front of the same process; direct to that process, too. The gateway checks, limits, traces and counts each request
// meanwhile; nginx passes it on. Everything shares the machine's processors. orders: the traffic generator places orders
// only, at a rate that does not wait for answers; an answer comes when the saga (order, stock, shipment, payment) has
// ended. memory: proportional set size of each process, after that.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ask, freePort, sleep } from "../telemetry/servers.mjs";

const root = new URL("../../..", import.meta.url).pathname;
/** Until everything has started. */
const START_MS = 60_000;
/** Until customers of the order bench have accounts and sessions, seconds. */
const WARM_UP_S = 10;
/** A process that does not end by itself is killed after this time. */
const END_MS = 20_000;
const SERVICES = ["gateway", "auth", "users", "catalog", "orders", "payments", "shipping", "notifications", "analytics"];

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "proxy,orders,memory" },
    seconds: { type: "string", default: "20" },
    rounds: { type: "string", default: "3" },
    connections: { type: "string", default: "32" },
    rate: { type: "string", default: "300" },
    cloudscale: { type: "string", default: join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "release/cloudscale") },
    nginx: { type: "string", default: "nginx" },
    wrk: { type: "string", default: "wrk" },
    install: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

if (options.help) {
  const text = readFileSync(new URL(import.meta.url), "utf8");
  console.log(text.slice(0, text.indexOf("\nimport ")).replace(/^\/\/ ?/gm, ""));
  process.exit(0);
}

const wanted = new Set(options.only.split(","));
const folder = mkdtempSync(join(tmpdir(), "bench-services-"));
/** What runs, the last one first to end. @type {import("node:child_process").ChildProcess[]} */
const running = [];

function prepare() {
  if (!existsSync(options.cloudscale)) throw new Error(`${options.cloudscale} is not there\nhelp: cargo build --release --bin cloudscale`);
  if (!wanted.has("proxy")) return;
  const present = (program) => existsSync(program) || spawnSync("sh", ["-c", `command -v "${program}"`]).status === 0;
  const packages = [["nginx-light", options.nginx], ["wrk", options.wrk]].filter(([, program]) => !present(program)).map(([name]) => name);
  if (packages.length === 0) return;
  if (!options.install) throw new Error(`${packages.join(" and ")} are not there\nhelp: apt-get install ${packages.join(" ")}, or --install, or --only orders,memory`);
  console.error(`installing ${packages.join(" and ")} with apt-get`);
  // Debian starts nginx when it is installed; a policy says not to.
  const policy = "/usr/sbin/policy-rc.d";
  const ours = !existsSync(policy);
  if (ours) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  const done = spawnSync("apt-get", ["install", "-y", "--no-install-recommends", ...packages], { stdio: ["ignore", "ignore", "inherit"] });
  if (ours) rmSync(policy);
  if (done.status !== 0) throw new Error("apt-get failed");
}

function start(program, args) {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"] });
  child.said = "";
  child.stderr.on("data", (text) => (child.said = (child.said + text).slice(-4000)));
  running.unshift(child);
  return child;
}

async function endAll() {
  for (const child of running.splice(0)) {
    if (child.exitCode !== null) continue;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), END_MS);
    await ended;
    clearTimeout(late);
  }
  rmSync(folder, { recursive: true, force: true });
}
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => endAll().finally(() => process.exit(130)));

/** @param {string} what @param {() => Promise<unknown>} check @param {import("node:child_process").ChildProcess} child */
async function until(what, check, child) {
  for (const begin = Date.now(); Date.now() - begin < START_MS; await sleep(100)) {
    if (child.exitCode !== null) throw new Error(`${what}: it ended\n${child.said}`);
    const found = await check().catch(() => undefined);
    if (found) return found;
  }
  throw new Error(`${what}: not within ${START_MS / 1000} s\n${child.said}`);
}

async function cloudscale() {
  const [port, gateway, grpc, http] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const data = join(folder, "data");
  const ports = ["--port", port, "--gateway-port", gateway, "--otlp-grpc-port", grpc, "--otlp-http-port", http];
  const child = start(options.cloudscale, ["up", "--quiet", "--traffic", "0", "--book", root, "--data-dir", data, ...ports.map(String)]);
  const status = async () => {
    const told = spawnSync(options.cloudscale, ["status", "--json", "--data-dir", data]);
    const all = JSON.parse(told.stdout.toString());
    return all.length > 1 && all.every((one) => one.state === "ready") && all;
  };
  const replicas = await until("cloudscale up", status, child);
  await until("the gateway", async () => (await ask(`http://127.0.0.1:${gateway}/health/ready`)).status === 200, child);
  return { child, replicas, gateway: `http://127.0.0.1:${gateway}` };
}

async function nginx(upstream) {
  const port = await freePort();
  const config = join(folder, "nginx.conf");
  writeFileSync(config, `
daemon off; worker_processes auto; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${folder}/nginx-body; proxy_temp_path ${folder}/nginx-proxy; fastcgi_temp_path ${folder}/nginx-1;
  uwsgi_temp_path ${folder}/nginx-2; scgi_temp_path ${folder}/nginx-3;
  upstream service { server ${upstream}; keepalive 64; }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`);
  const child = start(options.nginx, ["-e", `${folder}/nginx.log`, "-c", config]);
  const url = `http://127.0.0.1:${port}`;
  await until("nginx", async () => (await ask(`${url}/health/live`)).status > 0, child);
  return url;
}

/** Requests a second that were answered well, and latencies in milliseconds. */
function wrk(url) {
  const script = join(folder, "quote.lua");
  writeFileSync(script, `
wrk.method = "POST"
wrk.body = '{"pieces":3,"currency":"EUR"}'
wrk.headers["content-type"] = "application/json"
done = function(summary, latency)
  io.stderr:write(string.format('{"requests":%d,"us":%d,"wrong":%d,"p50":%d,"p99":%d}', summary.requests, summary.duration,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
`);
  const done = spawnSync(options.wrk, ["-t", "1", "-c", options.connections, "-d", `${options.seconds}s`, "-s", script, `${url}/v1/quotes`]);
  const text = done.stderr.toString();
  const told = JSON.parse(text.slice(text.lastIndexOf("{")));
  return { rate: (told.requests - told.wrong) / (told.us / 1e6), wrong: told.wrong, p50: told.p50 / 1000, p99: told.p99 / 1000 };
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

async function proxies({ replicas, gateway }) {
  const shipping = replicas.find((one) => one.instance.startsWith("shipping"));
  const urls = { direct: `http://${shipping.address}`, nginx: await nginx(shipping.address), gateway };
  const found = { direct: [], nginx: [], gateway: [] };
  for (let round = 0; round < Number(options.rounds); round += 1) {
    for (const [name, url] of Object.entries(urls)) found[name].push(wrk(url));
  }
  console.log(`\nPOST /v1/quotes, ${options.connections} connections, ${options.rounds} rounds of ${options.seconds} s in turns, medians`);
  const all = {};
  for (const [name, rounds] of Object.entries(found)) {
    all[name] = Object.fromEntries(["rate", "p50", "p99", "wrong"].map((field) => [field, median(rounds.map((round) => round[field]))]));
    const { rate, p50, p99, wrong } = all[name];
    console.log(`  ${name.padEnd(8)} ${rate.toFixed(0).padStart(7)}/s   p50 ${p50.toFixed(1)} ms   p99 ${p99.toFixed(1)} ms   not answered well: ${wrong}`);
  }
  console.log(`  gateway to nginx: ${(all.gateway.rate / all.nginx.rate).toFixed(2)} of the throughput (bound 0.5), ${(all.gateway.p99 / all.nginx.p99).toFixed(2)} times the p99 (bound 2)`);
}

function orders({ gateway }) {
  const args = ["traffic", "--only", "place", "--rps", options.rate, "--warm-up", String(WARM_UP_S), "--duration", options.seconds, "--seed", "7", "--target", gateway];
  const done = spawnSync(options.cloudscale, args, { timeout: (Number(options.seconds) + WARM_UP_S + 30) * 1000 });
  if (done.status !== 0) throw new Error(`cloudscale traffic failed:\n${done.stderr}`);
  console.log(`\nOrders, ${options.rate}/s for ${options.seconds} s after ${WARM_UP_S} s (bound: p95 below 100 ms)`);
  console.log(done.stdout.toString().trim().replace(/^/gm, "  "));
}

function memory({ child, replicas }) {
  const pss = (pid) => Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))[1]) / 1024;
  console.log("\nProportional set size (bound: 20 MB a service)");
  for (const one of replicas.filter((one) => one.pid && SERVICES.some((name) => one.instance.startsWith(name)))) {
    console.log(`  ${one.instance.padEnd(16)} ${pss(one.pid).toFixed(1)} MiB`);
  }
  console.log(`  ${"site, supervisor".padEnd(16)} ${pss(child.pid).toFixed(1)} MiB`);
}

try {
  prepare();
  console.log(`${cpus().length} processors, load ${loadavg()[0].toFixed(1)}; ${options.cloudscale}`);
  const system = await cloudscale();
  if (wanted.has("proxy")) await proxies(system);
  if (wanted.has("orders")) orders(system);
  if (wanted.has("memory")) memory(system);
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
} finally {
  await endAll();
}

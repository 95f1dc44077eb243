// The questions: how long each server takes for them, and whether they say the same.
import { ask } from "./servers.mjs";

/** Steps of a range query: an hour every 15 s. */
export const STEPS = 241;
const STEP_S = 15;

export const QUERIES = [
  { name: "sum by (rate), 3,000 series", query: "sum by (service) (rate(bench_requests_total[5m]))" },
  { name: "p99, 300 buckets", query: 'histogram_quantile(0.99, sum by (le, service) (rate(bench_latency_seconds_bucket{service="service-03"}[5m])))' },
  { name: "p99, 6,000 buckets", query: "histogram_quantile(0.99, sum by (le, service) (rate(bench_latency_seconds_bucket[5m])))" },
];

/** Answers that may differ by this share, at most: sums in another order. */
const EXACT = 1e-6;
/** VictoriaMetrics takes the sample before a window into it and extrapolates nothing, so its rates are others. Of a sum over
 * 150 series, and a p99 of 20 instances, this is what may come of it at the worst step. */
const LOOSE = 0.25;

function address(server, { query }, shape, endS) {
  const encoded = encodeURIComponent(query);
  const path =
    shape === "instant"
      ? `/query?query=${encoded}&time=${endS}`
      : `/query_range?query=${encoded}&start=${endS - (STEPS - 1) * STEP_S}&end=${endS}&step=${STEP_S}`;
  return `${server.url}${server.api}${path}${server.query ?? ""}`;
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

/** Asks each server in turn, `runs` times; gives milliseconds (median) and seconds of processor for each. */
export async function time(servers, asked, shape, endS, runs) {
  const took = servers.map(() => []);
  const cpu = servers.map((server) => server.cpu());
  for (let run = -2; run < runs; run++) {
    for (const [at, server] of servers.entries()) {
      const start = performance.now();
      const answer = await ask(address(server, asked, shape, endS), { agent: server.agent });
      const ms = performance.now() - start;
      if (answer.status !== 200) throw new Error(`${server.kind}: ${answer.status} ${answer.body.toString().slice(0, 300)}`);
      // The first two warm up.
      if (run >= 0) took[at].push(ms);
    }
  }
  return servers.map((server, at) => ({ ms: median(took[at]), cpu: (server.cpu() - cpu[at]) / (runs + 2) }));
}

async function values(server, asked, shape, endS) {
  const answer = await ask(address(server, asked, shape, endS), { agent: server.agent });
  const found = new Map();
  for (const { metric, value, values } of JSON.parse(answer.body).data.result) {
    const key = JSON.stringify(Object.entries(metric).sort());
    found.set(key, new Map((values ?? [value]).map(([t, v]) => [Math.round(t * 1000), Number(v)])));
  }
  return found;
}

/** The largest relative difference between two answers; throws when series or times differ. */
function difference(name, expected, found, lenient) {
  if (expected.size === 0) throw new Error(`${name}: nothing was answered`);
  const fail = (what) => {
    throw new Error(`${name}: the answers differ: ${what}`);
  };
  if (expected.size !== found.size) fail(`${expected.size} and ${found.size} series`);
  let most = 0;
  for (const [key, points] of expected) {
    const others = found.get(key) ?? fail(`${key} is missing`);
    if (!lenient && points.size !== others.size) fail(`${points.size} and ${others.size} points of ${key}`);
    for (const [t, v] of points) {
      const other = others.get(t);
      // The first windows of the hour are not full, and there each engine has a rule of its own.
      if (other === undefined && lenient) continue;
      if (other === undefined) fail(`${key} has nothing at ${t}`);
      if (Number.isNaN(v) && Number.isNaN(other)) continue;
      most = Math.max(most, Math.abs(v - other) / Math.max(Math.abs(v), Math.abs(other), 1e-12));
    }
  }
  return most;
}

/** Holds the answers of Loggia against those of the others; gives the largest difference to each. */
export async function compare(servers, endS) {
  const worst = new Map();
  const own = servers.find(({ kind }) => kind === "loggia");
  for (const asked of QUERIES) {
    for (const shape of ["instant", "range"]) {
      const expected = await values(own, asked, shape, endS);
      for (const server of servers.filter((other) => other !== own)) {
        const exact = server.kind === "prometheus";
        // Windows that reach before the first sample are left out where the rules differ.
        const full = exact ? expected : within(expected, (endS - (STEPS - 1) * STEP_S + 330) * 1000);
        const found = difference(`${asked.name}, ${shape}, ${server.kind}`, full, await values(server, asked, shape, endS), !exact);
        const bound = exact ? EXACT : LOOSE;
        if (!(found <= bound)) throw new Error(`${asked.name}, ${shape}: ${server.kind} answers something else, by ${(found * 100).toFixed(3)} %`);
        worst.set(server.kind, Math.max(worst.get(server.kind) ?? 0, found));
      }
    }
  }
  return worst;
}

function within(answer, fromMs) {
  return new Map([...answer].map(([key, points]) => [key, new Map([...points].filter(([t]) => t >= fromMs))]));
}

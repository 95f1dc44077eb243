// Spans: how fast they are stored, and how fast they are found.
import { random } from "./data.mjs";
import { Server, ask, sleep } from "./servers.mjs";
import { Writer, attribute, span, traceRequest } from "./wire.mjs";

/** Spans of one trace: a request through eight operations of some of the services. */
const SPANS_PER_TRACE = 8;
/** Traces of one request: what a collector sends together by default is 8,192 spans. */
const TRACES_PER_REQUEST = 1000;
const SERVICES = ["gateway", "auth", "users", "catalog", "orders", "payments", "shipping", "notifications", "analytics", "search"];
const OPERATIONS = 12;
/** Memory for the traces that are searched: the usual bound, 48 MiB, holds some 100,000 spans. */
const TRACE_MEMORY = "2GB";

/** OTLP requests with `count` spans of the last minute before `endMs`, made before any clock runs. */
export function requests(count, endMs) {
  const rng = random(7);
  const id = (bytes) => Buffer.from(Array.from({ length: bytes }, () => Math.floor(rng() * 256)));
  const resources = SERVICES.map((name) => ["service.name", "service.instance.id", "service.version", "deployment.environment.name"].map((key, at) => attribute(key, [name, `${name}-1`, "1.4.2", "production"][at])));
  const routes = Array.from({ length: OPERATIONS }, (_, n) => attribute("http.route", `/${n}/{id}`));
  const methods = ["GET", "POST", "PUT"].map((method) => attribute("http.request.method", method));
  const statuses = [200, 201, 404, 500].map((status) => attribute("http.response.status_code", status));
  const [all, spanWriter] = [[], new Writer(1024)];
  const traces = Math.ceil(count / SPANS_PER_TRACE);
  for (let first = 0; first < traces; first += TRACES_PER_REQUEST) {
    const groups = SERVICES.map((_, at) => ({ resource: resources[at], spans: [] }));
    for (let trace = first; trace < Math.min(first + TRACES_PER_REQUEST, traces); trace++) {
      const traceId = id(16);
      let start = BigInt(Math.floor(endMs - 60_000 + (trace / traces) * 59_000)) * 1_000_000n + BigInt(Math.floor(rng() * 1e6));
      let parentId;
      for (let nth = 0; nth < SPANS_PER_TRACE; nth++) {
        const spanId = id(8);
        const service = nth === 0 ? 0 : 1 + ((trace + (nth >> 1)) % (SERVICES.length - 1));
        const operation = Math.floor(rng() * OPERATIONS);
        // From microseconds to seconds; one in a thousand takes more than a second.
        const length = BigInt(Math.floor(1e5 * 10 ** (rng() * 3) + (rng() < 0.001 ? 1e9 * (1 + rng()) : 0)));
        const failed = rng() < 0.01;
        const attributes = [routes[operation], methods[operation % 3], statuses[failed ? 3 : operation % 3], attribute("user.id", `user-${Math.floor(rng() * 10_000)}`)];
        const kind = nth % 2 === 0 ? 2 : 3;
        groups[service].spans.push(span(spanWriter, { traceId, spanId, parentId, name: `${["GET", "POST", "PUT"][operation % 3]} /${operation}/{id}`, kind, startNs: start, endNs: start + length, attributes, error: failed }));
        parentId = spanId;
        start += 50_000n;
      }
    }
    all.push({ body: traceRequest(groups.filter(({ spans }) => spans.length > 0)), spans: groups.reduce((sum, { spans }) => sum + spans.length, 0) });
  }
  return all;
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];

/** Sends requests over four connections; gives seconds from the first byte to the last answer. */
async function send(server, sent) {
  const left = [...sent];
  const start = performance.now();
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let next = left.shift(); next; next = left.shift()) {
        const headers = { "content-type": "application/x-protobuf" };
        const answer = await ask(`${server.url}/otlp/v1/traces`, { method: "POST", headers, body: next.body, agent: server.agent });
        if (answer.status !== 200) throw new Error(`spans: ${answer.status} ${answer.body.toString().slice(0, 200)}`);
        if (answer.body.length > 0) throw new Error(`spans were refused: ${answer.body.toString()}`);
      }
    }),
  );
  return (performance.now() - start) / 1000;
}

const figure = async (server, name) => Number(new RegExp(`^${name} (\\S+)`, "m").exec((await ask(`${server.url}/metrics`)).body.toString())?.[1]);

/** Stores `count` spans in a fresh Loggia, with the usual bounds; gives the figures. */
export async function store(program, count) {
  const sent = requests(count, Date.now());
  const server = await Server.start("loggia", program);
  try {
    const before = { cpu: server.cpu(), pss: server.pss() };
    const seconds = await send(server, sent);
    const cpu = server.cpu() - before.cpu;
    await sleep(15_000);
    const stored = sent.reduce((sum, { spans }) => sum + spans, 0);
    return { stored, seconds, cpu, idle: before.pss, pss: server.pss(), held: await figure(server, "loggia_spans"), disk: server.disk() };
  } finally {
    await server.end();
  }
}

/** Searches among `count` spans, all of them in memory; gives milliseconds by search. */
export async function search(program, count, runs) {
  const server = await Server.start("loggia", program, { flags: ["--trace-memory", TRACE_MEMORY] });
  try {
    await send(server, requests(count, Date.now()));
    await sleep(1000);
    const searches = [];
    for (const [name, query] of [
      ["service and duration, many fit", "service=orders&min=50ms"],
      ["service and duration, one in a thousand fits", "service=orders&min=1s"],
      ["service and duration, none fits", "service=orders&min=30s"],
    ]) {
      const took = [];
      let found = 0;
      for (let run = -2; run < runs; run++) {
        const begun = performance.now();
        const answer = await ask(`${server.url}/api/live/traces?${query}`, { agent: server.agent });
        if (run >= 0) took.push(performance.now() - begun);
        if (answer.status !== 200) throw new Error(`search: ${answer.status} ${answer.body.toString().slice(0, 200)}`);
        found = JSON.parse(answer.body).traces?.length ?? JSON.parse(answer.body).length;
      }
      searches.push({ name, ms: median(took), found });
    }
    return { held: await figure(server, "loggia_spans"), pss: server.pss(), searches };
  } finally {
    await server.end();
  }
}

// Traffic that never ran: traces of calls, sent to a server's OTLP door as JSON, so that diagrams have
// values. `./tests/screenshot-diagrams` and the browser scripts use it.

/**
 * @typedef {object} Calls
 * @property {string} from service
 * @property {string} to `orders`, a database as `db:orders`, a queue as `queue:events`
 * @property {number} [count] how many in a minute
 * @property {number} [ms] how long one takes
 * @property {number} [errors] share that fails
 */

let traces = 0;

/**
 * Sends a second of all calls each second, until the function that it gives is called.
 * @param {string} url @param {Calls[]} calls
 */
export async function keepFeeding(url, calls) {
  let second = 0;
  // What is rarer than once a second comes in its turn.
  const due = () => calls.map((call) => ({ ...call, count: Math.floor(((second + 1) * (call.count ?? 60)) / 60) - Math.floor((second * (call.count ?? 60)) / 60) }));
  const tick = async () => {
    await feed(url, due());
    second += 1;
  };
  await tick();
  const timer = setInterval(tick, 1000);
  return () => clearInterval(timer);
}

/** @param {string} url of the server @param {Calls[]} calls */
export async function feed(url, calls) {
  const body = JSON.stringify({ resourceSpans: calls.flatMap(resources) });
  const answer = await fetch(new URL("/otlp/v1/traces", url), { method: "POST", headers: { "content-type": "application/json" }, body });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
}

/** @param {Calls} calls */
function resources({ from, to, count = 60, ms = 20, errors = 0 }) {
  const [kind, name] = to.includes(":") ? to.split(":") : ["service", to];
  const [callers, callees] = [[], []];
  for (let nth = 0; nth < count; nth++) {
    const traceId = (++traces).toString(16).padStart(32, "0");
    const start = BigInt(Date.now() - Math.floor((900 * nth) / count) - 20) * 1_000_000n;
    // The same spread each time: no two runs differ.
    const length = BigInt(Math.round(ms * 1e6 * (0.6 + ((nth * 37) % 100) / 160)));
    const failed = (nth * 61) % count < errors * count;
    const id = (/** @type {number} */ part) => (traces * 4 + part).toString(16).padStart(16, "0");
    const span = (part, parent, kind, attributes = {}, took = length) => ({
      traceId, spanId: id(part), parentSpanId: parent === undefined ? "" : id(parent), name: "work", kind,
      startTimeUnixNano: `${start}`, endTimeUnixNano: `${start + took}`,
      attributes: Object.entries(attributes).map(([key, value]) => ({ key, value: { stringValue: value } })),
      ...(failed ? { status: { code: 2 } } : {}),
    });
    const out = { service: {}, db: { "db.system": "postgresql", "db.namespace": name }, queue: { "messaging.system": "queue", "messaging.destination.name": name } }[kind];
    callers.push(span(1, undefined, 2, {}, length + 2_000_000n), span(2, 1, kind === "queue" ? 4 : 3, out));
    if (kind === "service") callees.push(span(3, 2, 2));
  }
  const of = (service, spans) => ({
    resource: { attributes: [{ key: "service.name", value: { stringValue: service } }] },
    scopeSpans: [{ spans }],
  });
  return callees.length > 0 ? [of(from, callers), of(name, callees)] : [of(from, callers)];
}

/** What the seeds' diagrams name, so that each state of a box and of a line is to be seen. @type {Calls[]} */
export const SEEDS = [
  { from: "web-app", to: "api-gateway", count: 900, ms: 38 },
  { from: "mobile-app", to: "api-gateway", count: 300, ms: 44 },
  { from: "api-gateway", to: "auth", count: 600, ms: 11 },
  { from: "api-gateway", to: "users", count: 340, ms: 7 },
  { from: "api-gateway", to: "orders", count: 180, ms: 42, errors: 0.004 },
  { from: "api-gateway", to: "payments", count: 170, ms: 412, errors: 0.03 },
  { from: "api-gateway", to: "notifications", count: 60, ms: 9, errors: 0.3 },
  { from: "api-gateway", to: "business-logic", count: 400, ms: 63 },
  { from: "business-logic", to: "analytics", count: 90, ms: 30 },
  { from: "orders", to: "payments", count: 40, ms: 300 },
  { from: "auth", to: "db:auth_db", count: 300, ms: 2 },
  { from: "users", to: "db:user_db", count: 200, ms: 3 },
  { from: "orders", to: "db:order_db", count: 210, ms: 4 },
  { from: "auth", to: "db:postgresql", count: 300, ms: 2 },
  { from: "users", to: "db:postgresql", count: 200, ms: 2 },
  { from: "business-logic", to: "db:redis cache", count: 500, ms: 1 },
  { from: "orders", to: "queue:message", count: 120, ms: 5 },
  { from: "payments", to: "queue:message", count: 60, ms: 5 },
  { from: "application-metrics", to: "prometheus", count: 60, ms: 5 },
  { from: "prometheus", to: "grafana", count: 60, ms: 5 },
  { from: "client", to: "api-gateway", count: 60, ms: 30 },
];

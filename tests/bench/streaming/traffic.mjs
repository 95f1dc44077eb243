// Metrics and traces of four services as they would be under a steady load that swings a little.
const SERVICES = { gateway: ["auth", "orders"], orders: ["payments"], auth: [], payments: [] };
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
const start = Date.now();

/** Requests until `now`, more and fewer in turns. */
const until = (now) => Math.round(((now - start) / 1000) * 40 + 200 * Math.sin((now - start) / 7000) + 300);

/** What every service says of itself, as Prometheus text. */
export function exposition(now) {
  const all = until(now);
  const lines = [];
  for (const [route, part] of [["/v1/orders", 0.5], ["/v1/orders/{id}", 0.3], ["/v1/session", 0.2]]) {
    const labels = `http_request_method="GET",http_route="${route}",http_response_status_code="200"`;
    const name = "http_server_request_duration_seconds";
    for (const [at, bound] of BOUNDS.entries()) {
      const under = Math.round(all * part * (1 - Math.exp((-(at + 1) * (1 + 0.2 * Math.sin(now / 9000))) / 4)));
      lines.push(`${name}_bucket{${labels},le="${bound}"} ${under}`);
    }
    const total = Math.round(all * part);
    lines.push(`${name}_bucket{${labels},le="+Inf"} ${total}`, `${name}_count{${labels}} ${total}`, `${name}_sum{${labels}} ${total * 0.03}`);
  }
  return `${lines.join("\n")}\n`;
}

const id = (bytes) => Array.from({ length: bytes * 2 }, () => Math.floor(Math.random() * 16).toString(16)).join("");

/** Ten requests through all services, as OTLP JSON. */
export function traces(now) {
  const groups = new Map(Object.keys(SERVICES).map((name) => [name, []]));
  const call = (service, traceId, parentSpanId, at, lengthMs) => {
    const spanId = id(8);
    const nanos = (ms) => String(BigInt(Math.round(ms * 1000)) * 1000n);
    const span = (name, kind, spanId, parentSpanId) => ({ traceId, spanId, parentSpanId, name, kind, startTimeUnixNano: nanos(at), endTimeUnixNano: nanos(at + lengthMs) });
    groups.get(service).push(span(`GET /${service}`, 2, spanId, parentSpanId));
    for (const peer of SERVICES[service]) {
      const client = id(8);
      groups.get(service).push(span("GET", 3, client, spanId));
      call(peer, traceId, client, at + 1, lengthMs * 0.6);
    }
  };
  for (let nth = 0; nth < 10; nth++) call("gateway", id(16), "", now - 100 - nth * 50, 20 + Math.random() * 60);
  return {
    resourceSpans: [...groups].map(([name, spans]) => ({
      resource: { attributes: [{ key: "service.name", value: { stringValue: name } }] },
      scopeSpans: [{ spans }],
    })),
  };
}

// Sends one trace, some metrics and one log record with OpenTelemetry's own SDK.
//
//     node send.mjs grpc|proto|json ENDPOINT SERVICE
//
// Prints the ids of what was sent as JSON. tests/doors/clients/mod.rs starts it and knows the data.

import { context, SpanKind, SpanStatusCode, trace, TraceFlags } from "@opentelemetry/api";
import { SeverityNumber } from "@opentelemetry/api-logs";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const [protocol, endpoint, service] = process.argv.slice(2);
// `http` is the name of the packages that send JSON.
const kind = { grpc: "grpc", proto: "proto", json: "http" }[protocol];
const url = (path) => (kind === "grpc" ? endpoint : `${endpoint}/v1/${path}`);
const load = async (signal) => import(`@opentelemetry/exporter-${signal}-otlp-${kind}`);
const { OTLPTraceExporter } = await load("trace");
const { OTLPMetricExporter } = await load("metrics");
const { OTLPLogExporter } = await load("logs");

const resource = resourceFromAttributes({
  "service.name": service,
  "service.version": "1.2.3",
  "service.instance.id": "one",
});
const tracers = new NodeTracerProvider({
  resource,
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: url("traces") }))],
});
tracers.register();
const meters = new MeterProvider({
  resource,
  readers: [
    new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter({ url: url("metrics") }) }),
  ],
});
const exporter = new OTLPLogExporter({ url: url("logs") });
const loggers = new LoggerProvider({
  resource,
  processors: [new BatchLogRecordProcessor({ exporter })],
});

const meter = meters.getMeter("shop");
const orders = meter.createCounter("shop.orders", { unit: "{order}", description: "Orders taken." });
orders.add(3, { page: "home" });
orders.add(4, { page: "cart" });
const queue = meter.createUpDownCounter("shop.queue");
queue.add(5);
queue.add(-2);
meter.createGauge("shop.heat", { unit: "Cel" }).record(21.5);
const advice = { explicitBucketBoundaries: [0.1, 0.5, 1] };
const wait = meter.createHistogram("shop.wait", { unit: "s", advice });
for (const seconds of [0.05, 0.3, 0.3, 2]) wait.record(seconds, { route: "/checkout" });

const tracer = tracers.getTracer("shop", "7");
const earlier = {
  traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
  spanId: "00f067aa0ba902b7",
  traceFlags: TraceFlags.SAMPLED,
};
const server = tracer.startSpan("POST /checkout", {
  kind: SpanKind.SERVER,
  links: [{ context: earlier }],
  attributes: {
    "http.request.method": "POST",
    "http.response.status_code": 500,
    "cart.total": 12.5,
    vip: true,
  },
});
const inServer = trace.setSpan(context.active(), server);
const attributes = { "server.address": "bank" };
const client = tracer.startSpan("charge", { kind: SpanKind.CLIENT, attributes }, inServer);
loggers.getLogger("shop").emit({
  severityNumber: SeverityNumber.ERROR,
  severityText: "ERROR",
  body: "card 4711 refused",
  attributes: { "http.route": "/checkout" },
  context: trace.setSpan(inServer, client),
});
client.end();
server.addEvent("card refused", { reason: "limit" });
server.setStatus({ code: SpanStatusCode.ERROR, message: "no money" });
server.end();

for (const provider of [tracers, meters, loggers]) {
  await provider.forceFlush();
  await provider.shutdown();
}
const ids = server.spanContext();
console.log(
  JSON.stringify({ trace: ids.traceId, server: ids.spanId, client: client.spanContext().spanId }),
);

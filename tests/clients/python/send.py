"""Sends one trace, some metrics and one log record with OpenTelemetry's own SDK.

    send.py grpc|http ENDPOINT SERVICE

Prints the ids of what was sent as JSON. `tests/doors/clients/mod.rs` starts it and knows the data.
"""

import json
import sys

from opentelemetry import trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

protocol, endpoint, service = sys.argv[1:]
if protocol == "grpc":
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    def at(_path):
        return {"endpoint": endpoint, "insecure": True}
else:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    def at(path):
        return {"endpoint": f"{endpoint}/v1/{path}"}


resource = Resource(
    {"service.name": service, "service.version": "1.2.3", "service.instance.id": "one"}
)
tracers = TracerProvider(resource=resource)
tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(**at("traces"))))
reader = PeriodicExportingMetricReader(OTLPMetricExporter(**at("metrics")))
meters = MeterProvider(
    resource=resource, metric_readers=[reader], exemplar_filter=AlwaysOnExemplarFilter()
)
loggers = LoggerProvider(resource=resource)
loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(**at("logs"))))

tracer, meter = tracers.get_tracer("shop", "7"), meters.get_meter("shop")
orders = meter.create_counter("shop.orders", unit="{order}", description="Orders taken.")
queue = meter.create_up_down_counter("shop.queue")
heat = meter.create_gauge("shop.heat", unit="Cel")
wait = meter.create_histogram(
    "shop.wait", unit="s", explicit_bucket_boundaries_advisory=[0.1, 0.5, 1]
)

earlier = SpanContext(
    0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7, True, TraceFlags(1)
)
with tracer.start_as_current_span(
    "POST /checkout",
    kind=SpanKind.SERVER,
    links=[Link(earlier)],
    attributes={
        "http.request.method": "POST",
        "http.response.status_code": 500,
        "cart.total": 12.5,
        "vip": True,
    },
) as server:
    orders.add(3, {"page": "home"})
    orders.add(4, {"page": "cart"})
    queue.add(5)
    queue.add(-2)
    heat.set(21.5)
    for seconds in (0.05, 0.3, 0.3, 2.0):
        wait.record(seconds, {"route": "/checkout"})
    with tracer.start_as_current_span(
        "charge", kind=SpanKind.CLIENT, attributes={"server.address": "bank"}
    ) as client:
        loggers.get_logger("shop").emit(
            severity_number=SeverityNumber.ERROR,
            severity_text="ERROR",
            body="card 4711 refused",
            attributes={"http.route": "/checkout"},
        )
    server.add_event("card refused", {"reason": "limit"})
    server.set_status(Status(StatusCode.ERROR, "no money"))

for provider in (tracers, meters, loggers):
    assert provider.force_flush(), provider
    provider.shutdown()
ids = server.get_span_context()
print(
    json.dumps(
        {
            "trace": trace.format_trace_id(ids.trace_id),
            "server": trace.format_span_id(ids.span_id),
            "client": trace.format_span_id(client.get_span_context().span_id),
        }
    )
)

//! How much of what a service has is used: each figure under the names that client libraries and
//! OpenTelemetry give it. Only what is measured is drawn; the rest is said in words.

use super::service::job;
use super::{Asked, Line, Span};
use crate::serve::App;
use pages::{Chart, ChartKind, Unmeasured};

/// A figure of saturation.
struct Resource {
    title: &'static str,
    note: &'static str,
    unit: &'static str,
    kind: ChartKind,
    /// Name of lines and query under each name that is known, in the order in which they are tried;
    /// `JOB` stands for the service's matcher.
    queries: &'static [(&'static str, &'static str)],
    missing: Unmeasured,
}

const RESOURCES: &[Resource] = &[
    Resource {
        title: "CPU",
        note: "% of a core by replica",
        unit: "ratio",
        kind: ChartKind::Line,
        queries: &[
            ("{{instance}}", "sum by (instance) (rate(process_cpu_seconds_total{JOB}[$window]))"),
            (
                "{{instance}}",
                "sum by (instance) (rate(process_cpu_time_seconds_total{JOB}[$window]))",
            ),
            ("{{instance}}", "sum by (instance) (process_cpu_utilization_ratio{JOB})"),
        ],
        missing: Unmeasured { what: "CPU", expose: "process_cpu_seconds_total" },
    },
    Resource {
        title: "Memory",
        note: "resident, by replica",
        unit: "bytes",
        kind: ChartKind::Line,
        queries: &[
            ("{{instance}}", "max by (instance) (process_resident_memory_bytes{JOB})"),
            ("{{instance}}", "max by (instance) (process_memory_usage_bytes{JOB})"),
        ],
        missing: Unmeasured { what: "memory", expose: "process_resident_memory_bytes" },
    },
    Resource {
        title: "In flight",
        note: "requests being answered, by replica",
        unit: "",
        kind: ChartKind::Area,
        queries: &[
            ("{{instance}}", "sum by (instance) (http_server_active_requests{JOB})"),
            ("{{instance}}", "sum by (instance) (http_server_requests_in_flight{JOB})"),
        ],
        missing: Unmeasured { what: "requests in flight", expose: "http_server_active_requests" },
    },
    Resource {
        title: "Database connections",
        note: "in use and idle, all replicas",
        unit: "",
        kind: ChartKind::Stacked,
        queries: &[
            (
                "{{db_client_connection_state}}",
                "sum by (db_client_connection_state) (db_client_connection_count{JOB})",
            ),
            ("{{state}}", "sum by (state) (db_client_connections_usage{JOB})"),
        ],
        missing: Unmeasured { what: "database connections", expose: "db_client_connection_count" },
    },
    Resource {
        title: "Open files",
        note: "% of the limit, by replica",
        unit: "ratio",
        kind: ChartKind::Line,
        queries: &[(
            "{{instance}}",
            "max by (instance) (process_open_fds{JOB} / process_max_fds{JOB})",
        )],
        missing: Unmeasured { what: "open files", expose: "process_open_fds and process_max_fds" },
    },
    Resource {
        title: "Queue",
        note: "waiting, by queue",
        unit: "",
        kind: ChartKind::Area,
        queries: &[
            (
                "{{messaging_destination_name}}",
                "sum by (messaging_destination_name) (messaging_client_queue_length{JOB})",
            ),
            ("outbox", "sum(outbox_pending_events{JOB})"),
        ],
        missing: Unmeasured { what: "queue length", expose: "messaging_client_queue_length" },
    },
];

/// A chart for each resource that is measured, and the others in words.
pub(in crate::serve) fn saturation(
    app: &App,
    service: &str,
    span: Span,
    now: i64,
) -> (Vec<Chart>, Vec<Unmeasured>) {
    let job = job(service);
    let (mut charts, mut unmeasured) = (Vec::new(), Vec::new());
    for resource in RESOURCES {
        match chart(app, resource, &job, service, span, now) {
            Some(chart) => charts.push(chart),
            None => unmeasured.push(resource.missing),
        }
    }
    (charts, unmeasured)
}

fn chart(
    app: &App,
    resource: &Resource,
    job: &str,
    service: &str,
    span: Span,
    now: i64,
) -> Option<Chart> {
    resource.queries.iter().find_map(|(name, query)| {
        let asked = Asked {
            title: resource.title.to_owned(),
            note: resource.note.to_owned(),
            unit: resource.unit.to_owned(),
            kind: resource.kind,
            lines: vec![Line { name: (*name).to_owned(), query: query.replace("JOB", job) }],
            service: Some(service.to_owned()),
            ..Asked::default()
        };
        let chart = asked.chart(app, span, now, false);
        (!chart.series.is_empty()).then_some(chart)
    })
}

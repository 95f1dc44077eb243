//! Scraping, the OTLP receiver and the embedded backend.
//!
//! The network side of the house's telemetry: what services expose or send comes in here, is decoded
//! and appended to the stores of `series` and `traces`; `loggia` binds the listeners, starts the tasks
//! and mounts the routers. The wall clock is read here (see [`Clock`]) and handed down as an argument.
//!
//! ```no_run
//! # async fn start() -> std::io::Result<()> {
//! use std::sync::Arc;
//! use telemetry::{Backend, Limits, ScrapeOptions, serve_otlp_grpc, run_scraper, run_housekeeping};
//! use tokio_util::sync::CancellationToken;
//!
//! let (backend, cancel) = (Arc::new(Backend::new(Limits::default())), CancellationToken::new());
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:4317").await?;
//! let options = ScrapeOptions { discovery: vec!["http://127.0.0.1:4100/targets".into()], ..Default::default() };
//! tokio::spawn(serve_otlp_grpc(listener, backend.clone(), cancel.clone()));
//! tokio::spawn(run_scraper(backend.clone(), options, cancel.clone()));
//! tokio::spawn(run_housekeeping(backend, cancel));
//! # Ok(())
//! # }
//! ```

mod admission;
mod backend;
mod clock;
mod discovery;
mod disk;
mod engine;
mod exemplar;
mod exposition;
mod fetch;
mod housekeeping;
mod jaeger;
mod jaeger_json;
mod jaeger_query;
mod notify;
mod otlp_grpc;
mod otlp_grpc_connections;
mod otlp_http;
mod otlp_json;
mod otlp_metrics;
mod past;
mod prometheus;
mod prometheus_json;
mod prometheus_params;
mod remote_write;
mod remote_write_message;
mod rules;
mod scrape;
mod scrape_target;
mod secure;
mod span_metrics;
mod target;
mod task;

pub use backend::{Backend, Counter, IngestCounters, Limits, Rejection};
pub use clock::Clock;
pub use disk::{DiskOptions, OpenError, Progress};
pub use engine::{
    AskError, Condition, Engines, FoundExemplars, Jaeger, MetricsEngine, RemoteOptions,
    RemotePrometheus, StepRange, Tempo, TracesEngine, prometheus_proxy, run_trace_mirror,
};
pub use exemplar::Exemplars;
pub use exposition::{
    Exemplar, Exposition, MetricKind, MetricMeta, ParseError, ScrapedSample, parse_exposition,
};
pub use fetch::fetch;
pub use housekeeping::run_housekeeping;
pub use jaeger::jaeger_router;
pub use notify::{
    Integration, IntegrationKind, IntegrationStatus, LATENCY_BOUNDS_S, Notifier, NotifierStatus,
    NotifySettings, Secret, Undelivered,
};
pub use otlp_grpc::serve_otlp_grpc;
pub use otlp_http::otlp_http_router;
pub use prometheus::prometheus_router;
pub use rules::{
    Alert, AlertState, AlertingStatus, GroupStatus, RuleCounters, RuleFault, RuleFaultKind,
    RuleGroup, RuleSettings, RuleStatus, Rules, TemplateError, parse_rules, rules_router,
};
pub use scrape::{ScrapeOptions, run_scraper};
pub use secure::{Access, SecretSource};
pub use target::{StaticTarget, TargetHealth, TargetStatus};
pub use task::spawn;

//! The stages by name, and what is measured of each: how long it took (the
//! metric `gateway_stage_duration_seconds`), and an event on the request's span
//! that says what came of it. `mod` reports as it goes.

use std::time::Instant;

use chassis::Metrics;
use chassis::telemetry::note;
use prometheus::Histogram;

/// Upper bounds of a stage's duration, in seconds: most take microseconds.
pub const BOUNDS_S: [f64; 9] =
    [0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.001, 0.01, 0.1];

/// The stages, in the order in which a request and its answer pass them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Has this address called too often?
    RateLimit,
    /// Who is calling, and may he?
    Authentication,
    /// Has this account called too often?
    TenantLimit,
    /// Can the request be right?
    Validation,
    /// From where does the answer come?
    Routing,
    /// What does the peer get to see?
    RequestTransformation,
    /// What else belongs into the answer?
    Aggregation,
    /// What does the client get to see?
    ResponseTransformation,
    /// Is the answer kept, and has the client got it already?
    Caching,
    /// How does it travel?
    Compression,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 10] = [
        Self::RateLimit,
        Self::Authentication,
        Self::TenantLimit,
        Self::Validation,
        Self::Routing,
        Self::RequestTransformation,
        Self::Aggregation,
        Self::ResponseTransformation,
        Self::Caching,
        Self::Compression,
    ];

    /// Its name: the label `stage`, and the event on the span.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RateLimit => "rate_limit",
            Self::Authentication => "authentication",
            Self::TenantLimit => "tenant_limit",
            Self::Validation => "validation",
            Self::Routing => "routing",
            Self::RequestTransformation => "request_transformation",
            Self::Aggregation => "aggregation",
            Self::ResponseTransformation => "response_transformation",
            Self::Caching => "caching",
            Self::Compression => "compression",
        }
    }
}

/// Where durations are counted, for each stage.
#[derive(Debug, Clone)]
pub(crate) struct Stages([Histogram; Stage::ALL.len()]);

impl Stages {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let durations = metrics.durations(
            "gateway_stage_duration_seconds",
            "Time that a stage of the pipeline took, without the call to the service.",
            &["stage"],
            &BOUNDS_S,
        );
        Self(Stage::ALL.map(|stage| durations.with_label_values(&[stage.name()])))
    }
}

/// A request's way through the stages.
#[derive(Debug)]
pub(crate) struct Trail<'a> {
    stages: &'a Stages,
    since: Instant,
}

impl<'a> Trail<'a> {
    pub(crate) fn begin(stages: &'a Stages) -> Self {
        Self { stages, since: Instant::now() }
    }

    /// The stage has ended, and `outcome` came of it.
    pub(crate) fn passed(&mut self, stage: Stage, outcome: &'static str) {
        let now = Instant::now();
        self.stages.0[stage as usize].observe((now - self.since).as_secs_f64());
        note(stage.name(), &[("outcome", outcome)]);
        self.since = now;
    }

    /// What was done meanwhile belongs to no stage.
    pub(crate) fn resume(&mut self) {
        self.since = Instant::now();
    }
}

//! A book, what was measured, and the moment at which it is looked at.

use diagnostics::SourceFile;
use document::{Book, Config};
use evidence::{Evidence, QuestionShape, ServiceEvidence, Window};
use promql::{Limits, Query, Value};
use series::{Head, Labels};
use std::sync::Arc;
use traces::{Connection, GraphEdge, GraphNode, NodeKind, ServiceGraph};

/// The moment, milliseconds since 1970; a multiple of every step.
pub(crate) const NOW: i64 = 1_700_000_100_000;

pub(crate) struct World {
    pub(crate) book: Book,
    pub(crate) head: Head,
    pub(crate) edges: Vec<GraphEdge>,
    pub(crate) window: Window,
}

impl World {
    pub(crate) fn new(toml: &str, markdown: &str) -> Self {
        let (config, _) = Config::parse(&SourceFile::new("book.toml", toml));
        let files = vec![SourceFile::new("page.md", markdown)];
        Self {
            book: Book::assemble(config, files, None),
            head: Head::new(series::Limits::default()),
            edges: Vec::new(),
            window: Window::covering(Some(0), NOW),
        }
    }

    /// For what the graph alone decides.
    pub(crate) fn without_book() -> Self {
        Self {
            book: Book::assemble(Config::default(), Vec::new(), None),
            head: Head::new(series::Limits::default()),
            edges: Vec::new(),
            window: Window::covering(Some(0), NOW),
        }
    }

    /// A series with a sample each second, from `from_s` to `to_s` seconds ago; `value` gets the
    /// seconds since the first.
    pub(crate) fn series(&self, labels: &str, from_s: i64, to_s: i64, value: impl Fn(f64) -> f64) {
        let labels = Labels::from_pairs(labels.split(',').map(|pair| {
            let (name, value) = pair.split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        }));
        for ago in (to_s..=from_s).rev() {
            let t = NOW - ago * 1000;
            self.head.append(&labels, t, value((from_s - ago) as f64)).unwrap();
        }
    }

    /// A replica that answers with `ok` and `bad` requests a second, half of them within 100 ms and
    /// all within 200 ms, for `from_s` to `to_s` seconds ago.
    pub(crate) fn replica(&self, job: &str, n: u32, (from_s, to_s): (i64, i64), ok: f64, bad: f64) {
        let who = format!("job={job},instance={job}-{n}");
        let name = "http_server_request_duration_seconds";
        let count = |status: &str, rate: f64| {
            let of = format!("{who},http_response_status_code={status}");
            self.series(&format!("__name__={name}_count,{of}"), from_s, to_s, |s| s * rate);
            for (le, share) in [("0.1", 0.5), ("0.2", 1.0), ("+Inf", 1.0)] {
                let bucket = format!("__name__={name}_bucket,{of},le={le}");
                self.series(&bucket, from_s, to_s, |s| s * rate * share);
            }
        };
        count("200", ok);
        if bad > 0.0 {
            count("500", bad);
        }
    }

    pub(crate) fn up(&self, job: &str, n: u32, value: f64) {
        self.series(&format!("__name__=up,job={job},instance={job}-{n}"), 60, 0, |_| value);
    }

    pub(crate) fn call(
        &mut self,
        from: (&str, NodeKind),
        to: (&str, NodeKind),
        calls: u64,
        failed: u64,
    ) {
        let end = |(name, kind): (&str, NodeKind)| GraphNode { name: name.into(), kind };
        let seen = calls > 0;
        self.edges.push(GraphEdge {
            from: end(from),
            to: end(to),
            connection: Connection::Call,
            calls,
            rate: calls as f64 / 60.0,
            failed,
            error_ratio: seen.then(|| failed as f64 / calls as f64),
            p50_s: seen.then_some(0.01),
            p95_s: seen.then_some(0.05),
            first_seen_ms: NOW - 200_000,
            last_seen_ms: if seen { NOW - 500 } else { NOW - 100_000 },
            example_trace: "0af7651916cd43dd8448eb211c80319c".parse().unwrap(),
            failed_trace: None,
        });
    }

    /// Calls between services.
    pub(crate) fn calls(&mut self, pairs: &[(&str, &str, u64)]) {
        for (from, to, calls) in pairs {
            self.call((from, NodeKind::Service), (to, NodeKind::Service), *calls, 0);
        }
    }

    pub(crate) fn graph(&self) -> ServiceGraph {
        ServiceGraph {
            window_s: f64::from(self.window.seconds()),
            covered_s: f64::from(self.window.seconds()),
            edges: self.edges.clone(),
            expired: 0,
            traces: 0,
        }
    }

    /// Asks and evaluates.
    pub(crate) fn evidence(&self) -> Evidence {
        let plan = evidence::plan(&self.book, self.window, 300);
        let answers: Vec<_> = plan.questions.iter().map(|q| self.ask(&q.query, q.shape)).collect();
        evidence::evaluate(&self.book, &plan, &answers, &self.graph(), &self.graph(), NOW)
    }

    fn ask(&self, query: &str, shape: QuestionShape) -> Result<Value, String> {
        let query = Query::parse(query).map_err(|error| error.to_string())?;
        let limits = Limits::default();
        let answer = match shape {
            QuestionShape::Instant => query.instant(&self.head, NOW, &limits),
            QuestionShape::Range { seconds, step_s } => {
                let start = NOW - i64::from(seconds) * 1000;
                query.range(&self.head, start, NOW, i64::from(step_s) * 1000, &limits)
            }
        };
        answer.map(|answer| answer.value).map_err(|error| error.to_string())
    }

    pub(crate) fn service(&self, id: &str) -> ServiceEvidence {
        let all = self.evidence().services;
        all.into_iter().find(|service| service.id.0 == id).expect("the service is listed")
    }
}

/// A name that is cheap to clone, for models that are made by hand.
pub(crate) fn drawing(block: &document::DiagramBlock) -> Arc<diagram::Drawing> {
    Arc::clone(&block.drawing)
}

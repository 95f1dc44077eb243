//! What to ask of the metrics, each distinct question once. `loggia` asks; [`crate::evaluate`] finds
//! the answers again by the same texts.

use crate::{Window, objectives};
use document::{Book, Config, Kpi, KpiBinding};
use indexmap::IndexSet;

/// Seconds of history that a KPI's sparkline shows.
pub(crate) const HISTORY_S: u32 = 300;
/// Seconds between two of its points.
pub(crate) const HISTORY_STEP_S: u32 = 5;
/// Seconds for which a value that is measured no more is still shown, with its age.
const REMEMBERED_S: u32 = 300;
/// Seconds between two looks at that past.
const REMEMBERED_STEP_S: u32 = 15;
/// Stands in an author's query for the span of rates.
const WINDOW_VARIABLE: &str = "$window";

/// One query and how to evaluate it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    /// PromQL.
    pub query: String,
    /// At one time or over a range.
    pub shape: QuestionShape,
    /// An answer is good for so many seconds: over long spans it changes slowly and costs much.
    pub fresh_s: u32,
}

/// When to evaluate a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QuestionShape {
    /// Now.
    Instant,
    /// At every step of a range that ends now.
    Range {
        /// Length of the range.
        seconds: u32,
        /// Seconds between two steps.
        step_s: u32,
    },
}

/// Everything that evidence needs to know at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The span of rates and quantiles.
    pub window: Window,
    /// The span of which there are samples, in seconds.
    pub kept_s: u32,
    /// Each distinct question once; answers are expected in this order.
    pub questions: Vec<Question>,
}

/// What to ask for all pages of a book. `kept_s` is the span of which there are samples, in seconds.
pub fn plan(book: &Book, window: Window, kept_s: u32) -> Plan {
    let mut questions = IndexSet::new();
    questions.extend(ServiceQuestions::new(window).all());
    for kpi in book.pages.iter().flat_map(|page| page.kpis()) {
        if let Some(asked) = KpiQuestions::new(kpi, &book.config, window) {
            questions.extend([asked.now, asked.history]);
        }
    }
    for objective in objectives::of_book(book, kept_s) {
        questions.extend(objective.questions());
    }
    Plan { window, kept_s, questions: questions.into_iter().collect() }
}

/// A figure now and in the last minutes: the past is read only when there is no present.
#[derive(Debug)]
pub(crate) struct Remembered {
    pub(crate) now: Question,
    pub(crate) past: Question,
}

/// The questions about services, for all services at once.
#[derive(Debug)]
pub(crate) struct ServiceQuestions {
    pub(crate) rate: Remembered,
    pub(crate) failed: Remembered,
    pub(crate) p95: Remembered,
    /// By job, instance and version: does it answer?
    pub(crate) up: Question,
    /// By job and instance: when the process began.
    pub(crate) started: Question,
    /// The same, the earliest in the last minutes: differs after a restart.
    pub(crate) started_before: Question,
    /// By job and version.
    pub(crate) version: Question,
}

impl ServiceQuestions {
    pub(crate) fn new(window: Window) -> Self {
        let w = window.promql();
        let count = "http_server_request_duration_seconds_count";
        let bucket = "http_server_request_duration_seconds_bucket";
        let start = "process_start_time_seconds";
        Self {
            rate: remembered(format!("sum by (job) (rate({count}[{w}]))")),
            failed: remembered(format!("sum by (job) ({})", failed_rate("", &w))),
            p95: remembered(format!(
                "histogram_quantile(0.95, sum by (job, le) (rate({bucket}[{w}])))"
            )),
            up: instant("max by (job, instance, version) (up)".to_owned()),
            started: instant(format!("max by (job, instance) ({start})")),
            started_before: instant(format!(
                "min by (job, instance) (min_over_time({start}[{REMEMBERED_S}s]))"
            )),
            version: instant("max by (job, service_version, version) (target_info)".to_owned()),
        }
    }

    fn all(self) -> impl Iterator<Item = Question> {
        let figures = [self.rate, self.failed, self.p95].into_iter();
        figures.flat_map(|figure| [figure.now, figure.past]).chain([
            self.up,
            self.started,
            self.started_before,
            self.version,
        ])
    }
}

/// PromQL for the failed requests a second that servers saw: answers 5xx, and those without an answer.
/// `matchers` picks series (`job="orders"`, or nothing for all), `window` is a PromQL duration.
pub fn failed_rate(matchers: &str, window: &str) -> String {
    let count = "http_server_request_duration_seconds_count";
    let picked = |more: &str| match matchers {
        "" => format!("rate({count}{{{more}}}[{window}])"),
        _ => format!("rate({count}{{{matchers},{more}}}[{window}])"),
    };
    format!("({} or {})", picked("http_response_status_code=~\"5..\""), picked("error_type!=\"\""))
}

/// The questions about one KPI.
#[derive(Debug)]
pub(crate) struct KpiQuestions {
    pub(crate) now: Question,
    pub(crate) history: Question,
}

impl KpiQuestions {
    /// `None` when nothing measures the KPI.
    pub(crate) fn new(kpi: &Kpi, config: &Config, window: Window) -> Option<Self> {
        let binding = binding_of(kpi, config);
        let query = kpi.query.as_ref().or(binding.and_then(|b| b.query.as_ref()))?;
        let span = kpi.window.as_ref().or(binding.and_then(|b| b.window.as_ref()));
        let span = span.cloned().unwrap_or_else(|| window.promql());
        let query = put_window(query, &span);
        let shape = QuestionShape::Range { seconds: HISTORY_S, step_s: HISTORY_STEP_S };
        Some(Self { now: instant(query.clone()), history: Question { query, shape, fresh_s: 0 } })
    }
}

/// What `book.toml` says of a KPI, by its label or id, whatever the case.
pub(crate) fn binding_of<'a>(kpi: &Kpi, config: &'a Config) -> Option<&'a KpiBinding> {
    let same = |name: &str| {
        let name = name.trim().to_lowercase();
        name == kpi.label.trim().to_lowercase() || name == kpi.id.to_lowercase()
    };
    config.kpis.iter().find(|(name, _)| same(name)).map(|(_, binding)| binding)
}

/// Replaces `$window` where it stands as a word of its own; `$window_long` stays.
pub fn put_window(query: &str, span: &str) -> String {
    let mut put = String::with_capacity(query.len());
    let mut rest = query;
    while let Some(at) = rest.find(WINDOW_VARIABLE) {
        let after = &rest[at + WINDOW_VARIABLE.len()..];
        put.push_str(&rest[..at]);
        let longer = after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        put.push_str(if longer { WINDOW_VARIABLE } else { span });
        rest = after;
    }
    put + rest
}

fn instant(query: String) -> Question {
    Question { query, shape: QuestionShape::Instant, fresh_s: 0 }
}

fn remembered(query: String) -> Remembered {
    let shape = QuestionShape::Range { seconds: REMEMBERED_S, step_s: REMEMBERED_STEP_S };
    Remembered { now: instant(query.clone()), past: Question { query, shape, fresh_s: 0 } }
}

//! Once a second: what does the book ask, what does telemetry answer, what does that prove.

use super::App;
use super::charts::QUERY_TIME;
use document::Book;
use evidence::{Evidence, Plan, Question, QuestionShape, Window};
use promql::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::time::MissedTickBehavior;

/// Time between two looks.
const TICK: Duration = Duration::from_secs(1);

/// Milliseconds since 1970, by the system's clock.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Looks until the app ends.
pub(super) async fn run(app: Arc<App>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = app.token.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let looking = Arc::clone(&app);
        match tokio::task::spawn_blocking(move || look(&looking, now_ms())).await {
            Ok(evidence) => {
                app.evidence.send_replace(Arc::new(evidence));
            }
            Err(error) => tracing::error!(%error, "a look at the telemetry failed"),
        }
    }
}

/// The evidence at `now`: each distinct question is asked once, whoever reads the answer.
fn look(app: &App, now: i64) -> Evidence {
    let book = &app.shown().book;
    let observed = app.backend.traces.calls(i64::from(evidence::DRIFT_WINDOW_S) * 1000, now);
    let oldest = app.backend.metrics.stats().oldest_ms.or_else(|| first_trace(&observed, now));
    let window = Window::covering(oldest, now);
    let kept_s = oldest.map_or(0, |oldest| now.saturating_sub(oldest).max(0) / 1000);
    let plan: Plan = evidence::plan(book, window, u32::try_from(kept_s).unwrap_or(u32::MAX));
    let answers = app.answers.to(&plan.questions, now, |question| answer(app, question, now));
    let graph = app.backend.traces.graph(i64::from(window.seconds()) * 1000, now);
    let mut evidence = evidence::evaluate(book, &plan, &answers, &graph, &observed, now);
    evidence.map.place(Some(&app.evidence().map), now);
    evidence
}

/// Answers that are still good: those over long spans cost much and change slowly.
#[derive(Default)]
pub(super) struct Answers(Mutex<HashMap<Question, Kept>>);

/// When an answer was given, milliseconds since 1970, and the answer.
type Kept = (i64, Result<Value, String>);

impl Answers {
    /// An answer to each question, in their order. What is no longer asked is forgotten.
    fn to(
        &self,
        questions: &[Question],
        now: i64,
        ask: impl Fn(&Question) -> Result<Value, String>,
    ) -> Vec<Result<Value, String>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut still = HashMap::new();
        let answers = questions.iter().map(|question| {
            let good = |(at, _): &Kept| {
                (0..i64::from(question.fresh_s) * 1000).contains(&now.saturating_sub(*at))
            };
            let (at, answer) =
                kept.remove(question).filter(good).unwrap_or_else(|| (now, ask(question)));
            if question.fresh_s > 0 && answer.is_ok() {
                still.insert(question.clone(), (at, answer.clone()));
            }
            answer
        });
        let answers = answers.collect();
        *kept = still;
        answers
    }
}

/// Since when there are traces, milliseconds since 1970: a system without metrics is measured by them.
fn first_trace(observed: &traces::ServiceGraph, now: i64) -> Option<i64> {
    let covered_ms = (observed.covered_s * 1000.0) as i64;
    (!observed.edges.is_empty() || observed.traces > 0).then_some(now - covered_ms)
}

/// Evidence before the first look.
pub(super) fn nothing_yet(book: &Book) -> Evidence {
    let now = now_ms();
    let plan = evidence::plan(book, Window::covering(None, now), 0);
    let graph = traces::TraceStore::new(traces::StoreLimits::default()).graph(1000, now);
    evidence::evaluate(book, &plan, &[], &graph, &graph, now)
}

fn answer(app: &App, question: &Question, now: i64) -> Result<Value, String> {
    let query = promql::Query::parse(&question.query).map_err(|error| error.to_string())?;
    let storage = &*app.backend.metrics;
    let limits = promql::Limits::default().until(Instant::now() + QUERY_TIME);
    let answer = match question.shape {
        QuestionShape::Instant => query.instant(storage, now, &limits),
        QuestionShape::Range { seconds, step_s } => {
            let step = i64::from(step_s.max(1)) * 1000;
            // Steps stand on multiples of the step, so that a chart does not shimmer.
            let end = now - now.rem_euclid(step);
            query.range(storage, end - i64::from(seconds) * 1000, end, step, &limits)
        }
    };
    answer.map(|answer| answer.value).map_err(|error| error.to_string())
}

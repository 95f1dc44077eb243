//! Which engines are asked: those built in, or the ones that `book.toml` names; and what they told last, for the time in
//! which one does not answer.
//!
//! `tick`, `charts` and `views` ask through it.

use anyhow::Context;
use document::{Config, EngineAddress, EngineKind};
use evidence::{Plan, Question, QuestionShape, SourceFault};
use promql::Value;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use telemetry::{
    AskError, Backend, Clock, Condition, Engines, Jaeger, MetricsEngine, RemoteOptions,
    RemotePrometheus, SecretSource, StepRange, Tempo, TracesEngine,
};

/// Questions that another engine is asked at a time.
const AT_A_TIME: usize = 8;

/// What is asked, and what it told last.
pub(super) struct Sources {
    engines: Engines,
    /// The engine of the metrics, when it is not the one built in.
    pub(super) prometheus: Option<Arc<RemotePrometheus>>,
    /// The engine of the traces, when it is not the one built in.
    pub(super) remote_traces: Option<Arc<dyn TracesEngine>>,
    told: Mutex<Told>,
    kept: Mutex<HashMap<Question, Kept>>,
}

/// When an answer was given, milliseconds since 1970, and the answer. Those over long spans cost much, change slowly and
/// are good for a while.
type Kept = (i64, Result<Value, String>);
type Answers = Vec<Result<Value, String>>;

/// The answers of the last look at which the metrics' engine answered.
#[derive(Default)]
struct Told {
    at_ms: i64,
    answers: HashMap<Question, Result<Value, String>>,
}

impl Sources {
    /// Those that the configuration names; paths in it begin at the book's folder. Fails when a file that it names cannot
    /// be read. Nothing is asked yet: an engine may start later than this.
    pub(super) fn new(
        config: &Config,
        book: &Path,
        backend: &Arc<Backend>,
    ) -> anyhow::Result<Self> {
        let options = |address: &EngineAddress| remote_options(address, book);
        let refused = |address: &EngineAddress| format!("`{}` cannot be asked", address.url);
        let named = &config.engines;
        let prometheus = named.metrics.as_ref().map(|address| {
            RemotePrometheus::new(options(address), Clock::system())
                .with_context(|| refused(address))
        });
        let prometheus = prometheus.transpose()?.map(Arc::new);
        let traces = named.traces.as_ref().map(|address| {
            let (options, clock) = (options(address), Clock::system());
            let engine: Result<Arc<dyn TracesEngine>, AskError> = match address.kind {
                EngineKind::Tempo => Tempo::new(options, clock).map(|tempo| Arc::new(tempo) as _),
                _ => Jaeger::new(options, clock).map(|jaeger| Arc::new(jaeger) as _),
            };
            engine.with_context(|| refused(address))
        });
        let remote_traces = traces.transpose()?;
        let metrics: Arc<dyn MetricsEngine> = match &prometheus {
            Some(engine) => engine.clone(),
            None => backend.clone(),
        };
        let traces: Arc<dyn TracesEngine> = match &remote_traces {
            Some(engine) => engine.clone(),
            None => backend.clone(),
        };
        let engines = Engines { metrics, traces };
        Ok(Self {
            engines,
            prometheus,
            remote_traces,
            told: Mutex::default(),
            kept: Mutex::default(),
        })
    }

    pub(super) fn metrics(&self) -> &dyn MetricsEngine {
        &*self.engines.metrics
    }

    pub(super) fn traces(&self) -> &Arc<dyn TracesEngine> {
        &self.engines.traces
    }

    /// The answers to a plan's questions, and how many seconds ago they were given: more than 0 while the engine does not
    /// answer.
    pub(super) fn answers(&self, plan: &Plan, now_ms: i64) -> (Answers, u32) {
        let (engine, questions) = (self.metrics(), &plan.questions);
        let (fresh, is_down) = self.fresh(questions, now_ms);
        if !engine.is_remote() {
            return (fresh, 0);
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if is_down && !told.answers.is_empty() {
            let age_s = now_ms.saturating_sub(told.at_ms).max(1000) / 1000;
            // A question that is new since then has no old answer.
            let old = |(question, fresh)| told.answers.get(question).cloned().unwrap_or(fresh);
            let answers = questions.iter().zip(fresh).map(old).collect();
            return (answers, u32::try_from(age_s).unwrap_or(u32::MAX));
        }
        if !is_down {
            told.at_ms = now_ms;
            told.answers = questions.iter().cloned().zip(fresh.iter().cloned()).collect();
        }
        (fresh, 0)
    }

    /// The answers to the questions as they were at a moment of the past. None of them is kept here, and an engine that does
    /// not answer makes errors, and `true`.
    pub(super) fn answers_at(&self, plan: &Plan, at_ms: i64) -> (Answers, bool) {
        let engine = self.metrics();
        let open: Vec<&Question> = plan.questions.iter().collect();
        let asked = match engine.is_remote() {
            true => side_by_side(&open, |question| answer(engine, question, at_ms)),
            false => open.iter().map(|question| answer(engine, question, at_ms)).collect(),
        };
        let is_down = asked.iter().any(|answer| matches!(answer, Err(AskError::Down(_))));
        let answers = asked.into_iter().map(|answer| answer.map_err(|error| error.to_string()));
        (answers.collect(), is_down)
    }

    /// The answers of now, those that are still good among them, and whether the engine did not answer. What is no longer
    /// asked is forgotten.
    fn fresh(&self, questions: &[Question], now_ms: i64) -> (Answers, bool) {
        let engine = self.metrics();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let still_good = |question: &Question| {
            let (at_ms, answer) = kept.get(question)?;
            let age_ms = now_ms.saturating_sub(*at_ms);
            let good = (0..i64::from(question.fresh_s) * 1000).contains(&age_ms);
            (good || has_same_steps(question, *at_ms, now_ms)).then(|| (*at_ms, answer.clone()))
        };
        let known: Vec<Option<Kept>> = questions.iter().map(still_good).collect();
        let open: Vec<&Question> = questions
            .iter()
            .zip(&known)
            .filter(|(_, known)| known.is_none())
            .map(|(q, _)| q)
            .collect();
        let asked = if engine.is_remote() {
            side_by_side(&open, |question| answer(engine, question, now_ms))
        } else {
            open.iter().map(|question| answer(engine, question, now_ms)).collect()
        };
        let is_down = asked.iter().any(|answer| matches!(answer, Err(AskError::Down(_))));
        let mut asked = asked.into_iter().map(|answer| answer.map_err(|error| error.to_string()));
        let all: Vec<Kept> = known
            .into_iter()
            .map(|known| known.or_else(|| Some((now_ms, asked.next()?))))
            .map(|kept| kept.expect("what was not known was asked"))
            .collect();
        let worth = |(question, (_, answer)): &(&Question, &Kept)| {
            // Where there is nothing yet, something may come with the next scrape.
            (question.fresh_s > 0 || question.shape != QuestionShape::Instant)
                && answer.as_ref().is_ok_and(|value| !is_empty(value))
        };
        *kept = questions
            .iter()
            .zip(&all)
            .filter(worth)
            .map(|(question, kept)| (question.clone(), kept.clone()))
            .collect();
        (all.into_iter().map(|(_, answer)| answer).collect(), is_down)
    }

    /// The engines that do not answer.
    pub(super) fn faults(&self) -> Vec<SourceFault> {
        let fault = |source: &str, condition: Condition| {
            let (why, since) = condition.fault?;
            let answered = condition.answered_ms;
            Some(SourceFault {
                source: source.to_owned(),
                engine: condition.name,
                why,
                since,
                answered,
            })
        };
        let metrics = fault("metrics", self.engines.metrics.condition());
        metrics.into_iter().chain(fault("traces", self.engines.traces.condition())).collect()
    }

    /// What `/metrics` says about engines that are not built in.
    pub(super) fn write_metrics(&self, text: &mut String) {
        let metrics = self.prometheus.as_ref().map(|engine| ("metrics", engine.condition()));
        let traces = self.remote_traces.as_ref().map(|engine| ("traces", engine.condition()));
        let name = "loggia_engine_up";
        for (nth, (source, condition)) in metrics.into_iter().chain(traces).enumerate() {
            if nth == 0 {
                let help = "Whether an engine that is asked over the network answers.";
                let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
            }
            let up = u8::from(condition.fault.is_none());
            let _ = writeln!(text, "{name}{{source=\"{source}\"}} {up}");
        }
    }

    /// Where telemetry is asked, for the greeting: nothing while all of it is built in.
    pub(super) fn told(&self) -> Vec<String> {
        let metrics = self.prometheus.as_ref().map(|engine| ("metrics", engine.condition()));
        let traces = self.remote_traces.as_ref().map(|engine| ("traces", engine.condition()));
        let line =
            |(source, condition): (&str, Condition)| format!("  {source:<9} {}", condition.name);
        metrics.into_iter().chain(traces).map(line).collect()
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Vector(vector) => vector.is_empty(),
        Value::Matrix(matrix) => matrix.is_empty(),
        Value::Scalar { .. } | Value::String { .. } => false,
    }
}

fn remote_options(address: &EngineAddress, book: &Path) -> RemoteOptions {
    let usual = RemoteOptions::new(address.kind.name(), &address.url);
    let bearer = secret(address.bearer_env.as_ref(), address.bearer_file.as_ref(), book);
    RemoteOptions {
        headers: address.headers.clone(),
        bearer,
        ca_file: address.ca_file.as_ref().map(|name| book.join(name)),
        timeout: address.timeout_ms.map_or(usual.timeout, Duration::from_millis),
        ..usual
    }
}

/// Where a secret is: the environment before a file, which is sought from the book's folder on.
pub(super) fn secret(env: Option<&String>, file: Option<&String>, book: &Path) -> SecretSource {
    match (env, file) {
        (Some(name), _) => SecretSource::Env(name.clone()),
        (None, Some(name)) => SecretSource::File(book.join(name)),
        (None, None) => SecretSource::None,
    }
}

/// Answers in the order of the questions, several asked at a time.
fn side_by_side<T: Send>(questions: &[&Question], ask: impl Fn(&Question) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut answers = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(question) = questions.get(index) else { return answers };
            answers.push((index, ask(question)));
        }
    };
    let mut all: Vec<(usize, T)> = std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..AT_A_TIME.min(questions.len())).map(|_| scope.spawn(work)).collect();
        let answers =
            workers.into_iter().map(|worker| worker.join().expect("asking does not panic"));
        answers.flatten().collect()
    });
    all.sort_unstable_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, answer)| answer).collect()
}

/// Whether a history that was read at one time has the steps that it has at another: each is read once a step.
fn has_same_steps(question: &Question, at_ms: i64, now_ms: i64) -> bool {
    match question.shape {
        QuestionShape::Instant => false,
        QuestionShape::Range { step_s, .. } => {
            last_step(step_s, at_ms) == last_step(step_s, now_ms)
        }
    }
}

/// Steps stand on multiples of the step, so that a chart does not shimmer.
fn last_step(step_s: u32, now_ms: i64) -> i64 {
    now_ms - now_ms.rem_euclid(i64::from(step_s.max(1)) * 1000)
}

fn answer(engine: &dyn MetricsEngine, question: &Question, now: i64) -> Result<Value, AskError> {
    let answer = match question.shape {
        QuestionShape::Instant => engine.instant(&question.query, now),
        QuestionShape::Range { seconds, step_s } => {
            let step_ms = i64::from(step_s.max(1)) * 1000;
            let end_ms = last_step(step_s, now);
            let start_ms = end_ms - i64::from(seconds) * 1000;
            engine.range(&question.query, StepRange { start_ms, end_ms, step_ms })
        }
    };
    answer.map(|answer| answer.value)
}

/// Runs what may wait for another engine or read much of our own, so that the thread's other work goes on elsewhere.
pub(super) fn waiting<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

#[cfg(test)]
mod tests {
    use super::*;
    use series::Labels;

    #[test]
    fn a_history_is_read_once_a_step_and_the_present_each_time() {
        let backend = Arc::new(Backend::new(telemetry::Limits::default()));
        let sources = Sources::new(&Config::default(), Path::new("."), &backend)
            .expect("the engines built in need nothing");
        let up = Labels::from_pairs([("__name__", "up")]);
        let question = |shape| Question { query: "sum(up)".to_owned(), shape, fresh_s: 0 };
        let questions = [
            question(QuestionShape::Instant),
            question(QuestionShape::Range { seconds: 10, step_s: 5 }),
        ];
        let check = |now_ms: i64, value: f64, points: usize| {
            backend.metrics.append(&up, now_ms, value).expect("in order");
            let (answers, _) = sources.fresh(&questions, now_ms);
            assert_eq!(answers[0].as_ref().ok().and_then(Value::as_number), Some(value));
            let Ok(Value::Matrix(series)) = &answers[1] else { panic!("{answers:?}") };
            assert_eq!(series.first().map_or(0, |series| series.samples.len()), points);
        };
        check(100_000, 1.0, 1);
        check(101_000, 2.0, 1);
        check(104_999, 3.0, 1);
        check(105_000, 4.0, 2);
        check(112_000, 5.0, 3);
        let kept = sources.kept.lock().unwrap_or_else(PoisonError::into_inner).len();
        assert_eq!(kept, 1, "only the history");
        // What is not asked any more is not kept.
        sources.fresh(&questions[..1], 113_000);
        assert!(sources.kept.lock().unwrap_or_else(PoisonError::into_inner).is_empty());
    }
}

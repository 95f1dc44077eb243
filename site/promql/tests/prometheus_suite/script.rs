//! A test script: its commands in order, and the run over them with a store of its own.

use std::collections::BTreeMap;

use promql::{Answer, EvalError, Limits, Query, Value};
use series::{BUCKET_LABEL, Head, Labels, METRIC_NAME, Sample};

use crate::expectation::{Expectation, close};
use crate::series_line::{self, Item};

/// How one query fared.
#[derive(Debug)]
pub(crate) enum Outcome {
    Passed,
    Failed(String),
    /// It reads or expects native histograms.
    Native,
}

enum Command {
    Clear,
    Load { step: i64, with_native: bool, series: Vec<(Labels, Vec<Item>)> },
    Eval(Box<Eval>),
    Broken(String),
}

struct Eval {
    query: String,
    times: Times,
    expectation: Expectation,
}

#[derive(Clone, Copy)]
enum Times {
    At(i64),
    Range { start: i64, end: i64, step: i64 },
}

/// The commands of a file with their line numbers.
pub(crate) struct Script {
    commands: Vec<(usize, Command)>,
}

impl Script {
    /// Reads a script.
    pub(crate) fn parse(text: &str) -> Script {
        let mut commands = Vec::new();
        let mut lines = text
            .lines()
            .enumerate()
            .map(|(i, line)| (i + 1, line.trim()))
            .filter(|(_, line)| !line.starts_with('#'))
            .peekable();
        while let Some((number, line)) = lines.next() {
            if line.is_empty() {
                continue;
            }
            let mut block = Vec::new();
            while let Some((_, line)) =
                lines.next_if(|(_, line)| !line.is_empty() && !starts_command(line))
            {
                block.push(line);
            }
            let command =
                parse_command(line, &block).unwrap_or_else(|| Command::Broken(line.to_owned()));
            commands.push((number, command));
        }
        Script { commands }
    }

    /// Runs all commands; gives line, query and outcome of each query.
    pub(crate) fn run(&self) -> Vec<(String, Outcome)> {
        let mut store = Store::new();
        let mut outcomes = Vec::new();
        for (line, command) in &self.commands {
            match command {
                Command::Clear => store = Store::new(),
                Command::Load { step, with_native, series } => {
                    store.load(*step, *with_native, series)
                }
                Command::Eval(eval) => {
                    outcomes.push((format!("{line} {}", eval.query), store.eval(eval)))
                }
                Command::Broken(text) => {
                    outcomes.push((
                        line.to_string(),
                        Outcome::Failed(format!("not understood: {text}")),
                    ));
                }
            }
        }
        outcomes
    }
}

fn starts_command(line: &str) -> bool {
    let word = line.split_whitespace().next().unwrap_or("");
    word == "clear"
        || word == "load"
        || word == "load_with_nhcb"
        || word == "eval"
        || word.starts_with("eval_")
}

fn parse_command(line: &str, block: &[&str]) -> Option<Command> {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match word {
        "clear" => Some(Command::Clear),
        "load" | "load_with_nhcb" => {
            // A series that stands twice in one `load` counts as it stands last.
            let mut series: Vec<(Labels, Vec<Item>)> = Vec::new();
            for line in block {
                let (labels, items) = series_line::parse(line)?;
                series.retain(|(known, _)| *known != labels);
                series.push((labels, items));
            }
            let step = series_line::duration_ms(rest.trim())?;
            Some(Command::Load { step, with_native: word != "load", series })
        }
        _ => parse_eval(word, rest.trim(), block).map(|eval| Command::Eval(Box::new(eval))),
    }
}

fn parse_eval(word: &str, rest: &str, block: &[&str]) -> Option<Eval> {
    let mut expectation = Expectation::default();
    match word.strip_prefix("eval_") {
        Some("fail") => expectation.fail = Some(None),
        Some("ordered") => expectation.ordered = true,
        Some("warn") => expectation.warn.push(crate::expectation::Wanted::Any),
        Some("info") => expectation.info.push(crate::expectation::Wanted::Any),
        _ => {}
    }
    for line in block {
        expectation.add_line(line)?;
    }
    let mut words = rest.splitn(4, char::is_whitespace);
    if words.next()? == "instant" {
        words.next()?;
        let at = series_line::duration_ms(words.next()?)?;
        return Some(Eval {
            query: words.next()?.trim().to_owned(),
            times: Times::At(at),
            expectation,
        });
    }
    let mut words = rest.splitn(8, char::is_whitespace);
    let mut time = |skip: usize| series_line::duration_ms(words.nth(skip)?);
    let (start, end, step) = (time(2)?, time(1)?, time(1)?);
    let query = words.next()?.trim().to_owned();
    Some(Eval { query, times: Times::Range { start, end, step }, expectation })
}

/// The series loaded so far.
struct Store {
    head: Head,
    /// Series that hold native histograms, and so are not in the head.
    native: Vec<Labels>,
}

impl Store {
    fn new() -> Self {
        Store { head: Head::new(series::Limits::default()), native: Vec::new() }
    }

    fn load(&mut self, step: i64, with_native: bool, series: &[(Labels, Vec<Item>)]) {
        for (labels, items) in series {
            if items.contains(&Item::Native) {
                self.native.push(labels.clone());
            }
            let base = labels.metric_name().and_then(|name| name.strip_suffix("_bucket"));
            if let (true, Some(base)) = (with_native, base) {
                self.native.push(labels.without(&[BUCKET_LABEL]).with(METRIC_NAME, base));
            }
            for (i, item) in items.iter().enumerate() {
                if let Item::Value(v) = item {
                    self.head
                        .append(labels, step * i as i64, *v)
                        .unwrap_or_else(|e| panic!("{labels}: {e}"));
                }
            }
        }
    }

    fn eval(&self, eval: &Eval) -> Outcome {
        let query = match Query::parse(&eval.query) {
            Ok(query) => query,
            Err(_) if eval.expectation.fail.is_some() => return Outcome::Passed,
            Err(_) if eval.expectation.native => return Outcome::Native,
            Err(error) => return Outcome::Failed(format!("does not parse: {error}")),
        };
        if eval.expectation.native || self.reads_native(&query) {
            return Outcome::Native;
        }
        match self.check(eval, &query) {
            Ok(()) => Outcome::Passed,
            Err(reason) => Outcome::Failed(reason),
        }
    }

    fn reads_native(&self, query: &Query) -> bool {
        query.selectors().iter().any(|matchers| {
            self.native
                .iter()
                .any(|labels| matchers.iter().all(|m| m.matches(labels.value(m.name()))))
        })
    }

    fn check(&self, eval: &Eval, query: &Query) -> Result<(), String> {
        let limits = Limits::default();
        match eval.times {
            Times::At(at) => {
                let answer = query.instant(&self.head, at, &limits);
                eval.expectation.check(&answer, at, 1)?;
                self.check_as_range(query, at, answer)
            }
            Times::Range { start, end, step } => {
                let answer = query.range(&self.head, start, end, step, &limits);
                eval.expectation.check(&answer, start, step)
            }
        }
    }

    /// A range query must give at its middle step what the instant query gave.
    fn check_as_range(
        &self,
        query: &Query,
        at: i64,
        answer: Result<Answer, EvalError>,
    ) -> Result<(), String> {
        const STEP: i64 = 60_000;
        let own_times = ["start()", "end()", "step()", "range()"];
        let Ok(Answer { value: Value::Vector(vector), .. }) = answer else { return Ok(()) };
        if own_times.iter().any(|word| query.text().contains(word)) {
            return Ok(());
        }
        let around = query.range(&self.head, at - STEP, at + STEP, STEP, &Limits::default());
        let Ok(Answer { value: Value::Matrix(matrix), .. }) = around else {
            return Err(format!("as a range: {around:?}"));
        };
        let wanted: BTreeMap<&Labels, f64> = vector.iter().map(|s| (&s.labels, s.v)).collect();
        let middle = |samples: &[Sample]| samples.iter().find(|s| s.t == at).map(|s| s.v);
        let found: BTreeMap<&Labels, f64> =
            matrix.iter().filter_map(|s| middle(&s.samples).map(|v| (&s.labels, v))).collect();
        let equal = wanted.len() == found.len()
            && wanted.iter().zip(&found).all(|((a, v), (b, w))| a == b && close(*v, *w));
        if equal { Ok(()) } else { Err(format!("as an instant {wanted:?}\nas a range {found:?}")) }
    }
}

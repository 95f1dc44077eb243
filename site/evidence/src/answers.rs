//! Answers by question, read as figures. `services` and `kpis` read through it; nothing that is not a
//! finite number leaves it as a value.

use crate::figures::number;
use crate::plan::Remembered;
use crate::{Figure, Plan, Question};
use promql::Value;
use series::{Labels, Sample};
use std::collections::{BTreeMap, HashMap};

/// What was told, by what was asked.
#[derive(Debug)]
pub(crate) struct Answers<'a> {
    by_question: HashMap<&'a Question, &'a Result<Value, String>>,
    now_ms: i64,
    age_s: u32,
}

impl<'a> Answers<'a> {
    /// Surplus answers are ignored; missing ones are "not asked yet". They were given `age_s` seconds ago.
    pub(crate) fn new(
        plan: &'a Plan,
        answers: &'a [Result<Value, String>],
        now_ms: i64,
        age_s: u32,
    ) -> Self {
        Self { by_question: plan.questions.iter().zip(answers).collect(), now_ms, age_s }
    }

    /// Whether they are of now.
    pub(crate) fn are_fresh(&self) -> bool {
        self.age_s == 0
    }

    /// A measured number, or "no traffic", as old as the answers are.
    pub(crate) fn number(&self, v: f64) -> Figure {
        self.as_old(number(v))
    }

    /// A figure, as old as the answers are.
    pub(crate) fn as_old(&self, figure: Figure) -> Figure {
        match figure {
            Figure::Value(v) if !self.are_fresh() => Figure::Stale(v, self.age_s),
            figure => figure,
        }
    }

    pub(crate) fn get(&self, question: &Question) -> Option<&'a Result<Value, String>> {
        self.by_question.get(question).copied()
    }

    /// The series of an instant answer; none when there is no such answer.
    pub(crate) fn vector(&self, question: &Question) -> impl Iterator<Item = (&'a Labels, f64)> {
        let vector: &[promql::VectorSample] = match self.get(question) {
            Some(Ok(Value::Vector(vector))) => vector,
            _ => &[],
        };
        vector.iter().map(|sample| (&sample.labels, sample.v))
    }

    /// A figure of every job: the answer for now, else the last of the past.
    pub(crate) fn by_job(&self, asked: &Remembered) -> ByJob {
        let missing = match self.get(&asked.now) {
            None => Figure::Loading,
            Some(Err(error)) => Figure::QueryError(error.clone()),
            Some(Ok(_)) => Figure::NoData,
        };
        let mut figures = BTreeMap::new();
        if let Some(Ok(Value::Matrix(past))) = self.get(&asked.past) {
            for series in past {
                if let Some(last) = self.last_of(&series.samples) {
                    figures.insert(job(&series.labels), last);
                }
            }
        }
        for (labels, v) in self.vector(&asked.now) {
            figures.insert(job(labels), self.number(v));
        }
        ByJob { figures, missing }
    }

    /// The last number of a series that has none now.
    pub(crate) fn last_of(&self, samples: &[Sample]) -> Option<Figure> {
        let last = samples.iter().rev().find(|sample| sample.v.is_finite())?;
        let age_s = self.now_ms.saturating_sub(last.t).max(0) / 1000;
        Some(Figure::Stale(last.v, u32::try_from(age_s).unwrap_or(u32::MAX)))
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.now_ms
    }
}

/// A figure by the label `job`.
#[derive(Debug)]
pub(crate) struct ByJob {
    figures: BTreeMap<String, Figure>,
    missing: Figure,
}

impl ByJob {
    pub(crate) fn get(&self, job: &str) -> Figure {
        self.figures.get(job).unwrap_or(&self.missing).clone()
    }

    pub(crate) fn jobs(&self) -> impl Iterator<Item = &str> {
        self.figures.keys().map(String::as_str)
    }
}

pub(crate) fn job(labels: &Labels) -> String {
    labels.value("job").to_owned()
}

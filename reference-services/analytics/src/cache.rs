//! Answers that may be given again: as long as no window has closed or been
//! refined since, by whichever replica. `api` asks for the version of the
//! results first, which is one row, and so never gives an old answer.

use chassis::Chassis;
use contracts::analytics::{Sold, Window};
use prometheus::IntCounterVec;
use quick_cache::sync;
use std::sync::Arc;

use crate::store::{Page, Range};

/// Most answers that are kept.
pub(crate) const MAX_ANSWERS: usize = 64;

/// Largest answer that is kept, in windows.
pub(crate) const MAX_WINDOWS: usize = 200;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// Windows of a series, perhaps of one key.
    Windows(&'static str, Option<String>, Range, Page),
    /// The products that sold best: how many are left out, and how many are wanted.
    Products(Range, u32, u32),
}

/// What was answered.
#[derive(Debug, Clone)]
pub(crate) enum Answered {
    Windows(Arc<Vec<Window>>),
    Products(Arc<Vec<Sold>>),
}

/// Answers with the version of the results that they were made from.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    kept: Arc<sync::Cache<Question, (i64, Answered)>>,
    asked: IntCounterVec,
}

impl Cache {
    pub(crate) fn new(chassis: &Chassis) -> Self {
        let asked = chassis.metrics.counter(
            "analytics_cache_total",
            "Questions by how they were answered: from the cache (`hit`) or not (`miss`).",
            &["outcome"],
        );
        Self { kept: Arc::new(sync::Cache::new(MAX_ANSWERS)), asked }
    }

    /// The answer to the question from results of this version.
    pub(crate) fn get(&self, question: &Question, version: i64) -> Option<Answered> {
        let found = self.kept.get(question).filter(|(of, _)| *of == version);
        let outcome = if found.is_some() { "hit" } else { "miss" };
        self.asked.with_label_values(&[outcome]).inc();
        found.map(|(_, answered)| answered)
    }

    pub(crate) fn put(&self, question: Question, version: i64, answered: &Answered) {
        let size = match answered {
            Answered::Windows(windows) => windows.len(),
            Answered::Products(products) => products.len(),
        };
        if size <= MAX_WINDOWS {
            self.kept.insert(question, (version, answered.clone()));
        }
    }
}

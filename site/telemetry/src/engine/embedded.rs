//! The engine built in: the stores of the [`Backend`].

use super::{AskError, Condition, FoundExemplars, MetricsEngine, StepRange, TracesEngine};
use crate::{Backend, Exemplar, MetricMeta};
use promql::{Answer, EvalError, Limits, ParseError, Query};
use series::{Labels, Matcher, Storage as _};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use traces::{Search, Span, Trace, TraceId, TraceSummary};

/// A query that takes longer is given up.
const QUERY_TIME: Duration = Duration::from_secs(2);
/// Queries that are kept as they were parsed; beyond, all are parsed anew.
const MAX_PARSED: usize = 5000;

impl From<EvalError> for AskError {
    fn from(error: EvalError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<ParseError> for AskError {
    fn from(error: ParseError) -> Self {
        Self::Refused(error.to_string())
    }
}

/// Queries by their texts: a book asks the same ones every second.
#[derive(Debug, Default)]
pub(crate) struct ParsedQueries(Mutex<HashMap<String, Arc<Query>>>);

impl ParsedQueries {
    fn query(&self, text: &str) -> Result<Arc<Query>, ParseError> {
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(query) = known().get(text) {
            return Ok(query.clone());
        }
        let query = Arc::new(Query::parse(text)?);
        let mut known = known();
        if known.len() >= MAX_PARSED {
            known.clear();
        }
        known.insert(text.to_owned(), query.clone());
        Ok(query)
    }
}

fn condition(backend: &Backend) -> Condition {
    let answered_ms = Some(backend.now_ms());
    Condition { name: "the engine built in".to_owned(), fault: None, answered_ms }
}

fn limits() -> Limits {
    Limits::default().until(Instant::now() + QUERY_TIME)
}

/// What `find` finds for each selector, or for everything when there is none.
fn collect<T: Ord>(
    selectors: &[String],
    find: impl Fn(&[Matcher]) -> Vec<T>,
) -> Result<Vec<T>, AskError> {
    if selectors.is_empty() {
        return Ok(find(&[]));
    }
    let mut found = BTreeSet::new();
    for selector in selectors {
        for matchers in Query::parse(selector)?.selectors() {
            found.extend(find(&matchers));
        }
    }
    Ok(found.into_iter().collect())
}

impl MetricsEngine for Backend {
    fn condition(&self) -> Condition {
        condition(self)
    }

    fn is_remote(&self) -> bool {
        false
    }

    fn oldest_ms(&self) -> Option<i64> {
        self.metrics.stats().oldest_ms
    }

    fn instant(&self, query: &str, at_ms: i64) -> Result<Answer, AskError> {
        Ok(self.parsed.query(query)?.instant(&*self.metrics, at_ms, &limits())?)
    }

    fn range(&self, query: &str, steps: StepRange) -> Result<Answer, AskError> {
        let StepRange { start_ms, end_ms, step_ms } = steps;
        let query = self.parsed.query(query)?;
        Ok(query.range(&*self.metrics, start_ms, end_ms, step_ms, &limits())?)
    }

    fn series(
        &self,
        selectors: &[String],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<Labels>, AskError> {
        collect(selectors, |matchers| self.metrics.series(matchers, start_ms, end_ms))
    }

    fn label_names(
        &self,
        selectors: &[String],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, AskError> {
        collect(selectors, |matchers| self.metrics.label_names(matchers, start_ms, end_ms))
    }

    fn label_values(
        &self,
        name: &str,
        selectors: &[String],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, AskError> {
        collect(selectors, |matchers| self.metrics.label_values(name, matchers, start_ms, end_ms))
    }

    fn metadata(&self) -> Result<BTreeMap<String, MetricMeta>, AskError> {
        Ok(Self::metadata(self))
    }

    fn exemplars(
        &self,
        query: &str,
        start_ms: i64,
        end_ms: i64,
    ) -> Result<FoundExemplars, AskError> {
        let selectors = Query::parse(query)?.selectors();
        let found =
            selectors.iter().flat_map(|matchers| self.exemplars.select(matchers, start_ms, end_ms));
        // Two selectors of one query may find the same series.
        let found: BTreeMap<Labels, Vec<Exemplar>> = found.collect();
        Ok(found.into_iter().collect())
    }
}

impl TracesEngine for Backend {
    fn condition(&self) -> Condition {
        condition(self)
    }

    fn services(&self) -> Result<Vec<String>, AskError> {
        Ok(self.traces.services().iter().map(ToString::to_string).collect())
    }

    fn operations(&self, service: &str) -> Result<Vec<String>, AskError> {
        Ok(self.traces.operations(service).iter().map(ToString::to_string).collect())
    }

    fn search(&self, search: &Search) -> Result<Vec<TraceSummary>, AskError> {
        Ok(self.search_traces(search))
    }

    fn trace(&self, id: &TraceId) -> Result<Option<Trace>, AskError> {
        Ok(Self::trace(self, id))
    }

    fn recent(
        &self,
        _from_ms: i64,
        _to_ms: i64,
        _known: &dyn Fn(&TraceId) -> bool,
    ) -> Result<Vec<Span>, AskError> {
        // Everything is here already.
        Ok(Vec::new())
    }
}

//! Prometheus's HTTP API, asked: Prometheus itself, VictoriaMetrics, Mimir, Thanos.

use super::http::{Query, Remote, quoted};
use super::{AskError, Condition, FoundExemplars, MetricsEngine, RemoteOptions, StepRange};
use crate::prometheus_json::seconds;
use crate::{Clock, Exemplar, MetricKind, MetricMeta};
use promql::{Answer, MatrixSeries, Value, VectorSample};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use series::{Labels, Sample};
use std::collections::BTreeMap;

/// A team's engine is taken to have samples of a month, the longest span that objectives usually have.
const ASSUMED_AGE_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// Said when an engine could read only a part of its data.
const PARTIAL: &str = "the answer is partial: some of the engine's stores did not answer";

/// An engine that speaks Prometheus's HTTP API.
#[derive(Debug)]
pub struct RemotePrometheus {
    remote: Remote,
}

/// The envelope of every answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<T> {
    status: String,
    data: Option<T>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    infos: Vec<String>,
    #[serde(default)]
    is_partial: bool,
}

/// A value of a query. Samples are pairs of seconds and a number in words.
#[derive(Debug, Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Data {
    Scalar((f64, String)),
    String((f64, String)),
    Vector(Vec<Instant>),
    Matrix(Vec<Line>),
}

type Metric = BTreeMap<String, String>;

#[derive(Debug, Deserialize)]
struct Instant {
    metric: Metric,
    /// Absent for a native histogram, which is left out.
    value: Option<(f64, String)>,
}

#[derive(Debug, Deserialize)]
struct Line {
    metric: Metric,
    #[serde(default)]
    values: Vec<(f64, String)>,
}

#[derive(Debug, Deserialize)]
struct Meta {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    help: String,
    #[serde(default)]
    unit: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WithExemplars {
    series_labels: Metric,
    exemplars: Vec<Told>,
}

#[derive(Debug, Deserialize)]
struct Told {
    labels: Metric,
    value: String,
    timestamp: f64,
}

impl RemotePrometheus {
    /// An engine at an address; nothing is asked yet. Fails when the file of authorities cannot be read.
    pub fn new(options: RemoteOptions, clock: Clock) -> Result<Self, AskError> {
        Ok(Self { remote: Remote::new(options, clock)? })
    }

    /// A question as it was asked at Loggia's own door, and the answer as it came.
    pub(super) fn pass(&self, path: &str, query: &Query<'_>) -> Result<(u16, Vec<u8>), AskError> {
        let named = |error| match error {
            AskError::Down(why) => {
                AskError::Down(format!("{} does not answer: {why}", self.remote.name()))
            }
            refused => refused,
        };
        let reply = self.remote.ask(path, query, "application/json").map_err(named)?;
        Ok((reply.status.as_u16(), reply.body))
    }

    fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query<'_>,
    ) -> Result<Envelope<T>, AskError> {
        let reply = self.remote.ask(path, query, "application/json")?;
        if !reply.status.is_success() {
            let told: Option<Envelope<serde_json::Value>> =
                serde_json::from_slice(&reply.body).ok();
            let said = told.and_then(|envelope| envelope.error);
            return Err(self.remote.refused(&reply, said.as_deref()));
        }
        let envelope: Envelope<T> = serde_json::from_slice(&reply.body)
            .map_err(|error| self.remote.strange(&error.to_string()))?;
        if envelope.status != "success" {
            return Err(AskError::Refused(envelope.error.unwrap_or(envelope.status)));
        }
        Ok(envelope)
    }

    fn query(&self, path: &str, query: &Query<'_>) -> Result<Answer, AskError> {
        let envelope: Envelope<Data> = self.ask(path, query)?;
        let Some(data) = envelope.data else {
            return Err(self.remote.strange("there is no `data`"));
        };
        let value = value(data).map_err(|why| self.remote.strange(&why))?;
        let mut warnings = envelope.warnings;
        if envelope.is_partial {
            warnings.push(PARTIAL.to_owned());
        }
        Ok(Answer { value, warnings, infos: envelope.infos })
    }

    fn list<T: DeserializeOwned + Default>(
        &self,
        path: &str,
        selectors: &[String],
        (start_ms, end_ms): (i64, i64),
    ) -> Result<T, AskError> {
        let mut query: Query<'_> =
            vec![("start", seconds(start_ms.max(0))), ("end", seconds(end_ms.max(0)))];
        query.extend(selectors.iter().map(|selector| ("match[]", selector.clone())));
        Ok(self.ask(path, &query)?.data.unwrap_or_default())
    }
}

impl MetricsEngine for RemotePrometheus {
    fn condition(&self) -> Condition {
        self.remote.condition()
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn oldest_ms(&self) -> Option<i64> {
        Some(self.remote.now_ms() - ASSUMED_AGE_MS)
    }

    fn instant(&self, query: &str, at_ms: i64) -> Result<Answer, AskError> {
        self.query("/api/v1/query", &vec![("query", query.to_owned()), ("time", seconds(at_ms))])
    }

    fn range(&self, query: &str, steps: StepRange) -> Result<Answer, AskError> {
        let query = vec![
            ("query", query.to_owned()),
            ("start", seconds(steps.start_ms)),
            ("end", seconds(steps.end_ms)),
            ("step", seconds(steps.step_ms)),
        ];
        self.query("/api/v1/query_range", &query)
    }

    fn series(
        &self,
        selectors: &[String],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<Labels>, AskError> {
        let everything = [r#"{__name__!=""}"#.to_owned()];
        let selectors = if selectors.is_empty() { &everything } else { selectors };
        let found: Vec<Metric> = self.list("/api/v1/series", selectors, (start_ms, end_ms))?;
        let mut series: Vec<Labels> = found.into_iter().map(labels).collect();
        series.sort();
        series.dedup();
        Ok(series)
    }

    fn label_names(
        &self,
        selectors: &[String],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, AskError> {
        let mut names: Vec<String> = self.list("/api/v1/labels", selectors, (start_ms, end_ms))?;
        names.sort_unstable();
        Ok(names)
    }

    fn label_values(
        &self,
        name: &str,
        selectors: &[String],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<String>, AskError> {
        let path = format!("/api/v1/label/{}/values", quoted(name));
        let mut values: Vec<String> = self.list(&path, selectors, (start_ms, end_ms))?;
        values.sort_unstable();
        Ok(values)
    }

    fn metadata(&self) -> Result<BTreeMap<String, MetricMeta>, AskError> {
        let found: Option<BTreeMap<String, Vec<Meta>>> =
            self.ask("/api/v1/metadata", &Vec::new())?.data;
        let first = |(name, list): (String, Vec<Meta>)| {
            let meta = list.into_iter().next()?;
            let kind: MetricKind = serde_json::from_value(meta.kind.into()).unwrap_or_default();
            Some((name, MetricMeta::new(kind, meta.help, meta.unit)))
        };
        Ok(found.unwrap_or_default().into_iter().filter_map(first).collect())
    }

    fn exemplars(
        &self,
        query: &str,
        start_ms: i64,
        end_ms: i64,
    ) -> Result<FoundExemplars, AskError> {
        let asked = vec![
            ("query", query.to_owned()),
            ("start", seconds(start_ms.max(0))),
            ("end", seconds(end_ms.max(0))),
        ];
        let found: Option<Vec<WithExemplars>> = self.ask("/api/v1/query_exemplars", &asked)?.data;
        let one = |told: Told| {
            Some(Exemplar {
                labels: told.labels.into_iter().collect(),
                value: told.value.parse().ok()?,
                timestamp_ms: Some(ms(told.timestamp)),
            })
        };
        let of_series = |series: WithExemplars| {
            (labels(series.series_labels), series.exemplars.into_iter().filter_map(one).collect())
        };
        Ok(found.unwrap_or_default().into_iter().map(of_series).collect())
    }
}

fn labels(metric: Metric) -> Labels {
    Labels::from_pairs(metric)
}

fn ms(seconds: f64) -> i64 {
    (seconds * 1000.0).round() as i64
}

fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("`{text}` is no number"))
}

fn value(data: Data) -> Result<Value, String> {
    Ok(match data {
        Data::Scalar((t, v)) => Value::Scalar { t: ms(t), v: number(&v)? },
        Data::String((t, text)) => Value::String { t: ms(t), text },
        Data::Vector(list) => {
            let sample = |item: Instant| {
                let (t, v) = item.value?;
                Some(number(&v).map(|v| VectorSample { labels: labels(item.metric), t: ms(t), v }))
            };
            Value::Vector(list.into_iter().filter_map(sample).collect::<Result<_, _>>()?)
        }
        Data::Matrix(list) => {
            let line = |line: Line| -> Result<MatrixSeries, String> {
                let sample = |(t, v): (f64, String)| Ok(Sample { t: ms(t), v: number(&v)? });
                let samples = line.values.into_iter().map(sample).collect::<Result<_, String>>()?;
                Ok(MatrixSeries { labels: labels(line.metric), samples })
            };
            let mut matrix: Vec<MatrixSeries> =
                list.into_iter().map(line).collect::<Result<_, _>>()?;
            matrix.sort_by(|a, b| a.labels.cmp(&b.labels));
            Value::Matrix(matrix)
        }
    })
}

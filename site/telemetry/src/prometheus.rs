//! The Prometheus HTTP API on the embedded backend, for Grafana, promtool and client libraries.
//!
//! `loggia` mounts the router; queries are evaluated by `promql` beside the network threads.

use crate::admission::{MAX_WAITING_QUERIES, NoPlace, Queries, RETRY_AFTER_S};
use crate::prometheus_json as json;
use crate::prometheus_params::Params;
use crate::remote_write::remote_write_router;
use crate::{Backend, Clock, Exemplar, TargetHealth, TargetStatus};
use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use promql::{Answer, EvalError, Query};
use serde::Serialize;
use serde_json::{Value, json};
use series::{Labels, Matcher, Storage as _};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a query may take at most, also when it asks for more.
const MAX_QUERY_TIME: Duration = Duration::from_secs(30);
/// Points that a range query may ask for, as in Prometheus.
const MAX_POINTS: i64 = 11_000;
/// The kind of the error for a query that found no place.
pub(crate) const UNAVAILABLE: &str = "unavailable";
/// The pool that all targets belong to.
const POOL: &str = "loggia";

/// `/api/v1/...` as Prometheus has it, with the door for remote write: mount at `/prometheus`.
pub fn prometheus_router(backend: Arc<Backend>, clock: Clock) -> Router {
    Router::new()
        // Clients ask these to know whether anybody is there.
        .route("/", get(alive))
        .route("/-/healthy", get(alive))
        .route("/-/ready", get(alive))
        .route("/api/v1/query", get(query).post(query))
        .route("/api/v1/query_range", get(query_range).post(query_range))
        .route("/api/v1/query_exemplars", get(query_exemplars).post(query_exemplars))
        .route("/api/v1/series", get(series).post(series))
        .route("/api/v1/labels", get(labels).post(labels))
        .route("/api/v1/label/{name}/values", get(label_values))
        .route("/api/v1/targets", get(targets))
        .route("/api/v1/metadata", get(metadata))
        .route("/api/v1/status/buildinfo", get(build_info))
        .with_state(Api { backend: backend.clone(), clock, queries: Queries::default() })
        .merge(remote_write_router(backend))
}

#[derive(Clone)]
struct Api {
    backend: Arc<Backend>,
    clock: Clock,
    queries: Queries,
}

/// An error as the API tells it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) kind: &'static str,
    pub(crate) message: String,
}

impl Failure {
    fn bad_data(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind: "bad_data", message: message.into() }
    }

    pub(crate) fn parameter(name: &str, why: &str) -> Self {
        Self::bad_data(format!("invalid parameter \"{name}\": {why}"))
    }
}

impl From<NoPlace> for Failure {
    fn from(why: NoPlace) -> Self {
        match why {
            NoPlace::TooLate => EvalError::Timeout.into(),
            NoPlace::Full => Self {
                status: StatusCode::SERVICE_UNAVAILABLE,
                kind: UNAVAILABLE,
                message: format!("{MAX_WAITING_QUERIES} queries are waiting already"),
            },
        }
    }
}

impl From<EvalError> for Failure {
    fn from(error: EvalError) -> Self {
        let (status, kind) = match error {
            EvalError::Timeout => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
            EvalError::TooManyPoints { .. } => (StatusCode::BAD_REQUEST, "bad_data"),
            _ => (StatusCode::UNPROCESSABLE_ENTITY, "execution"),
        };
        Self { status, kind, message: error.to_string() }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = send(self.status, json::error(self.kind, &self.message));
        if self.kind == UNAVAILABLE {
            let after = HeaderValue::from_static(RETRY_AFTER_S);
            response.headers_mut().insert(header::RETRY_AFTER, after);
        }
        response
    }
}

fn send(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

type Answered = Result<Response, Failure>;

pub(crate) async fn alive() -> &'static str {
    "Loggia answers as Prometheus does, below /api/v1.\n"
}

async fn query(State(api): State<Api>, params: Params) -> Answered {
    let at_ms = params.time("time")?.unwrap_or_else(|| api.clock.now_ms());
    let query = parse("query", params.get("query"))?;
    api.evaluate(&params, move |head, limits| query.instant(head, at_ms, limits)).await
}

async fn query_range(State(api): State<Api>, params: Params) -> Answered {
    let (start_ms, end_ms) = (params.needed_time("start")?, params.needed_time("end")?);
    if end_ms < start_ms {
        return Err(Failure::parameter("end", "end timestamp must not be before start time"));
    }
    let step_ms = params
        .duration("step")?
        .ok_or_else(|| Failure::parameter("step", "cannot parse \"\" to a valid duration"))?;
    if step_ms <= 0 {
        let why = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(Failure::parameter("step", why));
    }
    if (end_ms - start_ms) / step_ms > MAX_POINTS {
        return Err(Failure::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. \
             Try decreasing the query resolution (?step=XX)",
        ));
    }
    let query = parse("query", params.get("query"))?;
    if !query.has_steps() {
        let why = "a range query needs a scalar or an instant vector";
        return Err(Failure::parameter("query", why));
    }
    api.evaluate(&params, move |head, limits| query.range(head, start_ms, end_ms, step_ms, limits))
        .await
}

/// The exemplars of every series that the query reads.
async fn query_exemplars(State(api): State<Api>, params: Params) -> Answered {
    let (start_ms, end_ms) =
        (params.time("start")?.unwrap_or(i64::MIN), params.time("end")?.unwrap_or(i64::MAX));
    if end_ms < start_ms {
        return Err(Failure::bad_data("end timestamp must not be before start timestamp"));
    }
    let selectors = parse("query", params.get("query"))?.selectors();
    let backend = api.backend.clone();
    api.beside(Instant::now() + MAX_QUERY_TIME, move || {
        let found = selectors
            .iter()
            .flat_map(|matchers| backend.exemplars.select(matchers, start_ms, end_ms));
        // Two selectors of one query may find the same series.
        let found: BTreeMap<_, _> = found.collect();
        let list: Vec<Value> =
            found.iter().map(|(labels, exemplars)| exemplars_json(labels, exemplars)).collect();
        Ok(json::success(&list.into(), &[]))
    })
    .await
}

impl Api {
    /// Works on a thread that may take its time, once its turn has come.
    async fn beside(
        &self,
        deadline: Instant,
        work: impl FnOnce() -> Result<String, Failure> + Send + 'static,
    ) -> Answered {
        let places = self.queries.enter(deadline).await?;
        let work = move || {
            // Also when the client has gone meanwhile the place is taken until the work is done.
            let _places = places;
            work()
        };
        let body = tokio::task::spawn_blocking(work).await.map_err(|_| Failure {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            kind: "internal",
            message: "the evaluation of the query failed".to_owned(),
        })??;
        Ok(send(StatusCode::OK, body))
    }

    /// Evaluates with a deadline.
    async fn evaluate<F>(&self, params: &Params, run: F) -> Answered
    where
        F: FnOnce(&series::Head, &promql::Limits) -> Result<Answer, EvalError> + Send + 'static,
    {
        let asked = params
            .duration("timeout")?
            .and_then(|ms| u64::try_from(ms).ok())
            .map(Duration::from_millis);
        let deadline = Instant::now() + asked.unwrap_or(MAX_QUERY_TIME).min(MAX_QUERY_TIME);
        let limits = promql::Limits::default().until(deadline);
        let head = self.backend.metrics.clone();
        self.beside(deadline, move || Ok(json::query(&run(&head, &limits)?))).await
    }

    /// Lists what `find` finds in the store for each selector, cut to the limit asked for.
    async fn list<T, F>(&self, params: &Params, selection: Selection, find: F) -> Answered
    where
        T: Ord + Serialize,
        F: Fn(&series::Head, &[Matcher], &Selection) -> Vec<T> + Send + 'static,
    {
        let (head, limit) = (self.backend.metrics.clone(), params.limit()?);
        let deadline = Instant::now() + MAX_QUERY_TIME;
        self.beside(deadline, move || {
            let found =
                selection.collect(deadline, |matchers| find(&head, matchers, &selection))?;
            let (found, warnings) = limited(found, limit);
            Ok(json::success(&json!(found), &warnings))
        })
        .await
    }
}

fn parse(name: &str, text: &str) -> Result<Query, Failure> {
    Query::parse(text).map_err(|error| Failure::parameter(name, &error.to_string()))
}

/// The selectors of `match[]` and the time range; all of time when it is not said.
struct Selection {
    selectors: Vec<Vec<Matcher>>,
    start_ms: i64,
    end_ms: i64,
}

impl Selection {
    fn read(params: &Params) -> Result<Self, Failure> {
        let selectors = params.all("match[]").map(selector).collect::<Result<_, _>>()?;
        let start_ms = params.time("start")?.unwrap_or(i64::MIN);
        let end_ms = params.time("end")?.unwrap_or(i64::MAX);
        if end_ms < start_ms {
            return Err(Failure::parameter("end", "end timestamp must not be before start time"));
        }
        Ok(Self { selectors, start_ms, end_ms })
    }

    /// What `find` finds for each selector, or for everything when there is none.
    fn collect<T: Ord>(
        &self,
        deadline: Instant,
        find: impl Fn(&[Matcher]) -> Vec<T>,
    ) -> Result<BTreeSet<T>, EvalError> {
        if self.selectors.is_empty() {
            return Ok(find(&[]).into_iter().collect());
        }
        let mut found = BTreeSet::new();
        for matchers in &self.selectors {
            if Instant::now() >= deadline {
                return Err(EvalError::Timeout);
            }
            found.extend(find(matchers));
        }
        Ok(found)
    }
}

fn selector(text: &str) -> Result<Vec<Matcher>, Failure> {
    let query = parse("match[]", text)?;
    // One selector and nothing around it: a name, braces or both.
    let text = text.trim();
    let name = text.split('{').next().unwrap_or("").trim_end();
    let bare = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'));
    let closed = text.ends_with('}') || !text.contains('{');
    match query.selectors().as_slice() {
        [matchers] if bare && closed => Ok(matchers.clone()),
        _ => Err(Failure::parameter(
            "match[]",
            "expected a metric selector such as `up{job=\"orders\"}`",
        )),
    }
}

/// Cuts a list to its limit and says so.
fn limited<T>(items: BTreeSet<T>, limit: usize) -> (Vec<T>, Vec<String>) {
    let cut = items.len() > limit;
    let warnings = if cut { vec!["results truncated due to limit".to_owned()] } else { Vec::new() };
    (items.into_iter().take(limit).collect(), warnings)
}

async fn series(State(api): State<Api>, params: Params) -> Answered {
    let selection = Selection::read(&params)?;
    if selection.selectors.is_empty() {
        return Err(Failure::bad_data("no match[] parameter provided"));
    }
    let series = |head: &series::Head, matchers: &[Matcher], range: &Selection| {
        head.series(matchers, range.start_ms, range.end_ms)
    };
    api.list(&params, selection, series).await
}

async fn labels(State(api): State<Api>, params: Params) -> Answered {
    let selection = Selection::read(&params)?;
    let names = |head: &series::Head, matchers: &[Matcher], range: &Selection| {
        head.label_names(matchers, range.start_ms, range.end_ms)
    };
    api.list(&params, selection, names).await
}

async fn label_values(
    State(api): State<Api>,
    Path(name): Path<String>,
    params: Params,
) -> Answered {
    if name.is_empty() {
        return Err(Failure::bad_data(format!("invalid label name: {name:?}")));
    }
    let selection = Selection::read(&params)?;
    let values = move |head: &series::Head, matchers: &[Matcher], range: &Selection| {
        head.label_values(&name, matchers, range.start_ms, range.end_ms)
    };
    api.list(&params, selection, values).await
}

async fn targets(State(api): State<Api>, params: Params) -> Answered {
    let active: Vec<Value> = match params.get("state") {
        "" | "any" | "active" => api.backend.targets().iter().map(target_json).collect(),
        "dropped" => Vec::new(),
        _ => return Err(Failure::parameter("state", "expected one of active, dropped, any")),
    };
    let data = json!({ "activeTargets": active, "droppedTargets": [], "droppedTargetCounts": { POOL: 0 } });
    Ok(send(StatusCode::OK, json::success(&data, &[])))
}

async fn metadata(State(api): State<Api>, params: Params) -> Answered {
    let (limit, wanted) = (params.limit()?, params.get("metric"));
    let metadata = api.backend.metadata();
    let found =
        metadata.iter().filter(|(name, _)| wanted.is_empty() || wanted == *name).take(limit);
    let data: serde_json::Map<_, _> =
        found.map(|(name, meta)| (name.clone(), json!([meta]))).collect();
    Ok(send(StatusCode::OK, json::success(&data.into(), &[])))
}

async fn build_info() -> Response {
    let data = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "revision": "",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
        "application": "loggia",
    });
    send(StatusCode::OK, json::success(&data, &[]))
}

fn labels_json(labels: &Labels) -> Value {
    labels
        .iter()
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn exemplars_json(labels: &Labels, exemplars: &[Exemplar]) -> Value {
    let one = |exemplar: &Exemplar| {
        let labels: serde_json::Map<_, _> = exemplar
            .labels
            .iter()
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect();
        json!({
            "labels": labels,
            "value": json::number(exemplar.value),
            "timestamp": json::time(exemplar.timestamp_ms.unwrap_or_default()),
        })
    };
    json!({ "seriesLabels": labels_json(labels), "exemplars": exemplars.iter().map(one).collect::<Vec<_>>() })
}

fn target_json(target: &TargetStatus) -> Value {
    let health = match target.health {
        TargetHealth::Unknown => "unknown",
        TargetHealth::Up => "up",
        TargetHealth::Down => "down",
    };
    let seconds = |seconds: f64| match (seconds * 1000.0).round() as i64 {
        ms if ms % 1000 == 0 => format!("{}s", ms / 1000),
        ms => format!("{ms}ms"),
    };
    let last = target.last_scrape_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    json!({
        "discoveredLabels": labels_json(&target.discovered),
        "labels": labels_json(&target.labels),
        "scrapePool": POOL,
        "scrapeUrl": target.url,
        "globalUrl": target.url,
        "lastError": target.last_error,
        // Go's zero time stands for "never".
        "lastScrape": last.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |time| time.to_string()),
        "lastScrapeDuration": target.last_duration_s,
        "health": health,
        "scrapeInterval": seconds(target.interval_s),
        "scrapeTimeout": seconds(target.timeout_s),
    })
}

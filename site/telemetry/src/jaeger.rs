//! Jaeger's query APIs on the embedded backend, for its user interface, Grafana and scripts.
//!
//! `loggia` mounts the router at `/jaeger`. Searches see what memory holds, the newest; a trace by its id is also found on
//! disk. They take turns with the queries for metrics.

use crate::Backend;
use crate::admission::{NoPlace, Queries, RETRY_AFTER_S};
use crate::jaeger_json;
use crate::jaeger_query::{Wanted, parse, parse_id, parse_v3};
use crate::prometheus_params::Params;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use traces::{Kind, Search, Trace, TraceId};

/// How long a search may wait for its turn.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// Spans in an answer at most; the traces beyond are left out.
const MAX_SPANS: usize = 100_000;
/// Milliseconds that `/api/dependencies` looks back unless asked otherwise, as in Jaeger: a day.
const USUAL_LOOKBACK_MS: i64 = 24 * 60 * 60 * 1000;

/// `/api/...` and `/api/v3/...` as Jaeger has them: mount at `/jaeger`.
pub fn jaeger_router(backend: Arc<Backend>) -> Router {
    Router::new()
        .route("/api/services", get(services))
        .route("/api/services/{service}/operations", get(operations_of))
        .route("/api/operations", get(operations))
        .route("/api/traces", get(find))
        .route("/api/traces/{id}", get(trace))
        .route("/api/dependencies", get(dependencies))
        .route("/api/v3/services", get(services_v3))
        .route("/api/v3/operations", get(operations_v3))
        .route("/api/v3/traces", get(find_v3))
        .route("/api/v3/traces/{id}", get(trace_v3))
        .with_state(Api { backend, queries: Queries::default() })
}

#[derive(Clone)]
struct Api {
    backend: Arc<Backend>,
    queries: Queries,
}

/// Why there is no answer.
#[derive(Debug)]
struct Failure {
    status: StatusCode,
    message: String,
}

impl Failure {
    fn bad(message: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message }
    }

    fn not_found() -> Self {
        Self { status: StatusCode::NOT_FOUND, message: "trace not found".to_owned() }
    }

    fn answer(self, body: Value) -> Response {
        let mut response = (self.status, Json(body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            let after = HeaderValue::from_static(RETRY_AFTER_S);
            response.headers_mut().insert(header::RETRY_AFTER, after);
        }
        response
    }

    /// As `/api` says it.
    fn v1(self) -> Response {
        let error = json!({ "code": self.status.as_u16(), "msg": self.message });
        self.answer(json!({ "data": null, "total": 0, "limit": 0, "offset": 0, "errors": [error] }))
    }

    /// As `/api/v3` says it.
    fn v3(self) -> Response {
        let error = json!({ "httpCode": self.status.as_u16(), "message": self.message });
        self.answer(json!({ "error": error }))
    }
}

fn data(items: Vec<Value>) -> Response {
    let total = items.len();
    Json(json!({ "data": items, "total": total, "limit": 0, "offset": 0, "errors": null }))
        .into_response()
}

impl Api {
    /// Works beside the network threads when it is its turn.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Backend) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let unavailable = |message: &str| Failure {
            status: StatusCode::SERVICE_UNAVAILABLE,
            message: message.to_owned(),
        };
        let place =
            self.queries.enter(Instant::now() + MAX_WAIT).await.map_err(|why| match why {
                NoPlace::Full => unavailable("too many queries are waiting already"),
                NoPlace::TooLate => unavailable("the query's turn did not come in time"),
            })?;
        let backend = Arc::clone(&self.backend);
        let worked = tokio::task::spawn_blocking(move || {
            let _place = place;
            work(&backend)
        });
        worked.await.map_err(|_| Failure {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            message: "the query failed; please report it".to_owned(),
        })
    }

    async fn wanted(&self, wanted: Wanted) -> Result<Vec<Trace>, Failure> {
        self.work(move |backend| match wanted {
            Wanted::Ids(ids) => bounded(ids.iter().filter_map(|id| backend.trace(id))),
            Wanted::Found(search) => found(backend, &search),
        })
        .await
    }

    async fn by_id(&self, id: &str) -> Result<Trace, Failure> {
        let id: TraceId = parse_id(id).map_err(Failure::bad)?;
        self.work(move |backend| backend.trace(&id)).await?.ok_or_else(Failure::not_found)
    }
}

/// The traces that fit, newest first.
fn found(backend: &Backend, search: &Search) -> Vec<Trace> {
    let summaries = backend.search_traces(search);
    bounded(summaries.iter().filter_map(|summary| backend.trace(&summary.id)))
}

fn bounded(traces: impl Iterator<Item = Trace>) -> Vec<Trace> {
    let mut spans = 0;
    let within = |trace: &Trace| {
        spans += trace.rows.len();
        spans <= MAX_SPANS
    };
    traces.take_while(within).collect()
}

async fn services(State(api): State<Api>) -> Response {
    data(api.backend.traces.services().iter().map(|name| json!(**name)).collect())
}

async fn operations_of(State(api): State<Api>, Path(service): Path<String>) -> Response {
    data(api.backend.traces.operations(&service).iter().map(|name| json!(**name)).collect())
}

async fn operations(State(api): State<Api>, params: Params) -> Response {
    let service = params.get("service");
    if service.is_empty() {
        return Failure::bad("parameter `service` is required".to_owned()).v1();
    }
    data(kinds(&api.backend, service, params.get("spanKind")))
}

fn kinds(backend: &Backend, service: &str, wanted: &str) -> Vec<Value> {
    let fits = |kind: Kind| wanted.is_empty() || wanted.eq_ignore_ascii_case(kind.name());
    let all = backend.traces.operation_kinds(service);
    let some = all.iter().filter(|(_, kind)| fits(*kind));
    some.map(|(name, kind)| json!({ "name": **name, "spanKind": kind.name() })).collect()
}

async fn find(State(api): State<Api>, params: Params) -> Response {
    let wanted = match parse(&params) {
        Ok(wanted) => wanted,
        Err(why) => return Failure::bad(why).v1(),
    };
    match api.wanted(wanted).await {
        Ok(traces) => data(traces.iter().map(jaeger_json::trace).collect()),
        Err(failure) => failure.v1(),
    }
}

async fn trace(State(api): State<Api>, Path(id): Path<String>) -> Response {
    match api.by_id(&id).await {
        Ok(trace) => data(vec![jaeger_json::trace(&trace)]),
        Err(failure) => failure.v1(),
    }
}

async fn dependencies(State(api): State<Api>, params: Params) -> Response {
    let number = |name: &str, usual: i64| match params.get(name) {
        "" => Ok(usual),
        text => text.parse::<i64>().map_err(|_| {
            Failure::bad(format!(
                "malformed parameter `{name}`: expected milliseconds, not `{text}`"
            ))
        }),
    };
    let end = number("endTs", api.backend.now_ms());
    let (end, lookback) = match (end, number("lookback", USUAL_LOOKBACK_MS)) {
        (Ok(end), Ok(lookback)) => (end, lookback),
        (Err(failure), _) | (_, Err(failure)) => return failure.v1(),
    };
    let counted = api
        .work(move |backend| backend.traces.dependencies(end.saturating_sub(lookback), end))
        .await;
    let link = |((parent, child), calls): (&(Arc<str>, Arc<str>), &u64)| json!({ "parent": **parent, "child": **child, "callCount": calls });
    match counted {
        Ok(counted) => data(counted.iter().map(link).collect()),
        Err(failure) => failure.v1(),
    }
}

async fn services_v3(State(api): State<Api>) -> Response {
    let names = api.backend.traces.services();
    Json(json!({ "services": names.iter().map(|name| &**name).collect::<Vec<_>>() }))
        .into_response()
}

async fn operations_v3(State(api): State<Api>, params: Params) -> Response {
    let found = kinds(&api.backend, params.get("service"), params.get("span_kind"));
    Json(json!({ "operations": found })).into_response()
}

async fn find_v3(State(api): State<Api>, params: Params) -> Response {
    let search = match parse_v3(&params) {
        Ok(search) => search,
        Err(why) => return Failure::bad(why).v3(),
    };
    match api.wanted(Wanted::Found(Box::new(search))).await {
        Ok(traces) if traces.is_empty() => Failure::not_found().v3(),
        Ok(traces) => otlp(&traces),
        Err(failure) => failure.v3(),
    }
}

async fn trace_v3(State(api): State<Api>, Path(id): Path<String>) -> Response {
    match api.by_id(&id).await {
        Ok(trace) => otlp(&[trace]),
        Err(failure) => failure.v3(),
    }
}

fn otlp(traces: &[Trace]) -> Response {
    let spans = traces.iter().flat_map(|trace| trace.rows.iter().map(|row| &*row.span));
    let groups = traces::encode_spans(spans);
    Json(json!({ "result": { "resourceSpans": groups } })).into_response()
}

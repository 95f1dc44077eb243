//! Servers that answer in the shapes of Jaeger and of Tempo, with traces of their own. Neither can be installed from a
//! package here, so their answers are made as their sources write them: Jaeger's JSON with names for kinds and codes,
//! Tempo's protobuf and, as older versions do, JSON with ids in base64.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, TracesData};
use prost::Message as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// A failed request to `shop`, which calls `bank`.
pub(super) const FAILED: &str = "0af7651916cd43dd8448eb211c80319c";
/// A sound one, of `shop` alone. Its id begins with zeros.
pub(super) const SOUND: &str = "0000000000000000a3ce929d0e0e4736";

/// Two traces that began some seconds before `now_ns`.
pub(super) struct Recorded {
    now_ns: u64,
    /// What was asked, address and headers, newest last.
    pub(super) asked: Mutex<Vec<String>>,
}

impl Recorded {
    pub(super) fn new(now_ms: i64) -> Arc<Self> {
        let now_ns = u64::try_from(now_ms).unwrap() * 1_000_000;
        Arc::new(Self { now_ns, asked: Mutex::default() })
    }

    /// OTLP in its own JSON: hexadecimal ids, numbers for kinds and codes.
    fn groups(&self, trace: &str) -> Vec<Value> {
        let span = |id: &str, parent: &str, name: &str, kind: u8, ago_s: u64, ms: u64, code: u8| {
            let start = self.now_ns - ago_s * 1_000_000_000;
            json!({"traceId": trace, "spanId": id, "parentSpanId": parent, "name": name, "kind": kind,
                "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + ms * 1_000_000).to_string(),
                "attributes": [{"key": "http.response.status_code", "value": {"intValue": "500"}}],
                "status": {"code": code}})
        };
        let group = |service: &str, spans: Vec<Value>| {
            json!({"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                "scopeSpans": [{"scope": {"name": "recorded"}, "spans": spans}]})
        };
        match trace {
            FAILED => vec![
                group(
                    "shop",
                    vec![
                        span("b7ad6b7169203331", "", "POST /checkout", 2, 20, 300, 2),
                        span("b7ad6b7169203332", "b7ad6b7169203331", "charge", 3, 20, 250, 0),
                    ],
                ),
                group(
                    "bank",
                    vec![span(
                        "b7ad6b7169203333",
                        "b7ad6b7169203332",
                        "POST /charge",
                        2,
                        20,
                        200,
                        0,
                    )],
                ),
            ],
            SOUND => vec![group("shop", vec![span("00f067aa0ba902b7", "", "GET /", 2, 10, 40, 0)])],
            _ => Vec::new(),
        }
    }

    fn note(&self, uri: &axum::http::Uri, headers: &HeaderMap) {
        let sent = |name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned()
        };
        let line = format!(
            "{uri} authorization={} tenant={}",
            sent("authorization"),
            sent("x-scope-orgid")
        );
        self.asked.lock().unwrap().push(line);
    }

    /// The ids of the traces that a service is in.
    fn of(&self, service: &str) -> Vec<&'static str> {
        match service {
            "shop" | "" => vec![FAILED, SOUND],
            "bank" => vec![FAILED],
            _ => Vec::new(),
        }
    }
}

type Parameters = Query<BTreeMap<String, String>>;
type Shared = State<Arc<Recorded>>;

/// Jaeger's query API, version 3.
pub(super) fn jaeger(recorded: Arc<Recorded>) -> Router {
    Router::new()
        .route("/api/v3/services", get(|| async { axum::Json(json!({"services": ["shop", "bank"]})) }))
        .route("/api/v3/operations", get(|Query(q): Parameters| async move {
            let operations = match q.get("service").map(String::as_str) {
                Some("shop") => json!([{"name": "POST /checkout", "spanKind": "server"}, {"name": "GET /", "spanKind": "server"},
                    {"name": "charge", "spanKind": "client"}]),
                _ => json!([{"name": "POST /charge", "spanKind": "server"}]),
            };
            axum::Json(json!({"operations": operations}))
        }))
        .route("/api/v3/traces", get(|State(recorded): Shared, Query(q): Parameters, uri: axum::http::Uri, headers: HeaderMap| async move {
            recorded.note(&uri, &headers);
            for needed in ["query.start_time_min", "query.start_time_max"] {
                if !q.contains_key(needed) {
                    return refuse(StatusCode::BAD_REQUEST, &format!("{needed} is required"));
                }
            }
            let service = q.get("query.service_name").cloned().unwrap_or_default();
            let groups: Vec<Value> = recorded.of(&service).iter().flat_map(|id| recorded.groups(id)).collect();
            if groups.is_empty() {
                return refuse(StatusCode::NOT_FOUND, "No traces found");
            }
            named(groups)
        }))
        .route("/api/v3/traces/{id}", get(|State(recorded): Shared, Path(id): Path<String>| async move {
            let groups = recorded.groups(&id);
            if groups.is_empty() {
                return refuse(StatusCode::NOT_FOUND, "trace not found");
            }
            named(groups)
        }))
        .with_state(recorded)
}

fn refuse(status: StatusCode, message: &str) -> Response {
    (status, axum::Json(json!({"error": {"httpCode": status.as_u16(), "message": message}})))
        .into_response()
}

/// As Jaeger writes it: names for kinds and codes.
fn named(mut groups: Vec<Value>) -> Response {
    let kinds = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
    let codes = ["UNSET", "OK", "ERROR"];
    each_span(&mut groups, |span| {
        let kind = usize::try_from(span["kind"].as_u64().unwrap()).unwrap();
        span["kind"] = format!("SPAN_KIND_{}", kinds[kind]).into();
        let code = usize::try_from(span["status"]["code"].as_u64().unwrap()).unwrap();
        span["status"]["code"] = format!("STATUS_CODE_{}", codes[code]).into();
    });
    axum::Json(json!({"result": {"resourceSpans": groups}})).into_response()
}

fn each_span(groups: &mut [Value], mut change: impl FnMut(&mut Value)) {
    for group in groups {
        for scope in group["scopeSpans"].as_array_mut().unwrap() {
            scope["spans"].as_array_mut().unwrap().iter_mut().for_each(&mut change);
        }
    }
}

/// Tempo's HTTP API; `old` writes traces as JSON whatever is asked for.
pub(super) fn tempo(recorded: Arc<Recorded>, old: bool) -> Router {
    Router::new()
        .route("/api/v2/search/tag/resource.service.name/values", get(|| async {
            axum::Json(json!({"tagValues": [{"type": "string", "value": "shop"}, {"type": "string", "value": "bank"}]}))
        }))
        .route("/api/v2/search/tag/name/values", get(|Query(q): Parameters| async move {
            let of_shop = q.get("q").is_some_and(|q| q.contains("\"shop\""));
            let names: &[&str] = if of_shop { &["POST /checkout", "GET /", "charge"] } else { &["POST /charge"] };
            let values: Vec<Value> = names.iter().map(|name| json!({"type": "string", "value": name})).collect();
            axum::Json(json!({"tagValues": values}))
        }))
        .route("/api/search", get(|State(recorded): Shared, Query(q): Parameters, uri: axum::http::Uri, headers: HeaderMap| async move {
            recorded.note(&uri, &headers);
            let question = q.get("q").cloned().unwrap_or_default();
            if question.contains("name = \"\"") {
                return (StatusCode::BAD_REQUEST, "invalid TraceQL query: an empty name").into_response();
            }
            let service = ["shop", "bank", "nobody"].into_iter().find(|name| question.contains(&format!("\"{name}\"")));
            let found: Vec<Value> = recorded
                .of(service.unwrap_or(""))
                .into_iter()
                .filter(|id| *id == FAILED || !question.contains("status = error"))
                .map(|id| json!({"traceID": id.trim_start_matches('0'), "rootServiceName": "shop", "durationMs": 1}))
                .collect();
            axum::Json(json!({"traces": found, "metrics": {"inspectedTraces": 2}})).into_response()
        }))
        .route("/api/traces/{id}", get(move |State(recorded): Shared, Path(id): Path<String>, headers: HeaderMap| async move {
            let groups = recorded.groups(&id);
            if groups.is_empty() {
                return (StatusCode::NOT_FOUND, "trace not found").into_response();
            }
            let wants = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
            if old || wants != Some("application/protobuf") {
                return in_base64(groups);
            }
            let groups: Vec<ResourceSpans> = serde_json::from_value(groups.into()).unwrap();
            let body = TracesData { resource_spans: groups }.encode_to_vec();
            ([(CONTENT_TYPE, "application/protobuf")], body).into_response()
        }))
        .with_state(recorded)
}

/// As Tempo writes JSON: `batches`, ids in base64.
fn in_base64(mut groups: Vec<Value>) -> Response {
    each_span(&mut groups, |span| {
        for name in ["traceId", "spanId", "parentSpanId"] {
            let hex = span[name].as_str().unwrap();
            let bytes: Vec<u8> = (0..hex.len() / 2)
                .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
                .collect();
            span[name] = base64(&bytes).into();
        }
    });
    axum::Json(json!({"batches": groups})).into_response()
}

fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for i in 0..4 {
            let sign = char::from(SIGNS[((bits >> (18 - 6 * i)) & 63) as usize]);
            out.push(if i <= three.len() { sign } else { '=' });
        }
    }
    out
}

/// Serves a router on a free port until the runtime ends; gives the address.
pub(super) fn serve(runtime: &tokio::runtime::Runtime, router: Router) -> String {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let addr = listener.local_addr().unwrap();
    runtime.spawn(async move { axum::serve(listener, router).await });
    format!("http://{addr}")
}

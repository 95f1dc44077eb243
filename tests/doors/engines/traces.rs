//! Traces: the suite on the engine built in, on Loggia's own Jaeger API over HTTP, and on servers that answer in the shapes
//! of Jaeger and Tempo. No real Jaeger and no real Tempo has been tried.

use super::recorded::{FAILED, Recorded, SOUND, jaeger, serve, tempo};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use telemetry::{
    AskError, Backend, Clock, Jaeger, Limits, RemoteOptions, SecretSource, Tempo, TracesEngine,
    jaeger_router,
};
use traces::{AttributeFilter, Search, TraceId};

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

fn check_all(engine: &dyn TracesEngine, recorded_ms: i64) {
    assert_eq!(engine.services().unwrap(), ["bank", "shop"]);
    assert_eq!(engine.operations("shop").unwrap(), ["GET /", "POST /checkout", "charge"]);
    assert_eq!(engine.operations("bank").unwrap(), ["POST /charge"]);
    check_searches(engine, recorded_ms);
    let trace = engine.trace(&FAILED.parse().unwrap()).unwrap().expect("it is there");
    assert_eq!((trace.rows.len(), trace.errors, trace.services.len()), (3, 1, 2));
    let span = &trace.rows[1].span;
    assert_eq!(
        (&*span.name, span.kind.name(), span.duration_ns()),
        ("charge", "client", 250_000_000)
    );
    assert_eq!(span.parent_id.unwrap().to_string(), "b7ad6b7169203331");
    assert_eq!(span.attributes[0].value.text(), "500");
    let nobody: TraceId = "11111111111111111111111111111111".parse().unwrap();
    assert!(engine.trace(&nobody).unwrap().is_none());
    let condition = engine.condition();
    assert!(condition.fault.is_none() && condition.answered_ms.is_some(), "{condition:?}");
}

fn check_searches(engine: &dyn TracesEngine, recorded_ms: i64) {
    let shop = || Search { service: Some("shop".to_owned()), ..Search::default() };
    let equals = |key: &str, value: &str| AttributeFilter::Equals(key.to_owned(), value.to_owned());
    for (what, search, expected) in [
        ("all of a service", shop(), &[SOUND, FAILED][..]),
        ("all", Search::default(), &[SOUND, FAILED]),
        ("nobody's", Search { service: Some("nobody".to_owned()), ..shop() }, &[]),
        ("an operation", Search { operation: Some("charge".to_owned()), ..shop() }, &[FAILED]),
        ("failed", Search { errors_only: true, ..shop() }, &[FAILED]),
        ("long", Search { min_duration_ns: Some(100_000_000), ..shop() }, &[FAILED]),
        ("short", Search { max_duration_ns: Some(100_000_000), ..shop() }, &[SOUND]),
        ("old", Search { to_ms: Some(recorded_ms - 15_000), ..shop() }, &[FAILED]),
        ("young", Search { from_ms: Some(recorded_ms - 15_000), ..shop() }, &[SOUND]),
        ("calling", Search { to: Some("bank".to_owned()), ..shop() }, &[FAILED]),
        (
            "an attribute",
            Search { attributes: vec![equals("http.response.status_code", "500")], ..shop() },
            &[SOUND, FAILED],
        ),
        (
            "another",
            Search { attributes: vec![equals("http.response.status_code", "200")], ..shop() },
            &[],
        ),
        ("one", Search { limit: 1, ..shop() }, &[SOUND]),
    ] {
        let found = engine.search(&search).unwrap_or_else(|error| panic!("{what}: {error}"));
        let ids: Vec<String> = found.iter().map(|summary| summary.id.to_string()).collect();
        assert_eq!(ids, expected, "{what}");
    }
    let found = engine.search(&Search { errors_only: true, ..shop() }).unwrap();
    let first = &found[0];
    assert_eq!((&*first.root_service, &*first.root_operation), ("shop", "POST /checkout"));
    assert_eq!((first.span_count, first.errors, first.services.len()), (3, 1, 2));
}

/// The recorded traces, in the engine built in.
fn filled(runtime: &tokio::runtime::Runtime, recorded: &Arc<Recorded>) -> Arc<Backend> {
    let backend = Arc::new(Backend::new(Limits::default()));
    let options = RemoteOptions::new("Jaeger", &serve(runtime, jaeger(recorded.clone())));
    let engine = Jaeger::new(options, Clock::system()).unwrap();
    let spans = engine.recent(now_ms() - 60_000, now_ms(), &|_| false).unwrap();
    backend.traces.append(spans, now_ms());
    backend
}

#[test]
fn the_suite_holds_on_every_engine() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let recorded_ms = now_ms();
    let recorded = Recorded::new(recorded_ms);
    let backend = filled(&runtime, &recorded);
    check_all(&*backend, recorded_ms);
    let at =
        |name: &str, router| RemoteOptions::new(name, &format!("{}/", serve(&runtime, router)));
    let of_jaeger = |router| Jaeger::new(at("Jaeger", router), Clock::system()).unwrap();
    let of_tempo = |router| Tempo::new(at("Tempo", router), Clock::system()).unwrap();
    check_all(&of_jaeger(jaeger(recorded.clone())), recorded_ms);
    check_all(&of_jaeger(jaeger_router(backend)), recorded_ms);
    check_all(&of_tempo(tempo(recorded.clone(), false)), recorded_ms);
    check_all(&of_tempo(tempo(recorded, true)), recorded_ms);
}

#[test]
fn traces_that_are_known_are_not_fetched_again() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let router = tempo(Recorded::new(now_ms()), false);
    let options = RemoteOptions::new("Tempo", &serve(&runtime, router));
    let engine = Tempo::new(options, Clock::system()).unwrap();
    let known: TraceId = SOUND.parse().unwrap();
    let spans = engine.recent(now_ms() - 60_000, now_ms(), &|id| *id == known).unwrap();
    assert_eq!(spans.len(), 3);
}

#[test]
fn secrets_and_tenants_are_sent_and_refusals_are_told() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let recorded = Recorded::new(now_ms());
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    let usual = RemoteOptions::new("Tempo", &serve(&runtime, tempo(recorded.clone(), false)));
    let options = RemoteOptions {
        headers: vec![("X-Scope-OrgID".to_owned(), "one".to_owned())],
        bearer: SecretSource::File(token.clone()),
        ..usual
    };
    let engine = Tempo::new(options, Clock::system()).unwrap();
    engine.search(&Search::default()).unwrap();
    let asked = recorded.asked.lock().unwrap().join("\n");
    assert!(asked.ends_with("authorization=Bearer s3cret tenant=one"), "{asked}");
    // The engine understood, and refuses.
    let wrong = Search { operation: Some(String::new()), ..Search::default() };
    let words = "invalid TraceQL query: an empty name".to_owned();
    assert_eq!(engine.search(&wrong).err(), Some(AskError::Refused(words)));
    std::fs::remove_file(&token).unwrap();
    let error = engine.search(&Search::default()).err();
    assert!(
        matches!(&error, Some(AskError::Down(why)) if why.contains("the token cannot be read")),
        "{error:?}"
    );
}

#[test]
fn what_is_no_engine_is_told_in_words() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let page = axum::Router::new().fallback(|| async { "<html>Sign in</html>" });
    let closed = axum::Router::new()
        .fallback(|| async { (axum::http::StatusCode::UNAUTHORIZED, "who are you?") });
    let busy = axum::Router::new().fallback(|| async { axum::http::StatusCode::BAD_GATEWAY });
    let silent = axum::Router::new().fallback(|| async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        "too late"
    });
    // Only who never answers is waited for.
    for (router, timeout_ms, words) in [
        (page, 30_000, "its answer is not Jaeger's"),
        (closed, 30_000, "it refuses who asks (401 Unauthorized): who are you?"),
        (busy, 30_000, "it answered 502 Bad Gateway"),
        (silent, 300, "it gave no answer within 300ms"),
    ] {
        let usual = RemoteOptions::new("Jaeger", &serve(&runtime, router));
        let options = RemoteOptions { timeout: Duration::from_millis(timeout_ms), ..usual };
        let engine = Jaeger::new(options, Clock::system()).unwrap();
        // One answer that comes too late is the question's fault, the second the engine's.
        let _ = engine.services();
        let error = engine.services().err();
        assert!(matches!(&error, Some(AskError::Down(why)) if why.contains(words)), "{error:?}");
        let (why, since_ms) = engine.condition().fault.expect("it is down");
        assert!(why.contains(words) && since_ms <= now_ms());
    }
    let nobody = RemoteOptions::new("Jaeger", &format!("http://127.0.0.1:{}", tests::free_port()));
    let engine = Jaeger::new(nobody, Clock::system()).unwrap();
    assert_eq!(engine.services().err(), Some(AskError::Down("nobody listens there".to_owned())));
}

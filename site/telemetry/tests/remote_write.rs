//! Remote write 1.0 at the door that a Prometheus writes to.

#![allow(clippy::unwrap_used)]

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use prost::Message;
use series::{Matcher, STALE_MARKER_BITS, Storage as _};
use std::sync::Arc;
use telemetry::{Backend, Clock, Limits, prometheus_router};
use tower::ServiceExt as _;

const NOW_MS: i64 = 1_700_000_000_000;

/// The messages as `prompb` has them, with another library's encoder than the reader under test.
#[derive(Clone, PartialEq, Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
    #[prost(message, repeated, tag = "3")]
    metadata: Vec<Metadata>,
}

#[derive(Clone, PartialEq, Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    histograms: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(string, tag = "2")]
    family: String,
    #[prost(string, tag = "4")]
    help: String,
    #[prost(string, tag = "5")]
    unit: String,
}

fn series(name: &str, samples: &[(i64, f64)]) -> TimeSeries {
    let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() };
    let labels = match name {
        "" => Vec::new(),
        name => vec![label("__name__", name), label("job", "orders")],
    };
    let sample = |(t, value): &(i64, f64)| Sample { value: *value, timestamp: NOW_MS + t };
    TimeSeries { labels, samples: samples.iter().map(sample).collect(), histograms: Vec::new() }
}

fn request(timeseries: Vec<TimeSeries>) -> WriteRequest {
    WriteRequest { timeseries, metadata: Vec::new() }
}

fn packed(message: &WriteRequest) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(&message.encode_to_vec()).unwrap()
}

struct World {
    backend: Arc<Backend>,
}

impl World {
    fn new(limits: Limits) -> Self {
        Self { backend: Arc::new(Backend::with_clock(limits, Clock::fixed(NOW_MS))) }
    }

    async fn send(&self, content_type: &str, encoding: &str, body: Vec<u8>) -> (u16, String) {
        let request = Request::post("/api/v1/write")
            .header("content-type", content_type)
            .header("content-encoding", encoding)
            .body(Body::from(body))
            .unwrap();
        let router = prometheus_router(self.backend.clone(), Clock::fixed(NOW_MS));
        let answer = router.oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(text.to_vec()).unwrap())
    }

    async fn write(&self, message: &WriteRequest) -> (u16, String) {
        self.send("application/x-protobuf", "snappy", packed(message)).await
    }

    fn samples(&self, name: &str) -> Vec<(i64, u64)> {
        let found =
            self.backend.metrics.select(&[Matcher::equal("__name__", name)], 0, i64::MAX - 1);
        let samples = found.iter().flat_map(|series| series.samples(0, i64::MAX - 1));
        samples.map(|sample| (sample.t - NOW_MS, sample.v.to_bits())).collect()
    }
}

#[tokio::test]
async fn samples_and_metadata_are_stored() {
    let world = World::new(Limits::default());
    let stale = f64::from_bits(STALE_MARKER_BITS);
    for (t, v) in [(-2000, 1.5), (-1000, -2.5), (0, stale)] {
        // Known labels the second time, new ones beside them.
        let fresh = format!("fresh{t}");
        let message = request(vec![series("a_total", &[(t, v)]), series(&fresh, &[(t, 7.0)])]);
        assert_eq!(world.write(&message).await, (204, String::new()));
        assert_eq!(world.samples(&fresh), [(t, 7.0_f64.to_bits())]);
    }
    let expected =
        [(-2000, 1.5_f64.to_bits()), (-1000, (-2.5_f64).to_bits()), (0, STALE_MARKER_BITS)];
    assert_eq!(world.samples("a_total"), expected);
    // The same again changes nothing, as after an answer that was lost.
    let again = request(vec![series("a_total", &[(-2000, 1.5), (-1000, -2.5)])]);
    assert_eq!(world.write(&again).await, (204, String::new()));
    assert_eq!(world.samples("a_total"), expected);
    assert_eq!(world.backend.counters.remote_samples.get(), 8);
    let told =
        Metadata { kind: 1, family: "a_total".into(), help: "Some.".into(), unit: String::new() };
    let message = WriteRequest { timeseries: Vec::new(), metadata: vec![told] };
    assert_eq!(world.write(&message).await.0, 204);
    assert_eq!(world.backend.metadata()["a_total"].help, "Some.");
}

#[tokio::test]
async fn what_cannot_be_stored_is_told_and_the_rest_is_stored() {
    let mut limits = Limits::default();
    limits.metrics.series = 2;
    let world = World::new(limits);
    let check = async |sent: Vec<TimeSeries>, status: u16, words: &str| {
        let (found, text) = world.write(&request(sent)).await;
        assert!(found == status && text.contains(words), "{found} {text}");
    };
    check(vec![series("a", &[(0, 1.0)])], 204, "").await;
    let late = series("a", &[(-3_600_000, 1.0), (1, 2.0)]);
    check(vec![late], 400, "1 samples are refused: the sample at").await;
    check(vec![series("a", &[(3_600_000, 1.0), (2, 2.0)])], 400, "in the future").await;
    assert_eq!(world.samples("a").iter().map(|(t, _)| *t).collect::<Vec<_>>(), [0, 1, 2]);
    check(vec![series("b", &[(0, 1.0)]), series("c", &[(0, 1.0)])], 429, "holds 2 series").await;
    let native = TimeSeries {
        histograms: vec![Sample { value: 0.0, timestamp: NOW_MS }],
        ..series("a", &[(3, 1.0)])
    };
    check(vec![native], 400, "1 samples of native histograms are not stored").await;
    check(vec![series("", &[(0, 1.0)])], 400, "a series has no labels").await;
    assert_eq!(world.backend.counters.remote_writes_rejected.get(), 5);
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let world = World::new(Limits::default());
    let sound = packed(&request(vec![series("a", &[(0, 1.0)])]));
    let snappy = |bytes: &[u8]| snap::raw::Encoder::new().compress_vec(bytes).unwrap();
    let protobuf = "application/x-protobuf";
    let check = async |kind: &str, encoding: &str, body: Vec<u8>, status: u16, words: &str| {
        let (found, text) = world.send(kind, encoding, body).await;
        assert!(found == status && text.contains(words), "{found} {text}");
    };
    check("text/plain", "snappy", sound.clone(), 415, "application/x-protobuf").await;
    let second = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    check(second, "snappy", sound.clone(), 415, "send remote write 1.0").await;
    check(protobuf, "gzip", sound.clone(), 415, "only the encoding `snappy`").await;
    check(protobuf, "snappy", sound[..sound.len() - 2].to_vec(), 400, "not valid snappy").await;
    check(protobuf, "snappy", Vec::new(), 400, "").await;
    check(protobuf, "snappy", snappy(&[0x0a, 0xff, 1]), 400, "it ends within a field").await;
    // Says that it unpacks to 2 GiB.
    check(protobuf, "snappy", vec![0x80, 0x80, 0x80, 0x80, 8, 0], 413, "larger than").await;
    // Any end of a request is an error or a shorter request, never a panic.
    let whole = request(vec![series("a", &[(0, 1.0), (1, 2.0)])]).encode_to_vec();
    for end in 1..whole.len() {
        assert_eq!(world.send(protobuf, "snappy", snappy(&whole[..end])).await.0, 400);
    }
    assert!(world.samples("a").is_empty());
    let proto = "application/x-protobuf; proto=prometheus.WriteRequest";
    check(proto, "Snappy", sound, 204, "").await;
}

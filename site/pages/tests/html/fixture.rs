//! A book, evidence and traces with hostile text wherever text can come from outside.

use diagnostics::SourceFile;
use document::{Book, Config, Piece, ServiceConfig, ServiceId};
use evidence::{
    Bound, CallsSeen, DiagramDrift, DiagramEvidence, DrawnCall, Drift, EdgeEvidence, EdgeState,
    Evidence, Figure, Health, KpiEvidence, MapEdge, MapNode, NodeEvidence, Observation, PageDrift,
    PageEvidence, ServiceEvidence, ServiceMap, Strip, UndocumentedCall, Verdict,
};
use pages::{
    Assets, Call, Change, Chart, ChartExemplar, ChartMark, ChartSeries, ChartSpan, Documented,
    Golden, Instance, MarkKind, Navigation, RouteFigures, ServiceView, Site, Unmeasured,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use traces::{
    Attribute, Kind, NodeKind, Resource, ServiceSpans, Span, SpanId, Status, Trace, TraceId,
    TraceSummary,
};

/// Would run in every place where it is not escaped.
pub(crate) const HOSTILE: &str = "\"'><img src=x onerror=alert(1)><script>alert(1)</script>";
/// The moment of all evidence, milliseconds since 1970.
pub(crate) const NOW: i64 = 1_795_269_128_000;

const MARKDOWN: &str = r#"---
title: "\"'><img src=x onerror=alert(1)><script>alert(1)</script>"
description: "\"'><img src=x onerror=alert(1)>"
hero:
  title: "<img src=x onerror=alert(1)>"
  subtitle: "<script>alert(1)</script>"
  callToAction: { text: "<img src=x>", link: "javascript:alert(1)" }
glossary:
  - { term: "Mesh", definition: "<img src=x onerror=alert(1)>" }
---

## What runs {#runs services="gateway orders"}

A mesh of services.

```mermaid
flowchart TD
  A[Gateway] --> B[Orders]
```

```kpi-grid
[{ "label": "<img src=x onerror=alert(1)>", "value": "< 200 ms", "query": "up" }]
```

```kpi-grid
not json <script>alert(1)</script>
```

```service-map
caption: "<img src=x onerror=alert(1)>"
focus: orders
```

```glossary
```
"#;

pub(crate) fn book() -> Book {
    let mut config = Config { language: "en".to_owned(), ..Config::default() };
    let hostile = ServiceConfig {
        owner: Some(HOSTILE.to_owned()),
        runbook: Some("javascript:alert(1)".to_owned()),
        ..ServiceConfig::default()
    };
    config.services.insert(ServiceId("gateway".to_owned()), hostile);
    config.services.insert(ServiceId("orders".to_owned()), ServiceConfig::default());
    Book::assemble(config, vec![SourceFile::new("index.md", MARKDOWN)], None)
}

pub(crate) fn site<'a>(book: &'a Book, assets: &'a Assets) -> Site<'a> {
    let navigation = Box::leak(Box::new(Navigation::new(book)));
    let (base, url) = (String::new(), None);
    Site {
        book,
        navigation,
        assets,
        live: true,
        version: Some(7),
        base,
        url,
        now_ms: NOW,
        at: None,
        charts: &[],
        kept: Some((NOW - 3_600_000, NOW)),
        asked: &[],
    }
}

pub(crate) fn evidence(book: &Book) -> Evidence {
    let page = &book.pages[0];
    let strip = Strip {
        services: vec![ServiceId("gateway".to_owned()), ServiceId(HOSTILE.to_owned())],
        health: Health::Degraded,
        rate: Figure::Value(412.0),
        p95: Figure::Value(0.038),
        errors: Figure::Value(0.0002),
    };
    let kpi = KpiEvidence {
        id: "response-time".to_owned(),
        value: Figure::Value(0.038),
        unit: "s".to_owned(),
        bound: Some(0.2),
        verdict: Verdict::Holds,
        reason: HOSTILE.to_owned(),
        history: vec![Some(0.03), None, Some(0.04)],
    };
    let found = PageEvidence {
        strips: BTreeMap::from([("runs".to_owned(), strip)]),
        kpis: vec![kpi],
        diagrams: vec![diagram(page)],
    };
    Evidence {
        objectives: Vec::new(),
        at: NOW,
        window: 30,
        services: vec![service("gateway"), service("orders"), service(HOSTILE)],
        drift: drift(page),
        map: map(),
        faults: Vec::new(),
        alerts: evidence::Alerts::default(),
        pages: BTreeMap::from([(page.id.clone(), found)]),
    }
}

/// A map of everything that can be on one, with a hostile name among them.
fn map() -> ServiceMap {
    let node = |kind: NodeKind, id: &str| MapNode {
        id: id.to_owned(),
        name: id.to_owned(),
        title: Some(HOSTILE.to_owned()),
        kind,
        owner: Some(HOSTILE.to_owned()),
        layer: None,
        health: Health::Healthy,
        rate: Figure::Value(412.0),
        p95: Figure::Value(0.038),
        errors: Figure::Value(0.0),
    };
    let edge = |from: &str, to: &str, state| MapEdge {
        from: from.to_owned(),
        to: to.to_owned(),
        state,
        rate: Figure::Value(31.0),
        p95: Figure::Value(0.038),
        errors: Figure::Value(0.0),
        last_seen: Some(NOW),
    };
    let mut map = ServiceMap::default();
    map.nodes = vec![
        node(NodeKind::Database, "orders.db"),
        node(NodeKind::Service, "gateway"),
        node(NodeKind::Service, "orders"),
        node(NodeKind::Queue, "events"),
        node(NodeKind::User, "user"),
        node(NodeKind::External, HOSTILE),
    ];
    map.edges = vec![
        edge("user", "gateway", EdgeState::Confirmed),
        edge("gateway", "orders", EdgeState::Confirmed),
        edge("orders", "orders.db", EdgeState::Idle),
        edge("orders", "events", EdgeState::Confirmed),
        edge("orders", HOSTILE, EdgeState::Confirmed),
    ];
    map.nodes_left_out = 3;
    map.place(None, 0);
    map
}

fn diagram(page: &document::Page) -> DiagramEvidence {
    let drawing = page.pieces.iter().find_map(|piece| match piece {
        Piece::Diagram(block) => Some(&block.drawing),
        _ => None,
    });
    let node = |name: &str| NodeEvidence {
        bound: Bound::Service(ServiceId(name.to_owned())),
        health: Health::Healthy,
        rate: Figure::Value(412.0),
        p95: Figure::Value(0.038),
        errors: Figure::Value(0.0),
    };
    let edge = EdgeEvidence {
        from: "gateway".to_owned(),
        to: "orders".to_owned(),
        state: EdgeState::Confirmed,
        rate: Figure::Value(31.0),
        p95: Figure::Value(0.038),
        errors: Figure::Value(0.0),
        last_seen: Some(NOW),
        example_trace: None,
    };
    let edges = drawing.into_iter().flat_map(|drawing| drawing.edges.iter());
    DiagramEvidence {
        nodes: BTreeMap::from([
            ("A".to_owned(), node("gateway")),
            ("B".to_owned(), node("orders")),
        ]),
        edges: edges.map(|drawn| (drawn.id.clone(), edge.clone())).collect(),
        undocumented: vec![(HOSTILE.to_owned(), "orders".to_owned(), 1.2)],
    }
}

fn drift(page: &document::Page) -> Drift {
    let seen = CallsSeen {
        calls: 1_240,
        rate: 1.2,
        first_seen: NOW - 60_000,
        last_seen: NOW,
        example_trace: HOSTILE.to_owned(),
    };
    let drawn = |state, unjudged: Option<&str>, edge: &str| DrawnCall {
        edge: edge.to_owned(),
        from_node: "A".to_owned(),
        to_node: "B".to_owned(),
        from: "gateway".to_owned(),
        to: HOSTILE.to_owned(),
        state,
        unjudged: unjudged.map(str::to_owned),
        seen: (state != EdgeState::NeverSeen).then(|| seen.clone()),
    };
    let missing = UndocumentedCall {
        from_node: HOSTILE.to_owned(),
        to_node: "B".to_owned(),
        from: HOSTILE.to_owned(),
        to: "orders".to_owned(),
        queue: Some(HOSTILE.to_owned()),
        seen: seen.clone(),
    };
    let diagram = DiagramDrift {
        index: 0,
        caption: HOSTILE.to_owned(),
        scenario: true,
        confirmed: 1,
        judged: 3,
        conformance: Some(1.0 / 3.0),
        drawn: vec![
            drawn(EdgeState::Confirmed, None, "one"),
            drawn(EdgeState::Idle, None, "two"),
            drawn(EdgeState::NeverSeen, None, "three"),
            drawn(EdgeState::NeverSeen, Some(HOSTILE), HOSTILE),
        ],
        undocumented: vec![missing],
        mend: vec![format!("{HOSTILE} --> B")],
    };
    Drift {
        observation: Observation {
            window_s: 900.0,
            covered_s: 252.0,
            traces: 1_240,
            unpaired: 0,
            traced_share: Some(0.1),
        },
        conformance: Some(1.0 / 3.0),
        pages: vec![PageDrift {
            id: page.id.clone(),
            title: HOSTILE.to_owned(),
            path: page.path.clone(),
            source: page.source.clone(),
            conformance: Some(1.0 / 3.0),
            diagrams: vec![diagram],
        }],
    }
}

fn service(name: &str) -> ServiceEvidence {
    ServiceEvidence {
        id: ServiceId(name.to_owned()),
        title: HOSTILE.to_owned(),
        health: Health::Healthy,
        reason: HOSTILE.to_owned(),
        up: 2,
        instances: 2,
        traced: false,
        version: Some(HOSTILE.to_owned()),
        rate: Figure::Value(412.0),
        p95: Figure::NoTraffic,
        errors: Figure::QueryError(HOSTILE.to_owned()),
    }
}

pub(crate) fn service_view(evidence: &Evidence) -> ServiceView {
    let call = Call {
        peer: HOSTILE.to_owned(),
        kind: HOSTILE.to_owned(),
        rate: Figure::Value(1.0),
        p95: Figure::NoData,
        errors: Figure::Loading,
    };
    let series = ChartSeries {
        name: HOSTILE.to_owned(),
        points: vec![(NOW - 1000, Some(3.0)), (NOW, Some(4.0))],
        ..ChartSeries::default()
    };
    let span = ChartSpan { from: NOW - 900_000, to: NOW, step: 5_000, live: true };
    let mark = ChartMark {
        at: NOW - 9000,
        until: None,
        kind: MarkKind::Deploy,
        words: HOSTILE.to_owned(),
    };
    let chart = Chart {
        title: HOSTILE.to_owned(),
        note: HOSTILE.to_owned(),
        unit: "1/s".to_owned(),
        series: vec![series],
        threshold: Some(3.5),
        exemplars: vec![ChartExemplar { at: NOW - 2000, value: 3.2, trace_id: HOSTILE.to_owned() }],
        marks: vec![mark.clone()],
        span,
        source: format!("query={HOSTILE}&exemplars=x"),
        fault: Some(HOSTILE.to_owned()),
        ..Chart::default()
    };
    let golden = Golden {
        rate: Figure::Value(1.0),
        errors: Figure::QueryError(HOSTILE.to_owned()),
        p95: Figure::NoTraffic,
    };
    ServiceView {
        service: evidence.services[0].clone(),
        charts: vec![chart.clone()],
        saturation: vec![chart],
        unmeasured: vec![Unmeasured { what: "a queue", expose: "queue_length" }],
        instances: vec![Instance {
            name: HOSTILE.to_owned(),
            up: true,
            version: Some(HOSTILE.to_owned()),
            since: Some(NOW - 60_000),
            memory: Figure::Value(42e6),
            cpu: Figure::NoData,
        }],
        routes: vec![RouteFigures {
            route: HOSTILE.to_owned(),
            rate: Figure::Value(2.0),
            errors: Figure::Value(0.0),
            p50: Figure::Value(0.01),
            p95: Figure::NoTraffic,
        }],
        changes: vec![Change { mark, window_s: 60, before: golden.clone(), after: golden }],
        traces: vec![summary()],
        slowest: vec![summary()],
        logs: Vec::new(),
        calls_in: vec![call.clone()],
        calls_out: vec![call],
        documented: vec![Documented {
            title: HOSTILE.to_owned(),
            href: "index.html#runs".to_owned(),
        }],
        span,
    }
}

fn summary() -> TraceSummary {
    TraceSummary {
        id: trace_id(),
        root_service: HOSTILE.into(),
        root_operation: HOSTILE.into(),
        has_root: true,
        start_ns: NOW * 1_000_000,
        duration_ns: 590_000_000,
        span_count: 2,
        errors: 1,
        services: vec![ServiceSpans { service: HOSTILE.into(), spans: 2, errors: 1 }],
    }
}

fn trace_id() -> TraceId {
    TraceId::from_bytes(&[7; 16]).expect("16 bytes that are not zero")
}

/// A root with one child, and a span whose parent is not there.
pub(crate) fn trace() -> Trace {
    let id = |n: u8| SpanId::from_bytes(&[n; 8]).expect("8 bytes that are not zero");
    let span = |n: u8, parent: Option<SpanId>, length_ms: i64| {
        Arc::new(Span {
            trace_id: trace_id(),
            span_id: id(n),
            parent_id: parent,
            name: HOSTILE.into(),
            kind: Kind::Server,
            start_ns: NOW * 1_000_000,
            end_ns: (NOW + length_ms) * 1_000_000,
            status: Status::Error(HOSTILE.into()),
            attributes: vec![Attribute::new(HOSTILE, HOSTILE)].into(),
            events: Box::default(),
            links: Box::default(),
            scope: Arc::default(),
            resource: Arc::new(Resource::new(vec![Attribute::new("service.name", HOSTILE)])),
        })
    };
    let spans = [span(1, None, 590), span(2, Some(id(1)), 100), span(3, Some(id(9)), 50)];
    Trace::new(trace_id(), spans).expect("a trace of three spans")
}

pub(crate) fn log() -> traces::LogRecord {
    traces::LogRecord {
        time_ns: NOW * 1_000_000,
        observed_ns: NOW * 1_000_000,
        severity: 17,
        severity_text: HOSTILE.into(),
        body: HOSTILE.into(),
        event: HOSTILE.into(),
        attributes: vec![Attribute::new(HOSTILE, HOSTILE)].into(),
        trace_id: Some(trace_id()),
        span_id: None,
        scope: Arc::default(),
        resource: Arc::new(Resource::new(vec![Attribute::new("service.name", HOSTILE)])),
    }
}

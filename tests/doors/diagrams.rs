//! Diagrams in a real browser: looking closer at them, and whether anything lies on anything else.

use crate::browser;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::{Program, binary, free_port, run_to_end, send, serve, shared, within};

/// Drawings of Mermaid's suite that are measured, and how many stand on a page.
const SAMPLE: usize = 200;
const ON_A_PAGE: usize = 25;
/// What is drawn for all its malice, and what cannot be read. The rest (dense, deep or of thousands
/// of boxes) is drawn where it is done within the deadline.
const DRAWN: [&str; 20] = [
    "hostile-bom",
    "hostile-click_js",
    "hostile-img_node",
    "hostile-init_fontsize",
    "hostile-init_themecss",
    "hostile-multibyte_arrow",
    "hostile-pie_zero",
    "hostile-rtl_zwj",
    "hostile-self_cycle",
    "hostile-seq_link",
    "hostile-subgraph_self",
    "injection-s1",
    "injection-s11",
    "injection-s13",
    "injection-s15",
    "injection-s17",
    "injection-s19",
    "injection-s5",
    "injection-s7",
    "injection-s9",
];
const REFUSED: [&str; 26] = [
    "hostile-attr_inject_label",
    "hostile-block_space",
    "hostile-c4_inject",
    "hostile-class_self",
    "hostile-classdef_inject",
    "hostile-click_inject",
    "hostile-deep_brackets",
    "hostile-empty",
    "hostile-frontmatter_bomb",
    "hostile-gantt_bad_dates",
    "hostile-gantt_self",
    "hostile-git_bad",
    "hostile-header_garbage",
    "hostile-mindmap_deep",
    "hostile-only_arrows",
    "hostile-packet_huge2",
    "hostile-radar_bad",
    "hostile-sankey_cycle",
    "hostile-seq_deact",
    "hostile-state_deep",
    "hostile-timeline_bad",
    "hostile-unclosed_subgraph",
    "hostile-unknown_type",
    "hostile-unterm_quote",
    "hostile-xychart_neg",
    "injection-s3",
];
const SOON: Duration = Duration::from_secs(30);

#[test]
fn a_diagram_can_be_looked_at_closely() {
    if !browser::is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("index.md");
    fs::write(&file, page()).unwrap();
    let (_program, url) = serve(dir.path());
    browser::run("figure.mjs", &[&format!("{url}/"), file.to_str().unwrap()]);
}

/// A small diagram, and a chain that is far wider than the page.
fn page() -> String {
    let chain: String = (0..20)
        .map(|at| format!("  n{at}[Step {at}] --> n{next}[Step {next}]\n", next = at + 1))
        .collect();
    let filler = "A paragraph that takes some room on the page.\n\n".repeat(20);
    format!(
        "# Page\n\n```mermaid\nflowchart LR\n  A[Web app] -->|calls| B[(Orders)]\n```\n\n\
         ```mermaid\nflowchart LR\n{chain}```\n\nTEXT BELOW\n\n{filler}"
    )
}

#[test]
fn nothing_lies_on_anything_in_the_seeds() {
    let Some(seeds) = shared("seeds").filter(|_| browser::is_there()) else { return };
    // Two of them were damaged on their way: their box drawings are read once they are restored.
    let dir = tempfile::tempdir().unwrap();
    for page in fs::read_dir(&seeds).unwrap().map(|entry| entry.unwrap().path()) {
        fs::write(dir.path().join(page.file_name().unwrap()), fs::read(&page).unwrap()).unwrap();
    }
    let restored = run_to_end(
        Command::new(binary("loggia")).args(["fmt", "--repair-encoding"]).arg(dir.path()),
    );
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let tally = measure_book(dir.path(), &pages_of(dir.path()));
    let drawings: u64 =
        ["flowchart", "sequence"].iter().map(|kind| tally[*kind]["all"].as_u64().unwrap()).sum();
    assert_eq!(drawings, 8, "{tally:#}");
    assert_eq!(tally["box drawing"]["all"], 46, "{tally:#}");
    for (kind, counts) in tally.as_object().unwrap() {
        assert_eq!(faults(counts), 0, "{kind}: {counts}");
    }
}

#[test]
fn nothing_lies_on_anything_in_a_sample_of_mermaids_suite() {
    let Some(suite) = shared("suites/mermaid/diagrams.json").filter(|_| browser::is_there()) else {
        return;
    };
    let cases: Vec<Value> = serde_json::from_slice(&fs::read(suite).unwrap()).unwrap();
    let fences: Vec<String> = cases
        .iter()
        .filter(|case| !case["source"].as_str().unwrap().contains("```"))
        .map(|case| {
            let source = case["source"].as_str().unwrap().trim();
            format!("## {}\n\n```mermaid\n{source}\n```\n\n", case["id"].as_str().unwrap())
        })
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let sample: Vec<&str> =
        (0..SAMPLE).map(|at| fences[at * fences.len() / SAMPLE].as_str()).collect();
    for (number, page) in sample.chunks(ON_A_PAGE).enumerate() {
        fs::write(dir.path().join(format!("p{number}.md")), page.concat()).unwrap();
    }
    let tally = measure_book(dir.path(), &pages_of(dir.path()));
    for (kind, counts) in tally.as_object().unwrap() {
        assert_eq!(faults(counts), 0, "{kind}: {counts}");
    }
    let all: u64 = tally.as_object().unwrap().values().map(|of| of["all"].as_u64().unwrap()).sum();
    assert!(all >= SAMPLE as u64 * 95 / 100, "{all} of {SAMPLE} were drawn and measured");
}

#[test]
fn pills_lie_on_nothing() {
    let Some(seeds) = shared("seeds").filter(|_| browser::is_there()) else { return };
    let (port, http) = (free_port(), free_port().to_string());
    let url = format!("http://127.0.0.1:{port}");
    let mut program = Program::start(
        Command::new(binary("loggia"))
            .arg("serve")
            .arg(&seeds)
            .args(["--port", &port.to_string(), "--otlp-grpc-port", "0"])
            .args(["--otlp-http-port", &http]),
    )
    .unwrap();
    program.wait_for("Ctrl-C", SOON).unwrap();
    let body = serde_json::to_vec(&calls()).unwrap();
    let headers = [("content-type", "application/json")];
    let answer = send("POST", &format!("{url}/otlp/v1/traces"), &headers, &body).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let pages = pages_of(&seeds);
    within("pills are drawn", SOON, || {
        let page = tests::get(&format!("{url}/{}", pages[0]));
        page.is_ok_and(|page| page.text().matches("edge-live").count() > 5)
    });
    let tally = measure(&url, &pages);
    let pills: u64 =
        tally.as_object().unwrap().values().map(|of| of["pill"].as_u64().unwrap()).sum();
    assert!(pills >= 10, "{pills} pills: {tally:#}");
    for (kind, counts) in tally.as_object().unwrap() {
        assert_eq!(counts["pills"], 0, "{kind}: {counts}");
    }
}

/// Spans of a gateway that calls what the seeds' diagrams name.
fn calls() -> Value {
    let names = [
        "auth",
        "user-management",
        "order",
        "payment",
        "notification",
        "user",
        "analytics",
        "queue",
    ];
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let span = |trace: usize, id: &str, parent: &str, kind: u8| {
        json!({
            "traceId": format!("{:032x}", trace + 1), "spanId": id, "parentSpanId": parent,
            "name": "GET /", "kind": kind,
            "startTimeUnixNano": (now - 2_000_000).to_string(), "endTimeUnixNano": now.to_string(),
        })
    };
    let of = |service: &str, spans: Vec<Value>| {
        json!({
            "resource": { "attributes": [{
                "key": "service.name", "value": { "stringValue": service },
            }] },
            "scopeSpans": [{ "spans": spans }],
        })
    };
    let (server, client, callee) = ("00000000000000aa", "00000000000000bb", "00000000000000cc");
    let all = names.iter().enumerate().flat_map(|(nth, name)| {
        let gateway = vec![span(nth, server, "", 2), span(nth, client, server, 3)];
        [of("api-gateway", gateway), of(name, vec![span(nth, callee, client, 2)])]
    });
    json!({ "resourceSpans": all.collect::<Vec<_>>() })
}

fn pages_of(folder: &Path) -> Vec<String> {
    let mut pages: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.strip_suffix(".md")?.to_owned()))
        .map(|stem| format!("{stem}.html"))
        .collect();
    pages.sort();
    pages
}

/// Builds the book and measures its pages.
fn measure_book(source: &Path, pages: &[String]) -> Value {
    let out = tempfile::tempdir().unwrap();
    let site = out.path().join("site");
    let output =
        run_to_end(Command::new(binary("loggia")).arg("build").arg(source).arg("-d").arg(&site));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{words}");
    measure(site.to_str().unwrap(), pages)
}

fn measure(place: &str, pages: &[String]) -> Value {
    let mut arguments = vec![place];
    arguments.extend(pages.iter().map(String::as_str));
    let printed = browser::run("overlaps.mjs", &arguments);
    serde_json::from_str(printed.lines().last().unwrap()).unwrap()
}

fn faults(counts: &Value) -> u64 {
    ["texts", "foreign", "cut", "lines", "pills", "boxes"]
        .iter()
        .map(|fault| counts[*fault].as_u64().unwrap())
        .sum()
}

/// Each case is a page of its own, so that one cannot spoil the next.
#[test]
fn hostile_diagrams_do_no_harm_in_the_browser() {
    let sets = ["hostile", "injection"].map(|set| shared(&format!("suites/mermaid/{set}.json")));
    let [Some(hostile), Some(injection)] = sets else { return };
    if !browser::is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.md"), "# Start\n").unwrap();
    let mut names = Vec::new();
    for (set, file) in [("hostile", hostile), ("injection", injection)] {
        let cases: Vec<Value> = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        for case in cases {
            let name = format!("{set}-{}", case["name"].as_str().unwrap());
            let source = case["src"].as_str().unwrap();
            let page = format!("# {name}\n\n~~~~mermaid\n{source}\n~~~~\n\nCANARY {name}\n");
            fs::write(dir.path().join(format!("{name}.md")), page).unwrap();
            names.push(name);
        }
    }
    let (_program, url) = serve(dir.path());
    let url = format!("{url}/");
    let mut arguments = vec![url.as_str()];
    arguments.extend(names.iter().map(String::as_str));
    let printed = browser::run("hostile.mjs", &arguments);
    let drawn: BTreeMap<String, u64> =
        serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    for name in DRAWN {
        assert_eq!(drawn.get(name), Some(&2), "{name} is drawn under both policies: {drawn:?}");
    }
    for name in REFUSED {
        assert!(names.iter().any(|known| known == name), "there is no {name}");
        assert_eq!(drawn.get(name), None, "{name} cannot be drawn");
    }
    assert_eq!(names.len(), 51);
}

/// Every state of a box and of a line, what they lead to, and what is said where a drawing is broken.
#[test]
fn values_above_diagrams_are_told_apart_and_lead_to_their_evidence() {
    if !browser::is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let services = ["gateway", "orders", "payments", "shipping", "extra"];
    let toml: String =
        services.iter().map(|name| format!("[output.loggia.services.{name}]\n")).collect();
    fs::write(dir.path().join("book.toml"), format!("[book]\nsrc = \".\"\n{toml}")).unwrap();
    let pages = [
        (
            "index",
            "# Shop\n\n```mermaid\nflowchart LR\n  accTitle: Shop\n  G[Gateway] --> O[Orders]\n  G --> P[Payments]\n  \
             G --> S[Shipping]\n  O --> P\n  O --> D[(Orders DB)]\n  O --> Q[[Order Events]]\n  X[Extra]\n  \
             %% bind: D = orders_db\n  %% bind: Q = order-events\n```\n",
        ),
        (
            "kinds",
            "# Kinds\n\n```mermaid\nsequenceDiagram\n  participant gateway\n  participant orders\n  gateway->>orders: place\n```\n\n\
             ```mermaid\nstateDiagram-v2\n  gateway --> orders\n```\n\n\
             ```mermaid\nclassDiagram\n  Gateway --> Till\n  %% bind: Till = orders\n```\n\n\
             ```mermaid\nerDiagram\n  gateway ||--o{ orders : takes\n```\n",
        ),
        (
            "broken",
            "# Broken\n\nText.\n\n```mermaid\nflowchart LR\n  A[Web app --> B\n```\n\nTEXT BELOW\n",
        ),
    ];
    for (name, text) in pages {
        fs::write(dir.path().join(format!("{name}.md")), text).unwrap();
    }
    let (_program, url) = serve(dir.path());
    browser::run("overlay.mjs", &[&format!("{url}/")]);
}

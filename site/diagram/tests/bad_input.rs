//! Hostile and injected text: a drawing or an error in time, no panic, and nothing in the SVG that
//! runs, loads or leaves the page.

mod support;

use diagram::{draw, draw_within};
use std::time::{Duration, Instant};

/// Far beyond the deadline of a drawing, so that only a drawing that never ends fails.
const PATIENCE: Duration = Duration::from_secs(60);

fn check(name: &str, source: &str) {
    let begin = Instant::now();
    let result = draw(source, "t1");
    assert!(begin.elapsed() < PATIENCE, "`{name}` took {:?}", begin.elapsed());
    match result {
        Ok(drawing) => {
            let dirt = support::dirt(&drawing.svg, "t1");
            assert!(dirt.is_empty(), "`{name}`: {dirt:?}");
        }
        Err(error) => {
            assert!(!error.message.is_empty(), "`{name}` has no message");
            assert!(error.line >= 1 && error.column >= 1, "`{name}` has no place");
            let lines = u32::try_from(source.lines().count()).unwrap_or(u32::MAX);
            assert!(error.line <= lines.max(1), "`{name}`: line {} of {lines}", error.line);
        }
    }
}

#[test]
fn hostile_text_ends_in_a_drawing_or_an_error() {
    for (name, source) in support::cases("suites/mermaid/hostile.json") {
        check(&name, &source);
    }
}

#[test]
fn injected_markup_never_reaches_the_svg() {
    for (name, source) in support::cases("suites/mermaid/injection.json") {
        check(&name, &source);
    }
}

#[test]
fn markup_of_ours_never_reaches_the_svg() {
    for source in [
        "flowchart LR\n A[\"<img src=x onerror=alert(1)>\"] --> B[\"<a href='javascript:x'>y</a>\"]",
        "flowchart LR\n A-->B\n click A \"JaVaScRiPt:alert(1)\"",
        "flowchart LR\n A-->B\n click A \"https://example.org/\" _blank",
        "flowchart LR\n A-->B\n click A \"data:text/html,<script>alert(1)</script>\"",
        "flowchart LR\n A-->B\n style A fill:url(https://evil.example/a),stroke:#f00",
        "flowchart LR\n A-->B\n style A background:url(//evil.example/a);behavior:url(#x)",
        "%%{init: {\"themeCSS\": \"*{background:url(https://evil.example)}\"}}%%\nflowchart LR\n A-->B",
        "%%{init: {\"htmlLabels\": true, \"flowchart\": {\"htmlLabels\": true}}}%%\nflowchart LR\n \
         A[\"<iframe src='//evil.example'></iframe><b onclick=x>hi</b>\"] --> B",
        "%%{init: {\"securityLevel\": \"loose\"}}%%\nflowchart LR\n A-->B\n click A call alert(1)",
        "erDiagram\n A {\n string x \"<svg onload=alert(1)>\"\n }",
        "sequenceDiagram\n A->>B: <script>alert(1)</script>\n Note over A: <img src=//evil.example>",
        "mindmap\n root((<script>alert(1)</script>))\n  a[\"<img src=x>\"]",
        "stateDiagram-v2\n s1: <script>alert(1)</script>\n s1 --> s2: \"><script>",
        "architecture-beta\n service a(<script>)[<b>x</b>]",
    ] {
        check(source, source);
    }
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    let deep = 20_000;
    let nested = |open: &str, close: &str| format!("{}{}", open.repeat(deep), close.repeat(deep));
    for (name, source) in [
        ("states", format!("stateDiagram-v2\n{}", "state a {\n".repeat(deep))),
        ("subgraphs", format!("flowchart LR\n{}", "subgraph a\n".repeat(deep))),
        ("closed subgraphs", format!("flowchart LR\n{}", nested("subgraph a\n", "end\n"))),
        ("brackets", format!("flowchart LR\n A{}", nested("[", "]"))),
        ("braces", format!("flowchart LR\n A{}", nested("{", "}"))),
        ("yaml", format!("---\na: {}\n---\nflowchart LR\n A-->B", nested("[", "]"))),
        ("json", format!("%%{{init: {}}}%%\nflowchart LR\n A-->B", nested("[", "]"))),
        ("loops", format!("sequenceDiagram\n{}A->>B: x\n", "loop a\n".repeat(deep))),
        ("blocks", format!("block-beta\n{}", "block\n".repeat(deep))),
        ("namespaces", format!("classDiagram\n{}", "namespace a {\n".repeat(deep))),
        ("tags", format!("flowchart LR\n A[\"{}\"]", "<b>".repeat(deep))),
        (
            "mindmap",
            (0..500).fold("mindmap\n".to_owned(), |text, depth| {
                format!("{text}{}n{depth}\n", " ".repeat(depth))
            }),
        ),
    ] {
        check(name, &source);
    }
}

#[test]
fn limits_and_places_are_told() {
    let long = "flowchart LR\n".to_owned() + &" A-->B\n".repeat(diagram::MAX_SOURCE_BYTES / 7);
    let many: String = (0..2_000).fold("flowchart LR\n".to_owned(), |text, index| {
        format!("{text} n{index} --> n{}\n", (index * 7 + 1) % 500)
    });
    for (source, deadline, line, message) in [
        (long.as_str(), 2_000, 1, "bytes long"),
        (many.as_str(), 0, 1, "within 0 ms"),
        ("", 2_000, 1, ""),
        ("flowchart LR\n A --> B\n C -->\n", 2_000, 3, "flowchart"),
        ("sequenceDiagram\n A->>B: hi\n B-->>\n", 2_000, 3, "sequence"),
    ] {
        let error = draw_within(source, "t1", Duration::from_millis(deadline))
            .expect_err("this text cannot be drawn");
        let start: String = source.chars().take(60).collect();
        assert!(error.message.contains(message), "{start:?}: {error:?}");
        assert!(error.line.abs_diff(line) <= 1, "{start:?}: {error:?}");
        let first = error.message.chars().next().expect("a message has letters");
        assert!(!first.is_uppercase() && !error.message.ends_with('.'), "{error:?}");
    }
}

//! An author's theme holds in its own drawing: as attributes, whatever the page looks like.

#![allow(clippy::unwrap_used)]

use diagram::draw;

const GRAPH: &str = "flowchart LR\n  A[Web] -->|calls| B[(Orders)]\n  style B fill:#123456";
const TALK: &str = "sequenceDiagram\n  Web->>Orders: calls";

#[test]
fn themes_become_attributes() {
    for (init, source, held, not_held) in [
        ("", GRAPH, &["#123456"][..], &["own-theme", "#cde498"][..]),
        ("%%{init: {'theme': 'default'}}%%\n", GRAPH, &[], &["own-theme"]),
        ("%%{init: {'fontSize': 20}}%%\n", GRAPH, &[], &["own-theme"]),
        ("%%{init: {'theme': 'forest'}}%%\n", GRAPH, &["own-theme", "#cde498", "#123456"], &[]),
        ("%%{init: {'theme': 'forest'}}%%\n", TALK, &["own-theme", "#cde498"], &[]),
        ("%%{init: {'theme': 'dark'}}%%\n", TALK, &["own-theme", "fill=\"#333"], &[]),
        (
            "---\nconfig:\n  theme: base\n  themeVariables:\n    primaryColor: '#7c2d12'\n---\n",
            GRAPH,
            &["own-theme", "fill=\"#7c2d12\""],
            &[],
        ),
        (
            "%%{init: {'themeVariables': {'primaryColor': 'url(https://evil.example)'}}}%%\n",
            GRAPH,
            &[],
            &["evil"],
        ),
        ("%%{init: {'themeCSS': '* { fill: red } .node rect { x: y }'}}%%\n", GRAPH, &[], &["red"]),
    ] {
        let svg = draw(&format!("{init}{source}"), "t1").unwrap().svg;
        for words in held {
            assert!(svg.contains(words), "{init}: no {words} in {svg}");
        }
        for words in not_held.iter().chain(&["<style", " style="]) {
            assert!(!svg.contains(words), "{init}: {words} in {svg}");
        }
    }
}

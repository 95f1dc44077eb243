//! Mermaid text to a drawing: an SVG that is safe to embed, and the typed nodes and edges in it.
//!
//! `document` hands in the text of a fence; `evidence` reads nodes and edges; `pages` embeds the SVG
//! and draws live values above it from the geometry given here. No I/O, no clock but the deadline.
//!
//! In this order: [`draw`] bounds the input; `engine` asks merman for the model and an SVG; `clean`
//! keeps what the allow-list names; `paint` takes over an author's theme; `polish` gives shapes and labels our form; `read` finds the
//! model's nodes and edges in the drawing; `settle` mends lines and labels that ended up in a wrong
//! place; `alternative` says it all in words.

mod alternative;
mod chart;
mod clean;
mod colour;
mod css;
mod engine;
mod error;
mod geometry;
mod labels;
pub mod map;
mod metrics;
mod model;
pub mod overlay;
mod paint;
mod path;
mod place;
mod polish;
mod read;
mod settle;
mod tree;
mod venn;
mod workers;

pub use error::DiagramError;
pub use model::{Drawing, Edge, Group, Node, Point, Rect, Shape};

use std::time::Duration;

/// How long one diagram may take before it ends in an error.
pub const DEADLINE: Duration = Duration::from_secs(2);

/// Longest text of one diagram, in bytes.
pub const MAX_SOURCE_BYTES: usize = 256 * 1024;

/// Draws Mermaid text within [`DEADLINE`]; every id in the SVG begins with `prefix` and a hyphen.
///
/// ```
/// let drawing = diagram::draw("flowchart LR\n  A[Web app] -->|calls| B[(Orders)]", "d1")?;
/// assert_eq!(drawing.nodes.len(), 2);
/// assert_eq!(drawing.edges[0].label.as_deref(), Some("calls"));
/// assert!(drawing.svg.contains(&drawing.nodes[0].dom_id));
/// # Ok::<(), diagram::DiagramError>(())
/// ```
pub fn draw(source: &str, prefix: &str) -> Result<Drawing, DiagramError> {
    draw_within(source, prefix, DEADLINE)
}

/// As [`draw`], with a deadline of the caller's. The text must not be longer than
/// [`MAX_SOURCE_BYTES`]; of `prefix` only letters, digits, `-` and `_` are used.
pub fn draw_within(
    source: &str,
    prefix: &str,
    deadline: Duration,
) -> Result<Drawing, DiagramError> {
    if source.len() > MAX_SOURCE_BYTES {
        return Err(DiagramError {
            help: Some("split the diagram into several smaller ones".to_owned()),
            ..place::at_start(format!(
                "the diagram's text is {} bytes long, at most {MAX_SOURCE_BYTES} are allowed",
                source.len()
            ))
        });
    }
    let (source, prefix) = (source.to_owned(), safe_prefix(prefix));
    workers::run(move || assemble(&source, &prefix, deadline))
}

fn assemble(source: &str, prefix: &str, deadline: Duration) -> Result<Drawing, DiagramError> {
    let raw = engine::paint(source, deadline)?;
    let (mut root, ids) = clean::clean(&raw.svg, prefix)?;
    if raw.ground.is_some() {
        paint::paint(&raw.svg, &mut root);
    }
    polish::polish(&mut root);
    read::name_parts(&raw.kind, &mut root, prefix);
    let mut view_box = view_box(&root);
    let kind = kind_of(&raw.kind);
    let scene = read::Scene::new(&root, &ids);
    let mut graph = read::read(&raw.kind, &raw.model, &scene);
    let outlines = scene.outlines(&graph.nodes);
    settle::settle(&mut root, &mut graph);
    if graph.nodes.is_empty() {
        chart::part_ticks(&mut root);
        chart::part_categories(&mut root);
        venn::part(&mut root, &view_box);
        view_box = chart::widen(&mut root, view_box);
    }
    if let Some(colour) = &raw.ground {
        // Labels that were added have colours to take, too.
        paint::paint(&raw.svg, &mut root);
        paint::lay_ground(&mut root, &view_box, colour);
    }
    let accessible = |key: &str| raw.model.get(key).and_then(|text| text.as_str());
    let title = accessible("accTitle").or(raw.title.as_deref()).filter(|title| !title.is_empty());
    root.set("id", format!("{prefix}-svg"));
    root.add_class("mermaid");
    root.set("xmlns", "http://www.w3.org/2000/svg");
    root.set("width", labels::short(view_box.width));
    root.set("height", labels::short(view_box.height));
    alternative::describe(
        &mut root,
        prefix,
        title.unwrap_or(alternative::kind_name(&kind)),
        accessible("accDescr"),
        (&graph.nodes, &graph.edges, &graph.groups),
    );
    let mut svg = String::with_capacity(raw.svg.len() / 2);
    root.write(&mut svg);
    Ok(Drawing {
        title: title.map(str::to_owned),
        kind,
        svg,
        view_box,
        nodes: graph.nodes,
        edges: graph.edges,
        groups: graph.groups,
        outlines,
        binds: read::binds(source),
    })
}

/// `flowchart-v2` and `flowchart-elk` are flowcharts to us, `classDiagram` is `class`, and so on.
fn kind_of(kind: &str) -> String {
    for name in ["flowchart", "class", "state"] {
        if kind.starts_with(name) {
            return name.to_owned();
        }
    }
    kind.to_owned()
}

fn view_box(root: &tree::Element) -> Rect {
    let numbers: Vec<f64> = root
        .get("viewBox")
        .unwrap_or("")
        .split([' ', ','])
        .filter_map(|number| number.parse().ok())
        .filter(|number: &f64| number.is_finite())
        .collect();
    match numbers.as_slice() {
        [x, y, width, height] => {
            Rect { x: *x, y: *y, width: width.max(0.0), height: height.max(0.0) }
        }
        _ => Rect::default(),
    }
}

fn safe_prefix(prefix: &str) -> String {
    let kept: String = prefix
        .chars()
        .filter(|character| character.is_ascii_alphanumeric() || "-_".contains(*character))
        .collect();
    if kept.starts_with(|first: char| first.is_ascii_alphabetic()) {
        kept
    } else {
        format!("d{kept}")
    }
}

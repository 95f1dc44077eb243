//! The text alternative: what a reader who cannot see the drawing is told. `draw` puts it at the
//! head of the SVG.

use crate::model::{Edge, Group, Node};
use crate::tree::{Child, Element};

/// Most nodes and most edges that are listed one by one.
const MAX_LISTED: usize = 60;

/// Sets role, title and description of the drawing.
pub(crate) fn describe(
    root: &mut Element,
    prefix: &str,
    title: &str,
    author: Option<&str>,
    parts: (&[Node], &[Edge], &[Group]),
) {
    let (title_id, text_id) = (format!("{prefix}-title"), format!("{prefix}-desc"));
    let linked = root.find(&|element| element.get("href").is_some()).is_some();
    // An image has no parts for assistive technology; a drawing with links must keep them.
    root.set("role", if linked { "group" } else { "img" });
    root.set("aria-labelledby", format!("{title_id} {text_id}"));
    let mut heading = Element::new("title").with("id", title_id);
    heading.push_text(title);
    let mut text = Element::new("desc").with("id", text_id);
    let listed = listing(parts.0, parts.1, parts.2);
    text.push_text([author.unwrap_or(""), &listed].join(" ").trim());
    root.children.splice(0..0, [Child::Element(heading), Child::Element(text)]);
}

/// "Flowchart", "Sequence diagram", ... for the kinds of merman.
pub(crate) fn kind_name(kind: &str) -> &'static str {
    match kind {
        kind if kind.starts_with("flowchart") => "Flowchart",
        "sequence" => "Sequence diagram",
        kind if kind.starts_with("class") => "Class diagram",
        kind if kind.starts_with("state") => "State diagram",
        "er" => "Entity relationship diagram",
        "gantt" => "Gantt chart",
        "pie" => "Pie chart",
        "gitGraph" => "Git graph",
        "mindmap" => "Mind map",
        "timeline" => "Timeline",
        "architecture" => "Architecture diagram",
        "c4" => "C4 diagram",
        "requirement" => "Requirement diagram",
        _ => "Diagram",
    }
}

fn listing(nodes: &[Node], edges: &[Edge], groups: &[Group]) -> String {
    let mut out = String::new();
    if !nodes.is_empty() {
        let labels: Vec<&str> = nodes.iter().map(name_of).take(MAX_LISTED).collect();
        out.push_str(&format!("{}: {}", count(nodes.len(), "box", "boxes"), labels.join(", ")));
        out.push_str(&rest(nodes.len()));
    }
    for group in groups.iter().take(MAX_LISTED) {
        let inside: Vec<&str> = nodes
            .iter()
            .filter(|node| node.group.as_deref() == Some(&group.id))
            .map(name_of)
            .take(MAX_LISTED)
            .collect();
        if !inside.is_empty() {
            out.push_str(&format!(" In {}: {}.", group.title, inside.join(", ")));
        }
    }
    if !edges.is_empty() {
        let end = |id: &str| -> String {
            let node = nodes.iter().find(|node| node.id == id).map(name_of);
            let group = groups.iter().find(|group| group.id == id);
            node.or(group.map(|group| group.title.as_str())).unwrap_or(id).to_owned()
        };
        let lines: Vec<String> = edges
            .iter()
            .take(MAX_LISTED)
            .map(|edge| {
                let label = edge.label.as_ref().map(|label| format!(" ({label})"));
                format!("{} to {}{}", end(&edge.from), end(&edge.to), label.unwrap_or_default())
            })
            .collect();
        let heading = count(edges.len(), "connection", "connections");
        out.push_str(&format!(" {heading}: {}", lines.join("; ")));
        out.push_str(&rest(edges.len()));
    }
    out.trim().to_owned()
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// The dots where states begin and end have ids of the parser's, and no label.
fn name_of(node: &Node) -> &str {
    match node.id.rsplit_once('_') {
        _ if !node.label.is_empty() => &node.label,
        Some((_, dot @ ("start" | "end"))) => dot,
        _ => &node.id,
    }
}

fn rest(count: usize) -> String {
    match count.checked_sub(MAX_LISTED) {
        Some(more) if more > 0 => format!(" and {more} more."),
        _ => ".".to_owned(),
    }
}

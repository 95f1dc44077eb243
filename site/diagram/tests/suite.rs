//! Mermaid's own diagrams: all labels are shown, and flowcharts have the graph that mermaid.js
//! reads. The figures are printed; the floors say what is reached.

mod support;

use diagram::overlay::{pill_at, place_pills};
use diagram::{Drawing, Group, Rect, draw};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Share of all diagrams that must be drawn with every label.
const LABELS_FLOOR: f64 = 0.99;

/// Share of flowcharts whose graph must be equal.
const GRAPHS_FLOOR: f64 = 1.0;

/// Share of all edges that must have a place for a pill; some drawings have no room at all.
const PILLS_FLOOR: f64 = 0.99;

#[derive(Default)]
struct Tally {
    all: usize,
    complete: usize,
    graphs: usize,
    equal: usize,
    covered: usize,
    edges: usize,
    pills: usize,
    misses: Vec<String>,
}

#[test]
fn mermaids_own_diagrams_are_drawn_with_every_label() {
    let Some(text) = support::shared("suites/mermaid/diagrams.json") else {
        return;
    };
    let cases: Vec<Value> = serde_json::from_str(&text).expect("the suite is JSON");
    let (first, second) = cases.split_at(cases.len() / 2);
    let mut tallies = std::thread::scope(|scope| {
        let other = scope.spawn(|| run(second));
        let mut all = run(first);
        for (kind, more) in other.join().expect("the second half ends") {
            let tally: &mut Tally = all.entry(kind).or_default();
            tally.all += more.all;
            tally.complete += more.complete;
            tally.graphs += more.graphs;
            tally.equal += more.equal;
            tally.covered += more.covered;
            tally.edges += more.edges;
            tally.pills += more.pills;
            tally.misses.extend(more.misses);
        }
        all
    });
    let mut sum = Tally::default();
    println!("{:20} {:>5} {:>9} {:>7} {:>6}", "kind", "all", "complete", "graphs", "equal");
    for (kind, tally) in &mut tallies {
        println!(
            "{kind:20} {:5} {:9} {:7} {:6}",
            tally.all, tally.complete, tally.graphs, tally.equal
        );
        sum.all += tally.all;
        sum.complete += tally.complete;
        sum.graphs += tally.graphs;
        sum.equal += tally.equal;
        sum.covered += tally.covered;
        sum.edges += tally.edges;
        sum.pills += tally.pills;
        sum.misses.append(&mut tally.misses);
    }
    println!("{:20} {:5} {:9} {:7} {:6}", "sum", sum.all, sum.complete, sum.graphs, sum.equal);
    for miss in &sum.misses {
        println!("{miss}");
    }
    println!("{} labels of edges lie on a box", sum.covered);
    println!("{} of {} edges have a place for a pill", sum.pills, sum.edges);
    assert!(sum.pills as f64 >= sum.edges as f64 * PILLS_FLOOR);
    assert_eq!(sum.covered, 0);
    assert!(sum.complete as f64 >= sum.all as f64 * LABELS_FLOOR);
    assert!(sum.equal as f64 >= sum.graphs as f64 * GRAPHS_FLOOR);
}

fn run(cases: &[Value]) -> BTreeMap<String, Tally> {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for case in cases {
        let name = case["id"].as_str().unwrap_or("");
        let kind = case["kind"].as_str().unwrap_or("");
        let tally = tallies.entry(kind.to_owned()).or_default();
        tally.all += 1;
        let graph = case.get("graph").filter(|graph| graph.is_object());
        tally.graphs += usize::from(graph.is_some());
        let drawing = match draw(case["source"].as_str().unwrap_or(""), "t1") {
            Ok(drawing) => drawing,
            Err(error) => {
                tally.misses.push(format!("{name} ({kind}): {error}"));
                continue;
            }
        };
        let dirt = support::dirt(&drawing.svg, "t1");
        assert!(dirt.is_empty(), "{name}: {dirt:?}");
        let missing = missing_labels(case, &drawing);
        if missing.is_empty() {
            tally.complete += 1;
        } else {
            tally.misses.push(format!("{name} ({kind}): without {missing:?}"));
        }
        let hidden = drawing.edges.iter().filter_map(|edge| edge.label_rect);
        tally.covered += hidden.filter(|label| is_covered(label, &drawing)).count();
        let (placed, crowded) = pills(&drawing);
        assert!(!crowded, "{name}: pills overlap");
        tally.edges += drawing.edges.len();
        tally.pills += placed;
        if let Some(graph) = graph {
            match difference(graph, &drawing) {
                None => tally.equal += 1,
                Some(difference) => tally.misses.push(format!("{name} ({kind}): {difference}")),
            }
        }
    }
    tallies
}

/// Labels that mermaid.js shows and the drawing does not. Commits without an id get a random one
/// in each drawing, and `info` shows the version of the program: neither can be equal.
fn missing_labels(case: &Value, drawing: &Drawing) -> Vec<String> {
    let words = support::letters(&support::shown(&drawing.svg));
    let kind = case["kind"].as_str().unwrap_or("");
    case["labels"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|label| !(kind == "gitGraph" && is_random_id(label)) && kind != "info")
        .filter(|label| !words.contains(&support::letters(label)))
        .map(str::to_owned)
        .collect()
}

fn is_random_id(label: &str) -> bool {
    label.split_once('-').is_some_and(|(number, hash)| {
        number.bytes().all(|byte| byte.is_ascii_digit())
            && hash.len() == 7
            && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

fn is_covered(label: &Rect, drawing: &Drawing) -> bool {
    drawing.nodes.iter().any(|node| overlap(label, &node.rect))
}

fn overlap(one: &Rect, other: &Rect) -> bool {
    one.x + 1.0 < other.x + other.width
        && other.x + 1.0 < one.x + one.width
        && one.y + 1.0 < other.y + other.height
        && other.y + 1.0 < one.y + one.height
}

/// How many edges get a pill, and whether any pill lies on another, a node or a label.
fn pills(drawing: &Drawing) -> (usize, bool) {
    let size = (64.0, 18.0);
    let all: Vec<&str> = drawing.edges.iter().map(|edge| edge.id.as_str()).collect();
    let places = place_pills(drawing, &all, size);
    let pills: Vec<Rect> = places.values().map(|at| pill_at(*at, size)).collect();
    let crowded = pills.iter().enumerate().any(|(index, pill)| {
        is_covered(pill, drawing)
            || pills[index + 1..].iter().any(|other| overlap(pill, other))
            || drawing
                .edges
                .iter()
                .filter_map(|edge| edge.label_rect)
                .any(|label| overlap(pill, &label))
    });
    (places.len(), crowded)
}

/// The first difference between the graph of mermaid.js and ours.
fn difference(graph: &Value, drawing: &Drawing) -> Option<String> {
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let rows = |key: &str| graph[key].as_array().cloned().unwrap_or_default();
    let groups: BTreeSet<String> = rows("S").iter().map(|row| text(&row[0])).collect();
    let wanted: BTreeSet<(String, String)> = rows("V")
        .iter()
        .map(|row| (text(&row[0]), words(&text(&row[1]))))
        .filter(|(id, _)| !groups.contains(id))
        .collect();
    let found: BTreeSet<(String, String)> =
        drawing.nodes.iter().map(|node| (node.id.clone(), words(&node.label))).collect();
    if wanted != found {
        let lost: Vec<_> = wanted.difference(&found).take(3).collect();
        let more: Vec<_> = found.difference(&wanted).take(3).collect();
        return Some(format!("nodes lost {lost:?}, added {more:?}"));
    }
    let mut wanted: Vec<[String; 3]> =
        rows("E").iter().map(|row| [text(&row[0]), text(&row[1]), words(&text(&row[2]))]).collect();
    let mut found: Vec<[String; 3]> = drawing
        .edges
        .iter()
        .map(|edge| {
            let label = edge.label.as_deref().unwrap_or("");
            [edge.from.clone(), edge.to.clone(), words(label)]
        })
        .collect();
    wanted.sort();
    found.sort();
    if wanted != found {
        let lost: Vec<_> = wanted.iter().filter(|edge| !found.contains(edge)).take(3).collect();
        let more: Vec<_> = found.iter().filter(|edge| !wanted.contains(edge)).take(3).collect();
        return Some(format!("edges lost {lost:?}, added {more:?}"));
    }
    for row in rows("S") {
        let (id, title) = (text(&row[0]), words(&text(&row[1])));
        // `subGraph1` is Mermaid's own name for a group that has only a title.
        let named = !id.starts_with("subGraph");
        let same = |group: &&Group| group.id == id || !named && words(&group.title) == title;
        let Some(group) = drawing.groups.iter().find(same) else {
            return Some(format!("group `{id}` is lost"));
        };
        if words(&group.title) != title {
            return Some(format!("group `{id}` is called `{}`", group.title));
        }
        let members: BTreeSet<String> = row[2].as_array().into_iter().flatten().map(text).collect();
        let nodes = drawing
            .nodes
            .iter()
            .filter(|node| node.group.as_ref() == Some(&group.id))
            .map(|node| node.id.clone());
        let inner = drawing
            .groups
            .iter()
            .filter(|inner| inner.parent.as_ref() == Some(&group.id))
            .map(|inner| inner.id.clone());
        let found: BTreeSet<String> = nodes.chain(inner).collect();
        if members != found {
            return Some(format!("group `{id}` holds {found:?}, not {members:?}"));
        }
    }
    None
}

/// Letters and digits without what neither drawing shows as such: tags, icons of a font, entities
/// (also in Mermaid's inner notation) and the two signs of a line break.
fn words(label: &str) -> String {
    let label = label.replace("\\n", " ").replace("$$", "");
    let mut plain = String::new();
    let mut rest = label.as_str();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '<' if rest[1..].starts_with(|next: char| next.is_alphabetic() || next == '/') => {
                rest.find('>')
            }
            '&' => rest.find(';').filter(|end| *end < 12),
            '\u{fb02}' => rest.find('\u{df}'),
            'f' => icon(rest),
            _ => None,
        };
        let taken = match end {
            Some(end) => end + rest[end..].chars().next().map_or(0, char::len_utf8),
            None => {
                plain.push(first);
                first.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    support::letters(&plain)
}

/// The last byte of an icon's name at the beginning of a text.
fn icon(text: &str) -> Option<usize> {
    let colon = text.find(":fa-").filter(|colon| *colon <= 3)?;
    let name = &text[colon + 4..];
    let length = name
        .find(|character: char| !character.is_ascii_alphanumeric() && character != '-')
        .unwrap_or(name.len());
    Some(colon + 3 + length)
}

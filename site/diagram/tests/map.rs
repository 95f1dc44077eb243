//! Properties of generated maps: nothing lies on anything else, nothing that stands moves, and the
//! same input gives the same map.

use diagram::map::{Direction, Grid, MapEdge, MapNode, NODES_MAX, Nature, draw, place};
use diagram::overlay::{pill_at, place_pills};
use diagram::{Drawing, Point, Rect};
use std::collections::BTreeMap;

const PILL: (f64, f64) = (66.0, 21.0);

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % limit.max(1) as u64) as usize
    }
}

fn node(id: &str, group: Option<&str>) -> MapNode {
    let nature = match id.split('-').next() {
        Some("db") => Nature::Database,
        Some("queue") => Nature::Queue,
        Some("user") => Nature::User,
        Some("ext") => Nature::External,
        _ => Nature::Service,
    };
    MapNode {
        id: id.to_owned(),
        label: id.to_owned(),
        note: "note".to_owned(),
        nature,
        group: group.map(str::to_owned),
        marked: false,
    }
}

fn edges(pairs: &[(&str, &str)]) -> Vec<MapEdge> {
    pairs.iter().map(|(from, to)| MapEdge { from: (*from).into(), to: (*to).into() }).collect()
}

/// A system of `count` services in some layers, with databases, a queue and a circle or two.
fn system(count: usize, seed: u64) -> (Vec<MapNode>, Vec<MapEdge>) {
    let mut dice = Dice(seed);
    let name = |n: usize| format!("{}-{n}", ["db", "queue", "svc", "svc", "ext", "svc"][n % 6]);
    let groups = ["edge", "commerce", "identity"];
    let mut nodes = vec![node("user-0", None)];
    let mut pairs = vec![("user-0".to_owned(), name(2))];
    for n in 0..count {
        let group = groups.get(dice.below(4)).copied();
        nodes.push(node(&name(n), group));
        for _ in 0..1 + dice.below(3) {
            pairs.push((name(dice.below(n.max(1))), name(n)));
        }
        if dice.below(12) == 0 {
            pairs.push((name(n), name(dice.below(n.max(1)))));
        }
    }
    let edges = pairs.into_iter().map(|(from, to)| MapEdge { from, to }).collect();
    (nodes, edges)
}

fn ungrouped(nodes: &[MapNode]) -> Vec<MapNode> {
    nodes.iter().cloned().map(|node| MapNode { group: None, ..node }).collect()
}

fn apart(one: &Rect, other: &Rect, gap: f64) -> bool {
    one.x >= other.x + other.width + gap
        || other.x >= one.x + one.width + gap
        || one.y >= other.y + other.height + gap
        || other.y >= one.y + one.height + gap
}

fn holds(rect: &Rect, point: &Point, inset: f64) -> bool {
    point.x > rect.x + inset
        && point.x < rect.x + rect.width - inset
        && point.y > rect.y + inset
        && point.y < rect.y + rect.height - inset
}

/// Everything that must hold of any map.
fn check(what: &str, drawing: &Drawing) {
    for (nth, one) in drawing.nodes.iter().enumerate() {
        assert!(one.rect.x >= 0.0 && one.rect.y >= 0.0, "{what}: {} is outside", one.id);
        for other in &drawing.nodes[nth + 1..] {
            assert!(apart(&one.rect, &other.rect, 20.0), "{what}: {} touches {}", one.id, other.id);
        }
        for edge in &drawing.edges {
            let through = edge.points.iter().any(|point| holds(&one.rect, point, 0.5));
            assert!(!through, "{what}: {} runs through {}", edge.id, one.id);
            let straight = edge.points.windows(2).any(|pair| {
                let middle = |t: f64| Point {
                    x: pair[0].x + (pair[1].x - pair[0].x) * t,
                    y: pair[0].y + (pair[1].y - pair[0].y) * t,
                };
                (1..20).any(|step| holds(&one.rect, &middle(f64::from(step) / 20.0), 0.5))
            });
            assert!(!straight, "{what}: {} runs straight through {}", edge.id, one.id);
        }
        let around: Vec<&String> = drawing
            .groups
            .iter()
            .filter(|group| !apart(&one.rect, &group.rect, 0.0))
            .map(|group| &group.id)
            .collect();
        assert_eq!(around, one.group.iter().collect::<Vec<_>>(), "{what}: the group of {}", one.id);
    }
    for (nth, one) in drawing.groups.iter().enumerate() {
        for other in &drawing.groups[nth + 1..] {
            assert!(apart(&one.rect, &other.rect, 0.0), "{what}: {} on {}", one.id, other.id);
        }
    }
    for edge in &drawing.edges {
        for point in &edge.points {
            let view = drawing.view_box;
            let inside =
                (0.0..=view.width).contains(&point.x) && (0.0..=view.height).contains(&point.y);
            assert!(inside, "{what}: {} leaves the picture", edge.id);
        }
    }
}

fn rects(drawing: &Drawing) -> BTreeMap<String, Rect> {
    drawing.nodes.iter().map(|node| (node.id.clone(), node.rect)).collect()
}

#[test]
fn nothing_lies_on_anything_else() {
    for seed in 1..12 {
        for count in [1, 4, 12, 40] {
            let (grouped, edges) = system(count, seed);
            for nodes in [ungrouped(&grouped), grouped] {
                let grid = place(&nodes, &edges, None);
                for direction in [Direction::Right, Direction::Down] {
                    let drawing = draw(&nodes, &edges, &grid, direction, "m");
                    assert_eq!(drawing.nodes.len(), nodes.len());
                    check(&format!("seed {seed}, {count} nodes, {direction:?}"), &drawing);
                }
            }
        }
    }
}

#[test]
fn shapes_of_graphs() {
    for (what, pairs, layers) in [
        ("nothing", vec![], 0),
        ("a chain", vec![("a", "b"), ("b", "c"), ("c", "d")], 4),
        ("a shortcut", vec![("a", "b"), ("b", "c"), ("a", "c")], 3),
        ("two calling each other", vec![("a", "b"), ("b", "a")], 2),
        ("a circle", vec![("a", "b"), ("b", "c"), ("c", "a")], 3),
        ("a loop", vec![("a", "a"), ("a", "b")], 2),
        ("a fan", vec![("a", "b"), ("a", "c"), ("a", "d"), ("a", "e")], 2),
        ("a late caller", vec![("a", "b"), ("b", "c"), ("c", "d"), ("cron", "d")], 4),
        ("an edge to nowhere", vec![("a", "b"), ("b", "ghost")], 2),
        ("twice the same", vec![("a", "b"), ("a", "b")], 2),
    ] {
        let mut ids: Vec<&str> =
            pairs.iter().flat_map(|(a, b)| [*a, *b]).filter(|id| *id != "ghost").collect();
        ids.sort_unstable();
        ids.dedup();
        let nodes: Vec<MapNode> = ids.iter().map(|id| node(id, None)).collect();
        let edges = edges(&pairs);
        let grid = place(&nodes, &edges, None);
        let drawing = draw(&nodes, &edges, &grid, Direction::Right, "m");
        check(what, &drawing);
        let mut columns: Vec<i64> = drawing.nodes.iter().map(|node| node.rect.x as i64).collect();
        columns.sort_unstable();
        columns.dedup();
        assert_eq!(columns.len(), layers, "{what}");
        let mut distinct = pairs.clone();
        distinct.sort_unstable();
        distinct.dedup();
        distinct.retain(|(_, to)| *to != "ghost");
        assert_eq!(drawing.edges.len(), distinct.len(), "{what}");
    }
}

#[test]
fn the_same_system_gives_the_same_map_in_any_order() {
    for seed in 1..6 {
        let (nodes, edges) = system(30, seed);
        let grid = place(&nodes, &edges, None);
        let (mut turned, mut calls) = (nodes.clone(), edges.clone());
        turned.reverse();
        calls.reverse();
        assert_eq!(place(&turned, &calls, None), grid);
        let once = draw(&nodes, &edges, &grid, Direction::Right, "m");
        assert_eq!(draw(&nodes, &edges, &grid, Direction::Right, "m").svg, once.svg);
    }
}

/// The translation that all survivors share.
fn shift(before: &Drawing, after: &Drawing, what: &str) -> Option<(f64, f64)> {
    let (old, mut shared) = (rects(before), None);
    for (id, rect) in rects(after) {
        let Some(was) = old.get(&id) else { continue };
        let moved = (rect.x - was.x, rect.y - was.y);
        assert_eq!(*shared.get_or_insert(moved), moved, "{what}: {id} moved by itself");
    }
    shared
}

#[test]
fn what_stands_stays_when_others_come_and_go() {
    for seed in 1..8 {
        let (grouped, edges) = system(40, seed);
        for (kind, nodes) in [("alone", ungrouped(&grouped)), ("in groups", grouped)] {
            let mut dice = Dice(seed * 77);
            let some = |dice: &mut Dice| -> Vec<MapNode> {
                nodes.iter().filter(|_| dice.below(3) > 0).cloned().collect()
            };
            let mut now = some(&mut dice);
            let mut grid = place(&now, &edges, None);
            for round in 0..8 {
                let what = format!("{kind}, seed {seed}, round {round}");
                let next = some(&mut dice);
                let moved_on: Grid = place(&next, &edges, Some(&grid));
                for direction in [Direction::Right, Direction::Down] {
                    let before = draw(&now, &edges, &grid, direction, "m");
                    let after = draw(&next, &edges, &moved_on, direction, "m");
                    check(&what, &after);
                    let shift = shift(&before, &after, &what);
                    assert!(shift.is_none_or(|shift| shift == (0.0, 0.0)), "{what}: {shift:?}");
                }
                assert_eq!(place(&next, &edges, Some(&moved_on)), moved_on, "it settles at once");
                (now, grid) = (next, moved_on);
            }
        }
    }
}

#[test]
fn a_crowd_moves_nobody() {
    for seed in 1..2 {
        let (grouped, edges) = system(NODES_MAX - 1, seed);
        for nodes in [ungrouped(&grouped), grouped] {
            for few in [3, 21] {
                let first = place(&nodes[..few], &edges, None);
                let before = draw(&nodes[..few], &edges, &first, Direction::Right, "m");
                let all = place(&nodes, &edges, Some(&first));
                let after = draw(&nodes, &edges, &all, Direction::Right, "m");
                check(&format!("{few} and a crowd, seed {seed}"), &after);
                shift(&before, &after, &format!("{few} and a crowd, seed {seed}"));
                let back = place(&nodes[..few], &edges, Some(&all));
                let again = draw(&nodes[..few], &edges, &back, Direction::Right, "m");
                shift(&before, &again, "the crowd left");
            }
        }
    }
}

#[test]
fn who_comes_back_stands_where_it_was() {
    let all: Vec<MapNode> = ["a", "b", "c", "d"].iter().map(|id| node(id, None)).collect();
    let calls = edges(&[("a", "b"), ("a", "c"), ("a", "d")]);
    let first = place(&all, &calls, None);
    let without: Vec<MapNode> = all.iter().filter(|node| node.id != "c").cloned().collect();
    let gone = place(&without, &calls, Some(&first));
    let again = place(&all, &calls, Some(&gone));
    let show = |grid: &Grid| rects(&draw(&all, &calls, grid, Direction::Right, "m"));
    assert_eq!(show(&again), show(&first));
}

#[test]
fn a_change_of_group_moves_that_node_alone() {
    let mut all = vec![node("a", Some("x")), node("b", Some("x")), node("c", Some("y"))];
    let calls = edges(&[("a", "b"), ("b", "c")]);
    let first = place(&all, &calls, None);
    all[1].group = Some("y".to_owned());
    let second = place(&all, &calls, Some(&first));
    check("a changed group", &draw(&all, &calls, &second, Direction::Right, "m"));
}

#[test]
fn pills_stay_clear_of_nodes_and_each_other() {
    for seed in 1..6 {
        let (nodes, edges) = system(30, seed);
        let grid = place(&nodes, &edges, None);
        let drawing = draw(&nodes, &edges, &grid, Direction::Right, "m");
        let ids: Vec<&str> = drawing.edges.iter().map(|edge| edge.id.as_str()).collect();
        let pills: Vec<Rect> =
            place_pills(&drawing, &ids, PILL).values().map(|at| pill_at(*at, PILL)).collect();
        for (nth, pill) in pills.iter().enumerate() {
            assert!(drawing.nodes.iter().all(|node| apart(pill, &node.rect, 1.9)), "seed {seed}");
            assert!(pills[nth + 1..].iter().all(|other| apart(pill, other, 1.9)), "seed {seed}");
        }
    }
}

#[test]
fn names_stay_in_their_boxes_and_are_escaped() {
    for name in [
        "orders",
        "a-service-with-quite-a-long-name",
        "com.example.platform.billing.InvoiceRenderingService",
        "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww",
        "\"'><script>alert(1)</script>&",
        "日本語のサービス名がとても長い場合",
        "a\u{0}b\nc",
        "",
    ] {
        let nodes = [MapNode { note: name.to_owned(), ..node(name, Some(name)) }];
        let grid = place(&nodes, &[], None);
        let drawing = draw(&nodes, &[], &grid, Direction::Down, "m\"><x");
        let svg = roxmltree::Document::parse(&drawing.svg).expect("the SVG is XML");
        assert!(svg.descendants().all(|node| node.tag_name().name() != "script"), "{name}");
        let in_node = |node: &roxmltree::Node| {
            node.tag_name().name() == "text" && node.attribute("class").is_some()
        };
        for text in svg.descendants().filter(in_node) {
            let words = text.text().unwrap_or_default();
            // An ideograph is 1.02 em wide, a letter 0.35 em at least.
            let size = if text.attribute("class") == Some("sub") { 11.0 } else { 13.0 };
            let wide = words.chars().filter(|c| !c.is_ascii()).count() as f64;
            let narrow = words.chars().filter(char::is_ascii).count() as f64;
            assert!((wide * 1.02 + narrow * 0.35) * size <= 164.0, "`{words}` is too long");
        }
    }
}

#[test]
fn the_largest_map_is_whole() {
    let (nodes, edges) = system(NODES_MAX - 1, 5);
    let grid = place(&nodes, &edges, None);
    let drawing = draw(&nodes, &edges, &grid, Direction::Right, "m");
    assert_eq!(drawing.nodes.len(), NODES_MAX);
    check("the largest map", &drawing);
    println!(
        "{} nodes, {} edges: {:.0} x {:.0}",
        drawing.nodes.len(),
        drawing.edges.len(),
        drawing.view_box.width,
        drawing.view_box.height
    );
}

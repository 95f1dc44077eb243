//! The diagrams of the seeds: every node, edge and group is typed and placed, author's colours
//! are kept and can be read, and live values find a place.

mod support;

use diagram::overlay::{PILL_GAP, badge_anchor, pill_at, place_pills};
use diagram::{Drawing, Rect, Shape, draw};
use roxmltree::Document;

fn drawn() -> Vec<(String, String, Drawing)> {
    support::seeds()
        .into_iter()
        .map(|(name, source)| {
            let drawing = draw(&source, "s1").unwrap_or_else(|error| panic!("{name}: {error:?}"));
            (name, source, drawing)
        })
        .collect()
}

fn overlap(one: &Rect, other: &Rect, gap: f64) -> bool {
    one.x < other.x + other.width + gap
        && other.x < one.x + one.width + gap
        && one.y < other.y + other.height + gap
        && other.y < one.y + one.height + gap
}

#[test]
fn seeds_are_drawn_cleanly_and_with_every_part() {
    for (name, source, drawing) in drawn() {
        let dirt = support::dirt(&drawing.svg, "s1");
        assert!(dirt.is_empty(), "{name}: {dirt:?}");
        let arrows =
            source.lines().filter(|line| line.contains("-->") || line.contains(">>")).count();
        assert_eq!(drawing.edges.len(), arrows, "{name}");
        assert!(drawing.nodes.len() >= 5, "{name}");
        let document = Document::parse(&drawing.svg).expect("a drawing is XML");
        let has = |id: &str| document.descendants().any(|node| node.attribute("id") == Some(id));
        let words = support::letters(&support::shown(&drawing.svg));
        for node in &drawing.nodes {
            assert!(has(&node.dom_id), "{name}: `{}` is not in the drawing", node.dom_id);
            assert!(words.contains(&support::letters(&node.label)), "{name}: {}", node.label);
            assert!(node.rect.width > 10.0 && node.rect.height > 10.0, "{name}: {node:?}");
        }
        for edge in &drawing.edges {
            assert!(edge.points.len() >= 2, "{name}: {edge:?}");
            assert!(edge.dom_id.as_ref().is_none_or(|id| has(id)), "{name}: {edge:?}");
        }
        for (index, one) in drawing.nodes.iter().enumerate() {
            for other in &drawing.nodes[index + 1..] {
                assert!(!overlap(&one.rect, &other.rect, 0.0), "{name}: {one:?} {other:?}");
            }
        }
        for label in drawing.edges.iter().filter_map(|edge| edge.label_rect) {
            let on = drawing.nodes.iter().find(|node| overlap(&label, &node.rect, 0.0));
            assert!(on.is_none(), "{name}: a label lies on {on:?}");
        }
        assert!(document.root_element().attribute("role") == Some("img"), "{name}");
        for id in
            document.root_element().attribute("aria-labelledby").expect("it is labelled").split(' ')
        {
            assert!(has(id), "{name}: `{id}`");
        }
    }
}

#[test]
fn shapes_and_groups_of_the_first_seed_are_read() {
    let drawings = drawn();
    let Some((_, _, drawing)) = drawings.first() else {
        return;
    };
    let shape = |id: &str| drawing.nodes.iter().find(|node| node.id == id).map(|node| node.shape);
    assert_eq!(shape("H"), Some(Shape::Database));
    assert_eq!(shape("A"), Some(Shape::Box));
    assert_eq!(drawing.groups.len(), 4);
    let ids: Vec<&str> = drawing.nodes.iter().map(|node| node.id.as_str()).collect();
    assert_eq!(&ids[..5], ["A", "B", "C", "D", "E"], "nodes stand in the order of the text");
    let (_, _, services) = &drawings[1];
    let queue = services.nodes.iter().find(|node| node.id == "K").expect("K is a node");
    assert_eq!(queue.shape, Shape::Queue);
}

#[test]
fn fills_of_authors_are_kept_and_their_labels_can_be_read() {
    for (name, source, drawing) in drawn() {
        let document = Document::parse(&drawing.svg).expect("a drawing is XML");
        for line in source.lines().filter_map(|line| line.trim().strip_prefix("style ")) {
            let (id, fill) = line.split_once(" fill:").expect("seeds style fills");
            let node = drawing.nodes.iter().find(|node| node.id == id).expect("it styles a node");
            let group = document
                .descendants()
                .find(|found| found.attribute("id") == Some(&node.dom_id))
                .expect("the node is in the drawing");
            let shape = group.descendants().find(|part| part.attribute("fill") == Some(fill));
            assert!(shape.is_some(), "{name}: the fill of `{id}` is lost");
            let ink = group
                .descendants()
                .find(|part| part.tag_name().name() == "text")
                .and_then(|text| text.attribute("fill"))
                .expect("the label has a colour of its own");
            let contrast = contrast(ink, fill);
            assert!(contrast >= 4.5, "{name}: {ink} on {fill} has {contrast:.2}");
        }
    }
}

#[test]
fn pills_and_badges_find_a_place_of_their_own() {
    let mut count = 0;
    for (name, _, drawing) in drawn() {
        let all: Vec<&str> = drawing.edges.iter().map(|edge| edge.id.as_str()).collect();
        for size in [(44.0, 16.0), (64.0, 18.0), (92.0, 20.0)] {
            let places = place_pills(&drawing, &all, size);
            assert_eq!(places, place_pills(&drawing, &all, size), "{name}");
            let pills: Vec<(&String, Rect)> =
                places.iter().map(|(id, at)| (id, pill_at(*at, size))).collect();
            for (index, (id, pill)) in pills.iter().enumerate() {
                for (other_id, other) in &pills[index + 1..] {
                    assert!(!overlap(pill, other, PILL_GAP), "{name}: {id} and {other_id}");
                }
                for node in &drawing.nodes {
                    assert!(!overlap(pill, &node.rect, PILL_GAP), "{name}: {id} on {}", node.id);
                }
                for label in drawing.edges.iter().filter_map(|edge| edge.label_rect) {
                    assert!(!overlap(pill, &label, PILL_GAP), "{name}: {id} on a label");
                }
                let view = drawing.view_box;
                assert!(
                    pill.x >= view.x && pill.x + pill.width <= view.x + view.width,
                    "{name}: {id} leaves the drawing"
                );
            }
            assert_eq!(places.len(), all.len(), "{name}: pills of {size:?} are missing");
            count += places.len();
        }
        for node in &drawing.nodes {
            let at = badge_anchor(node);
            assert!(
                at.x > node.rect.x && at.x <= node.rect.x + node.rect.width,
                "{name}: {node:?}"
            );
        }
    }
    println!("{count} pills placed");
}

fn contrast(one: &str, other: &str) -> f64 {
    let luminance = |hex: &str| {
        let value = u32::from_str_radix(hex.trim_start_matches('#'), 16).expect("six hex digits");
        let linear = |shift: u32| {
            let channel = f64::from((value >> shift) & 0xff) / 255.0;
            if channel <= 0.04045 { channel / 12.92 } else { ((channel + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(16) + 0.7152 * linear(8) + 0.0722 * linear(0)
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

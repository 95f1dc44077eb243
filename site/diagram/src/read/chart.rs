//! Class, state, entity relationship, architecture, block, C4 and requirement diagrams.

use super::{Graph, Scene, list, plain, shape_of, text};
use crate::model::{Edge, Group, Node};
use serde_json::{Map, Value};

pub(super) fn class(model: &Value, scene: &Scene) -> Graph {
    let nodes = entries(model, "classes")
        .filter_map(|(id, class)| {
            let (dom_id, rect) = scene.find(text(class, "domId")?)?;
            let label = plain(text(class, "label").unwrap_or(id));
            Some(Node {
                id: id.to_owned(),
                shape: shape_of("", &label),
                label,
                group: text(class, "parent").map(str::to_owned),
                dom_id,
                rect,
            })
        })
        .collect();
    let groups = entries(model, "namespaces")
        .filter_map(|(id, group)| {
            let (_, rect) = scene.find(id)?;
            Some(Group {
                id: id.to_owned(),
                title: plain(text(group, "label").unwrap_or(id)),
                parent: text(group, "parent").map(str::to_owned),
                rect,
            })
        })
        .collect();
    let edges = list(model, "relations")
        .iter()
        .enumerate()
        .filter_map(|(index, relation)| {
            let (from, to) = (text(relation, "id1")?, text(relation, "id2")?);
            let name = format!("id_{from}_{to}_{}", index + 1);
            edge(scene, name, (from, to), text(relation, "title"))
        })
        .collect();
    Graph { nodes, edges, groups }
}

pub(super) fn state(model: &Value, scene: &Scene) -> Graph {
    let mut graph = Graph::default();
    for state in list(model, "nodes") {
        let (Some(id), shape) = (text(state, "id"), text(state, "shape").unwrap_or("")) else {
            continue;
        };
        let Some((dom_id, rect)) = scene.find(&format!("state-{id}")) else {
            continue;
        };
        let parent = text(state, "parentId").map(str::to_owned);
        let label = plain(text(state, "label").unwrap_or(id));
        if state.get("isGroup").and_then(Value::as_bool) == Some(true) {
            graph.groups.push(Group { id: id.to_owned(), title: label, parent, rect });
            continue;
        }
        let marker =
            matches!(shape, "stateStart" | "stateEnd" | "fork" | "join" | "forkJoin" | "choice");
        graph.nodes.push(Node {
            id: id.to_owned(),
            shape: shape_of(shape, &label),
            label: if marker { String::new() } else { label },
            group: parent,
            dom_id,
            rect,
        });
    }
    graph.edges = list(model, "edges")
        .iter()
        .filter_map(|found| {
            let id = text(found, "id")?.to_owned();
            edge(scene, id, (text(found, "start")?, text(found, "end")?), text(found, "label"))
        })
        .collect();
    graph
}

pub(super) fn entities(model: &Value, scene: &Scene) -> Graph {
    let id_of = |inner: &str| -> String {
        entries(model, "entities")
            .find(|(_, entity)| text(entity, "id") == Some(inner))
            .map_or(inner, |(id, _)| id)
            .to_owned()
    };
    let nodes = entries(model, "entities")
        .filter_map(|(id, entity)| {
            let (dom_id, rect) = scene.find(text(entity, "id")?)?;
            let label = plain(text(entity, "alias").or(text(entity, "label")).unwrap_or(id));
            Some(Node {
                id: id.to_owned(),
                shape: shape_of("", &label),
                label,
                group: None,
                dom_id,
                rect,
            })
        })
        .collect();
    let edges = list(model, "relationships")
        .iter()
        .enumerate()
        .filter_map(|(index, relation)| {
            let (from, to) = (text(relation, "entityA")?, text(relation, "entityB")?);
            let name = format!("id_{from}_{to}_{index}");
            edge(scene, name, (&id_of(from), &id_of(to)), text(relation, "roleA"))
        })
        .collect();
    Graph { nodes, edges, groups: Vec::new() }
}

pub(super) fn architecture(model: &Value, scene: &Scene) -> Graph {
    let nodes = list(model, "services")
        .iter()
        .filter_map(|service| {
            let id = text(service, "id")?;
            let (dom_id, rect) = scene.find(&format!("service-{id}"))?;
            let label = plain(text(service, "title").unwrap_or(id));
            Some(Node {
                id: id.to_owned(),
                shape: shape_of(text(service, "icon").unwrap_or(""), &label),
                label,
                group: text(service, "in").map(str::to_owned),
                dom_id,
                rect,
            })
        })
        .collect();
    let groups = list(model, "groups")
        .iter()
        .filter_map(|group| {
            let id = text(group, "id")?;
            let (_, rect) = scene.find(&format!("group-{id}"))?;
            Some(Group {
                id: id.to_owned(),
                title: plain(text(group, "title").unwrap_or(id)),
                parent: text(group, "in").map(str::to_owned),
                rect,
            })
        })
        .collect();
    let edges = list(model, "edges")
        .iter()
        .filter_map(|found| {
            let (from, to) = (text(found, "lhsId")?, text(found, "rhsId")?);
            let name = format!("L_{from}_{to}_0");
            edge(scene, name, (from, to), text(found, "title"))
        })
        .collect();
    Graph { nodes, edges, groups }
}

pub(super) fn block(model: &Value, scene: &Scene) -> Graph {
    let nodes = list(model, "blocksFlat")
        .iter()
        .filter_map(|block| {
            let id = text(block, "id")?;
            let kind = text(block, "type").unwrap_or("");
            if matches!(kind, "composite" | "space") {
                return None;
            }
            let (dom_id, rect) = scene.find(id)?;
            let label = plain(text(block, "label").unwrap_or(""));
            Some(Node {
                id: id.to_owned(),
                shape: shape_of(kind, &label),
                label,
                group: None,
                dom_id,
                rect,
            })
        })
        .collect();
    let edges = list(model, "edges")
        .iter()
        .filter_map(|found| {
            let id = text(found, "id")?.to_owned();
            edge(scene, id, (text(found, "start")?, text(found, "end")?), text(found, "label"))
        })
        .collect();
    Graph { nodes, edges, groups: Vec::new() }
}

pub(super) fn c4(model: &Value, scene: &Scene) -> Graph {
    let inner = |value: &Value, key: &str| -> String {
        value.get(key).and_then(|found| text(found, "text")).map(plain).unwrap_or_default()
    };
    let nodes = list(model, "shapes")
        .iter()
        .filter_map(|shape| {
            let id = text(shape, "alias")?;
            let (dom_id, rect) = scene.find(id)?;
            let label = inner(shape, "label");
            let kind = inner(shape, "typeC4Shape");
            let outline = if kind.contains("person") {
                "person"
            } else if kind.contains("db") {
                "database"
            } else if kind.contains("queue") {
                "queue"
            } else {
                ""
            };
            Some(Node {
                id: id.to_owned(),
                shape: shape_of(outline, &label),
                label,
                group: None,
                dom_id,
                rect,
            })
        })
        .collect();
    let relations = list(model, "rels");
    // The lines have no names; they are painted in the order of the relations.
    let lines = scene.unnamed();
    let edges = relations
        .iter()
        .zip(lines)
        .enumerate()
        .filter(|_| relations.len() == lines.len())
        .filter_map(|(index, (relation, line))| {
            let label = inner(relation, "label");
            Some(Edge {
                id: format!("rel-{index}"),
                from: text(relation, "from")?.to_owned(),
                to: text(relation, "to")?.to_owned(),
                label: (!label.is_empty()).then_some(label),
                dom_id: line.dom_id.clone(),
                points: line.points.clone(),
                label_rect: None,
            })
        })
        .collect();
    Graph { nodes, edges, groups: Vec::new() }
}

pub(super) fn requirement(model: &Value, scene: &Scene) -> Graph {
    let nodes = ["requirements", "elements"]
        .iter()
        .flat_map(|key| list(model, key))
        .filter_map(|found| {
            let id = text(found, "name")?;
            let (dom_id, rect) = scene.find(id)?;
            Some(Node {
                id: id.to_owned(),
                shape: shape_of("", id),
                label: plain(id),
                group: None,
                dom_id,
                rect,
            })
        })
        .collect();
    let edges = list(model, "relationships")
        .iter()
        .enumerate()
        .filter_map(|(index, found)| {
            let (from, to) = (text(found, "src")?, text(found, "dst")?);
            let name = format!("{from}-{to}-{index}");
            edge(scene, name, (from, to), text(found, "type"))
        })
        .collect();
    Graph { nodes, edges, groups: Vec::new() }
}

fn entries<'a>(model: &'a Value, key: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    model
        .get(key)
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(Map::iter)
        .map(|(id, value)| (id.as_str(), value))
}

fn edge(scene: &Scene, name: String, ends: (&str, &str), label: Option<&str>) -> Option<Edge> {
    let line = scene.line(&name).filter(|line| line.points.len() >= 2)?;
    Some(Edge {
        id: name,
        from: ends.0.to_owned(),
        to: ends.1.to_owned(),
        label: label.map(plain).filter(|label| !label.is_empty()),
        dom_id: line.dom_id,
        points: line.points,
        label_rect: line.label,
    })
}

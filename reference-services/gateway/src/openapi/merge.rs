//! One description out of several: every route of the table, as its service
//! describes it, with what the gateway adds to it (tokens, limits, and that a
//! service may be away). Names of schemas get the service's name before them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::domain::{Guard, ROUTES, Route, Verb};
use crate::stream::STREAMS;

/// What the gateway may answer to any request, and why.
const ALWAYS: [(&str, &str); 5] = [
    ("414", "The address is too long."),
    ("429", "Too many requests."),
    ("502", "A service that is needed cannot be reached."),
    ("503", "A service that is needed cannot answer right now."),
    ("504", "A service that is needed did not answer in time."),
];

/// What it may answer where a token is needed.
const WITH_TOKEN: [(&str, &str); 2] =
    [("401", "A valid access token is needed."), ("403", "This is not allowed.")];

/// Where the schema of a problem is, in the whole.
const PROBLEM: &str = "#/components/schemas/Problem";

/// The description of all open routes. `own` is the gateway's, with the routes
/// that no service has; a service that said nothing has none yet.
pub fn merge(own: Value, by_service: &BTreeMap<&'static str, Value>) -> Value {
    let mut whole = own;
    let own_paths = std::mem::take(&mut whole["paths"]);
    let (mut paths, mut used) = (Map::new(), BTreeSet::new());
    for route in ROUTES {
        let own = own_paths[route.path][method(route)].clone();
        let described = by_service.get(route.peer);
        let (mut operation, known) = match (own, described) {
            (Value::Null, Some(described)) => {
                used.insert(route.peer);
                let operation = described["paths"][route.upstream][method(route)].clone();
                (prefixed(operation, route.peer), true)
            }
            (Value::Null, None) => (Value::Null, false),
            (own, _) => (own, true),
        };
        if !known || operation.is_null() {
            continue;
        }
        complete(&mut operation, route.peer, matches!(route.guard, Guard::Role(_)), route.path);
        insert(&mut paths, route.path, method(route), operation);
    }
    for (path, peer) in STREAMS {
        let Some(described) = by_service.get(peer) else { continue };
        let mut operation = prefixed(described["paths"][path]["get"].clone(), peer);
        if !operation.is_null() {
            used.insert(peer);
            complete(&mut operation, peer, true, path);
            insert(&mut paths, path, "get", operation);
        }
    }
    whole["paths"] = Value::Object(paths);
    for peer in used {
        let described = prefixed(by_service[peer]["components"]["schemas"].clone(), peer);
        for (name, schema) in described.as_object().into_iter().flatten() {
            whole["components"]["schemas"][format!("{peer}.{name}")] = schema.clone();
        }
    }
    drop_unused(&mut whole);
    whole
}

fn method(route: &Route) -> &'static str {
    match route.verb {
        Verb::Get => "get",
        Verb::Post => "post",
        Verb::Put => "put",
        Verb::Delete => "delete",
    }
}

fn insert(paths: &mut Map<String, Value>, path: &str, method: &str, operation: Value) {
    let item = paths.entry(path).or_insert_with(|| json!({}));
    item[method] = operation;
}

/// Adds what the gateway does to every request of a route.
fn complete(operation: &mut Value, peer: &str, token: bool, path: &str) {
    let id = operation["operationId"].as_str().unwrap_or_default();
    let version = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    operation["operationId"] = format!("{peer}.{id}.{version}").into();
    operation["tags"] = json!([peer]);
    operation["security"] = if token { json!([{ "token": [] }]) } else { json!([]) };
    let problems = ALWAYS.iter().chain(WITH_TOKEN.iter().filter(|_| token));
    for (status, why) in problems {
        operation["responses"][status] = json!({
            "description": why,
            "content": { "application/problem+json": { "schema": { "$ref": PROBLEM } } },
        });
    }
}

/// The same, with the service's name before every schema that is referred to.
fn prefixed(value: Value, peer: &str) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(|value| prefixed(value, peer)).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| match (name.as_str(), value.as_str()) {
                ("$ref", Some(target)) => {
                    let to = format!("#/components/schemas/{peer}.");
                    (name, target.replace("#/components/schemas/", &to).into())
                }
                _ => (name, prefixed(value, peer)),
            })
            .collect(),
        other => other,
    }
}

/// Leaves out the schemas that nothing refers to.
fn drop_unused(whole: &mut Value) {
    let mut reached = BTreeSet::new();
    let mut left = vec![whole["paths"].clone()];
    while let Some(value) = left.pop() {
        for name in references(&value) {
            if reached.insert(name.clone()) {
                left.push(whole["components"]["schemas"][&name].clone());
            }
        }
    }
    if let Some(schemas) = whole["components"]["schemas"].as_object_mut() {
        schemas.retain(|name, _| reached.contains(name));
    }
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(references).collect(),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match (name.as_str(), value.as_str()) {
                ("$ref", Some(target)) => target
                    .strip_prefix("#/components/schemas/")
                    .map(str::to_owned)
                    .into_iter()
                    .collect(),
                _ => references(value),
            })
            .collect(),
        _ => Vec::new(),
    }
}

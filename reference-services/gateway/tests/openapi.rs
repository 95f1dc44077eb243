//! What the services say of their routes: every route is described and no other,
//! and everything that is open to the outside is in the gateway's whole.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use gateway::domain::{Guard, ROUTES};
use gateway::openapi::merge;
use gateway::stream::STREAMS;
use serde_json::Value;

const METHODS: [&str; 5] = ["get", "post", "put", "delete", "patch"];

/// Services whose routes are described.
const SERVICES: [&str; 8] =
    ["analytics", "auth", "catalog", "notifications", "orders", "payments", "shipping", "users"];

fn folder(service: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(service)
}

fn description(service: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder(service).join("openapi.json")).unwrap())
        .unwrap()
}

/// Paths with their methods, as the description has them.
fn described(description: &Value) -> BTreeSet<(String, String)> {
    let paths = description["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(move |method| (path.clone(), method.clone()))
        })
        .collect()
}

/// Paths with their methods, as `api.rs` mounts them: `.route(PATH, get(a).put(b))`.
fn mounted(service: &str) -> BTreeSet<(String, String)> {
    let source = fs::read_to_string(folder(service).join("src/api.rs")).unwrap();
    let source: String = source.split_whitespace().collect();
    let mut mounted = BTreeSet::new();
    for route in source.split(".route(").skip(1) {
        let (path, rest) = route.split_once(',').unwrap();
        let path = match path {
            "chassis::token::KEYS_PATH" => chassis::token::KEYS_PATH,
            path => path.trim_matches('"'),
        };
        assert!(path.starts_with('/'), "{service}: `{path}` is no path that this test can read");
        let handlers = rest.split(".with_state").next().unwrap();
        for method in METHODS {
            let calls = [format!("{method}("), format!(".{method}(")];
            if handlers.starts_with(&calls[0]) || handlers.contains(&calls[1]) {
                mounted.insert((path.to_owned(), method.to_owned()));
            }
        }
    }
    // What is between services alone.
    mounted.retain(|(path, _)| !path.starts_with("/internal/"));
    mounted
}

#[test]
fn every_route_is_described_and_no_other() {
    for service in SERVICES {
        assert_eq!(described(&description(service)), mounted(service), "{service}");
    }
}

#[test]
fn the_whole_has_what_is_open_to_the_outside() {
    let all: BTreeMap<_, _> =
        SERVICES.into_iter().map(|service| (service, description(service))).collect();
    let whole = merge(description("gateway"), &all);
    let table = ROUTES
        .iter()
        .filter(|route| all.contains_key(route.peer))
        .map(|route| (route.path.to_owned(), route.verb.method().as_str().to_lowercase()));
    let streams = STREAMS.iter().map(|(path, _)| ((*path).to_owned(), "get".to_owned()));
    assert_eq!(described(&whole), table.chain(streams).collect());

    let text = whole.to_string();
    for (at, _) in text.match_indices("#/components/schemas/") {
        let name = text[at + "#/components/schemas/".len()..].split('"').next().unwrap();
        assert!(!whole["components"]["schemas"][name].is_null(), "{name} is nowhere");
    }
    let mut ids = BTreeSet::new();
    for route in ROUTES.iter().filter(|route| all.contains_key(route.peer)) {
        let method = route.verb.method().as_str().to_lowercase();
        let operation = &whole["paths"][route.path][method];
        let id = operation["operationId"].as_str().unwrap();
        assert!(ids.insert(id.to_owned()), "{id} is there twice");
        let token = operation["security"].as_array().is_some_and(|needs| !needs.is_empty());
        assert_eq!(token, route.guard != Guard::Open, "{}", route.path);
        let varies = route.path.matches('{').count();
        let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        let named = parameters.iter().filter(|parameter| parameter["in"] == "path").count();
        assert_eq!(named, varies, "{}", route.path);
    }
}

#[test]
fn a_service_that_says_nothing_is_left_out() {
    let whole = merge(description("gateway"), &BTreeMap::new());
    let only_version_two = described(&whole).iter().all(|(path, _)| path.starts_with("/v2/"));
    assert!(only_version_two && whole["openapi"] == "3.1.0", "{whole}");
}

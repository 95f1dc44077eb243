//! The walls of the house: every manifest keeps to the floors.

use std::collections::BTreeMap;
use std::fs;

/// Floors of the site, from below. A crate may depend on those of lower floors only; `promql` reads
/// the trait of `series`, so the lowest floor has the lowest number.
const SITE: &[(&str, u8)] = &[
    ("diagnostics", 0),
    ("series", 0),
    ("diagram", 1),
    ("promql", 1),
    ("traces", 1),
    ("document", 2),
    ("evidence", 3),
    ("pages", 4),
    ("telemetry", 4),
    ("loggia", 5),
];
const SERVICES: &[(&str, u8)] = &[
    ("contracts", 0),
    ("chassis", 2),
    ("analytics", 3),
    ("auth", 3),
    ("catalog", 3),
    ("gateway", 3),
    ("notifications", 3),
    ("orders", 3),
    ("payments", 3),
    ("shipping", 3),
    ("users", 3),
    ("fleet", 4),
    ("cloudscale", 5),
];
/// Crates of the site that do no I/O: a runtime, a socket or a watcher among their dependencies
/// would say otherwise.
const PURE: &[&str] =
    &["diagnostics", "series", "promql", "traces", "diagram", "document", "evidence", "pages"];
const IO: &[&str] = &["tokio", "axum", "hyper", "hyper-util", "notify", "walkdir", "tempfile"];

#[test]
fn manifests_keep_to_the_floors() {
    let root = tests::repository();
    let manifests = [("site", SITE), ("reference-services", SERVICES)]
        .map(|(half, floors)| (half, floors.iter().copied().collect::<BTreeMap<_, _>>()));
    let mut wrong = Vec::new();
    for (half, floors) in &manifests {
        let listed: Vec<String> = fs::read_dir(root.join(half))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        for name in &listed {
            let Some(&floor) = floors.get(name.as_str()) else {
                wrong.push(format!("{half}/{name} has no floor"));
                continue;
            };
            for dependency in dependencies(&root.join(half).join(name).join("Cargo.toml")) {
                wrong.extend(judge(name, floor, half, &dependency, &manifests));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn judge(
    name: &str,
    floor: u8,
    half: &str,
    dependency: &str,
    manifests: &[(&str, BTreeMap<&str, u8>); 2],
) -> Option<String> {
    if PURE.contains(&name) && IO.contains(&dependency) {
        return Some(format!("{name} does no I/O and depends on {dependency}"));
    }
    let (other_half, floors) =
        manifests.iter().find(|(_, floors)| floors.contains_key(dependency))?;
    if *other_half != half {
        return (name != "cloudscale")
            .then(|| format!("{name} ({half}) depends on {dependency} ({other_half})"));
    }
    let below = floors[dependency];
    (below >= floor)
        .then(|| format!("{name} (floor {floor}) depends on {dependency} (floor {below})"))
}

/// Names under `[dependencies]`.
fn dependencies(manifest: &std::path::Path) -> Vec<String> {
    let text = fs::read_to_string(manifest).unwrap();
    let table: toml::Table = text.parse().unwrap();
    let names = table.get("dependencies").and_then(|found| found.as_table());
    names.into_iter().flat_map(|found| found.keys().cloned()).collect()
}

/// Versions and lints stand in one place.
#[test]
fn manifests_take_versions_from_the_workspace() {
    let root = tests::repository();
    for half in ["site", "reference-services"] {
        for entry in fs::read_dir(root.join(half)).unwrap() {
            let path = entry.unwrap().path().join("Cargo.toml");
            let text = fs::read_to_string(&path).unwrap();
            let table: toml::Table = text.parse().unwrap();
            assert_eq!(table["lints"]["workspace"].as_bool(), Some(true), "{}", path.display());
            for part in ["dependencies", "dev-dependencies"] {
                let Some(part) = table.get(part).and_then(|found| found.as_table()) else {
                    continue;
                };
                for (name, value) in part {
                    let shared = value.get("workspace").and_then(toml::Value::as_bool);
                    assert_eq!(shared, Some(true), "{} of {}", name, path.display());
                }
            }
        }
    }
    let text = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let table: toml::Table = text.parse().unwrap();
    assert_eq!(table["workspace"]["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
}

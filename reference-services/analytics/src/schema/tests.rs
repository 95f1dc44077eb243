//! Cases, and the sentence that compatibility stands for, on schemas and values
//! that are drawn: what kept to the older one keeps to the newer one.

#![allow(clippy::unwrap_used)]

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::*;

fn object(properties: Value, required: Value, open: bool) -> Value {
    json!({ "type": "object", "properties": properties, "required": required,
            "additionalProperties": open })
}

#[test]
fn values_keep_to_schemas_or_it_is_said_where_not() {
    let schema = object(
        json!({
            "sku": { "type": "string", "maxLength": 4 },
            "id": { "type": "string", "format": "uuid" },
            "way": { "type": "string", "enum": ["in", "out"] },
            "n": { "type": "integer", "minimum": 1, "maximum": 9 },
            "share": { "type": "number", "maximum": 1.0 },
            "list": { "type": "array", "items": { "type": "boolean" }, "maxItems": 2 },
        }),
        json!(["sku"]),
        false,
    );
    let schema = parse(&schema).unwrap();
    for (value, fault) in [
        (json!({ "sku": "tea" }), ""),
        (json!({ "sku": "tea", "n": 3.0, "share": 1, "list": [true] }), ""),
        (json!({}), "`body.sku` is missing"),
        (json!({ "sku": "teapot" }), "`body.sku` is too long"),
        (json!({ "sku": 7 }), "`body.sku` must be of type `string`"),
        (json!({ "sku": "t", "id": "x" }), "`body.id` is no UUID"),
        (json!({ "sku": "t", "way": "up" }), "`body.way` is none of the words that it may be"),
        (json!({ "sku": "t", "n": 10 }), "`body.n` is out of range"),
        (json!({ "sku": "t", "n": 1.5 }), "`body.n` must be of type `integer`"),
        (json!({ "sku": "t", "share": 1.1 }), "`body.share` is out of range"),
        (json!({ "sku": "t", "list": [true, 1] }), "`body.list[1]` must be of type `boolean`"),
        (json!({ "sku": "t", "other": 1 }), "`body.other` is not known"),
        (json!([]), "`body` must be of type `object`"),
    ] {
        assert_eq!(schema.faults(&value).first().map_or("", String::as_str), fault, "{value}");
    }
}

#[test]
fn what_is_not_checked_is_refused() {
    let deep = (0..MAX_DEPTH)
        .fold(json!({ "type": "boolean" }), |inner, _| json!({ "type": "array", "items": inner }));
    for (schema, says) in [
        (json!({ "type": "string", "pattern": "^a" }), "pattern"),
        (json!({ "type": "null" }), "null"),
        (json!({ "properties": {} }), "type"),
        (json!({ "type": "string", "format": "email" }), "email"),
        (object(json!({}), json!(["x"]), true), "`x` is required"),
        (deep, "deeper"),
        (json!({ "type": "string", "enum": ["x".repeat(MAX_SCHEMA_BYTES)] }), "bytes"),
    ] {
        let error = parse(&schema).unwrap_err();
        assert!(error.contains(says), "{schema} {error}");
    }
}

#[test]
fn versions_are_compatible_or_it_is_said_why_not() {
    let text = json!({ "type": "string" });
    let closed = |properties: Value, required: Value| object(properties, required, false);
    for (older, newer, reason) in [
        (closed(json!({}), json!([])), closed(json!({ "a": text }), json!([])), ""),
        (
            closed(json!({ "a": text }), json!([])),
            closed(json!({ "a": text }), json!(["a"])),
            "`body.a` is required and was not",
        ),
        (
            closed(json!({ "a": text }), json!([])),
            closed(json!({}), json!([])),
            "`body.a` is not known any more",
        ),
        (
            object(json!({}), json!([]), true),
            object(json!({ "a": text }), json!([]), true),
            "`body.a` is described now, and might have been anything before",
        ),
        (
            object(json!({}), json!([]), true),
            object(json!({}), json!([]), false),
            "`body` may have no other fields, and might before",
        ),
        (json!({ "type": "integer" }), json!({ "type": "number" }), ""),
        (json!({ "type": "number" }), json!({ "type": "integer" }), "`body` was of type `number`"),
        (
            json!({ "type": "integer", "minimum": 0 }),
            json!({ "type": "integer", "minimum": 1 }),
            "`body` has a narrower range than before",
        ),
        (
            json!({ "type": "integer", "minimum": 1 }),
            json!({ "type": "integer", "minimum": 0 }),
            "",
        ),
        (
            json!({ "type": "string", "enum": ["a", "b"] }),
            json!({ "type": "string", "enum": ["a"] }),
            "`body` may be fewer words than before",
        ),
        (
            json!({ "type": "string" }),
            json!({ "type": "string", "maxLength": 9 }),
            "`body` must be shorter than before",
        ),
    ] {
        let (older, newer) = (parse(&older).unwrap(), parse(&newer).unwrap());
        assert_eq!(newer.breaks(&older).first().map_or("", String::as_str), reason);
        assert_eq!(newer.breaks(&newer), Vec::<String>::new());
    }
}

fn drawn(chance: &mut StdRng, depth: usize) -> Schema {
    let most = |chance: &mut StdRng| chance.random_bool(0.5).then(|| chance.random_range(0..3));
    match chance.random_range(0..if depth == 0 { 4 } else { 6 }) {
        0 => {
            let words = ["", "a", "bb", "ccc"].choose_multiple(chance, 2);
            let words = words.map(|word| (*word).to_owned()).collect();
            let words = chance.random_bool(0.3).then_some(words);
            Schema::String { max_length: most(chance), words, format: None }
        }
        1 => {
            let (minimum, maximum) = (most(chance), most(chance));
            let whole = |it: Option<usize>| it.and_then(|it| i64::try_from(it).ok());
            Schema::Integer { minimum: whole(minimum), maximum: whole(maximum) }
        }
        2 => {
            let (minimum, maximum) = (most(chance), most(chance));
            let real = |it: Option<usize>| it.map(|it| it as f64 + 0.5);
            Schema::Number { minimum: real(minimum), maximum: real(maximum) }
        }
        3 => Schema::Boolean {},
        4 => Schema::Array { items: Box::new(drawn(chance, depth - 1)), max_items: most(chance) },
        _ => {
            let mut properties = BTreeMap::new();
            for name in ["x", "y"] {
                if chance.random_bool(0.6) {
                    properties.insert(name.to_owned(), drawn(chance, depth - 1));
                }
            }
            let names = properties.keys().filter(|_| chance.random_bool(0.4)).cloned().collect();
            let additional_properties = chance.random_bool(0.5);
            Schema::Object { properties, required: names, additional_properties }
        }
    }
}

fn value(chance: &mut StdRng, depth: usize) -> Value {
    match chance.random_range(0..if depth == 0 { 4 } else { 6 }) {
        0 => json!(["", "a", "bb", "ccc"].choose(chance).unwrap()),
        1 => json!(chance.random_range(-1..4)),
        2 => json!(f64::from(chance.random_range(-2..8)) / 2.0),
        3 => json!(true),
        4 => (0..chance.random_range(0..4)).map(|_| value(chance, depth - 1)).collect(),
        _ => {
            let names = ["x", "y", "z"].into_iter().filter(|_| chance.random_bool(0.5));
            let names: Vec<_> = names.collect();
            let fields = names.into_iter().map(|name| (name.to_owned(), value(chance, depth - 1)));
            Value::Object(fields.collect())
        }
    }
}

/// Values that kept to the older schema and do not to the newer one, and pairs
/// of different schemas that were said to be compatible.
fn contradictions(compatible: impl Fn(&Schema, &Schema) -> bool) -> (u64, u64) {
    let seed = std::env::var("ANALYTICS_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(rand::random);
    println!("ANALYTICS_SEED={seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    let (mut wrong, mut pairs) = (0, 0);
    for _ in 0..20_000 {
        let (older, newer) = (drawn(&mut chance, 2), drawn(&mut chance, 2));
        if older == newer || !compatible(&newer, &older) {
            continue;
        }
        pairs += 1;
        let values = (0..60).map(|_| value(&mut chance, 2)).collect::<Vec<_>>();
        let kept = values.iter().filter(|value| older.faults(value).is_empty());
        wrong += kept.filter(|value| !newer.faults(value).is_empty()).count() as u64;
    }
    (wrong, pairs)
}

#[test]
fn whoever_reads_with_the_newer_version_can_read_what_the_older_one_wrote() {
    let (wrong, pairs) = contradictions(|newer, older| newer.breaks(older).is_empty());
    assert!(wrong == 0 && pairs > 50, "{wrong} of {pairs}");
    let (wrong, _) = contradictions(|newer, older| older.breaks(newer).is_empty());
    assert!(wrong > 0, "the other direction is another sentence");
}

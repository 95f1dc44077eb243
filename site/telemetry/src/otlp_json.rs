//! OTLP's JSON, checked for what its decoder lets through.
//!
//! The specification says that unknown fields are ignored, so a body with `resource_spans` in place of
//! `resourceSpans` would be taken as an empty request and its sender would never learn of the mistake.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Decodes a body; `field` is the one that a request of this kind has.
pub(crate) fn decode<Q: DeserializeOwned>(body: &[u8], field: &str) -> Result<Q, String> {
    let value: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let Value::Object(fields) = &value else {
        return Err(format!("expected an object with `{field}`"));
    };
    if !fields.is_empty() && !fields.contains_key(field) {
        return Err(format!("there is no `{field}`\nhelp: names of fields are in lowerCamelCase"));
    }
    if let Some(name) = snake_case_field(&value) {
        return Err(format!(
            "`{name}` is no field of OTLP\nhelp: names of fields are in lowerCamelCase"
        ));
    }
    Q::deserialize(value).map_err(|error| error.to_string())
}

/// The names of the protobuf fields that differ in JSON and hold what matters.
const SNAKE_CASE: [&str; 12] = [
    "scope_spans",
    "scope_metrics",
    "scope_logs",
    "log_records",
    "trace_id",
    "span_id",
    "parent_span_id",
    "start_time_unix_nano",
    "end_time_unix_nano",
    "time_unix_nano",
    "data_points",
    "string_value",
];

fn snake_case_field(value: &Value) -> Option<&str> {
    match value {
        Value::Array(items) => items.iter().find_map(snake_case_field),
        Value::Object(fields) => {
            let wrong = fields.keys().map(String::as_str).find(|name| SNAKE_CASE.contains(name));
            wrong.or_else(|| fields.values().find_map(snake_case_field))
        }
        _ => None,
    }
}

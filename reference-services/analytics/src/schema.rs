//! Schemas of events: a part of JSON Schema, whether a value keeps to one, and
//! whether a new version takes all that older ones took (compatibility called
//! backward: who reads with the new version can read what was written with an
//! older one). Pure: `store::registry` keeps the versions.
//!
//! Of JSON Schema there are `type` (one, not `null`), `properties`, `required`,
//! `additionalProperties` (`true` or `false`), `items`, `maxItems`, `maxLength`,
//! `enum` of strings, `format: uuid`, `minimum` and `maximum`. Everything else is
//! refused, so that nobody believes that something is checked and it is not.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// Largest schema, in bytes of JSON.
pub const MAX_SCHEMA_BYTES: usize = 8 * 1024;

/// How deep schemas are nested at most.
pub const MAX_DEPTH: usize = 6;

/// Most faults of one value that are named.
pub const MAX_FAULTS: usize = 5;

/// What a value must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schema {
    /// Fields by name.
    #[serde(rename_all = "camelCase")]
    Object {
        /// What is known of fields.
        #[serde(default)]
        properties: BTreeMap<String, Schema>,
        /// Fields that must be there.
        #[serde(default)]
        required: BTreeSet<String>,
        /// Whether there may be others.
        #[serde(default = "yes")]
        additional_properties: bool,
    },
    /// Values of one kind.
    #[serde(rename_all = "camelCase")]
    Array {
        /// What each is.
        items: Box<Schema>,
        /// Most of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_items: Option<usize>,
    },
    /// Text.
    #[serde(rename_all = "camelCase")]
    String {
        /// Most characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_length: Option<usize>,
        /// One of these.
        #[serde(default, rename = "enum", skip_serializing_if = "Option::is_none")]
        words: Option<BTreeSet<String>>,
        /// What it looks like.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        format: Option<Format>,
    },
    /// A whole number.
    Integer {
        /// At least this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        minimum: Option<i64>,
        /// At most this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        maximum: Option<i64>,
    },
    /// Any number.
    Number {
        /// At least this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        minimum: Option<f64>,
        /// At most this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        maximum: Option<f64>,
    },
    /// `true` or `false`.
    Boolean {},
}

/// What text looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A UUID.
    Uuid,
}

fn yes() -> bool {
    true
}

/// A schema from JSON; an error says what is wrong with it.
pub fn parse(json: &Value) -> Result<Schema, String> {
    let length = json.to_string().len();
    if length > MAX_SCHEMA_BYTES {
        return Err(format!("it has {length} bytes; at most {MAX_SCHEMA_BYTES} are taken"));
    }
    let schema: Schema = serde_json::from_value(json.clone()).map_err(|error| error.to_string())?;
    sound(&schema, 1)?;
    Ok(schema)
}

fn sound(schema: &Schema, depth: usize) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("it is nested deeper than {MAX_DEPTH}"));
    }
    match schema {
        Schema::Object { properties, required, .. } => {
            if let Some(name) = required.iter().find(|name| !properties.contains_key(*name)) {
                return Err(format!("`{name}` is required and not among the properties"));
            }
            properties.values().try_for_each(|inner| sound(inner, depth + 1))
        }
        Schema::Array { items, .. } => sound(items, depth + 1),
        _ => Ok(()),
    }
}

impl Schema {
    /// What is wrong with a value, each with its path; nothing: it keeps to this.
    pub fn faults(&self, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        self.look(value, "body", &mut faults);
        faults.truncate(MAX_FAULTS);
        faults
    }

    fn look(&self, value: &Value, path: &str, faults: &mut Vec<String>) {
        if faults.len() >= MAX_FAULTS {
            return;
        }
        match (self, value) {
            (
                Self::Object { properties, required, additional_properties },
                Value::Object(fields),
            ) => {
                let missing = required.iter().filter(|name| !fields.contains_key(*name));
                faults.extend(missing.map(|name| format!("`{path}.{name}` is missing")));
                for (name, value) in fields {
                    match properties.get(name) {
                        Some(inner) => inner.look(value, &format!("{path}.{name}"), faults),
                        None if !additional_properties => {
                            faults.push(format!("`{path}.{name}` is not known"));
                        }
                        None => {}
                    }
                }
            }
            (Self::Array { items, max_items }, Value::Array(values)) => {
                if max_items.is_some_and(|most| values.len() > most) {
                    faults.push(format!("`{path}` has more items than {max_items:?}"));
                }
                for (place, value) in values.iter().enumerate() {
                    items.look(value, &format!("{path}[{place}]"), faults);
                }
            }
            (Self::String { max_length, words, format }, Value::String(text)) => {
                if max_length.is_some_and(|most| text.chars().count() > most) {
                    faults.push(format!("`{path}` is too long"));
                }
                if words.as_ref().is_some_and(|words| !words.contains(text)) {
                    faults.push(format!("`{path}` is none of the words that it may be"));
                }
                if *format == Some(Format::Uuid) && Uuid::parse_str(text).is_err() {
                    faults.push(format!("`{path}` is no UUID"));
                }
            }
            (Self::Integer { minimum, maximum }, value) if whole(value).is_some() => {
                let number = whole(value).unwrap_or_default();
                if minimum.is_some_and(|least| number < least)
                    || maximum.is_some_and(|most| number > most)
                {
                    faults.push(format!("`{path}` is out of range"));
                }
            }
            (Self::Number { minimum, maximum }, Value::Number(number)) => {
                let number = number.as_f64().unwrap_or(f64::NAN);
                if minimum.is_some_and(|least| number < least)
                    || maximum.is_some_and(|most| number > most)
                {
                    faults.push(format!("`{path}` is out of range"));
                }
            }
            (Self::Boolean {}, Value::Bool(_)) => {}
            _ => faults.push(format!("`{path}` must be of type `{}`", self.name())),
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Object { .. } => "object",
            Self::Array { .. } => "array",
            Self::String { .. } => "string",
            Self::Integer { .. } => "integer",
            Self::Number { .. } => "number",
            Self::Boolean {} => "boolean",
        }
    }

    /// Why there are values that keep to `older` and not to this; nothing: every
    /// one keeps to both.
    pub fn breaks(&self, older: &Self) -> Vec<String> {
        let mut reasons = Vec::new();
        self.compare(older, "body", &mut reasons);
        reasons
    }

    fn compare(&self, older: &Self, path: &str, reasons: &mut Vec<String>) {
        let mut unless = |holds: bool, reason: &str| {
            if !holds {
                reasons.push(format!("`{path}` {reason}"));
            }
        };
        match (self, older) {
            (Self::Object { .. }, Self::Object { .. }) => self.compare_fields(older, path, reasons),
            (
                Self::Array { items, max_items },
                Self::Array { items: old_items, max_items: old_most },
            ) => {
                unless(within(*old_most, *max_items), "may have fewer items than before");
                items.compare(old_items, &format!("{path}[]"), reasons);
            }
            (
                Self::String { max_length, words, format },
                Self::String { max_length: old_length, words: old_words, format: old_format },
            ) => {
                unless(within(*old_length, *max_length), "must be shorter than before");
                let kept = match (words, old_words) {
                    (None, _) => true,
                    (Some(new), Some(old)) => old.is_subset(new),
                    (Some(_), None) => false,
                };
                unless(kept, "may be fewer words than before");
                unless(format.is_none() || format == old_format, "has a format that it had not");
            }
            (
                Self::Integer { minimum, maximum },
                Self::Integer { minimum: old_least, maximum: old_most },
            ) => {
                let least =
                    within(old_least.map(std::cmp::Reverse), minimum.map(std::cmp::Reverse));
                unless(least && within(*old_most, *maximum), "has a narrower range than before");
            }
            (
                Self::Number { minimum, maximum },
                Self::Integer { minimum: least, maximum: most },
            ) => {
                let (least, most) = (least.map(|it| it as f64), most.map(|it| it as f64));
                let fits = reaches(least, *minimum, |old, new| new <= old)
                    && reaches(most, *maximum, |old, new| new >= old);
                unless(fits, "has a narrower range than before");
            }
            (Self::Number { minimum, maximum }, Self::Number { minimum: least, maximum: most }) => {
                let fits = reaches(*least, *minimum, |old, new| new <= old)
                    && reaches(*most, *maximum, |old, new| new >= old);
                unless(fits, "has a narrower range than before");
            }
            (Self::Boolean {}, Self::Boolean {}) => {}
            _ => unless(false, &format!("was of type `{}`", older.name())),
        }
    }

    fn compare_fields(&self, older: &Self, path: &str, reasons: &mut Vec<String>) {
        let (
            Self::Object { properties, required, additional_properties: open },
            Self::Object { properties: old, required: needed, additional_properties: was_open },
        ) = (self, older)
        else {
            return;
        };
        for name in required.difference(needed) {
            reasons.push(format!("`{path}.{name}` is required and was not"));
        }
        if *was_open && !open {
            reasons.push(format!("`{path}` may have no other fields, and might before"));
        }
        for (name, inner) in properties {
            match old.get(name) {
                Some(before) => inner.compare(before, &format!("{path}.{name}"), reasons),
                None if *was_open => reasons.push(format!(
                    "`{path}.{name}` is described now, and might have been anything before"
                )),
                None => {}
            }
        }
        let dropped = old.keys().filter(|name| !open && !properties.contains_key(*name));
        reasons.extend(dropped.map(|name| format!("`{path}.{name}` is not known any more")));
    }
}

/// Whether a new upper bound takes all that the old one took.
fn within<T: PartialOrd>(old: Option<T>, new: Option<T>) -> bool {
    reaches(old, new, |old, new| new >= old)
}

fn reaches<T>(old: Option<T>, new: Option<T>, wide_enough: impl Fn(T, T) -> bool) -> bool {
    match (old, new) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(old), Some(new)) => wide_enough(old, new),
    }
}

/// JSON does not tell `3.0` from `3`.
fn whole(value: &Value) -> Option<i64> {
    let exact = |number: &f64| number.fract() == 0.0 && number.abs() < 9e15;
    value.as_i64().or_else(|| value.as_f64().filter(exact).map(|number| number as i64))
}

#[cfg(test)]
mod tests;

//! Attributes: a key and a typed value, as spans, events, links, resources and logs carry them.

use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attribute {
    /// The name, such as `http.route`.
    pub key: Arc<str>,
    /// What it is set to.
    pub value: Value,
}

impl Attribute {
    /// Makes an attribute.
    pub fn new(key: impl Into<Arc<str>>, value: impl Into<Value>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}

/// A value as OTLP has it. Arrays, maps and bytes arrive as their text, because nothing here looks
/// into them: `["a","b"]`, `{"k":1}`, hexadecimal digits.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text, also that of a composed value.
    Text(Arc<str>),
    /// An integer.
    Int(i64),
    /// A floating point number.
    Float(f64),
    /// True or false.
    Bool(bool),
}

impl Value {
    /// The value as people write it: `72.5`, `true`, `GET`.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Int(int) => Cow::Owned(int.to_string()),
            Self::Float(float) => Cow::Owned(float.to_string()),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
        }
    }

    /// Appends the value as JSON, for the text of composed values.
    pub(crate) fn write_json(&self, out: &mut String) {
        let written = match self {
            Self::Text(text) => write!(out, "{}", serde_json::Value::from(&**text)),
            other => write!(out, "{}", other.text()),
        };
        written.expect("writing to a string does not fail");
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Int(int) => serializer.serialize_i64(*int),
            Self::Float(float) => serializer.serialize_f64(*float),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Value {
    fn from(int: i64) -> Self {
        Self::Int(int)
    }
}

impl From<f64> for Value {
    fn from(float: f64) -> Self {
        Self::Float(float)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

/// The value of the first attribute with this key.
pub fn find<'a>(attributes: &'a [Attribute], key: &str) -> Option<&'a Value> {
    attributes.iter().find(|attribute| &*attribute.key == key).map(|attribute| &attribute.value)
}

/// The text of the first attribute with this key, unless it is empty.
pub(crate) fn find_text<'a>(attributes: &'a [Attribute], key: &str) -> Option<Cow<'a, str>> {
    find(attributes, key).map(Value::text).filter(|text| !text.is_empty())
}

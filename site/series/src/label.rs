//! Label sets: sorted, hashed once, cheap to clone and to share.
//!
//! Scrapers and receivers build them, the index interns their strings, `promql` regroups them.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};

/// The label that holds the metric's name.
pub const METRIC_NAME: &str = "__name__";
/// The label that holds a classic histogram bucket's upper bound.
pub const BUCKET_LABEL: &str = "le";

/// One name and its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// The label's name, such as `job`.
    pub name: Arc<str>,
    /// The label's value, never empty inside [`Labels`].
    pub value: Arc<str>,
}

/// A set of labels, sorted by name, without empty values: an absent label and an empty one are the same.
#[derive(Clone)]
pub struct Labels {
    pairs: Arc<[Label]>,
    hash: u64,
}

impl Labels {
    /// The set without labels.
    pub fn empty() -> Self {
        Self::sorted(Vec::new())
    }

    /// A set from pairs in any order. Empty values are left out; of a repeated name the last value stays.
    pub fn from_pairs<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<Arc<str>>,
        V: Into<Arc<str>>,
    {
        let labels = pairs.into_iter().map(|(n, v)| Label { name: n.into(), value: v.into() });
        Self::from_labels(labels.collect())
    }

    /// A set from labels in any order, with the same rules as [`Labels::from_pairs`].
    pub fn from_labels(mut labels: Vec<Label>) -> Self {
        if !labels.is_sorted_by(|a, b| a.name < b.name) {
            labels.sort_by(|a, b| a.name.cmp(&b.name));
            keep_last_of_each_name(&mut labels);
        }
        labels.retain(|label| !label.value.is_empty());
        Self::sorted(labels)
    }

    fn sorted(labels: Vec<Label>) -> Self {
        let mut hasher = DefaultHasher::new();
        for label in &labels {
            label.name.hash(&mut hasher);
            label.value.hash(&mut hasher);
        }
        Labels { hash: hasher.finish(), pairs: labels.into() }
    }

    /// The value of `name`, if the set has it.
    pub fn get(&self, name: &str) -> Option<&str> {
        // Sets hold about ten labels: a scan beats a binary search over pointers.
        self.pairs.iter().find(|label| &*label.name == name).map(|label| &*label.value)
    }

    /// The value of `name`, or the empty string, which in PromQL means the same as "not there".
    pub fn value(&self, name: &str) -> &str {
        self.get(name).unwrap_or("")
    }

    /// The metric's name (`__name__`), if it has one.
    pub fn metric_name(&self) -> Option<&str> {
        self.get(METRIC_NAME)
    }

    /// Name and value pairs, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.pairs.iter().map(|label| (&*label.name, &*label.value))
    }

    /// The labels themselves, by name; their strings can be shared.
    pub fn as_slice(&self) -> &[Label] {
        &self.pairs
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Bytes of all names and values.
    pub fn bytes(&self) -> usize {
        self.pairs.iter().map(|label| label.name.len() + label.value.len()).sum()
    }

    /// The hash of the whole set, computed once. Stable within one build of the program, not across builds.
    pub fn hash_value(&self) -> u64 {
        self.hash
    }

    /// Only the labels that `names` lists.
    pub fn keep<S: AsRef<str>>(&self, names: &[S]) -> Labels {
        self.filter(|name| names.iter().any(|n| n.as_ref() == name))
    }

    /// All labels but those that `names` lists.
    pub fn without<S: AsRef<str>>(&self, names: &[S]) -> Labels {
        self.filter(|name| !names.iter().any(|n| n.as_ref() == name))
    }

    /// All labels but the metric's name.
    pub fn without_name(&self) -> Labels {
        self.filter(|name| name != METRIC_NAME)
    }

    /// The labels whose name passes `wanted`; clones this set when all do.
    pub fn filter(&self, wanted: impl Fn(&str) -> bool) -> Labels {
        if self.pairs.iter().all(|label| wanted(&label.name)) {
            return self.clone();
        }
        Self::sorted(self.pairs.iter().filter(|label| wanted(&label.name)).cloned().collect())
    }

    /// This set with one label set; an empty value removes it.
    pub fn with(&self, name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Labels {
        let mut builder = LabelsBuilder::from(self.clone());
        builder.set(name, value);
        builder.build()
    }
}

fn keep_last_of_each_name(labels: &mut Vec<Label>) {
    labels.reverse();
    labels.dedup_by(|later, kept| later.name == kept.name);
    labels.reverse();
}

impl Default for Labels {
    fn default() -> Self {
        Labels::empty()
    }
}

impl PartialEq for Labels {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
            && (Arc::ptr_eq(&self.pairs, &other.pairs) || self.pairs == other.pairs)
    }
}

impl Eq for Labels {}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// By the first pair that differs, then by length: the order in which Prometheus lists series.
impl Ord for Labels {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.pairs.cmp(&other.pairs)
    }
}

/// As in PromQL: `name{label="value"}`.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.metric_name() {
            f.write_str(name)?;
        }
        let mut rest = self.iter().filter(|(name, _)| *name != METRIC_NAME).peekable();
        if rest.peek().is_none() {
            return if self.metric_name().is_some() { Ok(()) } else { f.write_str("{}") };
        }
        f.write_str("{")?;
        for (i, (name, value)) in rest.enumerate() {
            write!(f, "{}{name}={value:?}", if i == 0 { "" } else { ", " })?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As a map of names to values, the form of the Prometheus HTTP API.
impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<N: Into<Arc<str>>, V: Into<Arc<str>>> FromIterator<(N, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Labels::from_pairs(pairs)
    }
}

/// Collects changes to a label set and builds the new set once.
#[derive(Debug, Clone, Default)]
pub struct LabelsBuilder {
    labels: Vec<Label>,
}

impl LabelsBuilder {
    /// A builder without labels.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `name`, over an earlier value. An empty value removes the label.
    pub fn set(&mut self, name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> &mut Self {
        let label = Label { name: name.into(), value: value.into() };
        match self.labels.iter_mut().find(|known| known.name == label.name) {
            Some(known) => known.value = label.value,
            None => self.labels.push(label),
        }
        self
    }

    /// Removes `name` if it is there.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.labels.retain(|label| &*label.name != name);
        self
    }

    /// The value of `name` as set so far.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|label| &*label.name == name).map(|label| &*label.value)
    }

    /// The finished set.
    pub fn build(self) -> Labels {
        Labels::from_labels(self.labels)
    }
}

impl From<Labels> for LabelsBuilder {
    fn from(labels: Labels) -> Self {
        LabelsBuilder { labels: labels.pairs.to_vec() }
    }
}

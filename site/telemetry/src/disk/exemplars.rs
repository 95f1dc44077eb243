//! Exemplars and what metrics say of themselves, on disk.
//!
//! The backend hands over what it took; `replay` gives it back. Exemplars lie in batches by time as spans do; metadata lie by
//! the metric's name and are written when they change.

use super::Disk;
use crate::{Exemplar, MetricMeta};
use series::Labels;
use series::encoding::{put_number, put_signed, take_number, take_signed};
use std::collections::BTreeMap;

impl Disk {
    /// Writes down exemplars that came at `now_ms`, each with its series.
    pub(crate) fn append_exemplars(&self, now_ms: i64, found: &[(Labels, Exemplar)]) {
        if !found.is_empty() {
            self.append_batch(&self.exemplars, now_ms, &encode(found), []);
        }
    }

    /// Writes down what metrics say of themselves, by their names.
    pub(crate) fn append_metadata<'a>(
        &self,
        changed: impl IntoIterator<Item = (&'a String, &'a MetricMeta)>,
    ) {
        if !self.faults.may_write() {
            return;
        }
        let mut batch = self.db.batch();
        for (name, meta) in changed {
            if let Ok(json) = serde_json::to_vec(meta) {
                batch.insert(&self.metadata, name.as_bytes(), json);
            }
        }
        self.settle(batch.commit());
    }

    /// What metrics said of themselves.
    pub(crate) fn kept_metadata(&self) -> BTreeMap<String, MetricMeta> {
        let entry = |(name, json): (fjall::UserKey, fjall::UserValue)| {
            let name = String::from_utf8(name.to_vec()).ok()?;
            Some((name, serde_json::from_slice(&json).ok()?))
        };
        self.faults.readable(self.metadata.iter()).filter_map(entry).collect()
    }
}

fn encode(found: &[(Labels, Exemplar)]) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, found.len() as u64);
    for (labels, exemplar) in found {
        labels.encode(&mut out);
        Labels::from_pairs(
            exemplar.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())),
        )
        .encode(&mut out);
        out.extend_from_slice(&exemplar.value.to_bits().to_le_bytes());
        put_signed(&mut out, exemplar.timestamp_ms.unwrap_or_default());
    }
    out
}

/// What [`encode`] wrote; `None` when it is something else.
pub(super) fn decode(mut input: &[u8]) -> Option<Vec<(Labels, Exemplar)>> {
    let input = &mut input;
    let count = take_number(input)?;
    let each = (0..count).map(|_| {
        let (series, own) = (Labels::decode(input)?, Labels::decode(input)?);
        let labels = own.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let (bits, rest) = input.split_first_chunk()?;
        *input = rest;
        let value = f64::from_bits(u64::from_le_bytes(*bits));
        Some((series, Exemplar { labels, value, timestamp_ms: Some(take_signed(input)?) }))
    });
    each.collect()
}

//! Which series there are, and which of them a set of matchers means.
//!
//! The head guards one index by a lock: appends look series up here, selections find them by label.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::label::{Label, Labels};
use crate::matcher::Matcher;
use crate::memory::SeriesChunks;

/// One series: its labels and, behind a lock of its own, its samples.
#[derive(Debug)]
pub(crate) struct MemorySeries {
    /// Never given twice by one head.
    pub(crate) id: u64,
    pub(crate) labels: Labels,
    /// Whether id and labels are written down outside of the memory.
    pub(crate) written: AtomicBool,
    chunks: Mutex<SeriesChunks>,
}

impl MemorySeries {
    pub(crate) fn chunks(&self) -> MutexGuard<'_, SeriesChunks> {
        // An append that panicked cannot leave half a sample visible: the count is raised last.
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ids of series in ascending order.
type Postings = Vec<u32>;

/// All series, by id, by labels and by each single label.
#[derive(Debug, Default)]
pub(crate) struct Index {
    slots: Vec<Option<Arc<MemorySeries>>>,
    free: Vec<u32>,
    by_labels: HashMap<Labels, u32, BuildHasherDefault<PreHashed>>,
    by_label: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Postings>>,
}

impl Index {
    pub(crate) fn len(&self) -> usize {
        self.by_labels.len()
    }

    pub(crate) fn get(&self, labels: &Labels) -> Option<&Arc<MemorySeries>> {
        self.by_labels.get(labels).and_then(|id| self.slots[*id as usize].as_ref())
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<MemorySeries>> {
        self.slots.iter().flatten()
    }

    /// Adds a series that is not there yet; shares label strings with the series that are.
    pub(crate) fn insert(&mut self, id: u64, labels: &Labels) -> &Arc<MemorySeries> {
        let labels = Labels::from_labels(
            labels.as_slice().iter().map(|label| self.interned(label)).collect(),
        );
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).expect("the limit on series is far below 2^32")
        });
        for label in labels.as_slice() {
            let postings = self
                .by_label
                .entry(label.name.clone())
                .or_default()
                .entry(label.value.clone())
                .or_default();
            let at = postings.partition_point(|known| *known < slot);
            postings.insert(at, slot);
        }
        self.by_labels.insert(labels.clone(), slot);
        let (written, chunks) = (AtomicBool::default(), Mutex::default());
        self.slots[slot as usize].insert(Arc::new(MemorySeries { id, labels, written, chunks }))
    }

    fn interned(&self, label: &Label) -> Label {
        let Some((name, values)) = self.by_label.get_key_value(&label.name) else {
            return label.clone();
        };
        let value = values.get_key_value(&label.value).map_or(&label.value, |(value, _)| value);
        Label { name: name.clone(), value: value.clone() }
    }

    pub(crate) fn remove(&mut self, labels: &Labels) {
        let Some(id) = self.by_labels.remove(labels) else { return };
        self.slots[id as usize] = None;
        self.free.push(id);
        for label in labels.as_slice() {
            let Some(values) = self.by_label.get_mut(&label.name) else { continue };
            if let Some(postings) = values.get_mut(&label.value) {
                postings.retain(|known| *known != id);
                if postings.is_empty() {
                    values.remove(&label.value);
                }
            }
            if values.is_empty() {
                self.by_label.remove(&label.name);
            }
        }
    }

    /// The series for which every matcher holds.
    pub(crate) fn select<'a>(
        &'a self,
        matchers: &'a [Matcher],
    ) -> impl Iterator<Item = &'a Arc<MemorySeries>> {
        self.narrowest(matchers)
            .into_iter()
            .filter_map(|id| self.slots[id as usize].as_ref())
            .filter(|series| matchers.iter().all(|m| m.matches(series.labels.value(m.name()))))
    }

    /// Ids of the shortest list that one matcher alone allows; matchers that accept a missing label narrow nothing.
    fn narrowest(&self, matchers: &[Matcher]) -> Postings {
        let lists = matchers.iter().filter(|m| !m.matches_empty()).map(|m| self.lists(m));
        let shortest = lists.min_by_key(|lists| lists.iter().map(|list| list.len()).sum::<usize>());
        match shortest {
            Some(lists) if lists.len() == 1 => lists[0].clone(),
            Some(lists) => {
                let mut ids: Postings = lists.into_iter().flatten().copied().collect();
                ids.sort_unstable();
                ids.dedup();
                ids
            }
            None => (0..self.slots.len() as u32).collect(),
        }
    }

    fn lists(&self, matcher: &Matcher) -> Vec<&Postings> {
        let Some(values) = self.by_label.get(matcher.name()) else { return Vec::new() };
        match matcher.listed_values() {
            Some(listed) => listed.iter().filter_map(|value| values.get(*value)).collect(),
            None => values
                .iter()
                .filter(|(value, _)| matcher.matches(value))
                .map(|(_, list)| list)
                .collect(),
        }
    }
}

/// Labels bring their own hash; hashing it again would be waste.
#[derive(Debug, Default)]
struct PreHashed(u64);

impl Hasher for PreHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

//! What log records have in common: how many of each service, severity and value of an attribute, and how many over time.
//!
//! `loggia` counts what a search found, `pages` offers the counts to narrow it.

use crate::{Attribute, LogRecord};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A key with more different values than this tells records apart rather than groups them, and is left out.
const VALUES_MAX: usize = 40;
/// Keys that are counted at all.
const KEYS_MAX: usize = 200;
/// Bytes of a value that can be offered.
const VALUE_BYTES_MAX: usize = 80;
/// Attributes of the sender that are counted beside those of the record.
const OF_SENDER: [&str; 3] =
    ["service.version", "service.instance.id", "deployment.environment.name"];

/// How many records have which value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogCounts {
    /// All records.
    pub records: usize,
    /// By service, the most frequent first.
    pub services: Vec<(String, usize)>,
    /// By OTLP's number divided by four: 0 not said, 1 trace, 2 debug, 3 info, 4 warn, 5 error, 6 fatal.
    pub severities: [usize; 7],
    /// Keys of attributes with their values, both the most frequent first; keys that nearly every record has another value of
    /// are left out.
    pub attributes: Vec<(String, Vec<(String, usize)>)>,
}

/// The class of a severity number: an index of [`LogCounts::severities`].
pub fn severity_class(number: u8) -> usize {
    usize::from(number.min(24).div_ceil(4))
}

impl LogCounts {
    /// Counts records.
    pub fn of(records: &[Arc<LogRecord>]) -> Self {
        let mut services: BTreeMap<&str, usize> = BTreeMap::new();
        let mut severities = [0; 7];
        let mut keys: HashMap<&str, BTreeMap<String, usize>> = HashMap::new();
        for record in records {
            *services.entry(record.service()).or_default() += 1;
            severities[severity_class(record.severity)] += 1;
            let sender = record.resource.attributes.iter();
            let sender = sender.filter(|one| OF_SENDER.contains(&&*one.key));
            for one in record.attributes.iter().chain(sender) {
                count(&mut keys, one);
            }
        }
        let mut attributes: Vec<(String, Vec<(String, usize)>)> = keys
            .into_iter()
            .filter(|(_, values)| values.len() <= VALUES_MAX && !values.is_empty())
            .map(|(key, values)| (key.to_owned(), sorted(values)))
            .collect();
        let all = |values: &[(String, usize)]| values.iter().map(|(_, count)| count).sum::<usize>();
        attributes.sort_by(|a, b| (all(&b.1), &a.0).cmp(&(all(&a.1), &b.0)));
        Self { records: records.len(), services: sorted(services), severities, attributes }
    }
}

fn count<'a>(keys: &mut HashMap<&'a str, BTreeMap<String, usize>>, one: &'a Attribute) {
    if keys.len() >= KEYS_MAX && !keys.contains_key(&*one.key) {
        return;
    }
    let text = one.value.text();
    let values = keys.entry(&one.key).or_default();
    let plain = text.len() <= VALUE_BYTES_MAX && !text.contains(['"', '\n']);
    if plain && values.len() <= VALUES_MAX {
        *values.entry(text.into_owned()).or_default() += 1;
    }
}

fn sorted<K: Into<String> + Ord>(counted: BTreeMap<K, usize>) -> Vec<(String, usize)> {
    let mut list: Vec<(String, usize)> =
        counted.into_iter().map(|(name, count)| (name.into(), count)).collect();
    list.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
    list
}

/// How many records fall into each of `buckets` sections of `step_ms`, the first from `from_ms` on (milliseconds since
/// 1970): of the classes below warn, warn, and above.
pub fn log_histogram(
    records: &[Arc<LogRecord>],
    from_ms: i64,
    step_ms: i64,
    buckets: usize,
) -> Vec<[usize; 3]> {
    let mut counts = vec![[0; 3]; buckets];
    for record in records {
        let at = record.moment_ns().div_euclid(1_000_000) - from_ms;
        let place = usize::try_from(at.div_euclid(step_ms.max(1))).ok();
        if let Some(bucket) = place.and_then(|place| counts.get_mut(place)) {
            bucket[severity_class(record.severity).saturating_sub(3).min(2)] += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Resource;

    fn record(
        service: &str,
        severity: u8,
        second: i64,
        attributes: &[(&str, &str)],
    ) -> Arc<LogRecord> {
        let attribute = |(key, value): &(&str, &str)| Attribute::new(*key, *value);
        Arc::new(LogRecord {
            time_ns: second * 1_000_000_000,
            observed_ns: 0,
            severity,
            severity_text: "".into(),
            body: "".into(),
            event: "".into(),
            attributes: attributes.iter().map(attribute).collect(),
            trace_id: None,
            span_id: None,
            scope: Arc::default(),
            resource: Arc::new(Resource::new(vec![
                Attribute::new("service.name", service),
                Attribute::new("service.version", "1.0"),
                Attribute::new("process.pid", 7_i64),
            ])),
        })
    }

    #[test]
    fn what_records_share_is_counted() {
        let mut records = vec![
            record("orders", 9, 0, &[("route", "/pay")]),
            record("orders", 17, 1, &[("route", "/pay"), ("note", "say \"x\"")]),
            record("mail", 13, 5, &[("route", "/send")]),
            record("mail", 0, 9, &[]),
        ];
        // An id is another one each time.
        for n in 0..50 {
            records.push(record("orders", 24, 9, &[("id", &n.to_string())]));
        }
        let counts = LogCounts::of(&records);
        let pairs = |list: &[(&str, usize)]| -> Vec<(String, usize)> {
            list.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
        };
        assert_eq!(counts.records, 54);
        assert_eq!(counts.services, pairs(&[("orders", 52), ("mail", 2)]));
        assert_eq!(counts.severities, [1, 0, 0, 1, 1, 1, 50]);
        assert_eq!(
            counts.attributes,
            [
                ("service.version".to_owned(), pairs(&[("1.0", 54)])),
                ("route".to_owned(), pairs(&[("/pay", 2), ("/send", 1)])),
            ]
        );
        assert_eq!(log_histogram(&records, 0, 5_000, 2), [[1, 0, 1], [1, 1, 50]]);
        assert_eq!(log_histogram(&records, 2_000, 1_000, 4), [[0; 3], [0; 3], [0; 3], [0, 1, 0]]);
    }
}

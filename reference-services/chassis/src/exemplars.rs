//! For each bucket of the requests' durations the trace that was counted in it last, and the OpenMetrics text that says so.
//!
//! The client library has no exemplars, so they stand in a table beside it: `inbound` notes, `metrics` renders. A line of
//! the text is found again by how it begins.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Buckets whose exemplars are kept; those of further ones are left out.
const MAX_BUCKETS: usize = 5_000;

/// One observation of a bucket.
#[derive(Debug)]
struct Exemplar {
    trace_id: String,
    span_id: String,
    value: f64,
    /// Seconds since 1970.
    at_s: f64,
}

/// The newest exemplar of each bucket. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Exemplars(Arc<Mutex<HashMap<String, Exemplar>>>);

impl Exemplars {
    /// Notes that a trace was counted in the bucket whose line begins so.
    pub(crate) fn note(&self, line: String, value: f64, trace_id: String, span_id: String) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MAX_BUCKETS || kept.contains_key(&line) {
            let at_s = since.as_secs_f64();
            kept.insert(line, Exemplar { trace_id, span_id, value, at_s });
        }
    }

    /// The Prometheus text as OpenMetrics, with the exemplars.
    pub(crate) fn open_metrics(&self, text: &str) -> String {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::with_capacity(text.len() + kept.len() * 120 + 8);
        for line in text.lines() {
            match line.strip_prefix("# ") {
                Some(comment) => out.push_str(&described(comment)),
                None => out.push_str(line),
            }
            let exemplar = line.rfind("} ").and_then(|end| kept.get(&line[..=end]));
            if let Some(Exemplar { trace_id, span_id, value, at_s }) = exemplar {
                out.push_str(&format!(
                    " # {{trace_id=\"{trace_id}\",span_id=\"{span_id}\"}} {value} {at_s:.3}"
                ));
            }
            out.push('\n');
        }
        out + "# EOF\n"
    }
}

/// A counter's name ends in `_total` in its samples only.
fn described(comment: &str) -> String {
    let mut words = comment.splitn(3, ' ');
    let (kind, name, rest) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    match (name.strip_suffix("_total"), rest) {
        (Some(name), _) => format!("# {kind} {name} {rest}"),
        (None, "counter") => format!("# {kind} {name} unknown"),
        _ => format!("# {comment}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_says_which_trace_it_counted() {
        let exemplars = Exemplars::default();
        let bucket = "a_bucket{le=\"0.5\"}".to_owned();
        exemplars.note(bucket.clone(), 0.9, "ff".to_owned(), "ee".to_owned());
        exemplars.note(bucket, 0.4, "aa".to_owned(), "bb".to_owned());
        let text = "# HELP a How long.\n# TYPE a histogram\na_bucket{le=\"0.5\"} 1\na_bucket{le=\"+Inf\"} 1\n\
                    # HELP b_total How often.\n# TYPE b_total counter\nb_total 5\n# TYPE c counter\nc 1\n";
        let open = exemplars.open_metrics(text);
        let lines: Vec<&str> = open.lines().collect();
        assert!(
            lines[2].starts_with("a_bucket{le=\"0.5\"} 1 # {trace_id=\"aa\",span_id=\"bb\"} 0.4 1"),
            "{open}"
        );
        assert_eq!(lines[3], "a_bucket{le=\"+Inf\"} 1");
        assert_eq!(lines[4..7], ["# HELP b How often.", "# TYPE b counter", "b_total 5"]);
        assert_eq!(lines[7..], ["# TYPE c unknown", "c 1", "# EOF"]);
    }
}

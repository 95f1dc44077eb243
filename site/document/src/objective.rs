//! The `slo` fence: what is promised of services over a period.
//!
//! `fences` and `config` hand in what they find; `evidence` reads the words and measures. Two forms are read: the short one,
//! a mapping from names to `target` and `window`, and OpenSLO v1 documents of kind `SLO`.

use crate::headings::slug;
use crate::{Config, Objective, ServiceId};
use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// Objectives of one block; more is a mistake.
const BLOCK_MAX: usize = 100;
/// The period where nothing is said.
pub(crate) const USUAL_WINDOW: &str = "30 days";
/// Names under which people gather their objectives.
const GATHERED: &[&str] = &["slos", "slo", "objectives", "service_level_objectives"];

/// A word or a plain number.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Words {
    Text(String),
    Number(f64),
}

/// One or several names.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    Several(Vec<String>),
}

/// An objective in the short form.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Short {
    #[serde(alias = "objective")]
    target: Words,
    #[serde(default, alias = "name")]
    title: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default, alias = "measurement_window", alias = "measurement-window", alias = "period")]
    window: Option<String>,
    #[serde(default, alias = "services")]
    service: Option<Names>,
    #[serde(default)]
    good: Option<String>,
    #[serde(default, alias = "errors")]
    bad: Option<String>,
    #[serde(default)]
    total: Option<String>,
    #[serde(default)]
    query: Option<String>,
    #[serde(default, alias = "min_events")]
    #[serde(rename = "min-events")]
    min_events: Option<u32>,
    /// Follows from target and window; read so that it may be written.
    #[serde(default, alias = "error-budget")]
    #[serde(rename = "error_budget")]
    _error_budget: Option<IgnoredAny>,
}

/// An OpenSLO document, as far as it is read; what else it may hold is left alone.
#[derive(Deserialize)]
struct OpenSlo {
    kind: String,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    #[serde(default)]
    display_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    indicator: Option<Indicator>,
    #[serde(default)]
    time_window: Vec<TimeWindow>,
    objectives: Vec<Goal>,
}

#[derive(Deserialize)]
struct TimeWindow {
    duration: String,
}

#[derive(Deserialize)]
struct Indicator {
    spec: IndicatorSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IndicatorSpec {
    #[serde(default)]
    ratio_metric: Option<RatioMetric>,
    #[serde(default)]
    threshold_metric: Option<Metric>,
}

#[derive(Deserialize)]
struct RatioMetric {
    #[serde(default)]
    good: Option<Metric>,
    #[serde(default)]
    bad: Option<Metric>,
    total: Metric,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metric {
    metric_source: MetricSource,
}

#[derive(Deserialize)]
struct MetricSource {
    spec: IndexMap<String, Words>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Goal {
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    op: Option<String>,
    #[serde(default)]
    value: Option<f64>,
    #[serde(default)]
    target: Option<f64>,
    #[serde(default)]
    target_percent: Option<f64>,
}

/// The text of an `slo` fence. The error is a message and the byte of the fault.
pub(crate) fn parse(source: &str, config: &Config) -> Result<Vec<Objective>, (String, usize)> {
    let quoted = quote_comparisons(source);
    let fault = |error: serde_saphyr::Error| {
        let (message, at) = crate::frontmatter::yaml_place(&error, &quoted);
        (message, place_before_quoting(source, &quoted, at))
    };
    let tops: IndexMap<String, IgnoredAny> = serde_saphyr::from_str(&quoted).map_err(fault)?;
    let found = if tops.contains_key("apiVersion") {
        let document: OpenSlo = serde_saphyr::from_str(&quoted).map_err(fault)?;
        from_openslo(document, config).map_err(|message| (message, 0))?
    } else {
        let gathered = |name: &String| GATHERED.contains(&name.to_lowercase().as_str());
        let entries = if tops.len() == 1 && tops.keys().all(gathered) {
            let all: IndexMap<String, IndexMap<String, Short>> =
                serde_saphyr::from_str(&quoted).map_err(fault)?;
            all.into_values().flatten().collect()
        } else {
            serde_saphyr::from_str::<IndexMap<String, Short>>(&quoted).map_err(fault)?
        };
        entries.into_iter().map(|(name, entry)| entry.named(&name, config)).collect()
    };
    match found.len() {
        0 => Err(("there is no objective in it".to_owned(), 0)),
        count if count > BLOCK_MAX => {
            Err((format!("`{count}` objectives in one block, more than {BLOCK_MAX}"), 0))
        }
        _ => Ok(found),
    }
}

/// What `book.toml` says: a name, target words, and the rest as the short form has it.
pub(crate) fn configured(name: &str, target: String) -> Objective {
    Objective {
        id: slug(name),
        title: title(name),
        target,
        window: USUAL_WINDOW.to_owned(),
        ..Objective::default()
    }
}

impl Short {
    fn named(self, name: &str, config: &Config) -> Objective {
        let names = match self.service {
            None => Vec::new(),
            Some(Names::One(name)) => vec![name],
            Some(Names::Several(names)) => names,
        };
        Objective {
            id: slug(name),
            title: self.title.unwrap_or_else(|| title(name)),
            description: self.description,
            target: self.target.words(),
            window: self.window.unwrap_or_else(|| USUAL_WINDOW.to_owned()),
            services: names.iter().map(|name| service(name, config)).collect(),
            good: self.good,
            bad: self.bad,
            total: self.total,
            query: self.query,
            min_events: self.min_events,
        }
    }
}

impl Words {
    /// A plain number from 0 to 1 is a share.
    fn words(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(share) if (0.0..=1.0).contains(&share) => percent(share),
            Self::Number(number) => number.to_string(),
        }
    }
}

/// A share as people write it. Eleven digits are more than any target has, and hide what the binary fraction adds.
fn percent(share: f64) -> String {
    let text = format!("{:.9}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

/// An unknown name stays as it is and measures nothing.
fn service(name: &str, config: &Config) -> ServiceId {
    config.service(name).unwrap_or_else(|| ServiceId(name.to_owned()))
}

fn from_openslo(document: OpenSlo, config: &Config) -> Result<Vec<Objective>, String> {
    if document.kind != "SLO" {
        return Err(format!("`kind: {}` is not read, only `kind: SLO`", document.kind));
    }
    let Spec { description, service: of, indicator, time_window, objectives } = document.spec;
    let indicator = indicator
        .ok_or("`spec.indicator` is missing: an indicator that stands elsewhere cannot be read")?
        .spec;
    let shared = Objective {
        id: slug(&document.metadata.name),
        title: document.metadata.display_name.unwrap_or_else(|| title(&document.metadata.name)),
        description,
        window: time_window
            .into_iter()
            .next()
            .map_or_else(|| USUAL_WINDOW.to_owned(), |w| w.duration),
        services: of.iter().map(|name| service(name, config)).collect(),
        ..Objective::default()
    };
    let several = objectives.len() > 1;
    let ratio = indicator.ratio_metric.map(|ratio| {
        let query = |metric: Option<Metric>| metric.and_then(Metric::query);
        (query(ratio.good), query(ratio.bad), ratio.total.query())
    });
    let threshold = indicator.threshold_metric.and_then(Metric::query);
    let each = objectives.into_iter().enumerate().map(|(nth, goal)| {
        let mut objective = shared.clone();
        if several {
            objective.id = format!("{}-{}", objective.id, nth + 1);
        }
        if let Some(name) = &goal.display_name {
            objective.title =
                if several { format!("{}: {name}", shared.title) } else { name.clone() };
        }
        let share = goal.target.or(goal.target_percent.map(|percent| percent / 100.0));
        match (&ratio, &threshold, share, goal.value) {
            (Some((good, bad, total)), _, Some(share), _) => {
                objective.target = percent(share);
                (objective.good, objective.bad, objective.total) =
                    (good.clone(), bad.clone(), total.clone());
            }
            (None, Some(query), _, Some(bound)) => {
                let sign = match goal.op.as_deref() {
                    Some("lt") => "<",
                    Some("gt") => ">",
                    Some("gte") => ">=",
                    _ => "<=",
                };
                objective.target = format!("{sign} {bound}");
                objective.query = Some(query.clone());
            }
            _ => {
                return Err(
                    "an objective needs `target` with a `ratioMetric`, or `op` and `value` with a \
                            `thresholdMetric`"
                        .to_owned(),
                );
            }
        }
        Ok(objective)
    });
    each.collect()
}

impl Metric {
    fn query(self) -> Option<String> {
        let mut spec = self.metric_source.spec;
        let words = spec.swap_remove("query").or_else(|| spec.swap_remove("promql"))?;
        Some(words.words())
    }
}

/// `error_rate` as `Error rate`.
fn title(name: &str) -> String {
    let words = name.replace(['-', '_'], " ");
    let mut chars = words.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => words,
    }
}

/// People write `target: > 1000 rps`, where YAML takes the sign for the beginning of a folded text: such words get quotes.
fn quote_comparisons(source: &str) -> String {
    let mut out = String::with_capacity(source.len() + 16);
    for line in source.split_inclusive('\n') {
        let end = line.trim_end().len();
        match comparison_at(&line[..end]) {
            Some(at) if !line[at..end].contains(['"', '\\']) => {
                out.push_str(&line[..at]);
                out.push('"');
                out.push_str(&line[at..end]);
                out.push('"');
                out.push_str(&line[end..]);
            }
            _ => out.push_str(line),
        }
    }
    out
}

/// Where `> 1000 rps` begins in `  target: > 1000 rps`.
fn comparison_at(line: &str) -> Option<usize> {
    let (key, value) = line.split_once(": ")?;
    let key = key.trim_start_matches([' ', '-']);
    let is_key =
        !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    let words = value.trim_start();
    let sign = words.strip_prefix('>')?;
    let sign = sign.strip_prefix('=').unwrap_or(sign);
    let is_number = sign.trim_start().starts_with(|c: char| c.is_ascii_digit());
    // `>2` alone is a folded text with an indentation indicator.
    let more = sign.starts_with(' ') || sign.trim().len() > 1;
    (is_key && is_number && more).then(|| line.len() - words.len())
}

/// The byte of the source for a byte of the quoted one: same line, at most as many bytes into it.
fn place_before_quoting(source: &str, quoted: &str, at: usize) -> usize {
    let before = &quoted[..quoted.floor_char_boundary(at.min(quoted.len()))];
    let line = before.matches('\n').count();
    let within = before.len() - before.rfind('\n').map_or(0, |end| end + 1);
    let start: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = source[start..].lines().next().unwrap_or_default();
    start + rest.floor_char_boundary(within.min(rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> Result<Vec<Objective>, (String, usize)> {
        parse(source, &Config::without_file())
    }

    #[test]
    fn the_short_form_is_read_as_people_write_it() {
        let source = "SLOs:\n  availability:\n    target: 99.9%\n    measurement_window: 30_days\n    \
                      error_budget: 43.2_minutes\n    \n  latency:\n    target: 95th_percentile < 500ms\n    \
                      measurement_window: 5_minutes\n  error_rate:\n    target: < 1%\n  throughput:\n    \
                      target: > 1000_requests_per_second\n    measurement_window: 1_minute\n";
        let found = read(source).expect("the form is right");
        let told: Vec<_> = found
            .iter()
            .map(|one| {
                (one.id.as_str(), one.title.as_str(), one.target.as_str(), one.window.as_str())
            })
            .collect();
        assert_eq!(
            told,
            [
                ("availability", "Availability", "99.9%", "30_days"),
                ("latency", "Latency", "95th_percentile < 500ms", "5_minutes"),
                ("error_rate", "Error rate", "< 1%", "30 days"),
                ("throughput", "Throughput", "> 1000_requests_per_second", "1_minute"),
            ]
        );
    }

    #[test]
    fn numbers_services_and_queries_are_taken() {
        let found = read(
            "checkout: {target: 0.999, service: [orders, payments], window: 7d, min-events: 5,\n  \
             bad: 'rate(failed_total[$window])', total: 'rate(all_total[$window])'}",
        )
        .expect("the form is right");
        let [one] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(
            (one.target.as_str(), one.window.as_str(), one.min_events),
            ("99.9%", "7d", Some(5))
        );
        assert_eq!(one.services, ["orders", "payments"].map(|name| ServiceId(name.to_owned())));
        assert_eq!(one.bad.as_deref(), Some("rate(failed_total[$window])"));
    }

    #[test]
    fn openslo_is_read() {
        let source = "apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: web, displayName: Web}\nspec:\n  \
                      service: gateway\n  timeWindow: [{duration: 28d, isRolling: true}]\n  \
                      budgetingMethod: Occurrences\n  indicator:\n    metadata: {name: good}\n    spec:\n      \
                      ratioMetric:\n        counter: true\n        \
                      good: {metricSource: {type: Prometheus, spec: {query: good_total}}}\n        \
                      total: {metricSource: {type: Prometheus, spec: {query: all_total}}}\n  \
                      objectives: [{displayName: usual, target: 0.99}, {target: 0.9}]\n";
        let found = read(source).expect("the form is right");
        let told: Vec<_> = found
            .iter()
            .map(|one| (one.id.as_str(), one.title.as_str(), one.target.as_str()))
            .collect();
        assert_eq!(told, [("web-1", "Web: usual", "99%"), ("web-2", "Web", "90%")]);
        assert_eq!(
            (found[0].window.as_str(), found[0].good.as_deref()),
            ("28d", Some("good_total"))
        );
    }

    #[test]
    fn mistakes_are_told_at_their_place() {
        for (source, words, at) in [
            ("", "", 0),
            ("a: {target: 1, tarhget: 2}", "tarhget", 15),
            ("a:\n  target: > 5 rps\n  windw: 3d\n", "windw", 21),
            ("a:\n  window: 3d\n", "target", 3),
            (
                "apiVersion: openslo/v1\nkind: Service\nmetadata: {name: a}\nspec: {objectives: []}",
                "kind: Service",
                0,
            ),
        ] {
            let (message, place) = read(source).expect_err(source);
            assert!(message.contains(words), "{source}: {message}");
            assert!(at == 0 || place.abs_diff(at) <= 3, "{source}: {place}: {message}");
        }
    }
}

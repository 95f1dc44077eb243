//! `/api/v1/rules` and `/api/v1/alerts` as Prometheus answers them.
//!
//! `loggia` merges the router into that of the Prometheus API.

use super::Rules;
use super::alert::{Alert, AlertState};
use super::status::{AlertingStatus, GroupStatus, RuleStatus};
use super::template::go_format::exponent_text;
use crate::prometheus::Failure;
use crate::prometheus_json as answers;
use crate::prometheus_params::Params;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use series::Labels;
use std::sync::Arc;

/// Go's zero time stands for "never".
const NEVER: &str = "0001-01-01T00:00:00Z";

/// Mount it where [`prometheus_router`](crate::prometheus_router) is.
pub fn rules_router(rules: Arc<Rules>) -> Router {
    Router::new()
        .route("/api/v1/rules", get(list_rules))
        .route("/api/v1/alerts", get(list_alerts))
        .with_state(rules)
}

fn success(data: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], answers::success(data, &[])).into_response()
}

/// The groups by file and name, as Prometheus has them.
fn by_name(rules: &Rules) -> Vec<Arc<GroupStatus>> {
    let mut status = rules.status();
    status.sort_by(|a, b| (&a.file, &a.name).cmp(&(&b.file, &b.name)));
    status
}

async fn list_alerts(State(rules): State<Arc<Rules>>) -> Response {
    let status = by_name(&rules);
    let alerting =
        status.iter().flat_map(|group| &group.rules).filter_map(|rule| rule.alerting.as_ref());
    let alerts: Vec<Value> = alerting.flat_map(active).collect();
    success(&json!({ "alerts": alerts }))
}

/// Which rules are wanted.
struct Wanted<'a> {
    alerting: bool,
    recording: bool,
    names: Vec<&'a str>,
    groups: Vec<&'a str>,
    files: Vec<&'a str>,
    without_alerts: bool,
    limit: usize,
    after: &'a str,
}

impl<'a> Wanted<'a> {
    fn read(params: &'a Params) -> Result<Self, Failure> {
        let (alerting, recording) = match params.get("type") {
            "" => (true, true),
            "alert" => (true, false),
            "record" => (false, true),
            other => {
                return Err(Failure::parameter("type", &format!("not supported value {other:?}")));
            }
        };
        let limit = match params.get("group_limit") {
            "" => usize::MAX,
            text => text.parse::<usize>().ok().filter(|limit| *limit > 0).ok_or_else(|| {
                Failure::parameter("group_limit", "group_limit value must be a positive integer")
            })?,
        };
        let after = params.get("group_next_token");
        if !after.is_empty() && limit == usize::MAX {
            return Err(Failure::parameter(
                "group_limit",
                "group_limit needs to be set in order to paginate over the groups",
            ));
        }
        let without_alerts = match params.get("exclude_alerts") {
            "" | "false" | "0" => false,
            "true" | "1" => true,
            other => {
                return Err(Failure::parameter(
                    "exclude_alerts",
                    &format!("{other:?} is neither true nor false"),
                ));
            }
        };
        Ok(Self {
            alerting,
            recording,
            names: params.all("rule_name[]").collect(),
            groups: params.all("rule_group[]").collect(),
            files: params.all("file[]").collect(),
            without_alerts,
            limit,
            after,
        })
    }

    fn group(&self, group: &GroupStatus) -> bool {
        let among = |list: &[&str], name: &str| list.is_empty() || list.contains(&name);
        among(&self.groups, &group.name) && among(&self.files, &group.file)
    }

    fn rule(&self, rule: &RuleStatus) -> bool {
        let kind = if rule.alerting.is_some() { self.alerting } else { self.recording };
        kind && (self.names.is_empty() || self.names.contains(&rule.name.as_str()))
    }
}

async fn list_rules(State(rules): State<Arc<Rules>>, params: Params) -> Result<Response, Failure> {
    let wanted = Wanted::read(&params)?;
    let status = by_name(&rules);
    let found: Vec<&Arc<GroupStatus>> = status.iter().filter(|group| wanted.group(group)).collect();
    let start = match wanted.after {
        "" => 0,
        token => {
            found.iter().position(|group| page_token(group) == token).map(|at| at + 1).ok_or_else(
                || {
                    Failure::parameter(
                        "group_next_token",
                        &format!("invalid group_next_token '{token}'. were rule groups changed?"),
                    )
                },
            )?
        }
    };
    let page = found.iter().skip(start).take(wanted.limit);
    let groups: Vec<Value> = page
        .map(|group| {
            let rules: Vec<Value> = group
                .rules
                .iter()
                .filter(|rule| wanted.rule(rule))
                .map(|rule| rule_json(rule, wanted.without_alerts))
                .collect();
            (group, rules)
        })
        .filter(|(_, rules)| !rules.is_empty())
        .map(|(group, rules)| group_json(group, rules))
        .collect();
    let mut data = json!({ "groups": groups });
    let end = start.saturating_add(wanted.limit);
    if let Some(last) = found.get(end.wrapping_sub(1)).filter(|_| end < found.len()) {
        data["groupNextToken"] = page_token(last).into();
    }
    Ok(success(&data))
}

fn page_token(group: &GroupStatus) -> String {
    let bytes = group.file.bytes().chain([b';']).chain(group.name.bytes());
    format!("{:016x}", crate::notify::fnv(bytes))
}

fn group_json(group: &GroupStatus, rules: Vec<Value>) -> Value {
    json!({
        "name": group.name,
        "file": group.file,
        "rules": rules,
        "interval": seconds(group.interval_ms),
        "limit": group.limit,
        "evaluationTime": group.took_s,
        "lastEvaluation": time(group.at_ms),
    })
}

fn rule_json(rule: &RuleStatus, without_alerts: bool) -> Value {
    let mut object = Map::new();
    if let Some(alerting) = &rule.alerting {
        let alerts = if without_alerts { Vec::new() } else { active(alerting).collect() };
        object.insert("state".to_owned(), alerting.state.word().into());
        object.insert("name".to_owned(), rule.name.clone().into());
        object.insert("query".to_owned(), rule.query.clone().into());
        object.insert("duration".to_owned(), seconds(alerting.hold_ms));
        object.insert("keepFiringFor".to_owned(), seconds(alerting.keep_firing_ms));
        object.insert("labels".to_owned(), json!(rule.labels));
        object.insert("annotations".to_owned(), json!(alerting.annotations));
        object.insert("alerts".to_owned(), alerts.into());
    } else {
        object.insert("name".to_owned(), rule.name.clone().into());
        object.insert("query".to_owned(), rule.query.clone().into());
        if !rule.labels.is_empty() {
            object.insert("labels".to_owned(), json!(rule.labels));
        }
    }
    object.insert("health".to_owned(), rule.health().into());
    if let Some(error) = &rule.error {
        object.insert("lastError".to_owned(), error.clone().into());
    }
    object.insert("evaluationTime".to_owned(), rule.took_s.into());
    object.insert("lastEvaluation".to_owned(), time(rule.at_ms).into());
    let kind = if rule.alerting.is_some() { "alerting" } else { "recording" };
    object.insert("type".to_owned(), kind.into());
    object.into()
}

/// The alerts that are pending or firing.
fn active(rule: &AlertingStatus) -> impl Iterator<Item = Value> {
    rule.alerts.iter().filter(|alert| alert.state != AlertState::Inactive).map(alert_json)
}

fn alert_json(alert: &Alert) -> Value {
    let annotations: Map<String, Value> = alert
        .annotations
        .iter()
        .map(|(name, value)| (name.clone(), value.clone().into()))
        .collect();
    let mut found = json!({
        "labels": labels_json(&alert.labels),
        "annotations": annotations,
        "state": alert.state.word(),
        "activeAt": time(Some(alert.active_ms)),
        "value": exponent_text(alert.value),
    });
    if let Some(since) = alert.keep_firing_since_ms {
        found["keepFiringSince"] = time(Some(since)).into();
    }
    found
}

fn labels_json(labels: &Labels) -> Value {
    labels
        .iter()
        .map(|(name, value)| (name.to_owned(), Value::from(value)))
        .collect::<Map<_, _>>()
        .into()
}

/// Whole seconds without a point, as Go writes them.
fn seconds(ms: i64) -> Value {
    if ms % 1000 == 0 { (ms / 1000).into() } else { (ms as f64 / 1000.0).into() }
}

fn time(ms: Option<i64>) -> String {
    let time = ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| NEVER.to_owned(), |time| time.to_string())
}

//! The same questions to Loggia and to a real Prometheus that scraped the same targets: the same answers.
//!
//! The Prometheus of Debian is 2.42, whose range selectors are closed on the left; ours are open there, as those of
//! Prometheus 3. Queries are evaluated between two samples, where both see the same; labels with other names than letters,
//! which 3 allows, are left out. What only newer versions say
//! (annotations) is not compared, numbers may differ in the last digits of a sum.

mod queries;
pub(crate) mod target;

use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use target::{SAMPLES, STEP_MS, TRACE, Target};
use tests::{Answer, Program, binary, foreign, free_port, get, within};

const SOON: Duration = Duration::from_secs(30);
/// How far two numbers may be apart, relative to the larger.
const TOLERANCE: f64 = 1e-9;

/// Rules for both: one that records, alerts that fire, wait, and do not fire, one that fails.
const RULES: &str = r#"
groups:
  - name: shop
    interval: 1s
    rules:
      - {record: "shop:targets:up", expr: "sum by (job) (up)", labels: {kind: recorded}}
      - alert: TargetUp
        expr: up{job="shop"} == 1
        labels: {severity: page, team: "{{ $labels.job }}-team"}
        annotations: {summary: "{{ $labels.job }} is {{ $value | printf \"%.1f\" }} ({{ humanize 1234567.0 }})"}
      - {alert: Waiting, expr: "up{job=\"open\"} == 1", for: 1h, annotations: {text: "{{ $value }}"}}
      - {alert: Quiet, expr: "up == 7", keep_firing_for: 5m}
  - name: broken
    interval: 1s
    rules:
      - {record: "shop:broken", expr: "up{job=\"shop\"} * on () group_left () up"}
"#;

/// Two servers that scraped the same.
struct Pair {
    ours: String,
    theirs: String,
    start_ms: i64,
    _programs: [Program; 2],
    _folder: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl Pair {
    fn start() -> Option<Self> {
        let prometheus = foreign("prometheus")?;
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let target = Target::start(&runtime, i64::try_from(now).unwrap());
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("index.md", "# Shop\n");
        write("book.toml", "[book]\nsrc = \".\"\n[output.loggia]\nrules = [\"rules.yml\"]\n");
        write("rules.yml", RULES);
        let config = folder.path().join("prometheus.yml");
        let scraped = |job: &str, path: &str| {
            format!(
                "  - job_name: {job}\n    metrics_path: {path}\n    static_configs: [{{targets: ['{}']}}]\n",
                target.addr
            )
        };
        let yaml = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 900ms}}\nrule_files: [rules.yml]\nscrape_configs:\n{}{}",
            scraped("shop", "/metrics"),
            scraped("open", "/open")
        );
        std::fs::write(&config, yaml).unwrap();
        let [ours, theirs] = [free_port(), free_port()];
        let mut peer = Command::new(prometheus);
        peer.arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{theirs}"))
            .arg("--enable-feature=exemplar-storage");
        let peer = Program::start(&mut peer).unwrap();
        let mut command = Command::new(binary("loggia"));
        command.arg("serve").arg(folder.path()).args(["--no-watch", "--in-memory"]);
        command.args(["--otlp-grpc-port", "0", "--otlp-http-port", "0"]);
        command.args(["--port", &ours.to_string()]);
        for (job, path) in [("shop", "metrics"), ("open", "open")] {
            command.args(["--scrape", &format!("{job}=http://{}/{path}", target.addr)]);
        }
        let mut program = Program::start(&mut command).unwrap();
        program.wait_for("Ctrl-C", SOON).unwrap();
        let pair = Self {
            ours: format!("http://127.0.0.1:{ours}/prometheus/api/v1"),
            theirs: format!("http://127.0.0.1:{theirs}/api/v1"),
            start_ms: target.start_ms,
            _programs: [program, peer],
            _folder: folder,
            _runtime: runtime,
        };
        for server in [&pair.ours, &pair.theirs] {
            within("both targets are scraped", SOON, || {
                let up = get(&format!("{server}/query?query=count(up%3D%3D1)"));
                up.is_ok_and(|answer| answer.text().contains("\"2\""))
            });
        }
        Some(pair)
    }

    /// Seven seconds after sample `i`: in seconds since 1970.
    fn after(&self, i: i64) -> String {
        format!("{}", (self.start_ms + i * STEP_MS + 7_000) / 1000)
    }

    /// What both say to the same request.
    fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> [Answer; 2] {
        let pairs: Vec<String> = parameters
            .iter()
            .map(|(name, value)| format!("{}={}", quoted(name), quoted(value)))
            .collect();
        [&self.ours, &self.theirs]
            .map(|server| get(&format!("{server}/{path}?{}", pairs.join("&"))).unwrap())
    }

    /// The data of both, in words of the same form, or the kind of error.
    fn data(&self, path: &str, parameters: &[(&str, &str)]) -> [Value; 2] {
        self.ask(path, parameters).map(|answer| {
            let body = answer.json().unwrap();
            match body["status"].as_str() {
                Some("success") => body["data"].clone(),
                _ => serde_json::json!([answer.status, body["errorType"], body.get("data")]),
            }
        })
    }

    /// Whether both say the same, but for the order of series when `ordered` is not wanted; gives what the other says.
    fn compare(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        ordered: bool,
        wrong: &mut Vec<String>,
    ) -> Value {
        let [ours, theirs] = self.data(path, parameters);
        let settled = |mut data: Value| {
            if let (Some(list), false) =
                (data.get_mut("result").and_then(Value::as_array_mut), ordered)
            {
                list.sort_by_key(|series| series["metric"].to_string());
            }
            data
        };
        let (ours, theirs) = (settled(ours), settled(theirs));
        let difference = difference(&ours, &theirs, "data");
        wrong.extend(difference.map(|words| format!("{path} {parameters:?}: {words}")));
        theirs
    }
}

fn quoted(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// Where two answers differ, in words.
fn difference(ours: &Value, theirs: &Value, place: &str) -> Option<String> {
    let told = || Some(format!("{place}: ours {ours:.300}, theirs {theirs:.300}"));
    match (ours, theirs) {
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(i, (a, b))| difference(a, b, &format!("{place}[{i}]"))),
        (Value::Object(a), Value::Object(b)) if keys(a) == keys(b) => {
            a.iter().find_map(|(key, value)| difference(value, &b[key], &format!("{place}.{key}")))
        }
        (Value::String(a), Value::String(b)) if same_number(a, b) => None,
        _ if ours == theirs => None,
        _ => told(),
    }
}

fn keys(object: &Map<String, Value>) -> BTreeSet<&String> {
    object.keys().collect()
}

/// Whether two texts are numbers in the same notation that differ in the last digits at most.
fn same_number(a: &str, b: &str) -> bool {
    let (Ok(x), Ok(y)) = (a.parse::<f64>(), b.parse::<f64>()) else { return false };
    a == b
        || (x.is_finite()
            && (x - y).abs() <= TOLERANCE * x.abs().max(y.abs())
            && a.len().abs_diff(b.len()) < 18)
}

/// Whether an answer has anything in it: comparing nothing with nothing proves little.
fn is_empty(data: &Value) -> bool {
    data.get("result").and_then(Value::as_array).is_some_and(Vec::is_empty)
}

#[test]
fn queries_are_answered_as_by_a_real_prometheus() {
    let Some(pair) = Pair::start() else { return };
    let (mut compared, mut empty, mut wrong) = (0, Vec::new(), Vec::new());
    for query in queries::SAME.iter().copied() {
        let ordered = query.starts_with("sort") || query.starts_with("topk");
        for i in [8, 20, SAMPLES - 1] {
            let theirs = pair.compare(
                "query",
                &[("query", query), ("time", &pair.after(i))],
                ordered,
                &mut wrong,
            );
            compared += 1;
            if is_empty(&theirs) && i == SAMPLES - 1 && !queries::EMPTY.contains(&query) {
                empty.push(query);
            }
        }
        if query.ends_with(']') || query.starts_with('"') {
            continue;
        }
        for step in ["15", "40s"] {
            let (start, end) = (pair.after(3), pair.after(SAMPLES - 2));
            let range = [("query", query), ("start", &*start), ("end", &end), ("step", step)];
            pair.compare("query_range", &range, false, &mut wrong);
            compared += 1;
        }
    }
    assert!(empty.is_empty(), "these compare nothing with nothing: {empty:#?}");
    for query in queries::WRONG {
        let time = pair.after(20);
        pair.compare("query", &[("query", query), ("time", &time)], false, &mut wrong);
        compared += 1;
    }
    assert!(wrong.is_empty(), "{} of {compared} differ:\n{}", wrong.len(), wrong.join("\n"));
    println!("{compared} answers of `query` and `query_range` are those of Prometheus 2.42");
}

#[test]
fn lists_are_those_of_a_real_prometheus() {
    let Some(pair) = Pair::start() else { return };
    let (start, end) = (pair.after(0), pair.after(SAMPLES));
    let within = |more: &[(&'static str, &'static str)]| -> Vec<(&str, String)> {
        let range = [("start", start.clone()), ("end", end.clone())].into_iter();
        range.chain(more.iter().map(|(name, value)| (*name, (*value).to_owned()))).collect()
    };
    let mut wrong = Vec::new();
    for (path, parameters) in [
        ("series", within(&[("match[]", "orders_total")])),
        ("series", within(&[("match[]", "{page=~\"p.*\"}"), ("match[]", "odd")])),
        ("series", within(&[("match[]", "nothing")])),
        ("series", within(&[("match[]", "{")])),
        ("series", within(&[])),
        ("labels", within(&[("match[]", "queue_length")])),
        ("labels", within(&[("match[]", "wait_seconds_bucket"), ("match[]", "odd")])),
        ("label/page/values", within(&[])),
        ("label/shelf/values", within(&[("match[]", "queue_length{shelf!=\"1\"}")])),
        ("label/nobody/values", within(&[])),
        ("label/job/values", within(&[("match[]", "sent_bytes_total")])),
        ("metadata", vec![("metric", "orders_total".to_owned())]),
        ("metadata", vec![("metric", "sent_bytes".to_owned())]),
        ("metadata", vec![("metric", "wait_seconds".to_owned())]),
        ("metadata", vec![("metric", "nothing".to_owned())]),
        ("query_exemplars", within(&[("query", "rate(sent_bytes_total[1m])")])),
        ("query_exemplars", within(&[("query", "orders_total")])),
        ("query_range", within(&[("query", "up"), ("step", "0")])),
        ("query_range", within(&[("query", "up"), ("step", "1ms")])),
        (
            "query_range",
            vec![
                ("query", "up".to_owned()),
                ("start", "5".into()),
                ("end", "4".into()),
                ("step", "1".into()),
            ],
        ),
        ("query", vec![("query", "up".to_owned()), ("time", "noon".to_owned())]),
    ] {
        let parameters: Vec<(&str, &str)> =
            parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        pair.compare(path, &parameters, true, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let exemplars = pair.data("query_exemplars", &[("query", "sent_bytes_total")]);
    for found in exemplars {
        assert_eq!(found[0]["exemplars"][0]["labels"]["trace_id"], TRACE, "{found}");
    }
}

/// What of a target is the same on both sides.
fn target_of(target: &Value) -> Value {
    let same = ["labels", "health", "lastError", "scrapeInterval", "scrapeTimeout", "scrapeUrl"];
    let fields: BTreeSet<String> = target.as_object().unwrap().keys().cloned().collect();
    serde_json::json!([same.map(|field| &target[field]), fields])
}

#[test]
fn targets_are_told_as_by_a_real_prometheus() {
    let Some(pair) = Pair::start() else { return };
    let [ours, theirs] = pair.data("targets", &[]).map(|data| {
        let mut targets: Vec<Value> =
            data["activeTargets"].as_array().unwrap().iter().map(target_of).collect();
        targets.sort_by_key(ToString::to_string);
        targets
    });
    assert_eq!(ours, theirs);
    let [ours, theirs] = pair.data("status/buildinfo", &[]);
    let fields = |info: &Value| {
        keys(info.as_object().unwrap()).into_iter().cloned().collect::<BTreeSet<_>>()
    };
    assert!(fields(&ours).is_superset(&fields(&theirs)), "{ours} {theirs}");
}

/// What of rules and alerts is the same on both sides: everything but times, where the file is, and in which order an error
/// names two series.
fn timeless(mut data: Value) -> Value {
    fn forget(value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(forget),
            Value::Object(fields) => {
                for name in ["evaluationTime", "lastEvaluation", "activeAt", "file", "lastError"] {
                    if let Some(time) = fields.get_mut(name) {
                        *time = Value::Null;
                    }
                }
                fields.values_mut().for_each(forget);
            }
            _ => {}
        }
    }
    forget(&mut data);
    // Newer versions leave out groups of which nothing is wanted, and so do we.
    if let Some(groups) = data.get_mut("groups").and_then(Value::as_array_mut) {
        groups.retain(|group| group["rules"].as_array().is_some_and(|rules| !rules.is_empty()));
    }
    data
}

#[test]
fn rules_and_alerts_are_told_as_by_a_real_prometheus() {
    let Some(pair) = Pair::start() else { return };
    for server in [&pair.ours, &pair.theirs] {
        within("the rules were evaluated", SOON, || {
            let told = |path: &str| get(&format!("{server}/{path}")).map(|answer| answer.text());
            let recorded = told("query?query=shop:targets:up").unwrap_or_default();
            let alerts = told("alerts").unwrap_or_default();
            let rules = told("rules").unwrap_or_default();
            recorded.contains("recorded")
                && ["firing", "pending"].iter().all(|state| alerts.contains(state))
                && rules.contains("\"health\":\"err\"")
        });
    }
    for (path, parameters) in [
        ("rules", &[][..]),
        ("rules", &[("type", "alert")]),
        ("rules", &[("type", "record")]),
        ("rules", &[("type", "other")]),
        ("alerts", &[]),
    ] {
        let [ours, theirs] = pair.data(path, parameters).map(timeless);
        let differs = difference(&ours, &theirs, "data");
        assert!(differs.is_none(), "{path} {parameters:?}: {}", differs.unwrap_or_default());
    }
    let recorded = [("query", "shop:targets:up")];
    let [ours, theirs] = pair.data("query", &recorded).map(|mut data| {
        let list = data["result"].as_array_mut().unwrap();
        list.sort_by_key(|series| series["metric"].to_string());
        list.iter()
            .map(|series| (series["metric"].clone(), series["value"][1].clone()))
            .collect::<Vec<_>>()
    });
    assert_eq!(ours, theirs);
}

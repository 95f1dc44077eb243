//! With programs that others wrote: alerts handed to a real Alertmanager, templates against those of Prometheus,
//! rule files of the README read by promtool.

use super::server::Server;
use super::{SOON, Served, book};
use serde_json::Value;
use std::fmt::Write as _;
use std::process::Command;
use tests::{Program, foreign, free_port, get, run_to_end, within};

#[test]
fn a_real_alertmanager_takes_alerts() {
    let Some(alertmanager) = foreign("prometheus-alertmanager") else { return };
    let (dir, target) = (tempfile::tempdir().unwrap(), Server::start());
    let (port, config) = (free_port(), dir.path().join("alertmanager.yml"));
    std::fs::write(&config, "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n").unwrap();
    let mut command = Command::new(alertmanager);
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.path={}", dir.path().join("am").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=");
    let _peer = Program::start(&mut command).unwrap();
    let folder = dir.path().join("book");
    std::fs::create_dir(&folder).unwrap();
    target.show("shop_open 0\n");
    book(&folder, &target, "");
    let toml = folder.join("book.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    let named = format!("[output.loggia]\nalertmanager = \"http://127.0.0.1:{port}\"\n");
    std::fs::write(&toml, text.replace("[output.loggia]\n", &named)).unwrap();
    let served = Served::start(&folder);
    let active = || -> Vec<Value> {
        let answer = get(&format!("http://127.0.0.1:{port}/api/v2/alerts?active=true"));
        answer.ok().and_then(|answer| answer.json().ok()?.as_array().cloned()).unwrap_or_default()
    };
    within("Alertmanager has it", SOON, || active().len() == 1);
    let alert = active().remove(0);
    assert_eq!(
        (&alert["labels"]["alertname"], &alert["labels"]["cluster"]),
        (&"Down".into(), &"eu".into())
    );
    assert_eq!(alert["annotations"]["summary"], "orders is down: 0");
    let (starts, ends) = (alert["startsAt"].clone(), alert["endsAt"].clone());
    within("it is told again", SOON, || {
        active().first().is_some_and(|alert| alert["endsAt"] != ends)
    });
    assert_eq!(active()[0]["startsAt"], starts);
    assert_eq!(alert["generatorURL"], "https://shop.example/live/alerts#alert-Down");
    target.show("shop_open 1\n");
    within("its end is told", SOON, || active().is_empty());
    assert_eq!(served.states(), ["Down inactive"]);
}

/// Texts whose result depends on nothing but the alert, in all ways that rules use.
const TEMPLATES: &[&str] = &[
    "{{ $value }} {{ .Value }} {{ $labels.job }} {{ .Labels.job }} {{ $labels.none }}|",
    "{{ $value | humanize }} {{ 1234567.0 | humanize }} {{ 0.00012346 | humanize }} {{ 1e25 | humanize }}",
    "{{ $value | humanize1024 }} {{ 123456789.0 | humanize1024 }} {{ 1024.0 | humanize1024 }}",
    "{{ $value | humanizeDuration }} {{ 3725.5 | humanizeDuration }} {{ 90061.0 | humanizeDuration }} {{ 12.345 | humanizeDuration }}",
    "{{ $value | humanizePercentage }} {{ 0.5 | humanizePercentage }} {{ 1435065584.128 | humanizeTimestamp }}",
    "{{ printf \"%.2f|%8.3f|%-8.1f|%+.1e|%g|%v\" $value $value $value $value $value $value }}",
    "{{ printf \"%s|%q|%10s|%-10s|%.2s|%x\" $labels.job $labels.job $labels.job $labels.job $labels.job $labels.job }}",
    "{{ printf \"%d|%5d|%05d|%x|%d|%s|%!\" 42 42 42 255 $value 7 }}",
    "{{ printf \"%d\" }} {{ printf \"x\" 1 }} {{ printf \"%v %v\" true 1000000.0 }} {{ 1000000.0 }} {{ 123456.0 }} {{ 0.00001 }}",
    "{{ \"aa bb-cc\" | title }} {{ $labels.job | toUpper }} {{ \"ÄB\" | toLower }}",
    "{{ reReplaceAll \"o(.)\" \"<$1>\" $labels.job }} {{ reReplaceAll \"(?P<a>r)\" \"${a}${a}\" $labels.job }} {{ match \"^ord\" $labels.job }}",
    "{{ if gt $value 0.1 }}a{{ else }}b{{ end }}{{ if and (eq $labels.job \"orders\") (lt $value 1.0) }}c{{ end }}{{ if not (ne 1 1) }}d{{ end }}",
    "{{ range $i, $x := query \"shop_share\" }}{{ $i }}:{{ $x.Value }}:{{ $x.Labels.job }} {{ else }}none{{ end }}",
    "{{ with query \"shop_share\" }}{{ . | first | value | printf \"%.1f\" }}{{ end }}{{ with query \"nothing\" }}x{{ else }}-{{ end }}",
    "{{ query \"nothing\" | first }}",
    "{{ gt $value 5 }}",
    "{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }} {{- \" y \" -}} z {{/* gone */}}",
    "{{ with args 1 \"b\" }}{{ .arg0 }}{{ .arg1 }}{{ .arg2 }}{{ end }} {{ len \"abc\" }} {{ index $labels \"job\" }}",
    "{{ parseDuration \"1h2m\" }} {{ stripPort \"host:80\" }} {{ 5 }} {{ -1.5 }} {{ true }} {{ \"\\u00e9\" }}",
    "{{ humanize \"nonsense\" }}",
    "{{ print 1 2 \"x\" 3 }} {{ html \"<a&b>\" }} {{ urlquery \"a b&c\" }}",
];

/// Promtool expands the same templates for the same alert and compares with what ours gave.
#[test]
fn templates_say_what_prometheus_says() {
    let Some(promtool) = foreign("promtool") else { return };
    let (dir, target) = (tempfile::tempdir().unwrap(), Server::start());
    target.show("shop_share 0.1234\n");
    book(dir.path(), &target, "");
    let mut rules =
        "groups:\n- name: t\n  rules:\n  - alert: T\n    expr: shop_share > 0\n    annotations:\n"
            .to_owned();
    for (nth, template) in TEMPLATES.iter().enumerate() {
        let _ = writeln!(rules, "      a{nth}: {}", Value::from(*template));
    }
    let path = dir.path().join("rules/shop.yml");
    std::fs::write(&path, &rules).unwrap();
    let served = Served::start(dir.path());
    served.wait_for("T firing");
    let alert = served.json("alerts")["alerts"][0].clone();
    let instance = alert["labels"]["instance"].as_str().unwrap().to_owned();
    let labels = format!("job=\"orders\", instance=\"{instance}\"");
    let mut annotations = String::new();
    for (name, text) in alert["annotations"].as_object().unwrap() {
        // Go names the place of a fault in a template and types in words of its own: only that there is one.
        let text = text.as_str().unwrap();
        assert!(
            !text.contains("error expanding") || text.contains("error calling"),
            "{name}: {text}"
        );
        if !text.contains("error expanding") {
            let _ = writeln!(annotations, "          {name}: {}", Value::from(text));
        }
    }
    let faulty = alert["annotations"]
        .as_object()
        .unwrap()
        .values()
        .filter(|text| text.as_str().unwrap().contains("error expanding"))
        .count();
    assert_eq!(faulty, 3);
    let sound: String = rules
        .lines()
        .filter(|line| {
            !["nothing\\\" | first }}\"", "gt $value 5 }}\"", "nonsense\\\" }}\""]
                .iter()
                .any(|end| line.ends_with(end))
        })
        .fold(String::new(), |all, line| all + line + "\n");
    let sound_path = dir.path().join("sound.yml");
    std::fs::write(&sound_path, sound).unwrap();
    let test = dir.path().join("test.yml");
    std::fs::write(
        &test,
        format!(
            "rule_files: [{}]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  input_series:\n  - series: 'shop_share{{{labels}}}'\n    values: '0.1234x5'\n  alert_rule_test:\n  - eval_time: 3m\n    alertname: T\n    exp_alerts:\n    - exp_labels: {{ job: orders, instance: '{instance}' }}\n      exp_annotations:\n{annotations}",
            sound_path.display()
        ),
    )
    .unwrap();
    let output = run_to_end(Command::new(promtool).args(["test", "rules"]).arg(&test));
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

/// The example of the README is a rule file for Prometheus, too.
#[test]
fn promtool_reads_the_example() {
    let Some(promtool) = foreign("promtool") else { return };
    let readme = std::fs::read_to_string(tests::repository().join("README.md")).unwrap();
    let example = readme.split("```yaml\ngroups:").nth(1).and_then(|rest| rest.split("```").next());
    let example = format!("groups:{}", example.expect("the README has a rule file"));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("example.yml");
    std::fs::write(&path, example).unwrap();
    let output = run_to_end(Command::new(promtool).args(["check", "rules"]).arg(&path));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

//! Rule files: a whole one, and every mistake with its place.

use super::*;

const WHOLE: &str = r#"
groups:
- name: api
  interval: 30s
  query_offset: 1m
  limit: 5
  labels: { team: core, tier: 1 }
  rules:
  - record: job:requests:rate5m
    expr: sum by (job) (rate(requests_total[5m]))
    labels: { tier: 2 }
  - alert: Slow
    expr: |
      histogram_quantile(0.9,
        sum by (le) (rate(d_bucket[5m]))) > 1
    for: 5m
    keep_firing_for: 10m
    labels:
      severity: page
    annotations:
      summary: "{{ $labels.job }} takes {{ $value | humanizeDuration }}"
"#;

#[test]
fn a_whole_file() {
    let (groups, faults) = parse_rules("rules/a.yml", WHOLE);
    assert_eq!(faults, []);
    let group = &groups[0];
    assert_eq!((group.name.as_str(), group.interval_ms, group.limit), ("api", Some(30_000), 5));
    assert_eq!(group.query_offset_ms, Some(60_000));
    let tier = |rule: &Rule| rule.labels["tier"].text().to_owned();
    assert_eq!((tier(&group.rules[0]), tier(&group.rules[1])), ("2".to_owned(), "1".to_owned()));
    let alert = group.rules[1].alert.as_ref().expect("the second is an alert");
    assert_eq!((alert.hold_ms, alert.keep_firing_ms), (300_000, 600_000));
    for empty in ["", "groups:", "groups: []", "# nothing\n", "groups:\n- name: a\n"] {
        assert_eq!(parse_rules("x", empty).1, [], "{empty}");
    }
    let (again, _) = parse_rules("rules/a.yml", WHOLE);
    assert_eq!(again[0].definition(), group.definition());
}

#[test]
fn mistakes_have_kind_and_place() {
    use RuleFaultKind::{Query, Shape, Template, Twice};
    let rule = |rest: &str| format!("groups:\n- name: a\n  rules:\n  - {rest}\n");
    for (text, kind, line, column, message) in [
        ("groups: [\n".to_owned(), Shape, 1, 9, "unclosed bracket"),
        ("group:\n".to_owned(), Shape, 1, 1, "group"),
        ("groups:\n- name: a\n- name: a\n".to_owned(), Shape, 3, 9, "there twice"),
        ("groups:\n- name: a\n  interval: 5\n".to_owned(), Shape, 3, 13, "cannot be `5`"),
        ("groups:\n- name: a\n  limit: x\n".to_owned(), Shape, 3, 10, ""),
        (rule("expr: up"), Shape, 4, 5, "neither `record` nor `alert`"),
        (rule("record: a\n    alert: b\n    expr: up"), Shape, 4, 5, "both"),
        (rule("record: a-b\n    expr: up"), Shape, 4, 13, "no name of a metric"),
        (rule("record: a"), Shape, 4, 5, "no `expr`"),
        (rule("record: a\n    expr: up\n    for: 5m"), Shape, 6, 10, "cannot have `for`"),
        (rule("alert: a\n    expr: up\n    for: soon"), Shape, 6, 10, "cannot be `soon`"),
        (
            rule("alert: a\n    expr: up\n    labels: { a-b: c }"),
            Shape,
            6,
            20,
            "cannot be the name of a label",
        ),
        (rule("alert: a\n    expr: sum(rote(up[5m]))"), Query, 5, 15, "unknown function"),
        (rule("alert: a\n    expr: |\n      sum(up)\n      by by (x)"), Query, 7, 10, "unexpected"),
        (
            rule("alert: a\n    expr: up\n    annotations:\n      s: \"is {{ $nope }}\""),
            Template,
            7,
            17,
            "undefined variable",
        ),
        (
            rule("record: a\n    expr: up\n  - record: a\n    expr: down"),
            Twice,
            6,
            5,
            "there twice",
        ),
    ] {
        let (_, faults) = parse_rules("a.yml", &text);
        let fault = faults.first().unwrap_or_else(|| panic!("no fault in\n{text}"));
        let before = &text[..fault.span.start];
        let place = (
            before.matches('\n').count() + 1,
            before.len() - before.rfind('\n').map_or(0, |at| at + 1) + 1,
        );
        assert_eq!((fault.kind, place), (kind, (line, column)), "{}\n{text}", fault.message);
        assert!(fault.message.contains(message), "{}\n{text}", fault.message);
    }
}

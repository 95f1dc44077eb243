//! What templates give, case by case. Cases that Prometheus documents say the same there.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{Alerting, QuerySample, Surroundings, Template};
use series::Labels;

fn answer(query: &str) -> Result<Vec<QuerySample>, String> {
    let sample = |instance: &str, value: f64| QuerySample {
        labels: Labels::from_pairs([
            ("__name__", "up"),
            ("instance", instance),
            ("__value__", "11"),
        ]),
        value,
    };
    match query {
        "up" => Ok(vec![sample("b", 21.0), sample("a", 11.0)]),
        "none" => Ok(Vec::new()),
        other => Err(format!("cannot ask `{other}`")),
    }
}

fn expand(text: &str) -> String {
    let alert = Alerting {
        labels: Labels::from_pairs([("instance", "db-1.example.org:9100"), ("job", "orders")]),
        external_labels: Labels::from_pairs([("cluster", "eu")]),
        external_url: "http://loggia.example/docs".into(),
        value: 0.1234,
    };
    let around = Surroundings { alert, now_ms: 1_435_781_451_781, query: &answer };
    match Template::parse(text) {
        Ok(template) => template.expand(&around),
        Err(error) => format!("{} @{}", error.message, error.offset),
    }
}

#[test]
fn templates_give_what_prometheus_gives() {
    for (text, expected) in [
        ("plain { text } }}", "plain { text } }}"),
        ("{{ $labels.instance }} of {{ .Labels.job }}", "db-1.example.org:9100 of orders"),
        ("{{ $value }} {{ .Value }}", "0.1234 0.1234"),
        (
            "{{ $labels.missing }}|{{ $externalLabels.cluster }}|{{ .ExternalLabels.cluster }}",
            "|eu|eu",
        ),
        (
            "{{ $externalURL }} {{ externalURL }} {{ pathPrefix }}",
            "http://loggia.example/docs http://loggia.example/docs /docs",
        ),
        ("{{ $value | humanizePercentage }}", "12.34%"),
        (
            "{{ 1234567.0 | humanize }} {{ humanize1024 1048576.0 }} {{ \"1024\" | humanize1024 }}",
            "1.235M 1Mi 1ki",
        ),
        (
            "{{ 3600 | humanizeDuration }} {{ 1435065584.128 | humanizeTimestamp }}",
            "1h 0m 0s 2015-06-23 13:19:44.128 +0000 UTC",
        ),
        (
            "{{ printf \"%.2f\" $value }} {{ $value | printf \"%5.1f|\" }} {{ printf \"%q %s %d\" \"x\" \"y\" 3 }}",
            "0.12   0.1| \"x\" y 3",
        ),
        (
            "{{ \"aa bb CC\" | title }} {{ \"aa\" | toUpper }} {{ \"BB\" | toLower }}",
            "Aa Bb CC AA bb",
        ),
        ("{{ reReplaceAll \"([a-z]+)-([0-9]+).*\" \"$2-$1\" $labels.instance }}", "1-db"),
        ("{{ if match \"^db\" $labels.instance }}db{{ end }}", "db"),
        (
            "{{ stripPort $labels.instance }} {{ stripDomain $labels.instance }} {{ stripDomain \"10.0.0.1:80\" }} {{ stripPort \"[::1]:80\" }}",
            "db-1.example.org db-1:9100 10.0.0.1:80 ::1",
        ),
        ("{{ parseDuration \"1h2m10s\" }}", "3730"),
        (
            "{{ query \"up\" | first | value }} {{ query \"up\" | first | label \"instance\" }} {{ query \"up\" | first | strvalue }}",
            "21 b 11",
        ),
        (
            "{{ range query \"up\" | sortByLabel \"instance\" }}{{ .Labels.instance }}={{ .Value }} {{ end }}",
            "a=11 b=21 ",
        ),
        (
            "{{ range $i, $s := query \"up\" }}{{ $i }}:{{ $s.Labels.instance }};{{ end }}",
            "0:b;1:a;",
        ),
        ("{{ range query \"none\" }}x{{ else }}nobody{{ end }}", "nobody"),
        (
            "{{ with query \"up\" }}{{ . | first | value }}{{ end }}{{ with query \"none\" }}x{{ else }}-{{ end }}",
            "21-",
        ),
        ("{{ if gt $value 0.1 }}high{{ else }}low{{ end }}", "high"),
        ("{{ if lt $value 0.05 }}a{{ else if le $value 0.1234 }}b{{ else }}c{{ end }}", "b"),
        ("{{ if and (eq $labels.job \"orders\") (not false) }}yes{{ end }}", "yes"),
        ("{{ if or false (ne $labels.job \"orders\") }}yes{{ else }}no{{ end }}", "no"),
        ("{{ eq 1 2 3 1 }} {{ ge 2 2 }} {{ and 1 0 }} {{ or 0 \"x\" }}", "true true 0 x"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 5 }}{{ $y }}{{ end }}{{ $x }}", "52"),
        ("a {{- \" b \" -}} c {{/* nothing */}}d", "a b c d"),
        ("a {{- /* x */ -}} b", "ab"),
        (
            "{{ with args 1 \"two\" }}{{ .arg0 }} {{ .arg1 }} {{ .arg2 }}{{ end }}",
            "1 two <no value>",
        ),
        (
            "{{ (query \"up\" | first).Value }} {{ (index (query \"up\") 1).Labels.instance }}",
            "21 a",
        ),
        ("{{ len (query \"up\") }} {{ len \"abc\" }} {{ slice \"abcdef\" 1 3 }}", "2 3 bc"),
        ("{{ $labels }}", "map[instance:db-1.example.org:9100 job:orders]"),
        ("{{ index $labels \"job\" }}", "orders"),
        ("{{ print 1 2 \"x\" 3 }}{{ println 4 }}", "1 2x3"),
        (
            "{{ range $i := query \"up\" }}{{ if eq $i.Value 11.0 }}{{ break }}{{ end }}{{ $i.Value }}{{ end }}",
            "21",
        ),
        ("{{ html \"<b>\" }} {{ urlquery \"a b&c\" }}", "&lt;b&gt; a+b%26c"),
        ("{{ `raw \\n` }} {{ \"\\u00e9\\n\" }}", "raw \\n é\n"),
        ("{{ 1e3 }} {{ 0x10 }} {{ -5 }} {{ 1_000 }}", "1000 16 -5 1000"),
    ] {
        let expected =
            if text.contains("println") { format!("{expected}4\n") } else { expected.to_owned() };
        assert_eq!(expand(text), expected, "{text}");
    }
}

#[test]
fn mistakes_are_told() {
    for (text, expected) in [
        ("{{ $labels.instance ", "unclosed action: `}}` is missing @0"),
        ("ab {{ nope 1 }}", "function `nope` is not defined @6"),
        ("{{ $nope }}", "undefined variable `$nope` @3"),
        ("{{ if true }}x", "`if` has no `end` @0"),
        ("x{{ end }}", "`end` without `if`, `with` or `range` @1"),
        ("{{ }}", "missing value for command @0"),
        ("{{ 1 | 2 }}", "what stands behind `|` must be a function @7"),
        ("{{ (1 }}", "unclosed `(` @3"),
        ("{{ \"x }}", "unterminated quoted string @3"),
        ("{{ template \"x\" }}", "`template` is not supported in rules @0"),
        ("{{ break }}", "`break` outside of `range` @0"),
        ("{{ $value | humanize", "unclosed action: `}}` is missing @0"),
        // What only the values show stands in the text, as in Prometheus.
        (
            "{{ gt $value 5 }}",
            "<error expanding template: error calling gt: incompatible types for comparison>",
        ),
        (
            "{{ query \"none\" | first }}",
            "<error expanding template: error calling first: first() called on vector with no elements>",
        ),
        (
            "{{ query \"bad\" }}",
            "<error expanding template: error calling query: cannot ask `bad`>",
        ),
        (
            "{{ humanize \"x\" }}",
            "<error expanding template: error calling humanize: strconv.ParseFloat: parsing \"x\": invalid syntax>",
        ),
        ("{{ .Nope }}", "<error expanding template: can't evaluate field Nope in type alert>"),
        ("{{ $labels 1 }}", "<error expanding template: can't give argument to non-function>"),
        (
            "{{ reReplaceAll \"(\" \"\" \"x\" }}",
            "<error expanding template: error calling reReplaceAll: `(` is no regular expression>",
        ),
        (
            "{{ range 100000 }}{{ end }}",
            "<error expanding template: the template takes more than 20000 steps>",
        ),
        (
            "{{ range 300 }}{{ printf \"%500d\" 1 }}{{ end }}",
            "<error expanding template: the template makes more than 65536 bytes>",
        ),
    ] {
        assert_eq!(expand(text), expected, "{text}");
    }
    let deep = "{{ if true }}".repeat(1000);
    assert!(expand(&deep).starts_with("more than 40 actions"));
    let brackets = format!("{{{{ {}1{} }}}}", "(".repeat(1000), ")".repeat(1000));
    assert!(expand(&brackets).starts_with("more than 40 brackets"));
}

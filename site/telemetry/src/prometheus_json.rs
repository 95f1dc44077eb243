//! The JSON of the Prometheus HTTP API, byte for byte as Prometheus writes it.
//!
//! The router hands answers in and sends the text out. Written by hand because numbers are strings in
//! Go's notation and times are seconds with three decimals at most.

use promql::{Answer, Value};
use series::{Labels, Sample};
use std::fmt::Write as _;

/// The body of a query's answer.
pub(crate) fn query(answer: &Answer) -> String {
    let mut out = String::from(r#"{"status":"success","data":{"resultType":""#);
    out.push_str(answer.value.kind());
    out.push_str(r#"","result":"#);
    match &answer.value {
        Value::Scalar { t, v } => point(&mut out, *t, &number(*v)),
        Value::String { t, text } => point(&mut out, *t, text),
        Value::Vector(vector) => list(&mut out, vector, |out, sample| {
            metric(out, &sample.labels);
            out.push_str(r#","value":"#);
            point(out, sample.t, &number(sample.v));
            out.push('}');
        }),
        Value::Matrix(matrix) => list(&mut out, matrix, |out, series| {
            metric(out, &series.labels);
            out.push_str(r#","values":"#);
            list(out, &series.samples, |out, Sample { t, v }| point(out, *t, &number(*v)));
            out.push('}');
        }),
    }
    out.push('}');
    notes(&mut out, "warnings", &answer.warnings);
    notes(&mut out, "infos", &answer.infos);
    out.push('}');
    out
}

/// The body of an answer whose data is JSON already.
pub(crate) fn success(data: &serde_json::Value, warnings: &[String]) -> String {
    let mut out = format!(r#"{{"status":"success","data":{data}"#);
    notes(&mut out, "warnings", warnings);
    out.push('}');
    out
}

/// The body of an error.
pub(crate) fn error(kind: &str, message: &str) -> String {
    let mut out = String::from(r#"{"status":"error","errorType":"#);
    string(&mut out, kind);
    out.push_str(r#","error":"#);
    string(&mut out, message);
    out.push('}');
    out
}

fn list<T>(out: &mut String, items: &[T], mut write: impl FnMut(&mut String, &T)) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

fn metric(out: &mut String, labels: &Labels) {
    out.push_str(r#"{"metric":{"#);
    for (index, (name, value)) in labels.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        string(out, name);
        out.push(':');
        string(out, value);
    }
    out.push('}');
}

fn notes(out: &mut String, field: &str, notes: &[String]) {
    if !notes.is_empty() {
        out.push(',');
        string(out, field);
        out.push(':');
        list(out, notes, |out, note| string(out, note));
    }
}

fn point(out: &mut String, t: i64, value: &str) {
    out.push('[');
    out.push_str(&seconds(t));
    out.push(',');
    string(out, value);
    out.push(']');
}

fn string(out: &mut String, text: &str) {
    write!(out, "{}", serde_json::Value::from(text)).expect("writing to a string does not fail");
}

/// Milliseconds as seconds with all three decimals or none.
pub(crate) fn seconds(t: i64) -> String {
    let (sign, t) = (if t < 0 { "-" } else { "" }, t.unsigned_abs());
    match t % 1000 {
        0 => format!("{sign}{}", t / 1000),
        part => format!("{sign}{}.{part:03}", t / 1000),
    }
}

/// Milliseconds as seconds in JSON: whole ones without a fraction.
pub(crate) fn time(t: i64) -> serde_json::Value {
    if t % 1000 == 0 { (t / 1000).into() } else { (t as f64 / 1000.0).into() }
}

/// A number as Go writes it: the shortest digits that give it back, with an exponent below 1e-6 and
/// from 1e21 on.
pub(crate) fn number(v: f64) -> String {
    if v.is_nan() {
        return "NaN".to_owned();
    }
    if v.is_infinite() {
        return if v > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if v == 0.0 || (1e-6..1e21).contains(&v.abs()) {
        return v.to_string();
    }
    let text = format!("{v:e}");
    let (digits, exponent) = text.split_once('e').expect("the notation has an exponent");
    let (sign, exponent) = exponent.strip_prefix('-').map_or(("+", exponent), |rest| ("-", rest));
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_written_as_in_go() {
        let check = |v: f64, expected: &str| assert_eq!(number(v), expected);
        check(1.0, "1");
        check(0.1, "0.1");
        check(-0.0, "-0");
        check(1e-6, "0.000001");
        check(1.5e-7, "1.5e-07");
        check(1e21, "1e+21");
        check(-2.5e120, "-2.5e+120");
        check(123_456_789_012_345_680_000.0, "123456789012345680000");
        check(f64::INFINITY, "+Inf");
        check(f64::NEG_INFINITY, "-Inf");
        check(f64::NAN, "NaN");
        for (t, expected) in
            [(0, "0"), (1500, "1.500"), (1001, "1.001"), (-1500, "-1.500"), (60_000, "60")]
        {
            assert_eq!(seconds(t), expected);
        }
    }
}

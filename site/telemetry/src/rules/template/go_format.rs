//! Numbers and `printf` as Go writes them: templates are copied from one server to another and must
//! say the same there.
//!
//! The functions of templates use it; the reference is Go's package `fmt`.

use super::value::Value;

/// The widest field and the most decimals that `printf` makes.
const MAX_WIDTH: usize = 500;

/// With the shortest digits, the exponent from which on a number is written with one.
const EXPONENT_SHOWN: i32 = 6;

/// As Go's `%v` shows a float: shortest digits, with an exponent below 1e-4 and from 1e6 on.
pub(crate) fn float_text(v: f64) -> String {
    general(v, None, 'e', false)
}

/// `%.{precision}g`.
pub(crate) fn significant(v: f64, precision: usize) -> String {
    general(v, Some(precision), 'e', false)
}

/// As `strconv.FormatFloat(v, 'e', -1, 64)`.
pub(crate) fn exponent_text(v: f64) -> String {
    odd(v).unwrap_or_else(|| with_exponent(&format!("{v:e}"), 'e'))
}

fn odd(v: f64) -> Option<String> {
    let word = if v.is_nan() {
        "NaN"
    } else if v == f64::INFINITY {
        "+Inf"
    } else if v == f64::NEG_INFINITY {
        "-Inf"
    } else {
        return None;
    };
    Some(word.to_owned())
}

/// Rust's `1.5e-7` to Go's `1.5e-07`.
fn with_exponent(text: &str, letter: char) -> String {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
    format!("{digits}{letter}{sign}{exponent:0>2}")
}

/// `%g`: the shorter of the two notations.
fn general(v: f64, precision: Option<usize>, letter: char, zeros: bool) -> String {
    if let Some(word) = odd(v) {
        return word;
    }
    let scientific = match precision {
        None => format!("{v:e}"),
        Some(precision) => format!("{v:.*e}", precision.max(1) - 1),
    };
    let exponent: i32 = scientific.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    let digits = scientific.bytes().take_while(|b| *b != b'e').filter(u8::is_ascii_digit).count();
    let limit = match precision {
        None => EXPONENT_SHOWN,
        Some(precision) => i32::try_from(precision.max(1)).unwrap_or(EXPONENT_SHOWN),
    };
    if exponent < -4 || exponent >= limit {
        let text = if zeros { scientific } else { cut_zeros_before_exponent(&scientific) };
        return with_exponent(&text, letter);
    }
    let decimals = usize::try_from(i32::try_from(digits).unwrap_or(0) - 1 - exponent).unwrap_or(0);
    let plain = format!("{v:.decimals$}");
    if zeros { plain } else { cut_zeros(&plain).to_owned() }
}

fn cut_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

fn cut_zeros_before_exponent(text: &str) -> String {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    format!("{}e{exponent}", cut_zeros(digits))
}

/// One `%...` of a format.
#[derive(Debug, Default)]
struct Verb {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// `printf`: a wrong verb or a missing argument is said in the text, as in Go.
pub(crate) fn printf(format: &str, arguments: &[Value]) -> Result<String, String> {
    let mut out = String::new();
    let mut chars = format.chars().peekable();
    let mut next = 0;
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut verb = Verb::default();
        while let Some(flag) = chars.next_if(|c| "+-# 0".contains(*c)) {
            match flag {
                '+' => verb.plus = true,
                '-' => verb.minus = true,
                '#' => verb.sharp = true,
                ' ' => verb.space = true,
                _ => verb.zero = true,
            }
        }
        verb.width = number(&mut chars)?;
        if chars.next_if_eq(&'.').is_some() {
            verb.precision = Some(number(&mut chars)?.unwrap_or(0));
        }
        match chars.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(letter) => {
                match arguments.get(next) {
                    None => out.push_str(&format!("%!{letter}(MISSING)")),
                    Some(value) => out.push_str(&verb.write(letter, value)),
                }
                next += 1;
            }
        }
    }
    if let Some(extra) = arguments.get(next..).filter(|extra| !extra.is_empty()) {
        let list: Vec<String> =
            extra.iter().map(|value| format!("{}={}", value.kind(), value.shown())).collect();
        out.push_str(&format!("%!(EXTRA {})", list.join(", ")));
    }
    Ok(out)
}

fn number(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Option<usize>, String> {
    let mut digits = String::new();
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        digits.push(digit);
    }
    if digits.is_empty() {
        return Ok(None);
    }
    let number = digits.parse::<usize>().ok().filter(|number| *number <= MAX_WIDTH);
    number.map(Some).ok_or_else(|| format!("printf: `{digits}` is wider than {MAX_WIDTH}"))
}

impl Verb {
    fn write(&self, letter: char, value: &Value) -> String {
        let wrong = || format!("%!{letter}({}={})", value.kind(), value.shown());
        let text = match (letter, value) {
            ('v', Value::Float(v)) => self.signed(
                *v,
                match self.precision {
                    Some(_) => general(*v, self.precision, 'e', self.sharp),
                    None => float_text(*v),
                },
            ),
            ('v' | 'd', Value::Int(v)) => self.signed(*v as f64, v.to_string()),
            ('v', other) => other.shown(),
            ('s', Value::Text(text)) => self.cut(text),
            ('s', Value::Labels(_) | Value::List(_)) => value.shown(),
            ('q', Value::Text(text)) => quoted(&self.cut(text)),
            ('t', Value::Bool(is)) => is.to_string(),
            ('f' | 'F', Value::Float(v)) => self.signed(
                *v,
                odd(*v).unwrap_or_else(|| format!("{v:.*}", self.precision.unwrap_or(6))),
            ),
            ('e' | 'E', Value::Float(v)) => {
                let text =
                    || with_exponent(&format!("{v:.*e}", self.precision.unwrap_or(6)), letter);
                self.signed(*v, odd(*v).unwrap_or_else(text))
            }
            ('g' | 'G', Value::Float(v)) => {
                let exponent = if letter == 'g' { 'e' } else { 'E' };
                self.signed(*v, general(*v, self.precision, exponent, self.sharp))
            }
            ('x', Value::Int(v)) => format!("{v:x}"),
            ('X', Value::Int(v)) => format!("{v:X}"),
            ('o', Value::Int(v)) => format!("{v:o}"),
            ('b', Value::Int(v)) => format!("{v:b}"),
            ('c', Value::Int(v)) => {
                u32::try_from(*v).ok().and_then(char::from_u32).unwrap_or('\u{fffd}').to_string()
            }
            ('x', Value::Text(text)) => text.bytes().map(|byte| format!("{byte:02x}")).collect(),
            _ => return wrong(),
        };
        self.pad(text, matches!(value, Value::Int(_) | Value::Float(_)))
    }

    fn cut(&self, text: &str) -> String {
        text.chars().take(self.precision.unwrap_or(usize::MAX)).collect()
    }

    fn signed(&self, v: f64, text: String) -> String {
        let text = if text == "+Inf" && !self.plus {
            text
        } else {
            text.trim_start_matches('+').to_owned()
        };
        match () {
            () if v.is_sign_negative() || v.is_nan() || text.starts_with(['+', '-']) => text,
            () if self.plus => format!("+{text}"),
            () if self.space => format!(" {text}"),
            () => text,
        }
    }

    fn pad(&self, text: String, is_number: bool) -> String {
        let missing = self.width.unwrap_or(0).saturating_sub(text.chars().count());
        match () {
            () if self.minus => text + &" ".repeat(missing),
            () if self.zero && is_number && !text.ends_with("Inf") && text != "NaN" => {
                let sign = text.find(|c: char| c != '+' && c != '-').unwrap_or(0);
                format!("{}{}{}", &text[..sign], "0".repeat(missing), &text[sign..])
            }
            () => " ".repeat(missing) + &text,
        }
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn floats_look_as_in_go() {
        for (v, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (100_000.0, "100000"),
            (1e6, "1e+06"),
            (123_456_789.0, "1.23456789e+08"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-2.5, "-2.5"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(float_text(v), text);
        }
        for (v, text) in [
            (1234567.0, "1.235e+06"),
            (1234.5, "1234"),
            (999.95, "1000"),
            (0.12345, "0.1235"),
            (0.000_123_46, "0.0001235"),
            (0.000_012_346, "1.235e-05"),
            (100.0, "100"),
            (0.0, "0"),
        ] {
            assert_eq!(significant(v, 4), text, "{v}");
        }
        assert_eq!(exponent_text(1.0), "1e+00");
        assert_eq!(exponent_text(0.25), "2.5e-01");
    }

    #[test]
    fn printf_as_in_go() {
        let (f, i, s) = (Value::Float(2.71901), Value::Int(42), Value::text("a\"b"));
        for (format, values, expected) in [
            ("%.2f", vec![f.clone()], "2.72"),
            ("%8.3f|", vec![f.clone()], "   2.719|"),
            ("%-8.1f|", vec![f.clone()], "2.7     |"),
            ("%08.2f", vec![Value::Float(-1.5)], "-0001.50"),
            ("%+d", vec![i.clone()], "+42"),
            ("%5d|%-5d|%05d", vec![i.clone(), i.clone(), i.clone()], "   42|42   |00042"),
            (
                "%x %X %o %b %c",
                vec![
                    Value::Int(255),
                    Value::Int(255),
                    Value::Int(8),
                    Value::Int(5),
                    Value::Int(65),
                ],
                "ff FF 10 101 A",
            ),
            ("%s and %q", vec![s.clone(), s.clone()], "a\"b and \"a\\\"b\""),
            ("%.2s", vec![Value::text("abc")], "ab"),
            ("%v %v %v", vec![f.clone(), i.clone(), Value::Bool(true)], "2.71901 42 true"),
            (
                "%g %.3g %e",
                vec![Value::Float(1e6), Value::Float(1234.0), Value::Float(1234.0)],
                "1e+06 1.23e+03 1.234000e+03",
            ),
            ("%d", vec![f.clone()], "%!d(float64=2.71901)"),
            ("%s", vec![i.clone()], "%!s(int=42)"),
            ("%s %s", vec![Value::text("x")], "x %!s(MISSING)"),
            ("%s", vec![Value::text("x"), i.clone()], "x%!(EXTRA int=42)"),
            ("100%%", vec![], "100%"),
            ("%", vec![], "%!(NOVERB)"),
            ("%f", vec![Value::Float(f64::INFINITY)], "+Inf"),
            ("%.3f", vec![Value::Float(f64::NAN)], "NaN"),
        ] {
            assert_eq!(printf(format, &values).unwrap(), expected, "{format}");
        }
        assert!(printf("%999999999d", &[i]).is_err());
    }
}

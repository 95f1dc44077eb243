//! Faults in a query's text: what must not reach the parser, and where the parser stumbled.
//!
//! [`Query::parse`](crate::Query::parse) asks before and after it parses; the parser itself names no place.

use promql_parser::parser;

use crate::position::tokens;
use crate::query::ParseError;

/// Bytes of a query's text at most.
const MAX_BYTES: usize = 64 * 1024;
/// Tokens of a query at most: the parser's tree can get as deep as that.
const MAX_TOKENS: usize = 5_000;
/// Tokens up to which the place of a fault is looked for.
const MAX_SEARCHED: usize = 200;
/// Seconds of a duration at most: ten thousand years.
const MAX_SECONDS: f64 = 10_000.0 * 365.0 * 86_400.0;
/// What the parser says when the grammar does not fit.
const NO_FIT: &str = "invalid promql query";

/// Parses the text; a fault has words and a place.
pub(crate) fn parse(text: &str) -> Result<parser::Expr, ParseError> {
    check(text)?;
    // Numbers out of range make the parser panic in places that `check` may not foresee.
    let parsed = std::panic::catch_unwind(|| parser::parse(text))
        .unwrap_or_else(|_| Err("a number in the query is out of range".to_owned()));
    parsed.map_err(|message| explain(text, message))
}

/// A fault with its place, as far as the message tells.
pub(crate) fn explain(text: &str, message: String) -> ParseError {
    let tokens = tokens(text);
    if message == NO_FIT {
        return misfit(text, &tokens);
    }
    let quoted = message.split(['\'', '`']).nth(1).unwrap_or("");
    let named = || tokens.iter().find(|(_, token)| *token == quoted).map(|(at, _)| *at);
    let offset = if message.starts_with("unterminated") {
        tokens.last().map(|(at, _)| *at)
    } else if message.starts_with("unclosed") {
        open_brackets(&tokens).last().map(|(at, _)| *at)
    } else if message.starts_with("unexpected right") {
        stray_closer(&tokens)
    } else if message.starts_with("unexpected end") {
        Some(text.len())
    } else {
        named().or_else(|| text.find(quoted).filter(|_| !quoted.is_empty()))
    };
    ParseError { message, offset: offset.unwrap_or(0) }
}

fn check(text: &str) -> Result<(), ParseError> {
    let fail = |message: String, offset| Err(ParseError { message, offset });
    if text.len() > MAX_BYTES {
        return fail(format!("the query is longer than {MAX_BYTES} bytes"), MAX_BYTES);
    }
    let tokens = tokens(text);
    if let Some((at, _)) = tokens.get(MAX_TOKENS) {
        return fail(format!("the query has more than {MAX_TOKENS} words and signs"), *at);
    }
    let mut in_range = false;
    for (i, (at, token)) in tokens.iter().enumerate() {
        in_range = (in_range || *token == "[") && *token != "]";
        let after_offset = tokens[..i].iter().rev().find(|(_, t)| !matches!(*t, "+" | "-"));
        let is_duration =
            in_range || after_offset.is_some_and(|(_, t)| t.eq_ignore_ascii_case("offset"));
        let seconds = token.parse::<f64>().ok().filter(|_| is_duration);
        if seconds.is_some_and(|s| s.is_nan() || s > MAX_SECONDS) {
            return fail(format!("the duration `{token}` is out of range"), *at);
        }
    }
    Ok(())
}

/// The first token that no query can have at its place.
fn misfit(text: &str, tokens: &[(usize, &str)]) -> ParseError {
    for (i, (at, token)) in tokens.iter().enumerate().take(MAX_SEARCHED) {
        if !can_go_on(&text[..at + token.len()], &tokens[..=i]) {
            return ParseError { message: format!("unexpected `{token}`"), offset: *at };
        }
    }
    ParseError { message: "unexpected end of the query".to_owned(), offset: text.len() }
}

/// Whether some query starts with `prefix`: tries to end it in the ways that the grammar has.
fn can_go_on(prefix: &str, tokens: &[(usize, &str)]) -> bool {
    let closers: String = open_brackets(tokens).iter().rev().map(|(_, closer)| *closer).collect();
    let middles = ["", " x", " 5m", "=\"x\"", "\"x\"", "(x)"];
    let tails = ["", " x", "(x)"];
    middles.iter().any(|middle| {
        tails.iter().any(|tail| {
            let ended = format!("{prefix}{middle}{closers}{tail}");
            match std::panic::catch_unwind(|| parser::parse(&ended)) {
                Ok(Err(message)) => message != NO_FIT && !message.starts_with("unexpected"),
                Ok(Ok(_)) | Err(_) => true,
            }
        })
    })
}

/// The first closing bracket that nothing opened.
fn stray_closer(tokens: &[(usize, &str)]) -> Option<usize> {
    let stray = (0..tokens.len()).find(|i| {
        matches!(tokens[*i].1, ")" | "]" | "}") && open_brackets(&tokens[..*i]).is_empty()
    });
    stray.map(|i| tokens[i].0)
}

/// Places of the brackets that are still open, each with what closes it.
fn open_brackets(tokens: &[(usize, &str)]) -> Vec<(usize, char)> {
    let mut open: Vec<(usize, char)> = Vec::new();
    for (at, token) in tokens {
        match *token {
            "(" => open.push((*at, ')')),
            "[" => open.push((*at, ']')),
            "{" => open.push((*at, '}')),
            ")" | "]" | "}" => drop(open.pop()),
            _ => {}
        }
    }
    open
}

#[cfg(test)]
mod tests {
    use crate::Query;

    #[test]
    fn faults_have_words_and_a_place() {
        let cases = [
            ("x y", 2, "unexpected `y`"),
            ("x +", 3, "unexpected end of the query"),
            ("sum(x) by", 9, "unexpected end of the query"),
            ("sum by (job) rate(x[5m]))", 24, "unexpected right parenthesis ')'"),
            ("1 + rote(x[5m])", 4, "unknown function with name 'rote'"),
            ("1 + rate(x)", 4, "expected type matrix in call to function 'rate', got vector"),
            ("sum(x", 3, "unclosed left parenthesis"),
            ("x{a=b}", 4, "unexpected identifier 'b' in label matching, expected string"),
            ("a * on job b", 7, "unexpected `job`"),
            ("x[1e30]", 2, "the duration `1e30` is out of range"),
            ("x offset -1e30", 10, "the duration `1e30` is out of range"),
            ("x offset Inf", 9, "the duration `Inf` is out of range"),
            ("x[5m:1e+30]", 0, "a number in the query is out of range"),
            ("1 + integral(x[5m])", 4, "function `integral` is not supported"),
            ("", 0, "no expression found in input"),
        ];
        for (text, offset, message) in cases {
            let fault = Query::parse(text).expect_err(text);
            assert_eq!((fault.offset, fault.message.as_str()), (offset, message), "{text}");
        }
    }

    #[test]
    fn monsters_are_refused() {
        for text in
            ["(".repeat(60_000), "-".repeat(60_000), "1+".repeat(30_000) + "1", "x".repeat(70_000)]
        {
            assert!(Query::parse(&text).is_err());
        }
    }
}

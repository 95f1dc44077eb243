//! Quoted texts with byte escapes, as Go reads them: `"\xc3\xa9"` is `é`.
//!
//! The parser takes each byte escape for a character; translation asks here for texts that have any.

/// The text between the quotes of `token`, or why there is none. `None` when the token has no byte escapes.
pub(crate) fn unquote_bytes(token: &str) -> Option<Result<String, String>> {
    let quote = token.chars().next().filter(|c| *c == '"' || *c == '\'')?;
    let inner = token.get(1..token.len() - 1)?;
    let mut bytes = Vec::with_capacity(inner.len());
    let mut escaped_bytes = false;
    let mut rest = inner;
    while let Some(c) = rest.chars().next() {
        if c != '\\' {
            bytes.extend_from_slice(&rest.as_bytes()[..c.len_utf8()]);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let kind = rest[1..].chars().next()?;
        let digits = match kind {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            '0'..='7' => 3,
            _ => 0,
        };
        let from = if kind.is_ascii_digit() { 1 } else { 1 + kind.len_utf8() };
        let code = rest.get(from..from + digits)?;
        match kind {
            'x' => bytes.push(u8::from_str_radix(code, 16).ok()?),
            '0'..='7' => bytes.push(u8::from_str_radix(code, 8).ok()?),
            'u' | 'U' => {
                push_char(&mut bytes, char::from_u32(u32::from_str_radix(code, 16).ok()?)?)
            }
            other => push_char(&mut bytes, plain_escape(other, quote)?),
        }
        escaped_bytes |= matches!(kind, 'x' | '0'..='7');
        rest = &rest[from + digits..];
    }
    let text =
        || String::from_utf8(bytes).map_err(|_| format!("the text {token} is not valid UTF-8"));
    escaped_bytes.then(text)
}

fn plain_escape(c: char, quote: char) -> Option<char> {
    Some(match c {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        '\\' => '\\',
        c if c == quote => quote,
        _ => return None,
    })
}

fn push_char(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::unquote_bytes;

    #[test]
    fn byte_escapes_are_bytes() {
        let cases = [
            (r#""\xc3\xa9""#, Some(Ok("é".to_owned()))),
            (r#""\303\251!""#, Some(Ok("é!".to_owned()))),
            (r#""a\n""#, None),
            (r#""plain""#, None),
            (r#"'\x41\''"#, Some(Ok("A'".to_owned()))),
        ];
        for (token, wanted) in cases {
            assert_eq!(unquote_bytes(token), wanted, "{token}");
        }
        assert!(matches!(unquote_bytes(r#""\xff""#), Some(Err(_))));
    }
}

//! Addresses on the web as text: what is asked for, whose it is, and which an author leaves out.

use std::fmt::Write as _;

/// Names that belong to nobody (RFC 2606): examples in a text, not links.
const RESERVED: &[&str] =
    &["example", "test", "invalid", "example.com", "example.net", "example.org"];

/// What is asked for: with a scheme, without the fragment, which servers never see, and with what no
/// address may hold written in percents, as browsers send it.
pub(super) fn asked(url: &str) -> String {
    let bare = url.split('#').next().unwrap_or(url);
    let bare = if bare.starts_with("//") { format!("https:{bare}") } else { bare.to_owned() };
    let mut out = String::with_capacity(bare.len());
    for byte in bare.bytes() {
        match byte {
            b'\t' | b'\n' | b'\r' => {}
            b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0..=b' ' | 0x7f.. => {
                let _ = write!(out, "%{byte:02X}");
            }
            _ => out.push(char::from(byte)),
        }
    }
    out
}

/// The host, with its port.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    authority.rsplit('@').next().unwrap_or(authority)
}

/// Whether the host is a name that is reserved for examples.
pub(super) fn nobodys(url: &str) -> bool {
    let host = host(url).to_ascii_lowercase();
    let name = host.split(':').next().unwrap_or(&host).trim_end_matches('.');
    RESERVED.iter().any(|reserved| {
        name.strip_suffix(reserved).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// Whether all of `text` is what `pattern` says; `*` stands for any characters.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("https://a.b/*", "https://a.b/c", true),
            ("https://a.b/", "https://a.b/c", false),
            ("*://intra.*", "http://intra.net/x", true),
            ("*.pdf", "https://a/b.pdf", true),
            ("*.pdf", "https://a/b.pdf?x", false),
            ("a*a", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("*", "", true),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn addresses_and_hosts() {
        for (url, expected, of) in [
            ("//a.b/c#d", "https://a.b/c", "a.b"),
            ("https://a.b:1/c?d#e", "https://a.b:1/c?d", "a.b:1"),
            ("https://a.b?d", "https://a.b?d", "a.b"),
            ("http://me@a.b/", "http://me@a.b/", "a.b"),
            ("https://a.b/Übersicht 1|2%20", "https://a.b/%C3%9Cbersicht%201%7C2%20", "a.b"),
        ] {
            let shown = asked(url);
            assert_eq!((shown.as_str(), host(&shown)), (expected, of));
        }
        for (url, expected) in [
            ("https://example.com/x", true),
            ("https://api.Example.org:8080/", true),
            ("http://shop.test", true),
            ("https://myexample.com/", false),
            ("http://localhost:3000/", false),
            ("https://contest/", false),
        ] {
            assert_eq!(nobodys(url), expected, "{url}");
        }
    }
}

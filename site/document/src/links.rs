//! Where links lead: which are allowed, what they are in the built site, and whether a page of the
//! book answers them.
//!
//! `body` and `raw` ask while a page is written; `book` checks them across all pages.

/// What a link's address is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// `kpi:response-time`.
    Figure(&'a str),
    /// http, https or protocol-relative.
    External,
    /// mailto.
    Mail,
    /// Relative to the page or the site, or a fragment.
    Inside,
    /// Any other scheme, by name: not linked.
    Forbidden(String),
}

pub(crate) fn kind(address: &str) -> Kind<'_> {
    let trimmed = address.trim();
    match scheme(trimmed).as_deref() {
        Some("http" | "https") => Kind::External,
        Some("mailto") => Kind::Mail,
        Some("kpi") => Kind::Figure(trimmed.split_once(':').map_or("", |(_, id)| id)),
        Some(other) => Kind::Forbidden(other.to_owned()),
        None if trimmed.starts_with("//") || trimmed.starts_with("/\\") => Kind::External,
        None => Kind::Inside,
    }
}

/// The scheme as a browser sees it: tabs, line ends and other control characters do not count.
fn scheme(address: &str) -> Option<String> {
    let end = address.find([':', '/', '?', '#'])?;
    if !address[end..].starts_with(':') {
        return None;
    }
    let name: String = address[..end].chars().filter(|c| !c.is_control() && *c != ' ').collect();
    let valid = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    valid.then(|| name.to_ascii_lowercase())
}

/// The address when its scheme is one of http, https, mailto, or when it has none.
pub(crate) fn safe(address: &str) -> Option<String> {
    match kind(address) {
        Kind::External | Kind::Mail | Kind::Inside => Some(address.trim().to_owned()),
        Kind::Figure(_) | Kind::Forbidden(_) => None,
    }
}

/// What an address inside the book is in the built site: `foo.md#x` becomes `foo.html#x`.
pub(crate) fn rewrite(address: &str) -> String {
    if kind(address) != Kind::Inside {
        return address.to_owned();
    }
    let (path, query, fragment) = parts(address);
    let mut out = page_path(path);
    if let Some(query) = query {
        out.push('?');
        out.push_str(query);
    }
    if let Some(fragment) = fragment {
        out.push('#');
        out.push_str(&sane_fragment(fragment));
    }
    out
}

/// Path, query and fragment of an address.
pub(crate) fn parts(address: &str) -> (&str, Option<&str>, Option<&str>) {
    let (before, fragment) = match address.split_once('#') {
        Some((before, fragment)) => (before, Some(fragment)),
        None => (address, None),
    };
    match before.split_once('?') {
        Some((path, query)) => (path, Some(query), fragment),
        None => (before, None, fragment),
    }
}

/// Address of the page that a Markdown file becomes; other paths stay as they are.
pub(crate) fn page_path(path: &str) -> String {
    let Some(stem) = markdown_stem(path) else { return path.to_owned() };
    let (folder, name) = match stem.rfind('/') {
        Some(at) => stem.split_at(at + 1),
        None => ("", stem),
    };
    if is_index(name) { format!("{folder}index.html") } else { format!("{stem}.html") }
}

/// Whether a Markdown file of this name, without ending, opens its folder.
pub(crate) fn is_index(name: &str) -> bool {
    name.eq_ignore_ascii_case("readme") || name.eq_ignore_ascii_case("index")
}

/// The path without `.md` or `.markdown`.
pub(crate) fn markdown_stem(path: &str) -> Option<&str> {
    let (stem, ending) = path.rsplit_once('.')?;
    (ending.eq_ignore_ascii_case("md") || ending.eq_ignore_ascii_case("markdown")).then_some(stem)
}

/// Other tools keep the hyphen, and the variation selector, that an emoji leaves at the front of a
/// heading's id; ours begins with the first letter. `-v` and `--version` are options of a program,
/// whose headings keep their hyphens.
fn sane_fragment(fragment: &str) -> String {
    const SELECTORS: [&str; 3] = ["\u{fe0f}", "%EF%B8%8F", "%ef%b8%8f"];
    let bare =
        SELECTORS.iter().fold(fragment, |rest, noise| rest.strip_prefix(noise).unwrap_or(rest));
    match bare.strip_prefix('-') {
        Some(rest) if rest.chars().nth(1).is_some() && !rest.starts_with('-') => rest.to_owned(),
        _ => bare.to_owned(),
    }
}

/// Joins a relative path to the folder of `page`; `None` when it leaves the book.
pub(crate) fn resolve(page: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = match path.starts_with('/') {
        true => Vec::new(),
        false => page.split('/').collect(),
    };
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    let mut joined = parts.join("/");
    if path.ends_with('/') && !joined.is_empty() {
        joined.push('/');
    }
    Some(joined)
}

/// Undoes percent-encoding; bytes that are no UTF-8 stay encoded.
pub(crate) fn decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_rewritten() {
        for (address, expected) in [
            ("foo.md#x", "foo.html#x"),
            ("../guide/README.md", "../guide/index.html"),
            ("index.md?a=b#c", "index.html?a=b#c"),
            ("https://example.org/a.md", "https://example.org/a.md"),
            ("//example.org/a.md", "//example.org/a.md"),
            ("picture.png", "picture.png"),
            ("#-system", "#system"),
            ("#%EF%B8%8F-system", "#system"),
            ("#--version", "#--version"),
            ("#-v", "#-v"),
        ] {
            assert_eq!(rewrite(address), expected, "{address}");
        }
    }

    #[test]
    fn only_harmless_schemes() {
        for (address, allowed) in [
            ("http://a", true),
            ("HTTPS://a", true),
            ("mailto:a@b", true),
            ("a/b:c", true),
            ("[https://e.org]", true),
            ("?a:b", true),
            ("javascript:alert(1)", false),
            ("java\tscript:alert(1)", false),
            (" \u{1}javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("vbscript:x", false),
            ("file:///etc/passwd", false),
        ] {
            assert_eq!(safe(address).is_some(), allowed, "{address}");
        }
    }

    #[test]
    fn paths_are_joined() {
        for (page, path, expected) in [
            ("a/b.md", "c.md", Some("a/c.md")),
            ("a/b.md", "../c.md", Some("c.md")),
            ("b.md", "../c.md", None),
            ("a/b.md", "/c.md", Some("c.md")),
            ("a/b.md", "./d/", Some("a/d/")),
            ("b.md", "./", Some("")),
        ] {
            assert_eq!(resolve(page, path).as_deref(), expected, "{page} {path}");
        }
    }
}

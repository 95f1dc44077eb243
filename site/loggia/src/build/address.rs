//! Where a built site will stand: `--base-url` or `book.toml` to an address and a path.

use anyhow::bail;

/// Where the site will stand on the web.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// The whole address, ending in `/`, where the host is known.
    pub(super) url: Option<String>,
    /// The path below the host: begins and ends with `/`.
    pub(super) path: String,
}

impl Address {
    /// Reads `https://example.org/docs/`, `/docs/` or `docs`; nothing given is the root of an unknown
    /// host.
    pub(super) fn parse(given: Option<&str>) -> anyhow::Result<Self> {
        let given = given.unwrap_or("/").trim();
        let wrong = |why: &str| -> anyhow::Result<Self> {
            bail!(
                "`{given}` is no base URL: {why}\nhelp: give an address such as https://example.org/docs/ or a path such as /docs/"
            )
        };
        if given.contains(['?', '#']) {
            return wrong("it has a query or a fragment");
        }
        if given.contains(char::is_whitespace) || given.contains(['"', '<', '>', '\\']) {
            return wrong("it holds a character that no address has");
        }
        let lower = given.to_ascii_lowercase();
        let Some(scheme) = ["https://", "http://"].into_iter().find(|s| lower.starts_with(s))
        else {
            if given.contains("://") || given.starts_with("//") {
                return wrong("it must begin with https:// or http://");
            }
            return Ok(Self { url: None, path: slashed(given) });
        };
        let rest = &given[scheme.len()..];
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if host.is_empty() {
            return wrong("it names no host");
        }
        let path = slashed(path);
        Ok(Self { url: Some(format!("{scheme}{host}{path}")), path })
    }
}

fn slashed(path: &str) -> String {
    match path.trim_matches('/') {
        "" => "/".to_owned(),
        inner => format!("/{inner}/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths() {
        for (given, url, path) in [
            (None, None, "/"),
            (Some("/docs"), None, "/docs/"),
            (Some("docs/v1/"), None, "/docs/v1/"),
            (Some("https://example.org"), Some("https://example.org/"), "/"),
            (Some("HTTPS://example.org/a/b"), Some("https://example.org/a/b/"), "/a/b/"),
        ] {
            let read = Address::parse(given).expect("these are sound");
            assert_eq!((read.url.as_deref(), read.path.as_str()), (url, path), "{given:?}");
        }
        for given in ["ftp://example.org/", "//example.org", "https:///x", "/a?b", "/a b", "/\"x"] {
            let error = Address::parse(Some(given)).expect_err(given).to_string();
            assert!(error.contains("is no base URL"), "{error}");
        }
    }
}

//! Addresses and keys that must not be seen: they come from the environment or from a file, are read
//! when they are needed and are never shown.

use std::fmt;
use std::fs;
use std::path::PathBuf;

/// Bytes of a file with a secret.
const MAX_BYTES: u64 = 64 * 1024;

/// Where a secret is.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// A text in which `${NAME}` stands for a variable of the environment.
    Text(String),
    /// A file whose content it is.
    File(PathBuf),
}

/// Never what it holds.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Secret"),
            Self::File(path) => write!(f, "Secret in {}", path.display()),
        }
    }
}

impl Secret {
    /// Its text now; an error says what is missing, not what was found.
    pub(super) fn reveal(&self) -> Result<String, String> {
        match self {
            Self::Text(text) => expand(text, |name| std::env::var(name).ok()),
            Self::File(path) => {
                let failed = |why: String| format!("`{}` cannot be read: {why}", path.display());
                let size = fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
                if size > MAX_BYTES {
                    return Err(failed(format!("it is larger than {MAX_BYTES} bytes")));
                }
                let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
                match text.trim() {
                    "" => Err(failed("it is empty".to_owned())),
                    text => Ok(text.to_owned()),
                }
            }
        }
    }
}

fn expand(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find("${") {
        let Some(end) = rest[at..].find('}') else { break };
        let name = &rest[at + 2..at + end];
        out.push_str(&rest[..at]);
        let value = variable(name).filter(|value| !value.is_empty());
        out.push_str(value.ok_or_else(|| format!("the variable `{name}` is not set"))?.trim());
        rest = &rest[at + end + 1..];
    }
    Ok(out + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_come_from_outside_and_stay_unseen() {
        let variable = |name: &str| (name == "KEY").then(|| "s3cret\n".to_owned());
        assert_eq!(expand("https://x/${KEY}/y", variable).as_deref(), Ok("https://x/s3cret/y"));
        assert_eq!(expand("plain $ {", variable).as_deref(), Ok("plain $ {"));
        assert_eq!(expand("${NONE}", variable), Err("the variable `NONE` is not set".to_owned()));
        assert!(!format!("{:?}", Secret::Text("s3cret".to_owned())).contains("s3cret"));
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("key");
        assert!(Secret::File(path.clone()).reveal().is_err());
        fs::write(&path, " s3cret\n").expect("a file can be written");
        assert_eq!(Secret::File(path).reveal().as_deref(), Ok("s3cret"));
    }
}

//! A value that nobody is shown: not in logs, traces or error messages, and so
//! not in `{:?}` either. It comes from the environment or from a file.

use std::fmt;
use std::sync::Arc;

/// A secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Keeps a value, without the space around it.
    pub fn new(value: &str) -> Self {
        Self(value.trim().into())
    }

    /// The value, for whoever needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(...)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new(" postgres://u:hush@h/d\n");
        assert_eq!(secret.expose(), "postgres://u:hush@h/d");
        assert!(!format!("{secret:?} {:#?}", Some(&secret)).contains("hush"));
    }
}

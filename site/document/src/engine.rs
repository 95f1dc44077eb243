//! The engines that a team has already, as `book.toml` names them, instead of the ones built in.
//!
//! `config` reads them; whoever serves the book asks them.

/// Where each kind of telemetry is asked; `None` for the engine built in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Engines {
    /// `output.loggia.metrics`: Prometheus, or anything that answers as it does (VictoriaMetrics, Mimir, Thanos).
    pub metrics: Option<EngineAddress>,
    /// `output.loggia.traces`: Jaeger or Tempo.
    pub traces: Option<EngineAddress>,
    /// `output.loggia.alertmanager`: takes the alerts and notifies.
    pub alertmanager: Option<EngineAddress>,
}

/// What an engine speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineKind {
    /// Prometheus's HTTP API.
    Prometheus,
    /// Jaeger's query API, version 3.
    Jaeger,
    /// Tempo's HTTP API.
    Tempo,
    /// Alertmanager's API, version 2.
    Alertmanager,
}

impl EngineKind {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prometheus => "Prometheus",
            Self::Jaeger => "Jaeger",
            Self::Tempo => "Tempo",
            Self::Alertmanager => "Alertmanager",
        }
    }
}

/// An engine and how to ask it. Secrets are not in the book: it names where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineAddress {
    /// What it speaks.
    pub kind: EngineKind,
    /// `http://` or `https://`, without a slash at the end.
    pub url: String,
    /// Headers of every request, such as `X-Scope-OrgID`.
    pub headers: Vec<(String, String)>,
    /// A variable of the environment that holds a bearer token.
    pub bearer_env: Option<String>,
    /// A file that holds a bearer token, from the folder of `book.toml` on; read anew for every request.
    pub bearer_file: Option<String>,
    /// A file with certificates of authorities, from the folder of `book.toml` on; `None` for the system's.
    pub ca_file: Option<String>,
    /// Milliseconds that one answer may take; `None` for the usual time.
    pub timeout_ms: Option<u64>,
}

impl EngineAddress {
    /// An engine at an address, asked in the usual way.
    pub fn new(kind: EngineKind, url: &str) -> Self {
        Self {
            kind,
            url: url.trim_end_matches('/').to_owned(),
            headers: Vec::new(),
            bearer_env: None,
            bearer_file: None,
            ca_file: None,
            timeout_ms: None,
        }
    }

    /// `jaeger+http://host:16686` with the kinds that are possible in its place, or what is wrong with it. With one kind
    /// alone the address needs no name in front.
    pub fn parse(text: &str, kinds: &[EngineKind]) -> Result<Self, String> {
        let (kind, url) = match kinds {
            [only] => (*only, text),
            _ => {
                let named = kinds.iter().find_map(|kind| {
                    let rest = text.strip_prefix(&kind.name().to_ascii_lowercase())?;
                    Some((*kind, rest.strip_prefix('+')?))
                });
                named.ok_or_else(|| expected(kinds))?
            }
        };
        let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
        let sound = |host: &str| {
            !host.trim_matches('/').is_empty()
                && !host.contains(|c: char| c.is_whitespace() || matches!(c, '?' | '#' | '@'))
        };
        match host {
            Some(host) if sound(host) => Ok(Self::new(kind, url)),
            _ => Err(expected(kinds)),
        }
    }
}

fn expected(kinds: &[EngineKind]) -> String {
    let shapes: Vec<String> = match kinds {
        [_] => vec!["\"https://host\"".to_owned()],
        _ => kinds
            .iter()
            .map(|kind| format!("\"{}+https://host\"", kind.name().to_ascii_lowercase()))
            .collect(),
    };
    format!("write \"embedded\" or {}, without `?`, `#` and a user's name", shapes.join(" or "))
}

//! `metrics`, `traces` and `alertmanager` of `[output.loggia]`: a string, or a table with more about the engine.

use super::{Reader, wrong};
use crate::{EngineAddress, EngineKind, Engines};
use diagnostics::Code;
use toml::Spanned;
use toml::de::DeValue;

/// Keys of the table.
const ENGINE: &[&str] = &["url", "headers", "bearer-env", "bearer-file", "ca-file", "timeout"];
/// Units of a time, milliseconds.
const UNITS: [(&str, u64); 3] = [("ms", 1), ("s", 1000), ("m", 60_000)];
/// The longest time for an answer, milliseconds.
const MAX_TIMEOUT_MS: u64 = 120_000;
/// Stands for the engine built in.
const EMBEDDED: &str = "embedded";

impl Reader<'_, '_, '_> {
    pub(super) fn engines(&mut self) -> Engines {
        Engines {
            metrics: self.engine("metrics", &[EngineKind::Prometheus]),
            traces: self.engine("traces", &[EngineKind::Jaeger, EngineKind::Tempo]),
            alertmanager: self.engine("alertmanager", &[EngineKind::Alertmanager]),
        }
    }

    fn engine(&mut self, key: &str, kinds: &[EngineKind]) -> Option<EngineAddress> {
        match self.value(key)?.get_ref() {
            DeValue::Table(_) => {}
            DeValue::String(_) => return self.address(key, key, kinds),
            other => {
                let span = self.value(key).map(Spanned::span).unwrap_or_default();
                wrong(self.findings, span, key, "an address, or a table with `url`", other);
                return None;
            }
        }
        let mut table = Reader::below(self.table, key, self.findings)?;
        table.name = "engine";
        table.known(ENGINE);
        table.needed("url")?;
        let address = table.address("url", key, kinds)?;
        let timeout_ms = table.parsed("timeout", timeout);
        Some(EngineAddress {
            headers: table.headers(),
            bearer_env: table.text("bearer-env"),
            bearer_file: table.text("bearer-file"),
            ca_file: table.text("ca-file"),
            timeout_ms,
            ..address
        })
    }

    fn address(&mut self, key: &str, said: &str, kinds: &[EngineKind]) -> Option<EngineAddress> {
        let text = self.text(key)?;
        if text == EMBEDDED {
            return None;
        }
        let span = self.value(key).map(Spanned::span).unwrap_or_default();
        let refused = |help| {
            self.findings.report(Code::Config, span, format!("`{said}` cannot be `{text}`"), help);
        };
        EngineAddress::parse(&text, kinds).map_err(refused).ok()
    }

    fn headers(&mut self) -> Vec<(String, String)> {
        let Some(mut headers) = Reader::below(self.table, "headers", self.findings) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for (name, _) in headers.table.iter() {
            let name: &str = name.get_ref();
            found.extend(headers.text(name).map(|value| (name.to_owned(), value)));
        }
        found
    }
}

/// A time of at most two minutes, milliseconds.
pub(super) fn timeout(text: &str) -> Result<u64, String> {
    let help = "expected a whole number and ms, s or m, at most 2m, for instance 10s";
    let (unit, ms) = UNITS.iter().find(|(unit, _)| text.ends_with(unit)).ok_or(help)?;
    let number: u64 = text[..text.len() - unit.len()].parse().map_err(|_| help)?;
    let ms = number.checked_mul(*ms).ok_or(help)?;
    if (1..=MAX_TIMEOUT_MS).contains(&ms) { Ok(ms) } else { Err(help.to_owned()) }
}

#[cfg(test)]
mod tests {
    use crate::{Config, EngineAddress, EngineKind};
    use diagnostics::SourceFile;

    fn read(lines: &str) -> (Config, Vec<String>) {
        let text = format!("[output.loggia]\n{lines}\n");
        let (config, found) = Config::parse(&SourceFile::new("book.toml", text));
        (config, found.into_iter().map(|found| found.message).collect())
    }

    #[test]
    fn engines_are_read() {
        let (config, found) = read(
            "metrics = \"https://prometheus.example/select/0/prometheus/\"\n\
             traces = { url = \"tempo+http://tempo:3200\", bearer-env = \"T\", timeout = \"5s\", ca-file = \"ca.pem\", headers = { X-Scope-OrgID = \"one\" } }\n\
             alertmanager = \"embedded\"",
        );
        assert!(found.is_empty(), "{found:?}");
        let engines = config.engines;
        let expected = "https://prometheus.example/select/0/prometheus";
        assert_eq!(engines.metrics, Some(EngineAddress::new(EngineKind::Prometheus, expected)));
        let traces = engines.traces.expect("it is named");
        assert_eq!((traces.kind, traces.url.as_str()), (EngineKind::Tempo, "http://tempo:3200"));
        assert_eq!((traces.bearer_env.as_deref(), traces.timeout_ms), (Some("T"), Some(5000)));
        assert_eq!(traces.headers, [("X-Scope-OrgID".to_owned(), "one".to_owned())]);
        assert_eq!(engines.alertmanager, None);
    }

    #[test]
    fn targets_say_how_they_are_asked() {
        let (config, found) = read(
            "scrape = [{ job = \"a\", url = \"https://a\", username = \"u\", password-env = \"P\", ca-file = \"ca.pem\" },\n\
             { job = \"b\", url = \"https://b\", bearer-file = \"t\", insecure-skip-verify = true }]",
        );
        assert!(found.is_empty(), "{found:?}");
        let [a, b] = [&config.scrape[0].access, &config.scrape[1].access];
        assert_eq!((a.username.as_deref(), a.password_env.as_deref()), (Some("u"), Some("P")));
        assert_eq!((a.ca_file.as_deref(), a.insecure_skip_verify), (Some("ca.pem"), false));
        assert_eq!((b.bearer_file.as_deref(), b.insecure_skip_verify), (Some("t"), true));
    }

    #[test]
    fn mistakes_are_told_and_the_engine_built_in_is_used() {
        for (lines, words) in [
            ("metrics = \"prometheus:9090\"", "`metrics` cannot be `prometheus:9090`"),
            ("metrics = \"http://user:secret@host\"", "`metrics` cannot be"),
            ("metrics = \"http://\"", "`metrics` cannot be"),
            ("metrics = 9090", "`metrics` must be an address, or a table with `url`"),
            ("metrics = { bearer-env = \"T\" }", "this engine has no `url`"),
            ("traces = \"http://jaeger:16686\"", "`traces` cannot be `http://jaeger:16686`"),
            ("traces = \"zipkin+http://host\"", "`traces` cannot be"),
            ("metrics = { url = \"http://a\", timeout = \"1h\" }", "`timeout` cannot be `1h`"),
            ("metrics = { url = \"http://a\", timeout = \"0s\" }", "`timeout` cannot be `0s`"),
            ("metrics = { url = \"http://a\", bearer-envs = \"x\" }", "no key `bearer-envs`"),
        ] {
            let (config, found) = read(lines);
            assert!(found.iter().any(|message| message.contains(words)), "{lines}: {found:?}");
            assert_eq!(config.engines.traces, None, "{lines}");
        }
    }
}

//! `scrape` of `[output.loggia]`: which targets are asked, how, and how often.
//!
//! `config` calls it; `loggia` hands what comes out to the scraper.

use super::engine::timeout;
use super::{Reader, wrong};
use crate::{ScrapeAccess, ScrapePace, ScrapeTarget};
use diagnostics::Code;
use toml::Spanned;
use toml::de::DeValue;

/// Keys of a target.
const TARGET: &[&str] = &[
    "job",
    "url",
    "interval",
    "timeout",
    "bearer-env",
    "bearer-file",
    "username",
    "password-env",
    "password-file",
    "ca-file",
    "insecure-skip-verify",
];
/// The shortest time between two scrapes, milliseconds.
const INTERVAL_LEAST_MS: u64 = 1000;

impl Reader<'_, '_, '_> {
    /// The targets; one that cannot be used is a finding and left out.
    pub(super) fn scrape(&mut self) -> Vec<ScrapeTarget> {
        let Some(value) = self.value("scrape") else { return Vec::new() };
        const SHAPE: &str = "a list of tables like { job = \"orders\", url = \"http://...\" }";
        let DeValue::Array(items) = value.get_ref() else {
            wrong(self.findings, value.span(), "scrape", SHAPE, value.get_ref());
            return Vec::new();
        };
        let mut targets = Vec::new();
        for item in items.iter() {
            let DeValue::Table(table) = item.get_ref() else {
                wrong(self.findings, item.span(), "scrape", SHAPE, item.get_ref());
                continue;
            };
            let mut entry = Reader {
                table,
                name: "scrape target",
                findings: &mut *self.findings,
                span: item.span(),
            };
            if let (Some(job), Some(url)) = (entry.needed("job"), entry.needed("url")) {
                let (access, pace) = (entry.access(), entry.scrape_pace("interval", "timeout"));
                targets.push(ScrapeTarget { job, url, access, pace });
            }
        }
        targets
    }

    /// How often targets are asked, and how long is waited.
    pub(super) fn scrape_pace(&mut self, interval: &str, limit: &str) -> ScrapePace {
        let interval_ms = self.parsed(interval, interval_of);
        let timeout_ms = self.parsed(limit, timeout);
        if let (Some(every), Some(wait)) = (interval_ms, timeout_ms)
            && wait > every
        {
            let span = self.value(limit).map(Spanned::span).unwrap_or_default();
            self.findings.report(
                Code::Config,
                span,
                format!("`{limit}` is longer than `{interval}`"),
                "an answer has to be there before the next scrape: name a shorter time",
            );
            return ScrapePace { interval_ms, timeout_ms: None };
        }
        ScrapePace { interval_ms, timeout_ms }
    }

    /// Who asks a target, and whom to trust.
    fn access(&mut self) -> ScrapeAccess {
        self.known(TARGET);
        ScrapeAccess {
            bearer_env: self.text("bearer-env"),
            bearer_file: self.text("bearer-file"),
            username: self.text("username"),
            password_env: self.text("password-env"),
            password_file: self.text("password-file"),
            ca_file: self.text("ca-file"),
            insecure_skip_verify: self.flag("insecure-skip-verify").unwrap_or_default(),
        }
    }
}

fn interval_of(text: &str) -> Result<u64, String> {
    let help = "expected a whole number and s or m, from 1s to 2m, for instance 15s";
    timeout(text).ok().filter(|ms| *ms >= INTERVAL_LEAST_MS).ok_or_else(|| help.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::{Config, ScrapePace};
    use diagnostics::SourceFile;

    #[test]
    fn paces_are_read_or_refused() {
        let check = |lines: &str,
                     pace: (Option<u64>, Option<u64>),
                     own: (Option<u64>, Option<u64>),
                     fault: &str| {
            let text = format!("[output.loggia]\n{lines}\n");
            let (config, found) = Config::parse(&SourceFile::new("book.toml", text));
            let of = |(interval_ms, timeout_ms)| ScrapePace { interval_ms, timeout_ms };
            assert_eq!(config.scrape_pace, of(pace), "{lines}");
            let first = config.scrape.first().map(|target| target.pace).unwrap_or_default();
            assert_eq!(first, of(own), "{lines}");
            let told: Vec<&str> = found.iter().map(|found| found.message.as_str()).collect();
            match fault {
                "" => assert!(told.is_empty(), "{lines}: {told:?}"),
                fault => assert!(told.len() == 1 && told[0].contains(fault), "{lines}: {told:?}"),
            }
        };
        let none = (None, None);
        check("", none, none, "");
        check(
            "scrape-interval = \"15s\"\nscrape-timeout = \"10s\"",
            (Some(15_000), Some(10_000)),
            none,
            "",
        );
        check("scrape-interval = \"500ms\"", none, none, "scrape-interval");
        check("scrape-interval = \"5m\"", none, none, "scrape-interval");
        check(
            "scrape-interval = \"5s\"\nscrape-timeout = \"6s\"",
            (Some(5000), None),
            none,
            "longer than",
        );
        let target =
            |more: &str| format!("scrape = [{{ job = \"a\", url = \"http://a\", {more} }}]");
        check(
            &target("interval = \"1m\", timeout = \"20s\""),
            none,
            (Some(60_000), Some(20_000)),
            "",
        );
        check(&target("interval = \"soon\""), none, none, "interval");
    }
}

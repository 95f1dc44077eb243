//! `book.toml` to a [`Config`].
//!
//! `loggia` hands in the text. All mistakes are reported, each with its place; what is right is used.

mod engine;
mod reader;
mod scrape;

pub(crate) use reader::Reader;

use reader::{tables_of, wrong};

use crate::findings::Findings;
use crate::{
    CheckRules, Config, Keep, KeepPlace, KpiBinding, Objective, ServiceConfig, ServiceId, checks,
    mdbook, objective, parse_retention, parse_retention_size, suggest,
};
use diagnostics::{Code, Diagnostic, SourceFile};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

impl Config {
    /// Reads `book.toml`. Wrong values are findings and leave the default in place; keys that belong
    /// to mdBook or to other renderers are left alone.
    pub fn parse(file: &SourceFile) -> (Self, Vec<Diagnostic>) {
        let mut findings = Findings::new(file);
        let (table, errors) = DeTable::parse_recoverable(file.text());
        for error in &errors {
            let span = error.span().unwrap_or(0..0);
            findings.report(
                Code::Config,
                span,
                format!("`book.toml` is not TOML: {}", error.message().trim()),
                "strings stand in quotes, tables in [brackets]",
            );
        }
        let config = read(table.get_ref(), &mut findings);
        (config, findings.into_list())
    }

    /// The configuration of a folder that has no `book.toml`: its Markdown files are the book.
    pub fn without_file() -> Self {
        Self {
            language: "en".to_owned(),
            src: ".".to_owned(),
            build_dir: "book".to_owned(),
            ..Self::default()
        }
    }

    /// The service that an author means by `name`: a key of the configuration, or its title or an
    /// alias, compared without case and punctuation. Any name will do in a book without services.
    pub fn service(&self, name: &str) -> Option<ServiceId> {
        let id = ServiceId(name.to_owned());
        if self.services.is_empty() || self.services.contains_key(&id) {
            return Some(id);
        }
        let wanted = plain(name);
        let named = |config: &ServiceConfig| {
            config.title.iter().chain(&config.aliases).any(|other| plain(other) == wanted)
        };
        self.services
            .iter()
            .find(|(id, config)| plain(&id.0) == wanted || named(config))
            .map(|(id, _)| id.clone())
    }
}

/// Letters and digits only, in lower case.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn read(root: &DeTable<'_>, findings: &mut Findings<'_>) -> Config {
    let mut config = Config { src: "src".to_owned(), ..Config::without_file() };
    config.markdown.smart_punctuation = true;
    config.markdown.for_mdbook = true;
    if let Some(mut book) = Reader::below(root, "book", findings) {
        config.title = book.text("title");
        config.description = book.text("description");
        config.language = book.text("language").unwrap_or(config.language);
        config.src = book.folder("src").unwrap_or(config.src);
        book.texts("authors");
    }
    if let Some(mut build) = Reader::below(root, "build", findings) {
        config.build_dir = build.folder("build-dir").unwrap_or(config.build_dir);
    }
    config.mdbook = mdbook::read(root, findings);
    let Some(output) = Reader::below(root, "output", findings).map(|reader| reader.table) else {
        return config;
    };
    if let Some(mut html) = Reader::below(output, "html", findings) {
        config.edit_url_template = html.text("edit-url-template");
        let smart = html.flag("smart-punctuation");
        config.markdown.smart_punctuation = smart.unwrap_or(true);
        config.markdown.mathjax = html.flag("mathjax-support").unwrap_or_default();
        config.markdown.hide_lines = html.hide_lines();
        config.base_url = html.text("site-url");
        let table = html.table;
        if let Some(mut search) = Reader::below(table, "search", findings) {
            config.search_off = search.flag("enable") == Some(false);
        }
        if let Some(mut print) = Reader::below(table, "print", findings) {
            config.no_print = print.flag("enable") == Some(false);
        }
    }
    if let Some(mut ours) = Reader::below(output, "loggia", findings) {
        ours.flag("optional");
        ours.known(OURS);
        config.markdown.for_mdbook = false;
        config.markdown.math = ours.flag("math").unwrap_or_default();
        config.edit_url_template = ours.text("edit-url-template").or(config.edit_url_template);
        config.base_url = ours.text("base-url").or(config.base_url);
        config.search_off = ours.flag("search").map_or(config.search_off, |on| !on);
        config.theme = ours.folder("theme");
        if let Some(links) = ours.text("glossary-links") {
            ours.one_of("glossary-links", &links, &["book", "page"]);
            config.own_terms_only = links == "page";
        }
        config.discovery = ours.texts("discovery");
        config.scrape = ours.scrape();
        config.scrape_pace = ours.scrape_pace("scrape-interval", "scrape-timeout");
        config.keep = ours.keep();
        config.engines = ours.engines();
        config.alerts = ours.alerts();
        config.check = ours.check();
    }
    let Some(ours) = Reader::below(output, "loggia", findings).map(|reader| reader.table) else {
        return config;
    };
    for (name, table, span) in tables_of(ours, "services", findings) {
        let mut reader = Reader { table, name: "service", findings, span };
        for target in reader.texts("objectives") {
            let mut promised = objective::configured(&format!("{name} {target}"), target);
            promised.services.push(ServiceId(name.clone()));
            promised.title = format!("{name}: {}", promised.target);
            config.objectives.push(promised);
        }
        config.services.insert(ServiceId(name), reader.service());
    }
    for (name, table, span) in tables_of(ours, "objectives", findings) {
        let mut reader = Reader { table, name: "objective", findings, span };
        let objective = reader.objective(&name, &config);
        config.objectives.extend(objective);
    }
    for (label, table, span) in tables_of(ours, "kpis", findings) {
        let mut reader = Reader { table, name: "kpi", findings, span };
        let binding = reader.kpi(&config);
        config.kpis.insert(label, binding);
    }
    config
}

const OURS: &[&str] = &[
    "optional",
    "command",
    "services",
    "kpis",
    "scrape",
    "scrape-interval",
    "scrape-timeout",
    "discovery",
    "data-dir",
    "retention",
    "retention-size",
    "edit-url-template",
    "base-url",
    "search",
    "math",
    "metrics",
    "traces",
    "alertmanager",
    "alerts",
    "rules",
    "objectives",
    "theme",
    "glossary-links",
    "check",
];
const CHECK: &[&str] = &["ignore", "deny", "warn", "external-allow"];
const SERVICE: &[&str] = &[
    "title",
    "aliases",
    "service-name",
    "owner",
    "layer",
    "repository",
    "runbook",
    "kind",
    "objectives",
];
const OBJECTIVE: &[&str] = &[
    "target",
    "title",
    "description",
    "window",
    "service",
    "services",
    "good",
    "bad",
    "total",
    "query",
    "min-events",
];
const KPI: &[&str] = &["query", "unit", "claim", "window", "service", "link"];

impl<'t, 'f, 'a> Reader<'t, 'f, 'a> {
    /// `[output.html.code.hidelines]`: language to prefix.
    fn hide_lines(&mut self) -> indexmap::IndexMap<String, String> {
        let mut prefixes = indexmap::IndexMap::new();
        let Some(code) = Reader::below(self.table, "code", self.findings) else { return prefixes };
        let Some(mut lines) = Reader::below(code.table, "hidelines", code.findings) else {
            return prefixes;
        };
        for (language, _) in lines.table.iter() {
            let language: &str = language.get_ref();
            prefixes.extend(lines.text(language).map(|prefix| (language.to_owned(), prefix)));
        }
        prefixes
    }

    /// Where and for how long telemetry is kept.
    fn keep(&mut self) -> Keep {
        let place = match self.value("data-dir").map(|value| value.get_ref()) {
            None => KeepPlace::Unsaid,
            Some(DeValue::Boolean(false)) => KeepPlace::Memory,
            Some(DeValue::String(folder)) if !folder.is_empty() => {
                KeepPlace::Folder(folder.to_string())
            }
            Some(other) => {
                let span = self.value("data-dir").map(Spanned::span).unwrap_or_default();
                wrong(self.findings, span, "data-dir", "the name of a folder, or `false`", other);
                KeepPlace::Unsaid
            }
        };
        let retention_ms = self.parsed("retention", parse_retention);
        let retention_bytes = self.parsed("retention-size", parse_retention_size);
        Keep { place, retention_ms, retention_bytes }
    }

    /// `[output.loggia.check]`.
    fn check(&mut self) -> CheckRules {
        let Some(mut check) = Reader::below(self.table, "check", self.findings) else {
            return CheckRules::default();
        };
        check.known(CHECK);
        CheckRules {
            ignore: check.codes("ignore"),
            deny: check.codes("deny"),
            warn: check.codes("warn"),
            external_allow: check.texts("external-allow"),
        }
    }

    fn codes(&mut self, key: &str) -> Vec<Code> {
        let whole = self.value(key).map_or(self.span.clone(), Spanned::span);
        let mut codes = Vec::new();
        for name in self.texts(key) {
            match Code::named(&name) {
                Some(code) => codes.push(code),
                None => {
                    let text = self.findings.file().text();
                    let place = crate::findings::place_of(text, whole.clone(), &name);
                    checks::unknown(&name, place, self.findings);
                }
            }
        }
        codes
    }

    fn service(&mut self) -> ServiceConfig {
        self.known(SERVICE);
        let kind = self.text("kind");
        if let Some(kind) = &kind {
            self.one_of("kind", kind, &["service", "database", "queue", "external"]);
        }
        ServiceConfig {
            title: self.text("title"),
            aliases: self.texts("aliases"),
            service_name: self.text("service-name"),
            owner: self.text("owner"),
            repository: self.text("repository"),
            runbook: self.text("runbook"),
            layer: self.text("layer"),
            kind,
        }
    }

    fn objective(&mut self, name: &str, config: &Config) -> Option<Objective> {
        self.known(OBJECTIVE);
        let mut found = objective::configured(name, self.needed("target")?);
        found.title = self.text("title").unwrap_or(found.title);
        found.description = self.text("description");
        found.window = self.text("window").unwrap_or(found.window);
        let mut names = self.texts("services");
        names.extend(self.text("service"));
        for name in names {
            match config.service(&name) {
                Some(id) => found.services.push(id),
                None => {
                    let known = config.services.keys().map(|id| id.0.as_str());
                    let help = suggest::help(&name, "services", known);
                    let message = format!("`{name}` is not a service of this book");
                    self.findings.report(Code::UnknownService, self.span.clone(), message, help);
                }
            }
        }
        found.good = self.text("good");
        found.bad = self.text("bad");
        found.total = self.text("total");
        found.query = self.text("query");
        found.min_events = self.number("min-events", "a number of events");
        Some(found)
    }

    fn kpi(&mut self, config: &Config) -> KpiBinding {
        self.known(KPI);
        let named = self.text("service");
        let service = named.as_deref().and_then(|name| config.service(name));
        if let (Some(name), None) = (&named, &service) {
            let span = self.value("service").map_or(self.span.clone(), Spanned::span);
            let known = config.services.keys().map(|id| id.0.as_str());
            let help = suggest::help(name, "services", known);
            self.findings.report(Code::UnknownService, span, format!("no service `{name}`"), help);
        }
        KpiBinding {
            query: self.text("query"),
            unit: self.text("unit"),
            claim: self.text("claim"),
            window: self.text("window"),
            service,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOK: &str = r#"
[book]
title = "CloudScale"
authors = ["A"]
language = "de"
src = "content/"

[build]
build-dir = "out"

[output.html]
edit-url-template = "https://example.org/{path}"
additional-css = ["x.css"]

[output.loggia]
optional = true
discovery = ["http://127.0.0.1:9000/targets"]
data-dir = "../kept"
retention = "30d"
scrape = [{ job = "orders", url = "http://127.0.0.1:9100/metrics" }]

[output.loggia.services.payments]
title = "Payment Service"
aliases = ["pay"]
[output.loggia.services.auth]
service-name = "auth-svc"
kind = "service"

[output.loggia.kpis."Response Time"]
query = "up"
unit = "s"
service = "pay"
"#;

    #[test]
    fn a_whole_book() {
        let (config, found) = Config::parse(&SourceFile::new("book.toml", BOOK));
        assert_eq!(found, []);
        assert_eq!(config.title.as_deref(), Some("CloudScale"));
        assert_eq!((&*config.language, &*config.src, &*config.build_dir), ("de", "content", "out"));
        let names: Vec<&str> = config.services.keys().map(|id| id.0.as_str()).collect();
        assert_eq!(names, ["payments", "auth"], "in the order of the file");
        assert_eq!(config.kpis["Response Time"].service, Some(ServiceId("payments".into())));
        assert_eq!(config.scrape.len(), 1);
        assert_eq!(config.discovery.len(), 1);
        assert!(config.edit_url_template.is_some());
        assert_eq!(config.keep.place, KeepPlace::Folder("../kept".to_owned()));
        assert_eq!(config.keep.retention_ms, Some(30 * 24 * 60 * 60 * 1000));
    }

    #[test]
    fn mistakes_have_places() {
        for (text, line, column, message) in [
            ("[book]\ntitle = 5\n", 2, 9, "`title` must be a string"),
            ("[book\n", 1, 6, "is not TOML"),
            ("book = 1\n", 1, 8, "`book` must be a table"),
            ("[output.loggia]\ndiscovery = [1]\n", 2, 14, "list of strings"),
            ("[output.loggia]\nscrape = [{ job = \"a\" }]\n", 2, 11, "has no `url`"),
            ("[output.loggia]\nglossary-links = \"pages\"\n", 2, 18, "cannot be `pages`"),
            ("[output.loggia]\ndata-dir = 5\n", 2, 12, "the name of a folder, or `false`"),
            ("[output.loggia]\nretention = \"15 days\"\n", 2, 13, "cannot be `15 days`"),
            ("[output.loggia]\nretention-size = \"1MB\"\n", 2, 18, "cannot be `1MB`"),
            ("[output.loggia.services.a]\nalias = []\n", 2, 1, "no key `alias`"),
            ("[output.loggia.services.a]\nkind = \"databse\"\n", 2, 8, "cannot be `databse`"),
            (
                "[output.loggia.services.orders]\n[output.loggia.kpis.x]\nservice = \"oders\"\n",
                3,
                11,
                "no service `oders`",
            ),
        ] {
            let (_, found) = Config::parse(&SourceFile::new("book.toml", text));
            let first = found.first().unwrap_or_else(|| panic!("nothing found in {text}"));
            assert_eq!((first.line, first.column), (line, column), "{text}: {}", first.message);
            assert!(first.message.contains(message), "{text}: {}", first.message);
            assert!(first.help.is_some());
        }
    }
}

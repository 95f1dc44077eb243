//! The rule files of a book: which there are, what is in them, what is wrong with them.
//!
//! `source` reads them with the book; commands print the findings, `serve` runs the groups.

use diagnostics::{Code, Diagnostic, SourceFile};
use document::{AlertConfig, Config};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use telemetry::{RuleFaultKind, RuleGroup};

/// Bytes of a rule file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Rule files of a book at most.
const FILES_MAX: usize = 1_000;

/// The rule files as they were found at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct RuleFiles {
    /// The groups of each file by its name; `None` for one that cannot be used.
    pub(crate) groups: BTreeMap<String, Option<Vec<RuleGroup>>>,
    pub(crate) findings: Vec<Diagnostic>,
    /// Files, and folders in which more may appear.
    pub(crate) watched: BTreeSet<PathBuf>,
}

/// Reads the rule files that `config` names; `root` is the folder of `book.toml`.
pub(crate) fn read(root: &Path, config: &Config, toml: Option<&SourceFile>) -> RuleFiles {
    let mut rules = RuleFiles::default();
    for pattern in &config.alerts.rules {
        let names = rules.matching(root, pattern);
        if names.is_empty() {
            let message = format!("no rule file fits `{pattern}`");
            let help = "names stand from the folder of `book.toml` on, such as `rules/*.yml`";
            rules.findings.extend(at_text(toml, pattern, Code::RuleFile, message, help));
        }
        for name in names {
            rules.take(root, name);
        }
    }
    rules.findings.extend(receivers(&config.alerts, toml));
    rules
}

impl RuleFiles {
    /// Whether a change at this path can change the rules.
    pub(crate) fn concerns(&self, path: &Path) -> bool {
        let is_rule = |watched: &PathBuf| path == watched || path.parent() == Some(watched);
        self.watched.iter().any(is_rule)
    }

    /// The names that fit, `/` between their parts.
    fn matching(&mut self, root: &Path, pattern: &str) -> Vec<String> {
        let mut found = vec![String::new()];
        for part in pattern.trim_start_matches("./").split('/') {
            let mut next = Vec::new();
            for folder in found {
                let joined = |name: &str| match folder.as_str() {
                    "" if !pattern.starts_with('/') => name.to_owned(),
                    folder => format!("{folder}/{name}"),
                };
                if !part.contains(['*', '?']) {
                    next.push(joined(part));
                    continue;
                }
                let path = root.join(&folder);
                let entries = fs::read_dir(&path).into_iter().flatten().flatten();
                let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
                next.extend(names.filter(|name| fits(part, name)).map(|name| joined(&name)));
                self.watched.insert(path);
            }
            found = next;
        }
        found.retain(|name| root.join(name).is_file());
        found.sort();
        found.truncate(FILES_MAX);
        // One that is named and not there may come.
        if found.is_empty() && !pattern.contains(['*', '?']) {
            self.watched.insert(root.join(pattern));
        }
        found
    }

    fn take(&mut self, root: &Path, name: String) {
        let path = root.join(&name);
        self.watched.insert(path.clone());
        if self.groups.contains_key(&name) {
            return;
        }
        let text = match text_of(&path) {
            Ok(text) => text,
            Err(why) => {
                let file = SourceFile::new(name.as_str(), "");
                let help = "a rule file is text of at most 1 MiB in UTF-8";
                self.findings
                    .push(Diagnostic::at(Code::RuleFile, &file, 0..0, why).with_help(help));
                self.groups.insert(name, None);
                return;
            }
        };
        let file = SourceFile::new(name.as_str(), text);
        let (groups, faults) = telemetry::parse_rules(&name, file.text());
        let usable = faults.iter().all(|fault| fault.kind == RuleFaultKind::Twice);
        for fault in faults {
            let found = Diagnostic::at(code_of(fault.kind), &file, fault.span, fault.message);
            self.findings.push(found.with_help(fault.help));
        }
        self.groups.insert(name, usable.then_some(groups));
    }
}

fn code_of(kind: RuleFaultKind) -> Code {
    match kind {
        RuleFaultKind::Shape => Code::RuleFile,
        RuleFaultKind::Query => Code::RuleQuery,
        RuleFaultKind::Template => Code::RuleTemplate,
        RuleFaultKind::Twice => Code::RuleTwice,
    }
}

fn text_of(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot read the file: {error}");
    if fs::metadata(path).map_err(failed)?.len() > FILE_BYTES_MAX {
        return Err(format!("the file is larger than {} MiB", FILE_BYTES_MAX >> 20));
    }
    String::from_utf8(fs::read(path).map_err(failed)?)
        .map_err(|_| "the file is not UTF-8".to_owned())
}

/// Whether a name fits: `*` stands for any characters, `?` for one. Hidden files are left alone.
fn fits(pattern: &str, name: &str) -> bool {
    fn rest(pattern: &[char], name: &[char]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some(('*', after)) => (0..=name.len()).any(|at| rest(after, &name[at..])),
            Some(('?', after)) => name.split_first().is_some_and(|(_, name)| rest(after, name)),
            Some((c, after)) => {
                name.split_first().is_some_and(|(n, name)| n == c && rest(after, name))
            }
        }
    }
    let chars = |text: &str| text.chars().collect::<Vec<_>>();
    !name.starts_with('.') && rest(&chars(pattern), &chars(name))
}

/// Patterns of receivers that are no regular expressions: `document` stands below them.
fn receivers(config: &AlertConfig, toml: Option<&SourceFile>) -> Vec<Diagnostic> {
    let patterns = config.receivers.iter().flat_map(|receiver| &receiver.matches_re);
    let wrong = |(label, pattern): (&String, &String)| {
        let error = series::Matcher::regex(label.as_str(), pattern.as_str()).err()?;
        let help = "an expression stands for the whole value, such as `critical|page`";
        at_text(toml, pattern, Code::Receiver, error.to_string(), help)
    };
    patterns.filter_map(wrong).collect()
}

/// A finding at the first place of a text in `book.toml`.
fn at_text(
    toml: Option<&SourceFile>,
    text: &str,
    code: Code,
    message: String,
    help: &str,
) -> Option<Diagnostic> {
    let toml = toml?;
    let at = toml.text().find(text).unwrap_or(0);
    Some(Diagnostic::at(code, toml, at..at + text.len(), message).with_help(help))
}

/// A path as the author wrote it, from the folder of `book.toml` on.
pub(crate) fn beside(root: &Path, path: &str) -> PathBuf {
    let path = Path::new(path);
    let plain = path.components().filter(|part| !matches!(part, Component::CurDir));
    root.join(plain.collect::<PathBuf>())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn patterns_name_files() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "rules/a.yml",
            "rules/b.yml",
            "rules/.c.yml",
            "rules/d.txt",
            "teams/x/r.yml",
            "teams/y/r.yml",
        ] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "groups: []\n").unwrap();
        }
        for (pattern, expected) in [
            ("rules/*.yml", &["rules/a.yml", "rules/b.yml"][..]),
            ("./rules/?.yml", &["rules/a.yml", "rules/b.yml"]),
            ("rules/a.yml", &["rules/a.yml"]),
            ("teams/*/r.yml", &["teams/x/r.yml", "teams/y/r.yml"]),
            ("rules/*.yaml", &[]),
            ("nothing/*.yml", &[]),
        ] {
            let mut rules = RuleFiles::default();
            assert_eq!(rules.matching(dir.path(), pattern), expected, "{pattern}");
        }
        let mut config = Config::without_file();
        config.alerts.rules = vec!["rules/*.yml".to_owned()];
        let rules = read(dir.path(), &config, None);
        assert!(
            rules.concerns(&dir.path().join("rules/new.yml"))
                && !rules.concerns(&dir.path().join("a.md"))
        );
        assert_eq!(rules.groups.len(), 2);
    }
}

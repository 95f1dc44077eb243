//! The languages that the scanner does not know, by grammars made of regular expressions: syntect
//! with the grammars of two-face.
//!
//! `highlight` and its cache ask. The grammars are unpacked at the first question.

use super::output::{Class, Output};
use std::sync::OnceLock;
use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference, SyntaxSet};

/// Longest line that a grammar is asked about, in bytes: some take the square of it.
const LINE_BYTES_MAX: usize = 4_000;

/// Scopes by their beginning; the first match counts, from the innermost scope outwards.
const SCOPES: &[(&str, Option<Class>)] = &[
    ("comment", Some(Class::Comment)),
    ("punctuation.definition.comment", Some(Class::Comment)),
    ("string", Some(Class::String)),
    ("punctuation.definition.string", Some(Class::String)),
    ("constant.character.escape", Some(Class::String)),
    ("constant", Some(Class::Number)),
    ("entity.name.function", Some(Class::Function)),
    ("support.function", Some(Class::Function)),
    ("variable.function", Some(Class::Function)),
    ("entity.name.tag", Some(Class::Keyword)),
    ("entity.name.section", Some(Class::Heading)),
    ("markup.heading", Some(Class::Heading)),
    ("markup.inserted", Some(Class::Inserted)),
    ("markup.deleted", Some(Class::Deleted)),
    ("markup.raw", Some(Class::String)),
    ("entity.other.attribute-name", Some(Class::Variable)),
    ("entity.name", Some(Class::Type)),
    ("support.type.property-name", Some(Class::Variable)),
    ("support.type", Some(Class::Type)),
    ("support.class", Some(Class::Type)),
    ("storage.type.numeric", Some(Class::Number)),
    ("storage", Some(Class::Keyword)),
    ("keyword.operator.word", Some(Class::Keyword)),
    ("keyword.operator", None),
    ("keyword", Some(Class::Keyword)),
    ("meta.annotation", Some(Class::Macro)),
    ("meta.preprocessor", Some(Class::Macro)),
    ("variable.parameter", None),
    ("variable.other", None),
    ("variable.language", Some(Class::Keyword)),
    ("punctuation.section.interpolation", None),
    ("meta.interpolation", None),
];

struct Grammars {
    set: SyntaxSet,
    scopes: Vec<(Scope, Option<Class>)>,
}

fn grammars() -> &'static Grammars {
    static GRAMMARS: OnceLock<Grammars> = OnceLock::new();
    GRAMMARS.get_or_init(|| Grammars {
        set: two_face::syntax::extra_newlines(),
        scopes: SCOPES
            .iter()
            .filter_map(|(name, class)| Some((Scope::new(name).ok()?, *class)))
            .collect(),
    })
}

/// The text coloured; `None` for a language without a grammar.
pub(super) fn highlight(language: &str, text: &str) -> Option<String> {
    let grammars = grammars();
    let syntax = find(&grammars.set, language)?;
    let mut state = ParseState::new(syntax);
    let mut scopes = ScopeStack::new();
    let mut out = Output::for_bytes(text.len());
    for line in text.split_inclusive('\n') {
        let ops = match line.len() <= LINE_BYTES_MAX {
            true => state.parse_line(line, &grammars.set).unwrap_or_default(),
            false => Vec::new(),
        };
        let mut from = 0;
        for (at, op) in ops {
            let at = at.clamp(from, line.len());
            out.push(grammars.class(&scopes), &line[from..at]);
            if scopes.apply(&op).is_err() {
                scopes = ScopeStack::new();
            }
            from = at;
        }
        out.push(grammars.class(&scopes), &line[from..]);
    }
    Some(out.finish())
}

impl Grammars {
    fn class(&self, stack: &ScopeStack) -> Option<Class> {
        let known = |scope: &Scope| {
            self.scopes.iter().find(|(prefix, _)| prefix.is_prefix_of(*scope)).map(|(_, c)| *c)
        };
        stack.as_slice().iter().rev().find_map(known).flatten()
    }
}

/// By name or file ending, without case.
fn find<'s>(set: &'s SyntaxSet, language: &str) -> Option<&'s SyntaxReference> {
    let found = set.find_syntax_by_token(language)?;
    (found.name != "Plain Text").then_some(found)
}

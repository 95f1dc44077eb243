//! The codes of findings. A code stays the same for good: people search for it and suppress by it.

use serde::{Serialize, Serializer};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// The page is built, and something on it is probably not what was meant.
    Warning,
    /// Something of the author's cannot be shown, or is not so by what was measured.
    Error,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $severity:ident, $title:literal;)*) => {
        /// Which rule found it, for instance `L004`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code, in order.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// The code as people write it.
            pub fn as_str(self) -> &'static str { match self { $(Code::$name => $text,)* } }

            /// How bad it is by default.
            pub fn severity(self) -> Severity { match self { $(Code::$name => Severity::$severity,)* } }

            /// What the rule is about, in a few words.
            pub fn title(self) -> &'static str { match self { $(Code::$name => $title,)* } }

            /// Its page in Markdown: what it means, an example that is wrong, the same mended. A
            /// code without the file `explain/CODE.md` does not compile.
            pub(crate) fn page(self) -> &'static str {
                match self { $(Code::$name => include_str!(concat!("../explain/", $text, ".md")),)* }
            }
        }
    };
}

codes! {
    /// The front matter is not the JSON, YAML or TOML it says it is, or a value has the wrong shape.
    FrontMatter = "L001", Error, "broken front matter";
    /// A code fence is opened and never closed.
    UnclosedFence = "L002", Error, "unclosed fence";
    /// Mermaid text that does not parse or exceeds a limit.
    Diagram = "L003", Error, "diagram that does not parse";
    /// A link or anchor that leads nowhere inside the book.
    BrokenLink = "L004", Error, "broken link";
    /// A `kpi-grid` that is not the JSON expected.
    KpiGrid = "L005", Error, "KPI grid that cannot be read";
    /// A service named by the author that the book does not know.
    UnknownService = "L006", Error, "unknown service";
    /// UTF-8 text that was once read as another encoding and saved again.
    Encoding = "L007", Warning, "text decoded wrongly";
    /// `navigation.order` names a section that is not on the page.
    NavigationId = "L008", Warning, "navigation id that does not exist";
    /// Two headings of a page have the same id.
    DuplicateId = "L009", Warning, "duplicate id";
    /// `book.toml` cannot be read or has a wrong value.
    Config = "L010", Error, "broken configuration";
    /// A file that is not UTF-8 or cannot be read.
    Unreadable = "L011", Error, "unreadable file";
    /// A PromQL query of the author's that does not parse.
    Query = "L012", Error, "query that does not parse";
    /// A colour of the theme that is no colour.
    Colour = "L013", Error, "colour that cannot be read";
    /// A footnote that is referenced and never defined.
    Footnote = "L014", Warning, "undefined footnote";
    /// A typed block (`glossary`, ...) whose text is not what the block expects.
    Block = "L015", Error, "block that cannot be read";
    /// A box of a diagram that could stand for something known, and nothing says for what.
    Binding = "L016", Note, "box that may stand for a service";
    /// A stated figure that does not hold by what a running server measured (`check --live`).
    Claim = "L020", Error, "violated claim";
    /// A call seen between two boxes of a diagram that no line joins (`check --live`).
    Undocumented = "L021", Error, "call that is not drawn";
    /// A drawn line that no trace shows, though both its ends are traced (`check --live`).
    NeverSeen = "L022", Error, "line that no trace shows";
    /// A formula that is not the TeX that can be drawn.
    Math = "L030", Error, "formula that cannot be read";
    /// A `SUMMARY.md` that mdBook would refuse.
    Summary = "L035", Error, "broken summary";
    /// A preprocessor of the author's that cannot be run, fails, or answers with something else than
    /// a book.
    Preprocessor = "L036", Error, "preprocessor that fails";
    /// An `{{#include}}` whose file, lines or anchor do not exist, or that leaves the repository.
    Include = "L037", Error, "include that cannot be filled in";
    /// A redirect that leads nowhere, or stands where a page is.
    Redirect = "L038", Error, "redirect that cannot be followed";
    /// A list that silences findings names a code that does not exist.
    UnknownCode = "L040", Warning, "unknown code";
    /// A link to the web whose server gives no good answer (`check --external`).
    ExternalLink = "L041", Warning, "broken link to the web";
    /// A page that readers have no way to.
    Orphan = "L042", Note, "orphan page";
    /// A footnote that is defined and never referenced.
    UnusedFootnote = "L043", Note, "unused footnote";
    /// Two colours of the theme that cannot be read on each other.
    Contrast = "L044", Warning, "too little contrast";
    /// An image without words for those who do not see it.
    AltText = "L045", Warning, "image without alternative text";
    /// A link without a text.
    LinkText = "L046", Warning, "link without words";
    /// A heading more than one level below the one above it.
    HeadingLevel = "L047", Note, "heading level that is skipped";
    /// A `chart` fence that is not the YAML of a chart.
    Chart = "L065", Error, "chart that cannot be read";
    /// A rule file that is not the YAML expected, or that is not there.
    RuleFile = "L070", Error, "broken rule file";
    /// The query of a rule that is not PromQL.
    RuleQuery = "L071", Error, "rule whose query does not parse";
    /// The template of a label or an annotation that cannot be read.
    RuleTemplate = "L072", Error, "template that does not parse";
    /// Two rules of a group with the same name and labels.
    RuleTwice = "L073", Warning, "rule that is there twice";
    /// Somebody to be told of alerts who cannot be told.
    Receiver = "L074", Error, "receiver of alerts that cannot be used";
}

impl Code {
    /// The code that is written so, in either case.
    ///
    /// ```
    /// assert_eq!(diagnostics::Code::named("l004"), Some(diagnostics::Code::BrokenLink));
    /// ```
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text.trim()))
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

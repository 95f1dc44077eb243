//! Elements that are nothing but an opening and a closing tag.

use pulldown_cmark::{BlockQuoteKind, Tag};

/// Opening and closing text of the elements that need nothing else.
pub(super) fn element(tag: &Tag<'_>) -> (String, &'static str) {
    let (open, close) = match tag {
        Tag::Paragraph => ("<p>", "</p>\n"),
        Tag::BlockQuote(Some(kind)) => return alert(*kind),
        Tag::BlockQuote(None) => ("<blockquote>\n", "</blockquote>\n"),
        Tag::List(Some(1)) => ("<ol>\n", "</ol>\n"),
        Tag::List(Some(start)) => return (format!("<ol start=\"{start}\">\n"), "</ol>\n"),
        Tag::List(None) => ("<ul>\n", "</ul>\n"),
        Tag::Item => ("<li>", "</li>\n"),
        Tag::DefinitionList => ("<dl>\n", "</dl>\n"),
        Tag::DefinitionListTitle => ("<dt>", "</dt>\n"),
        Tag::DefinitionListDefinition => ("<dd>", "</dd>\n"),
        Tag::TableHead => ("<thead><tr>", "</tr></thead>\n"),
        Tag::TableRow => ("<tr>", "</tr>\n"),
        Tag::Emphasis => ("<em>", "</em>"),
        Tag::Strong => ("<strong>", "</strong>"),
        Tag::Strikethrough => ("<del>", "</del>"),
        Tag::Superscript => ("<sup>", "</sup>"),
        Tag::Subscript => ("<sub>", "</sub>"),
        _ => ("", ""),
    };
    (open.to_owned(), close)
}

/// `> [!NOTE]`, with its word: colour alone says nothing.
fn alert(kind: BlockQuoteKind) -> (String, &'static str) {
    let (class, word) = match kind {
        BlockQuoteKind::Note => ("note", "Note"),
        BlockQuoteKind::Tip => ("tip", "Tip"),
        BlockQuoteKind::Important => ("important", "Important"),
        BlockQuoteKind::Warning => ("warning", "Warning"),
        BlockQuoteKind::Caution => ("caution", "Caution"),
    };
    let open = format!(
        "<div class=\"alert alert-{class}\" role=\"note\"><p class=\"alert-title\">{word}</p>\n"
    );
    (open, "</div>\n")
}

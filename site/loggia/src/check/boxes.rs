//! Boxes of diagrams that could stand for a service of the book, and for which one is not sure.

use super::place;
use diagnostics::{Code, Diagnostic};
use document::Book;
use evidence::Names;
use traces::{StoreLimits, TraceStore};

/// A note for each. Only the names of `book.toml` are known: no telemetry is asked.
pub(super) fn unsure(book: &Book) -> Vec<Diagnostic> {
    let nobody = TraceStore::new(StoreLimits::default()).graph(1_000, 0);
    let names = Names::new(&book.config, [], &nobody);
    let found = evidence::suggestions(book, &names).into_iter();
    found
        .filter_map(|found| {
            let page = book.page(&found.page)?;
            let place = place::of_box(page, found.diagram, &found.node);
            let names: Vec<_> = found.candidates.iter().map(|name| format!("`{name}`")).collect();
            let first = found.candidates.first()?;
            let message = format!("`{}` could stand for {}", found.label, names.join(" or "));
            Some(Diagnostic::at(Code::Binding, &page.file, place, message).with_help(format!(
                "say it with a line `%% bind: {} = {first}` in the diagram, or with an alias in book.toml",
                found.node
            )))
        })
        .collect()
}

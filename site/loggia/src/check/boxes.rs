//! Boxes of diagrams that could stand for a service of the book, and for which one is not sure; and
//! lines that bind a box that is not there, or to a name that looks misspelt.

use super::place;
use diagnostics::{Code, Diagnostic};
use document::{Book, DiagramBlock, Page, nearest};
use evidence::Names;
use traces::{StoreLimits, TraceStore};

/// A note for each. Only the names of `book.toml` are known: no telemetry is asked.
pub(super) fn unsure(book: &Book) -> Vec<Diagnostic> {
    let nobody = TraceStore::new(StoreLimits::default()).graph(1_000, 0);
    let names = Names::new(&book.config, [], &nobody);
    let found = evidence::suggestions(book, &names).into_iter();
    let doubtful = found
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
        });
    let lines = book.pages.iter().flat_map(|page| page.diagrams().map(move |block| (page, block)));
    doubtful.chain(lines.flat_map(|(page, block)| misspelt(page, block, &names))).collect()
}

/// Lines `%% bind:` that cannot be read, and lines `%% bind: BOX = NAME` whose box is not drawn or whose name is near to a known one. A name that
/// is like no other may be that of a queue or of somebody else's system, which only traces know.
fn misspelt(page: &Page, block: &DiagramBlock, names: &Names) -> Vec<Diagnostic> {
    let boxes = || block.drawing.nodes.iter().map(|node| node.id.as_str());
    let found = |node: &str, message: String| {
        let place = place::of_bind(page, block.index, node);
        Diagnostic::at(Code::Binding, &page.file, place, message)
    };
    let unread = place::of_unread_binds(page, block.index).into_iter().map(|place| {
        Diagnostic::at(Code::Binding, &page.file, place, "this line binds nothing")
            .with_help("write `%% bind: BOX = NAME`, with the box's id and a service's name")
    });
    let mut all: Vec<Diagnostic> = unread.collect();
    for (node, name) in &block.drawing.binds {
        if !boxes().any(|id| id == node) {
            let near = nearest(node, boxes());
            let note = found(node, format!("the diagram has no box `{node}` to bind"));
            all.push(match near {
                Some(near) => note.with_help(format!("did you mean `{near}`?")),
                None => note.with_help("the left side is a box's id, not its label"),
            });
        } else if !names.knows(name)
            && let Some(near) = nearest(name, names.all())
        {
            let note = found(node, format!("nothing in book.toml is called `{name}`"));
            all.push(note.with_help(format!("did you mean `{near}`?")));
        }
    }
    all
}

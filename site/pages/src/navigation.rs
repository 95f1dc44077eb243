//! The tree of the book: the sidebar, the way to a page, and what comes before and after it.
//!
//! `loggia` makes a [`Navigation`] once per version of the book; `frame` and `page` ask it for each
//! page. What a page shows of a large book is bounded, so that a book's size grows with its pages
//! and not with their square.

use crate::cells::Values;
use crate::frame::SideSection;
use crate::markup::escape;
use crate::{Site, extras};
use document::{Book, Chapter, OutlineItem};
use std::collections::HashMap;
use std::fmt::Write as _;

/// A sidebar with more entries shows the open page's branch alone.
const WHOLE_MAX: usize = 300;
/// Then so many entries of one list are shown around the open page's.
const AROUND: usize = 24;
/// Address of the page with the whole tree, where the sidebar shows a part.
pub(crate) const CONTENTS: &str = "contents.html";

/// The book's tree, ready to be asked by address.
#[derive(Debug, Clone, Default)]
pub struct Navigation {
    roots: Vec<Root>,
    nodes: Vec<Node>,
    by_path: HashMap<String, usize>,
    /// Nodes with a page, in reading order, each page once.
    order: Vec<usize>,
    /// Addresses of the pages that the book has besides its own.
    pub(crate) extras: Vec<&'static str>,
}

/// What stands at the upper level.
#[derive(Debug, Clone)]
enum Root {
    Part(String),
    Separator,
    Node(usize),
}

/// A chapter.
#[derive(Debug, Clone, Default)]
struct Node {
    title: String,
    /// `1.2.`
    number: String,
    /// Address below the root; a draft has none.
    path: Option<String>,
    parent: Option<usize>,
    /// The part that it belongs to, as a place among the roots.
    part: Option<usize>,
    children: Vec<usize>,
    /// Place in the reading order.
    nth: usize,
}

/// A page that is named beside another: title and address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Beside<'a> {
    pub(crate) title: &'a str,
    pub(crate) href: String,
}

/// A step of the way to a page; a part or a draft has no address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Crumb<'a> {
    pub(crate) title: &'a str,
    pub(crate) href: Option<String>,
}

impl Navigation {
    /// Reads the tree of `book`.
    pub fn new(book: &Book) -> Self {
        let mut made = Self::default();
        let paths: HashMap<&str, &str> =
            book.pages.iter().map(|page| (page.id.as_str(), page.path.as_str())).collect();
        let mut part = None;
        for item in &book.outline {
            match item {
                OutlineItem::Part(title) => {
                    part = Some(made.roots.len());
                    made.roots.push(Root::Part(title.clone()));
                }
                OutlineItem::Separator => {
                    part = None;
                    made.roots.push(Root::Separator);
                }
                OutlineItem::Chapter(chapter) => made.add(chapter, &paths, None, part),
            }
        }
        made.extras = extras::of_book(book, made.is_cut());
        made
    }

    /// Whether sidebars show a part of the tree only.
    pub(crate) fn is_cut(&self) -> bool {
        self.nodes.len() > WHOLE_MAX
    }

    fn add(
        &mut self,
        chapter: &Chapter,
        paths: &HashMap<&str, &str>,
        parent: Option<usize>,
        part: Option<usize>,
    ) {
        let index = self.nodes.len();
        match parent {
            Some(parent) => self.nodes[parent].children.push(index),
            None => self.roots.push(Root::Node(index)),
        }
        let path =
            chapter.page.as_deref().and_then(|id| paths.get(id)).map(|&path| path.to_owned());
        let fresh = path.as_ref().is_some_and(|path| !self.by_path.contains_key(path));
        let nth = self.order.len();
        if let Some(path) = path.as_ref().filter(|_| fresh) {
            self.by_path.insert(path.clone(), index);
            self.order.push(index);
        }
        self.nodes.push(Node {
            title: chapter.title.clone(),
            number: chapter.number.clone().unwrap_or_default(),
            path,
            parent,
            part,
            children: Vec::new(),
            nth,
        });
        for child in &chapter.children {
            self.add(child, paths, Some(index), part);
        }
    }

    /// The page before the one at `path`, and the one after it.
    pub(crate) fn beside(&self, path: &str, root: &str) -> [Option<Beside<'_>>; 2] {
        let Some(nth) = self.by_path.get(path).map(|index| self.nodes[*index].nth) else {
            return [None, None];
        };
        let at = |nth: Option<usize>| {
            let node = &self.nodes[*self.order.get(nth?)?];
            Some(Beside { title: &node.title, href: format!("{root}{}", node.path.as_deref()?) })
        };
        [at(nth.checked_sub(1)), at(nth.checked_add(1))]
    }

    /// The way to the page at `path`, without the page itself.
    pub(crate) fn way(&self, path: &str, root: &str) -> Vec<Crumb<'_>> {
        let mut way = Vec::new();
        let Some(&index) = self.by_path.get(path) else { return way };
        let mut above = self.nodes[index].parent;
        let mut top = index;
        while let Some(at) = above {
            let node = &self.nodes[at];
            let href = node.path.as_ref().map(|path| format!("{root}{path}"));
            way.push(Crumb { title: &node.title, href });
            (top, above) = (at, node.parent);
        }
        if let Some(Root::Part(title)) = self.nodes[top].part.and_then(|part| self.roots.get(part))
        {
            way.push(Crumb { title, href: None });
        }
        way.reverse();
        way
    }

    /// Titles and addresses of all pages, in reading order.
    pub(crate) fn pages(&self) -> impl Iterator<Item = (&str, &str)> {
        let nodes = self.order.iter().map(|index| &self.nodes[*index]);
        nodes.filter_map(|node| Some((node.title.as_str(), node.path.as_deref()?)))
    }
}

/// Writes the tree for one page.
pub(crate) struct Tree<'a> {
    navigation: &'a Navigation,
    root: &'a str,
    current: Option<usize>,
    /// Chapters above the open page, and itself.
    trail: Vec<usize>,
    sections: &'a [SideSection<'a>],
    values: Values<'a>,
    whole: bool,
    /// Whether chapters show their numbers.
    numbered: bool,
    /// Branches above this level are open, wherever the reader is.
    open_above: usize,
    html: String,
}

impl<'a> Tree<'a> {
    /// For the page at `path`, whose sections stand below its entry.
    pub(crate) fn new(
        site: &'a Site<'a>,
        root: &'a str,
        path: Option<&str>,
        sections: &'a [SideSection<'a>],
        values: Values<'a>,
    ) -> Self {
        let navigation = site.navigation;
        let current = path.and_then(|path| navigation.by_path.get(path)).copied();
        let trail = std::iter::successors(current, |index| navigation.nodes[*index].parent);
        let config = &site.book.config;
        let open_above = match config.mdbook.fold {
            Some(level) => usize::from(level),
            // As mdBook without `fold`.
            None if config.markdown.for_mdbook => usize::MAX,
            None => 0,
        };
        Self {
            navigation,
            root,
            current,
            trail: trail.collect(),
            sections,
            values,
            whole: !navigation.is_cut(),
            numbered: !config.mdbook.no_section_label,
            open_above,
            html: String::new(),
        }
    }

    /// With every entry, whatever the size of the book.
    pub(crate) fn whole(mut self) -> Self {
        self.whole = true;
        self
    }

    /// The tree as HTML.
    pub(crate) fn html(mut self) -> String {
        let groups: Vec<&[Root]> =
            self.navigation.roots.chunk_by(|_, next| matches!(next, Root::Node(_))).collect();
        for group in groups {
            let (head, rest) = match group {
                [Root::Part(title), rest @ ..] => (Some(title.as_str()), rest),
                [Root::Separator, rest @ ..] => (None, rest),
                all => (Some("Pages").filter(|_| self.html.is_empty()), all),
            };
            match head {
                Some(title) => self.push(&format!("<h2>{}</h2>\n", escape(title))),
                None if !self.html.is_empty() => self.push("<hr>\n"),
                None => {}
            }
            let nodes: Vec<usize> = rest.iter().filter_map(Root::node).collect();
            if !nodes.is_empty() {
                self.list(&nodes, "tree");
            }
        }
        self.html
    }

    fn push(&mut self, html: &str) {
        self.html.push_str(html);
    }

    fn list(&mut self, nodes: &[usize], class: &str) {
        let shown = self.shown(nodes);
        let _ = writeln!(self.html, "<ul{}>", attribute("class", class));
        for index in &nodes[shown.clone()] {
            self.entry(*index);
        }
        let left = nodes.len() - shown.len();
        if left > 0 {
            let _ = writeln!(
                self.html,
                "<li class=\"more\"><a href=\"{}{CONTENTS}\">{left} more pages</a></li>",
                escape(self.root)
            );
        }
        self.push("</ul>\n");
    }

    /// Which entries of a list are shown.
    fn shown(&self, nodes: &[usize]) -> std::ops::Range<usize> {
        if self.whole || nodes.len() <= 2 * AROUND {
            return 0..nodes.len();
        }
        let at = nodes.iter().position(|index| self.trail.contains(index)).unwrap_or_default();
        let start = at.saturating_sub(AROUND).min(nodes.len() - 2 * AROUND);
        start..start + 2 * AROUND
    }

    fn entry(&mut self, index: usize) {
        let node = &self.navigation.nodes[index];
        let number = match node.number.as_str() {
            "" => String::new(),
            _ if !self.numbered => String::new(),
            number => format!("<span class=\"no num\">{}</span> ", escape(number)),
        };
        let title = format!("{number}<span>{}</span>", escape(&node.title));
        self.push("<li>");
        match &node.path {
            Some(path) => {
                let here = if self.current == Some(index) { " aria-current=\"page\"" } else { "" };
                let href = escape(&format!("{}{path}", self.root));
                let _ = write!(self.html, "<a href=\"{href}\"{here}>{title}</a>");
            }
            // A folder without a page of its own.
            None if node.number.is_empty() && !node.children.is_empty() => {
                let _ = write!(self.html, "<span class=\"folder\">{title}</span>");
            }
            None => {
                let _ = write!(
                    self.html,
                    "<span class=\"draft\">{title}<span class=\"vh\"> (not written yet)</span></span>"
                );
            }
        }
        if self.current == Some(index) {
            self.sections();
        }
        self.branch(index);
        self.push("</li>\n");
    }

    fn branch(&mut self, index: usize) {
        let node = &self.navigation.nodes[index];
        let open = self.trail.contains(&index);
        if node.children.is_empty() || !(self.whole || open) {
            return;
        }
        let level =
            std::iter::successors(node.parent, |at| self.navigation.nodes[*at].parent).count();
        let open =
            open || level < self.open_above || self.current.is_none() && node.parent.is_none();
        let fold = node.path.as_deref().unwrap_or(&node.title);
        let _ = write!(
            self.html,
            "\n<details{}{}><summary><span class=\"vh\">Pages below {}</span></summary>\n",
            attribute("data-fold", fold),
            if open { " open" } else { "" },
            escape(&node.title),
        );
        self.list(&node.children, "");
        self.push("</details>");
    }

    /// The open page's sections, with what is known of their services.
    fn sections(&mut self) {
        if self.sections.is_empty() {
            return;
        }
        let bound = self.sections.iter().any(|section| self.values.has(section.dot()));
        self.push(if bound { "\n<ul class=\"secs\">\n" } else { "\n<ul class=\"secs plain\">\n" });
        for section in self.sections {
            self.html.push_str(&section.html(self.values, true));
        }
        self.push("</ul>");
    }
}

impl Root {
    fn node(&self) -> Option<usize> {
        match self {
            Self::Node(index) => Some(*index),
            Self::Part(_) | Self::Separator => None,
        }
    }
}

fn attribute(name: &str, value: &str) -> String {
    if value.is_empty() { String::new() } else { format!(" {name}=\"{}\"", escape(value)) }
}

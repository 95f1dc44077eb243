//! What the boxes of a diagram stand for. `document` gives labels and explicit lines, telemetry and
//! `book.toml` give the names that exist; `overlay` and `strips` use what is found.
//!
//! In this order, and the first that says anything decides:
//! 1. a line `%% bind: F = orders`;
//! 2. the label, then the author's node id, equal to an id, title or alias but for case and punctuation;
//! 3. the label's words, without those that say nothing ("service", "api", "management"), in the
//!    singular, and with well-known short forms ("authentication" is "auth"), all of them equal to
//!    those of a name. "Payment Gateway" is therefore neither `payments` nor `gateway`.
//!
//! Entities, classes and states go by the first two alone: they are mostly data.
//!
//! Nothing is bound when two names fit equally well, and a stick figure only by an explicit line:
//! a wrong binding is worse than none.

use crate::Bound;
use crate::words::{database_words, queue_words, says_database, service_words, squash};
use diagram::{Drawing, Node, Shape};
use document::{Book, Config, ServiceId};
use serde::Serialize;
use std::collections::BTreeMap;
use traces::{GraphNode, NodeKind, ServiceGraph};

/// Shorter node ids (`A`, `F1`) are letters of the author's and no names.
const ID_CHARS_MIN: usize = 3;
/// The graph's name for whoever starts traces.
pub(crate) const USER: &str = "user";

/// Everything that a box can stand for, with all its names.
#[derive(Debug, Clone, Default)]
pub struct Names {
    known: Vec<Known>,
}

#[derive(Debug, Clone)]
struct Known {
    bound: Bound,
    /// Id, title, aliases.
    names: Vec<String>,
}

impl Names {
    /// The names of the book's configuration, of `services` that telemetry knows, and of the graph.
    pub fn new<'a>(
        config: &Config,
        services: impl IntoIterator<Item = &'a ServiceId>,
        graph: &ServiceGraph,
    ) -> Self {
        let mut names = Self::default();
        for (id, service) in &config.services {
            let real = service.service_name.clone().unwrap_or_else(|| id.0.clone());
            let bound = match service.kind.as_deref() {
                Some("database") => Bound::Database(real),
                Some("queue") => Bound::Queue(real),
                Some("external") => Bound::External(real),
                _ => Bound::Service(id.clone()),
            };
            let mut all = vec![id.0.clone()];
            all.extend(service.title.iter().chain(&service.service_name).cloned());
            all.extend(service.aliases.iter().cloned());
            names.add(bound, all);
        }
        for id in services {
            names.add(Bound::Service(id.clone()), vec![id.0.clone()]);
        }
        for end in graph.edges.iter().flat_map(|edge| [&edge.from, &edge.to]) {
            let bound = bound_of(end, config);
            let name = bound.name().to_owned();
            names.add(bound, vec![name]);
        }
        names
    }

    fn add(&mut self, bound: Bound, names: Vec<String>) {
        if !self.known.iter().any(|known| known.bound == bound) {
            self.known.push(Known { bound, names });
        }
    }

    /// Whether something is called so; whoever starts traces is always known.
    pub fn knows(&self, name: &str) -> bool {
        let wanted = squash(name);
        wanted == USER || self.all().any(|known| squash(known) == wanted)
    }

    /// Every name that something is called by.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.known.iter().flat_map(|known| known.names.iter().map(String::as_str))
    }

    /// What the right side of a `%% bind:` line names; a name that nobody knows yet is believed.
    fn explicit(&self, name: &str, shape: Shape) -> Bound {
        let wanted = squash(name);
        let same = |known: &&Known| known.names.iter().any(|name| squash(name) == wanted);
        if let Some(known) = self.known.iter().find(same) {
            return known.bound.clone();
        }
        match shape {
            Shape::Database => Bound::Database(name.to_owned()),
            Shape::Queue => Bound::Queue(name.to_owned()),
            _ => Bound::External(name.to_owned()),
        }
    }

    /// Those of which one name passes, without the virtual user.
    fn which(&self, kinds: Kinds, passes: impl Fn(&str) -> bool) -> Vec<&Bound> {
        let fits = |known: &&Known| {
            kinds.allow(&known.bound) && known.names.iter().any(|name| passes(name))
        };
        self.known.iter().filter(fits).map(|known| &known.bound).collect()
    }
}

/// Which kinds of thing a shape and a label can stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kinds {
    Database,
    Queue,
    /// Services and systems of others.
    Running,
}

impl Kinds {
    fn of(node: &Node) -> Self {
        match node.shape {
            Shape::Database => Self::Database,
            Shape::Queue => Self::Queue,
            _ if says_database(&node.label) => Self::Database,
            _ => Self::Running,
        }
    }

    fn allow(self, bound: &Bound) -> bool {
        match bound {
            Bound::Database(_) => self == Self::Database,
            Bound::Queue(_) => self == Self::Queue,
            Bound::Service(_) => self == Self::Running,
            Bound::External(name) => self == Self::Running && name != USER,
        }
    }

    fn words(self, text: &str) -> Vec<String> {
        match self {
            Self::Database => database_words(text),
            Self::Queue => queue_words(text),
            Self::Running => service_words(text),
        }
    }
}

impl Bound {
    /// The name of what is bound, as traces and metrics give it.
    pub fn name(&self) -> &str {
        match self {
            Bound::Service(id) => &id.0,
            Bound::Database(name) | Bound::Queue(name) | Bound::External(name) => name,
        }
    }
}

/// The book's name of a service that telemetry names.
pub(crate) fn service_id(name: &str, config: &Config) -> ServiceId {
    let named = |service: &document::ServiceConfig| service.service_name.as_deref() == Some(name);
    let known = config.services.iter().find(|(_, service)| named(service));
    known.map_or_else(|| ServiceId(name.to_owned()), |(id, _)| id.clone())
}

/// What an end of the graph stands for.
pub(crate) fn bound_of(node: &GraphNode, config: &Config) -> Bound {
    let name = node.name.to_string();
    match node.kind {
        NodeKind::Service => Bound::Service(service_id(&name, config)),
        NodeKind::Database => Bound::Database(name),
        NodeKind::Queue => Bound::Queue(name),
        NodeKind::External | NodeKind::User => Bound::External(name),
    }
}

/// What a node stands for; `explicit` is the right side of its `%% bind:` line.
pub fn bind(node: &Node, explicit: Option<&str>, names: &Names) -> Option<Bound> {
    bind_by(Naming::Words, node, explicit, names)
}

fn bind_by(by: Naming, node: &Node, explicit: Option<&str>, names: &Names) -> Option<Bound> {
    match candidates(by, node, explicit, names).as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    }
}

/// All that fit equally well.
fn candidates(by: Naming, node: &Node, explicit: Option<&str>, names: &Names) -> Vec<Bound> {
    if let Some(name) = explicit {
        return vec![names.explicit(name.trim(), node.shape)];
    }
    if by == Naming::Explicit {
        return Vec::new();
    }
    if node.shape == Shape::Actor {
        return Vec::new();
    }
    let kinds = Kinds::of(node);
    for exact in [squash(&node.label), squash(&node.id)] {
        let long_enough = exact == squash(&node.label) || exact.chars().count() >= ID_CHARS_MIN;
        if exact.is_empty() || !long_enough {
            continue;
        }
        let same = names.which(kinds, |name| squash(name) == exact);
        if !same.is_empty() {
            return same.into_iter().cloned().collect();
        }
    }
    let words = kinds.words(&node.label);
    if words.is_empty() || by == Naming::Exact {
        return Vec::new();
    }
    names.which(kinds, |name| kinds.words(name) == words).into_iter().cloned().collect()
}

/// What decides in a diagram of some type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Naming {
    /// A label or id that is a name or has a name's words.
    Words,
    /// A label or id that is a name. Entities, classes and states are mostly data: an `ORDER` is no
    /// order service, but `orders` may well be meant.
    Exact,
    /// Explicit lines alone: tasks, topics and the like run nowhere.
    Explicit,
}

impl Naming {
    fn of(kind: &str) -> Self {
        match kind {
            "er" | "class" | "state" => Self::Exact,
            "gantt" | "journey" | "timeline" | "mindmap" => Self::Explicit,
            _ => Self::Words,
        }
    }
}

/// Whether a diagram's lines are calls. In others (states, classes, entities) they are relations.
pub(crate) fn says_calls(kind: &str) -> bool {
    Naming::of(kind) == Naming::Words
}

/// What the nodes of a drawing stand for, by node id.
pub fn bind_drawing(drawing: &Drawing, names: &Names) -> BTreeMap<String, Bound> {
    let by = Naming::of(&drawing.kind);
    let bound = |node: &Node| {
        let explicit = drawing.binds.get(&node.id).map(String::as_str);
        bind_by(by, node, explicit, names)
    };
    drawing.nodes.iter().filter_map(|node| Some((node.id.clone(), bound(node)?))).collect()
}

/// A box that could stand for something, but not surely enough to bind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// [`document::Page::id`].
    pub page: String,
    /// [`document::DiagramBlock::index`].
    pub diagram: usize,
    /// The node's id.
    pub node: String,
    /// Its label.
    pub label: String,
    /// Names to choose from in a line `%% bind: NODE = NAME`, sorted.
    pub candidates: Vec<String>,
}

/// Boxes of the book that name something known without being bound: two names fit, or the label
/// has all words of a name and others besides.
pub fn suggestions(book: &Book, names: &Names) -> Vec<Suggestion> {
    let mut found = Vec::new();
    for page in &book.pages {
        for block in page.diagrams().filter(|block| says_calls(&block.drawing.kind)) {
            for node in &block.drawing.nodes {
                let explicit = block.drawing.binds.get(&node.id).map(String::as_str);
                let candidates = near(node, explicit, names);
                if !candidates.is_empty() {
                    found.push(Suggestion {
                        page: page.id.clone(),
                        diagram: block.index,
                        node: node.id.clone(),
                        label: node.label.clone(),
                        candidates,
                    });
                }
            }
        }
    }
    found
}

fn near(node: &Node, explicit: Option<&str>, names: &Names) -> Vec<String> {
    let fit = candidates(Naming::Words, node, explicit, names);
    let mut near: Vec<String> = match fit.as_slice() {
        [_] => Vec::new(),
        [] if node.shape == Shape::Actor => Vec::new(),
        [] => {
            let kinds = Kinds::of(node);
            let words = kinds.words(&node.label);
            let inside = |name: &str| kinds.words(name).iter().all(|word| words.contains(word));
            names.which(kinds, inside).into_iter().map(|bound| bound.name().to_owned()).collect()
        }
        several => several.iter().map(|bound| bound.name().to_owned()).collect(),
    };
    near.sort();
    near.dedup();
    near
}

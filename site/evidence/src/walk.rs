//! Which pair of bound boxes a drawn edge stands for. `overlay` asks; boxes that stand for nothing
//! (a load balancer, a decision) are walked through.

use crate::Bound;
use diagram::{Drawing, Edge, Shape};
use std::collections::{BTreeMap, BTreeSet};

/// A drawing as a graph to walk.
pub(crate) struct Walk<'a> {
    bound: &'a BTreeMap<String, Bound>,
    /// Unbound nodes that pass calls on; data does not.
    passages: BTreeSet<&'a str>,
    onward: BTreeMap<&'a str, Vec<&'a str>>,
    back: BTreeMap<&'a str, Vec<&'a str>>,
    /// The nodes in each group, at any depth.
    members: BTreeMap<&'a str, Vec<&'a str>>,
    /// Without invisible ones, which only push boxes apart.
    edges: Vec<&'a Edge>,
    /// Ids of edges with a head at both ends or at none: who calls whom is left open.
    open_edges: BTreeSet<&'a str>,
}

/// Where a walk ends.
#[derive(Default)]
struct Reach<'a> {
    bound: BTreeMap<&'a str, &'a Bound>,
    /// Some way ends at a box that stands for nothing: calls may come from or go there.
    open: bool,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(drawing: &'a Drawing, bound: &'a BTreeMap<String, Bound>) -> Self {
        let passes =
            |node: &&diagram::Node| !bound.contains_key(&node.id) && node.shape != Shape::Database;
        let mut walk = Self {
            bound,
            passages: drawing.nodes.iter().filter(passes).map(|node| node.id.as_str()).collect(),
            onward: BTreeMap::new(),
            back: BTreeMap::new(),
            members: members(drawing),
            edges: Vec::new(),
            open_edges: BTreeSet::new(),
        };
        let lines = lines(drawing);
        for edge in &drawing.edges {
            match lines.get(edge.id.as_str()) {
                Some(Line::Invisible) => continue,
                Some(Line::Open) => drop(walk.open_edges.insert(&edge.id)),
                None => {}
            }
            walk.edges.push(edge);
            walk.onward.entry(&edge.from).or_default().push(&edge.to);
            walk.back.entry(&edge.to).or_default().push(&edge.from);
        }
        walk
    }

    /// Edges that are seen, in the order of the text.
    pub(crate) fn edges(&self) -> &[&'a Edge] {
        &self.edges
    }

    /// Whether an edge leaves open who calls whom.
    pub(crate) fn is_open(&self, edge: &Edge) -> bool {
        self.open_edges.contains(edge.id.as_str())
    }

    /// Caller and callee of a drawn edge, when there is no doubt about either.
    pub(crate) fn ends(&self, edge: &'a Edge) -> Option<(&'a Bound, &'a Bound)> {
        let from = self.reach(&edge.from, &self.back).only()?;
        let to = self.reach(&edge.to, &self.onward).only()?;
        (from != to).then_some((from, to))
    }

    fn reach(&self, start: &'a str, ways: &BTreeMap<&'a str, Vec<&'a str>>) -> Reach<'a> {
        let mut reach = Reach::default();
        let mut seen = BTreeSet::new();
        let mut next = vec![start];
        while let Some(id) = next.pop() {
            if !seen.insert(id) {
                continue;
            }
            match (self.bound.get_key_value(id), ways.get(id)) {
                (Some((id, bound)), _) => drop(reach.bound.insert(id, bound)),
                (None, Some(further)) if self.passages.contains(id) => next.extend(further),
                (None, _) => reach.open = true,
            }
        }
        reach
    }

    /// Every pair that is drawn in some way, through any number of unbound boxes; an edge of a group
    /// counts for all its members.
    pub(crate) fn pairs(&self) -> Vec<(&'a Bound, &'a Bound)> {
        let mut ways: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for edge in &self.edges {
            for from in self.within(&edge.from) {
                ways.entry(from).or_default().extend(self.within(&edge.to));
            }
            for to in self.within(&edge.to).into_iter().filter(|_| self.is_open(edge)) {
                ways.entry(to).or_default().extend(self.within(&edge.from));
            }
        }
        let mut pairs = Vec::new();
        for (id, from) in self.bound {
            for next in ways.get(id.as_str()).into_iter().flatten().copied() {
                let reached = self.reach(next, &ways);
                pairs.extend(reached.bound.into_values().map(|to| (from, to)));
            }
        }
        pairs
    }

    fn within(&self, id: &'a str) -> Vec<&'a str> {
        self.members.get(id).cloned().unwrap_or_else(|| vec![id])
    }
}

impl<'a> Reach<'a> {
    fn only(self) -> Option<&'a Bound> {
        let mut all = self.bound.into_values();
        let first = all.next().filter(|_| !self.open)?;
        all.all(|other| other == first).then_some(first)
    }
}

/// What a line says beyond "from here to there".
enum Line {
    Open,
    Invisible,
}

/// The lines of a flowchart that are no plain arrows, by edge id. The model has no heads, so they are
/// read from the drawing.
fn lines(drawing: &Drawing) -> BTreeMap<&str, Line> {
    if drawing.kind != "flowchart" {
        return BTreeMap::new();
    }
    let paths = drawing.svg.split("<path ").skip(1).filter_map(|rest| rest.split_once('>'));
    paths
        .filter_map(|(path, _)| {
            let (_, id) = path.split_once("data-id=\"")?;
            let (id, _) = id.split_once('"')?;
            if path.contains("invisible") {
                return Some((id, Line::Invisible));
            }
            let open = path.contains("marker-start=") == path.contains("marker-end=");
            open.then_some((id, Line::Open))
        })
        .collect()
}

fn members(drawing: &Drawing) -> BTreeMap<&str, Vec<&str>> {
    let parents: BTreeMap<&str, Option<&str>> =
        drawing.groups.iter().map(|group| (group.id.as_str(), group.parent.as_deref())).collect();
    let mut members: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for node in &drawing.nodes {
        let mut around = node.group.as_deref();
        // No deeper than there are groups, should parents ever form a ring.
        for _ in 0..parents.len() {
            let Some(group) = around else { break };
            members.entry(group).or_default().push(&node.id);
            around = parents.get(group).copied().flatten();
        }
    }
    members
}

/// Which messages of a sequence diagram answer an earlier one: dashed, and in the other direction.
/// The drawing does not tell lines apart, so the text is read.
pub(crate) fn replies(source: &str, edges: &[Edge]) -> Vec<bool> {
    let mut lines = source.lines();
    let mut asked: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut replies = Vec::with_capacity(edges.len());
    for edge in edges {
        let ahead = lines.clone();
        let line = lines.by_ref().find_map(|line| arrow(line, &edge.from, &edge.to));
        if line.is_none() {
            // A message that is written in another way must not use up the lines of the others.
            lines = ahead;
        }
        let dashed = line.is_some_and(|arrow| arrow.contains("--"));
        let reply = dashed && edge.from != edge.to && asked.contains(&(&*edge.to, &*edge.from));
        if !reply {
            asked.insert((&edge.from, &edge.to));
        }
        replies.push(reply);
    }
    replies
}

/// The arrow of the line `from->>+to: text`.
fn arrow(line: &str, from: &str, to: &str) -> Option<&'static str> {
    /// Those that begin like another stand before it.
    const ARROWS: [&str; 10] =
        ["<<-->>", "<<->>", "-->>", "-->", "--x", "--)", "->>", "->", "-x", "-)"];
    let rest = line.trim().strip_prefix(from)?.trim_start();
    ARROWS.into_iter().find(|arrow| {
        let after = rest.strip_prefix(arrow).map(|rest| rest.trim_start_matches(['+', '-', ' ']));
        let after = after.and_then(|rest| rest.strip_prefix(to)).map(str::trim_start);
        after.is_some_and(|after| after.is_empty() || after.starts_with(':'))
    })
}

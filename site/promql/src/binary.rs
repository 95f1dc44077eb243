//! Operators between two expressions: arithmetic, comparison, vector matching and sets.
//!
//! Series find each other once, by a key of labels; the values are then combined over all steps.

use std::collections::HashMap;

use series::{Labels, LabelsBuilder, METRIC_NAME};

use crate::ast::{BinaryOp, Cardinality, Kind, Matching, Node};
use crate::eval::Evaluator;
use crate::grid::{ABSENT, Row, Rows, Steps, is_present, join_equal, nameless};
use crate::limits::EvalError;

impl Evaluator<'_> {
    pub(crate) fn binary(&self, node: &Node, steps: Steps) -> Result<Rows, EvalError> {
        let Kind::Binary { op, lhs, rhs, matching, as_bool } = &node.kind else {
            return Err(EvalError::Invalid("expected a binary expression".to_owned()));
        };
        match (self.rows(lhs, steps)?, self.rows(rhs, steps)?) {
            (Rows::Scalar(a), Rows::Scalar(b)) => {
                Ok(Rows::Scalar(a.into_iter().zip(b).map(|(a, b)| of_scalars(*op, a, b)).collect()))
            }
            (Rows::Vector(rows), Rows::Scalar(scalars)) => {
                with_scalar(*op, *as_bool, rows, |i, v| (v, scalars[i])).map(Rows::Vector)
            }
            (Rows::Scalar(scalars), Rows::Vector(rows)) => {
                with_scalar(*op, *as_bool, rows, |i, v| (scalars[i], v)).map(Rows::Vector)
            }
            (Rows::Vector(a), Rows::Vector(b)) => {
                self.charge(a.len().max(b.len()) * steps.count)?;
                let matched = match op {
                    BinaryOp::And | BinaryOp::Or | BinaryOp::Unless => {
                        of_sets(*op, matching, a, b, steps)
                    }
                    _ => Join { op: *op, as_bool: *as_bool, matching, steps }.of_vectors(a, b),
                };
                matched.map(Rows::Vector)
            }
            _ => Err(EvalError::Invalid("a string has no operators".to_owned())),
        }
    }
}

fn arithmetic(op: BinaryOp, a: f64, b: f64) -> f64 {
    match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div => a / b,
        BinaryOp::Mod => a % b,
        BinaryOp::Pow => a.powf(b),
        BinaryOp::Atan2 => a.atan2(b),
        _ => f64::NAN,
    }
}

fn compares(op: BinaryOp, a: f64, b: f64) -> bool {
    match op {
        BinaryOp::Equal => a == b,
        BinaryOp::NotEqual => a != b,
        BinaryOp::Greater => a > b,
        BinaryOp::Less => a < b,
        BinaryOp::GreaterEqual => a >= b,
        BinaryOp::LessEqual => a <= b,
        _ => false,
    }
}

fn of_scalars(op: BinaryOp, a: f64, b: f64) -> f64 {
    if op.is_comparison() { f64::from(u8::from(compares(op, a, b))) } else { arithmetic(op, a, b) }
}

/// The combined value; `kept` is what a comparison lets through.
fn combine(op: BinaryOp, as_bool: bool, a: f64, b: f64, kept: f64) -> f64 {
    if !op.is_comparison() {
        arithmetic(op, a, b)
    } else if as_bool {
        f64::from(u8::from(compares(op, a, b)))
    } else if compares(op, a, b) {
        kept
    } else {
        ABSENT
    }
}

fn with_scalar(
    op: BinaryOp,
    as_bool: bool,
    mut rows: Vec<Row>,
    sides: impl Fn(usize, f64) -> (f64, f64),
) -> Result<Vec<Row>, EvalError> {
    for row in &mut rows {
        for (i, v) in row.values.iter_mut().enumerate().filter(|(_, v)| is_present(**v)) {
            let (a, b) = sides(i, *v);
            *v = combine(op, as_bool, a, b, *v);
        }
    }
    if op.is_comparison() && !as_bool { Ok(rows) } else { Ok(nameless(rows)) }
}

/// The labels by which series of both sides find each other.
fn key(matching: &Matching, labels: &Labels) -> Labels {
    if matching.on {
        labels.keep(&matching.labels)
    } else {
        labels.filter(|name| name != METRIC_NAME && !matching.labels.iter().any(|l| l == name))
    }
}

fn of_sets(
    op: BinaryOp,
    matching: &Matching,
    lhs: Vec<Row>,
    rhs: Vec<Row>,
    steps: Steps,
) -> Result<Vec<Row>, EvalError> {
    if op == BinaryOp::Or {
        let taken = presence(matching, &lhs, steps);
        let mut rows = lhs;
        rows.extend(masked(rhs, matching, &taken, false));
        return join_equal(rows);
    }
    let there = presence(matching, &rhs, steps);
    Ok(masked(lhs, matching, &there, op == BinaryOp::And))
}

/// For each key the steps at which any series has a value.
fn presence(matching: &Matching, rows: &[Row], steps: Steps) -> HashMap<Labels, Vec<bool>> {
    let mut presence: HashMap<Labels, Vec<bool>> = HashMap::new();
    for row in rows {
        let there =
            presence.entry(key(matching, &row.labels)).or_insert_with(|| vec![false; steps.count]);
        for (there, v) in there.iter_mut().zip(&row.values) {
            *there |= is_present(*v);
        }
    }
    presence
}

/// The rows, with only the steps at which the other side's presence is as `wanted`.
fn masked(
    rows: Vec<Row>,
    matching: &Matching,
    other: &HashMap<Labels, Vec<bool>>,
    wanted: bool,
) -> Vec<Row> {
    let mask = |mut row: Row| {
        let there = other.get(&key(matching, &row.labels));
        for (i, v) in row.values.iter_mut().enumerate() {
            if there.is_some_and(|there| there[i]) != wanted {
                *v = ABSENT;
            }
        }
        (!row.is_empty()).then_some(row)
    };
    rows.into_iter().filter_map(mask).collect()
}

/// An operator between the matching series of two vectors.
struct Join<'a> {
    op: BinaryOp,
    as_bool: bool,
    matching: &'a Matching,
    steps: Steps,
}

/// The series of the "one" side that share a key; at each step at most one may have a value.
struct OneSide {
    rows: Vec<Row>,
    /// Steps at which a series of the "many" side met this key.
    met: Vec<bool>,
}

impl Join<'_> {
    fn of_vectors(&self, lhs: Vec<Row>, rhs: Vec<Row>) -> Result<Vec<Row>, EvalError> {
        let right_is_many = matches!(self.matching.card, Cardinality::OneToMany(_));
        let (many, one) = if right_is_many { (rhs, lhs) } else { (lhs, rhs) };
        let mut ones = self.one_side(one, &any_present(&many, self.steps), right_is_many)?;
        let mut made =
            Results { join: self, swapped: right_is_many, rows: Vec::new(), taken: HashMap::new() };
        let none = Vec::new();
        for row in &many {
            let key = key(self.matching, &row.labels);
            let found = ones.get(&key).map_or(&none, |one| &one.rows);
            for one in found {
                let labels = self.result_labels(&row.labels, &one.labels);
                made.push(&key, (labels, row.nameless), &row.values, &one.values)?;
            }
            if let Some(fill) = self.fill_of_one(right_is_many) {
                let taken = any_present(found, self.steps);
                let filled: Vec<f64> =
                    taken.iter().map(|taken| if *taken { ABSENT } else { fill }).collect();
                let labels = self.result_labels(&row.labels, &key);
                made.push(&key, (labels, row.nameless), &row.values, &filled)?;
            }
            if let Some(one) = ones.get_mut(&key) {
                one.met.iter_mut().zip(&row.values).for_each(|(met, v)| *met |= is_present(*v));
            }
        }
        if let Some(fill) = self.fill_of_many(right_is_many) {
            self.push_unmet(ones, fill, &mut made)?;
        }
        join_equal(made.rows)
    }

    /// Results for series of the "one" side that no series met.
    fn push_unmet(
        &self,
        ones: HashMap<Labels, OneSide>,
        fill: f64,
        made: &mut Results<'_>,
    ) -> Result<(), EvalError> {
        for (key, side) in ones {
            let many: Vec<f64> =
                side.met.iter().map(|met| if *met { ABSENT } else { fill }).collect();
            for one in &side.rows {
                let labels = self.result_labels(&key, &one.labels);
                made.push(&key, (labels, false), &many, &one.values)?;
            }
        }
        Ok(())
    }

    fn fill_of_one(&self, right_is_many: bool) -> Option<f64> {
        if right_is_many { self.matching.fill.0 } else { self.matching.fill.1 }
    }

    fn fill_of_many(&self, right_is_many: bool) -> Option<f64> {
        if right_is_many { self.matching.fill.1 } else { self.matching.fill.0 }
    }

    /// Gathers the "one" side by key and refuses keys with two series at a step at which anything could match.
    fn one_side(
        &self,
        rows: Vec<Row>,
        wanted: &[bool],
        is_left: bool,
    ) -> Result<HashMap<Labels, OneSide>, EvalError> {
        let fills = self.fill_of_many(is_left).is_some();
        let mut sides: HashMap<Labels, OneSide> = HashMap::new();
        for row in rows {
            let key = key(self.matching, &row.labels);
            let side = sides.entry(key.clone()).or_insert_with(|| OneSide {
                rows: Vec::new(),
                met: vec![false; self.steps.count],
            });
            let clashes = |other: &&Row| {
                (0..self.steps.count).any(|i| {
                    (wanted[i] || fills) && is_present(other.values[i]) && is_present(row.values[i])
                })
            };
            if let Some(other) = side.rows.iter().find(clashes) {
                return Err(duplicate(&key, &other.labels, &row.labels, is_left));
            }
            side.rows.push(row);
        }
        Ok(sides)
    }

    fn result_labels(&self, many: &Labels, one: &Labels) -> Labels {
        let matching = self.matching;
        let keeps_name = self.op.is_comparison() && !self.as_bool;
        let base = if keeps_name { many.clone() } else { many.without_name() };
        let include = match &matching.card {
            Cardinality::OneToOne if matching.on => return base.keep(&matching.labels),
            Cardinality::OneToOne => return base.without(&matching.labels),
            Cardinality::ManyToOne(include) | Cardinality::OneToMany(include) => include,
        };
        if include.is_empty() {
            return base;
        }
        let mut labels = LabelsBuilder::from(base);
        for name in include {
            // An empty value removes the label.
            labels.set(name.as_str(), one.value(name));
        }
        labels.build()
    }
}

/// The results of a join so far.
struct Results<'a> {
    join: &'a Join<'a>,
    /// The right side is the "many" side.
    swapped: bool,
    rows: Vec<Row>,
    /// Steps that are taken: by key when one meets one, by key and result when groups meet.
    taken: HashMap<(Labels, Labels), Vec<bool>>,
}

impl Results<'_> {
    /// Adds the result of one pair of series; at each step a place can be taken once.
    fn push(
        &mut self,
        key: &Labels,
        (labels, nameless): (Labels, bool),
        many: &[f64],
        one: &[f64],
    ) -> Result<(), EvalError> {
        let one_to_one = self.join.matching.card == Cardinality::OneToOne;
        let place = if one_to_one { Labels::empty() } else { labels.clone() };
        let taken =
            self.taken.entry((key.clone(), place)).or_insert_with(|| vec![false; many.len()]);
        let mut values = vec![ABSENT; many.len()];
        for i in (0..many.len()).filter(|i| is_present(many[*i]) && is_present(one[*i])) {
            let (a, b) = if self.swapped { (one[i], many[i]) } else { (many[i], one[i]) };
            // A comparison lets the left side through, whichever is the "many" side.
            values[i] = combine(self.join.op, self.join.as_bool, a, b, a);
            // Two that meet one are a mistake even if a comparison then drops them.
            let takes = one_to_one || is_present(values[i]);
            if takes && taken[i] {
                return Err(EvalError::Invalid(too_many(one_to_one).to_owned()));
            }
            taken[i] |= takes;
        }
        let row = Row { labels, nameless, values };
        if !row.is_empty() {
            self.rows.push(row);
        }
        Ok(())
    }
}

fn too_many(one_to_one: bool) -> &'static str {
    if one_to_one {
        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
    } else {
        "multiple matches for labels: grouping labels must ensure unique matches"
    }
}

fn any_present(rows: &[Row], steps: Steps) -> Vec<bool> {
    let mut any = vec![false; steps.count];
    for row in rows {
        any.iter_mut().zip(&row.values).for_each(|(any, v)| *any |= is_present(*v));
    }
    any
}

fn duplicate(key: &Labels, a: &Labels, b: &Labels, is_left: bool) -> EvalError {
    let side = if is_left { "left" } else { "right" };
    let (first, second) = if a <= b { (a, b) } else { (b, a) };
    EvalError::Invalid(format!(
        "found duplicate series for the match group {} on the {side} hand-side of the operation: [{}, {}];\
         many-to-many matching not allowed: matching labels must be unique on one side",
        braced(key),
        braced(first),
        braced(second)
    ))
}

/// All labels in braces, the name among them.
fn braced(labels: &Labels) -> String {
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

//! A query as the evaluator wants it: typed functions, compiled matchers, milliseconds, positions.
//!
//! [`translate`](crate::translate) makes it once from the parser's tree, every evaluation walks it.

use series::Matcher;

use crate::elementwise::Map;
use crate::over_time::OverTime;

/// An expression and where it starts in the query's text.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Byte offset of the expression's first character.
    pub(crate) at: usize,
    /// The value is the same at every step, so one evaluation serves all.
    pub(crate) constant: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Number(f64),
    Text(String),
    Selector(Selector),
    /// A range of raw samples, `x[5m]`.
    Range {
        selector: Selector,
        range_ms: i64,
    },
    /// A range of computed samples, `rate(x[5m])[1h:1m]`.
    Subquery {
        expr: Box<Node>,
        shift: Shift,
        range_ms: i64,
        step_ms: Option<i64>,
    },
    Call {
        function: Function,
        args: Vec<Node>,
    },
    Aggregate {
        op: Aggregation,
        expr: Box<Node>,
        param: Option<Box<Node>>,
        grouping: Grouping,
    },
    Binary {
        op: BinaryOp,
        lhs: Box<Node>,
        rhs: Box<Node>,
        matching: Matching,
        /// A comparison gives 0 or 1 instead of filtering.
        as_bool: bool,
    },
    Negate(Box<Node>),
}

/// Which series, and when relative to the evaluation.
#[derive(Debug, Clone)]
pub(crate) struct Selector {
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) shift: Shift,
}

/// `@` and `offset`.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shift {
    pub(crate) at: Option<At>,
    /// Milliseconds back in time.
    pub(crate) offset_ms: i64,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum At {
    Start,
    End,
    Time(i64),
}

/// A function, resolved.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Function {
    /// One value to one value.
    Map(Map),
    /// One value to a part of the date it stands for, in seconds since 1970.
    Date(fn(i64) -> f64),
    /// A window of samples to one value.
    OverTime(OverTime),
    Special(Special),
}

/// Functions with rules of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Special {
    Absent,
    AbsentOverTime,
    Clamp,
    ClampMax,
    ClampMin,
    End,
    HistogramFraction,
    HistogramQuantile,
    HistogramQuantiles,
    Info,
    /// Accessors of native histograms, which float series never are.
    NativeOnly,
    LabelJoin,
    LabelReplace,
    MaxOf,
    MinOf,
    Pi,
    Range,
    Round,
    Scalar,
    Sort,
    SortDesc,
    SortByLabel,
    SortByLabelDesc,
    Start,
    Step,
    Time,
    Timestamp,
    Vector,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregation {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Group,
    Stddev,
    Stdvar,
    TopK,
    BottomK,
    Quantile,
    CountValues,
    LimitK,
    LimitRatio,
}

/// `by (..)` or `without (..)`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grouping {
    pub(crate) labels: Vec<String>,
    pub(crate) without: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    And,
    Or,
    Unless,
}

impl BinaryOp {
    pub(crate) fn is_comparison(self) -> bool {
        use BinaryOp::*;
        matches!(self, Equal | NotEqual | Greater | Less | GreaterEqual | LessEqual)
    }
}

/// How the series of two vectors find each other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Matching {
    /// `on (labels)`; otherwise `ignoring (labels)`.
    pub(crate) on: bool,
    pub(crate) labels: Vec<String>,
    pub(crate) card: Cardinality,
    /// Values that stand in for a missing series of the left and of the right side.
    pub(crate) fill: (Option<f64>, Option<f64>),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Cardinality {
    #[default]
    OneToOne,
    /// `group_left (labels from the right side)`
    ManyToOne(Vec<String>),
    /// `group_right (labels from the left side)`
    OneToMany(Vec<String>),
}

impl Node {
    /// Calls `visit` for this node and all below it.
    pub(crate) fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Node)) {
        visit(self);
        match &self.kind {
            Kind::Subquery { expr, .. } | Kind::Negate(expr) => expr.walk(visit),
            Kind::Call { args, .. } => args.iter().for_each(|arg| arg.walk(visit)),
            Kind::Aggregate { expr, param, .. } => {
                param.iter().for_each(|param| param.walk(visit));
                expr.walk(visit);
            }
            Kind::Binary { lhs, rhs, .. } => {
                lhs.walk(visit);
                rhs.walk(visit);
            }
            Kind::Number(_) | Kind::Text(_) | Kind::Selector(_) | Kind::Range { .. } => {}
        }
    }
}

//! From the parser's tree to ours: functions resolved, patterns compiled, durations in milliseconds.
//!
//! [`Query::parse`](crate::Query::parse) calls it once per query.

use std::time::{Duration, SystemTime};

use promql_parser::label::{MatchOp as ParsedOp, Matchers as ParsedMatchers};
use promql_parser::parser::token::{self, TokenType};
use promql_parser::parser::value::ValueType;
use promql_parser::parser::{
    self, AtModifier, Expr, LabelModifier, Offset, VectorMatchCardinality,
};
use series::{METRIC_NAME, MatchOp, Matcher};

use crate::ast::*;
use crate::over_time::Traits;
use crate::position::Positions;
use crate::quoted::unquote_bytes;
use crate::{elementwise, over_time};

/// How deep expressions may nest: each level takes stack when evaluated.
const MAX_DEPTH: usize = 200;

/// Translates a whole query; the error is in words.
pub(crate) fn translate(expr: &Expr, text: &str) -> Result<Node, String> {
    Translator { positions: Positions::new(text), depth: 0 }.node(expr)
}

struct Translator<'a> {
    positions: Positions<'a>,
    depth: usize,
}

impl Translator<'_> {
    fn node(&mut self, expr: &Expr) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(format!("the query nests deeper than {MAX_DEPTH} levels"));
        }
        let node = self.translated(expr);
        self.depth -= 1;
        node
    }

    fn translated(&mut self, expr: &Expr) -> Result<Node, String> {
        match expr {
            Expr::NumberLiteral(number) => {
                let at = self.positions.seek(is_number);
                Ok(Node { kind: Kind::Number(number.val), at, constant: true })
            }
            Expr::StringLiteral(text) => {
                let (at, token) =
                    self.positions.seek_token(|token| token.starts_with(['"', '\'', '`']));
                let text = unquote_bytes(token).unwrap_or_else(|| Ok(text.val.clone()))?;
                Ok(Node { kind: Kind::Text(text), at, constant: true })
            }
            Expr::Paren(paren) => {
                let at = self.positions.seek(|token| token == "(");
                Ok(Node { at, ..self.node(&paren.expr)? })
            }
            Expr::Unary(unary) => {
                let at = self.positions.seek(|token| token == "-");
                let inner = self.node(&unary.expr)?;
                Ok(Node { at, constant: inner.constant, kind: Kind::Negate(Box::new(inner)) })
            }
            Expr::VectorSelector(parsed) => {
                let at = self.positions.selector(parsed.name.as_deref());
                let selector = selector(parsed)?;
                Ok(Node {
                    at,
                    constant: selector.shift.at.is_some(),
                    kind: Kind::Selector(selector),
                })
            }
            Expr::MatrixSelector(parsed) => {
                let at = self.positions.selector(parsed.vs.name.as_deref());
                let selector = selector(&parsed.vs)?;
                let constant = selector.shift.at.is_some();
                Ok(Node {
                    at,
                    constant,
                    kind: Kind::Range { selector, range_ms: millis(parsed.range) },
                })
            }
            Expr::Subquery(subquery) => self.subquery(subquery),
            Expr::Call(call) => self.call(call),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate),
            Expr::Binary(binary) => self.binary(binary),
            Expr::Extension(_) => Err("extensions of the language are not supported".to_owned()),
        }
    }

    fn subquery(&mut self, subquery: &parser::SubqueryExpr) -> Result<Node, String> {
        let expr = Box::new(self.node(&subquery.expr)?);
        let shift = shift(&subquery.at, &subquery.offset);
        let step_ms = subquery.step.map(millis);
        if step_ms == Some(0) {
            return Err("the step of a subquery must be at least 1 ms".to_owned());
        }
        let (at, range_ms) = (expr.at, millis(subquery.range));
        Ok(Node {
            at,
            constant: shift.at.is_some(),
            kind: Kind::Subquery { expr, shift, range_ms, step_ms },
        })
    }

    fn call(&mut self, call: &parser::Call) -> Result<Node, String> {
        let name = call.func.name;
        let at = self.positions.seek(|token| token == name);
        let function = function(name)?;
        self.positions.seek(|token| token == "(");
        let args =
            call.args.args.iter().map(|arg| self.node(arg)).collect::<Result<Vec<_>, _>>()?;
        let takes_vector = matches!(function, Function::Map(_));
        if takes_vector && call.args.args.iter().any(|arg| arg.value_type() != ValueType::Vector) {
            return Err(format!("expected type vector in call to function `{name}`"));
        }
        let constant = !uses_now(function, &args) && args.iter().all(|arg| arg.constant);
        Ok(Node { at, constant, kind: Kind::Call { function, args } })
    }

    fn aggregate(&mut self, aggregate: &parser::AggregateExpr) -> Result<Node, String> {
        let word = aggregate.op.to_string();
        let at = self.positions.seek(|token| token.eq_ignore_ascii_case(&word));
        self.positions.seek(|token| token == "(");
        let param =
            aggregate.param.as_deref().map(|param| self.node(param).map(Box::new)).transpose()?;
        let expr = Box::new(self.node(&aggregate.expr)?);
        let op = aggregation(aggregate.op)?;
        if let Some(param) = &aggregate.param {
            let wanted =
                if op == Aggregation::CountValues { ValueType::String } else { ValueType::Scalar };
            if param.value_type() != wanted {
                return Err(format!(
                    "expected type {wanted} in aggregation parameter, got {}",
                    param.value_type()
                ));
            }
        }
        let grouping = match &aggregate.modifier {
            None => Grouping::default(),
            Some(modifier) => Grouping {
                labels: modifier.labels().labels.clone(),
                without: !modifier.is_include(),
            },
        };
        let constant = expr.constant && param.as_ref().is_none_or(|param| param.constant);
        Ok(Node { at, constant, kind: Kind::Aggregate { op, expr, param, grouping } })
    }

    fn binary(&mut self, binary: &parser::BinaryExpr) -> Result<Node, String> {
        let lhs = Box::new(self.node(&binary.lhs)?);
        let rhs = Box::new(self.node(&binary.rhs)?);
        let op = binary_op(binary.op)?;
        let mut matching = Matching::default();
        if let Some(modifier) = &binary.modifier {
            matching.on = modifier.is_matching_on();
            matching.labels = modifier.matching.as_ref().map(labels_of).unwrap_or_default();
            matching.fill = (modifier.fill_values.lhs, modifier.fill_values.rhs);
            matching.card = match &modifier.card {
                VectorMatchCardinality::ManyToOne(labels) => {
                    Cardinality::ManyToOne(labels.labels.clone())
                }
                VectorMatchCardinality::OneToMany(labels) => {
                    Cardinality::OneToMany(labels.labels.clone())
                }
                VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => {
                    Cardinality::OneToOne
                }
            };
        }
        let (at, constant, as_bool) = (lhs.at, lhs.constant && rhs.constant, binary.return_bool());
        Ok(Node { at, constant, kind: Kind::Binary { op, lhs, rhs, matching, as_bool } })
    }
}

fn labels_of(modifier: &LabelModifier) -> Vec<String> {
    modifier.labels().labels.clone()
}

fn is_number(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        || token.eq_ignore_ascii_case("inf")
        || token.eq_ignore_ascii_case("nan")
}

/// Whether the function's value depends on the evaluation time even when its arguments do not.
fn uses_now(function: Function, args: &[Node]) -> bool {
    match function {
        Function::Special(Special::Time | Special::Timestamp) => true,
        Function::Date(_) => args.is_empty(),
        Function::OverTime(over_time) => over_time.traits == Traits::UsesNow,
        Function::Map(_) | Function::Special(_) => false,
    }
}

pub(crate) fn selector(parsed: &parser::VectorSelector) -> Result<Selector, String> {
    let mut matchers = matchers(&parsed.matchers)?;
    if let Some(name) = &parsed.name {
        matchers.insert(0, Matcher::equal(METRIC_NAME, name.as_str()));
    }
    if matchers.iter().all(Matcher::matches_empty) {
        return Err("vector selector must contain at least one non-empty matcher".to_owned());
    }
    Ok(Selector { matchers, shift: shift(&parsed.at, &parsed.offset) })
}

fn matchers(parsed: &ParsedMatchers) -> Result<Vec<Matcher>, String> {
    if !parsed.or_matchers.is_empty() {
        return Err("`or` between label matchers is not supported".to_owned());
    }
    let matcher = |m: &promql_parser::label::Matcher| {
        let op = match m.op {
            ParsedOp::Equal => MatchOp::Equal,
            ParsedOp::NotEqual => MatchOp::NotEqual,
            ParsedOp::Re(_) => MatchOp::Regex,
            ParsedOp::NotRe(_) => MatchOp::NotRegex,
        };
        Matcher::new(op, m.name.as_str(), m.value.as_str()).map_err(|error| error.to_string())
    };
    parsed.matchers.iter().map(matcher).collect()
}

fn shift(at: &Option<AtModifier>, offset: &Option<Offset>) -> Shift {
    let at = at.as_ref().map(|at| match at {
        AtModifier::Start => At::Start,
        AtModifier::End => At::End,
        AtModifier::At(time) => At::Time(epoch_millis(*time)),
    });
    let offset_ms = match offset {
        None => 0,
        Some(Offset::Pos(back)) => millis(*back),
        Some(Offset::Neg(ahead)) => -millis(*ahead),
    };
    Shift { at, offset_ms }
}

/// A century of centuries: longer durations are cut, so that sums of times stay far from overflow.
const MAX_MILLIS: i64 = 10_000 * 365 * 24 * 3600 * 1000;

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).min(MAX_MILLIS)
}

fn epoch_millis(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => millis(after),
        Err(before) => -millis(before.duration()),
    }
}

fn function(name: &str) -> Result<Function, String> {
    if let Some(map) = elementwise::find(name) {
        return Ok(Function::Map(map));
    }
    if let Some(part) = elementwise::find_date(name) {
        return Ok(Function::Date(part));
    }
    if let Some(over_time) = over_time::find(name) {
        return Ok(Function::OverTime(over_time));
    }
    special(name)
        .map(Function::Special)
        .ok_or_else(|| format!("function `{name}` is not supported"))
}

fn special(name: &str) -> Option<Special> {
    use Special::*;
    Some(match name {
        "absent" => Absent,
        "absent_over_time" => AbsentOverTime,
        "clamp" => Clamp,
        "clamp_max" => ClampMax,
        "clamp_min" => ClampMin,
        "end" => End,
        "histogram_avg" | "histogram_count" | "histogram_stddev" | "histogram_stdvar"
        | "histogram_sum" => NativeOnly,
        "histogram_fraction" => HistogramFraction,
        "histogram_quantile" => HistogramQuantile,
        "histogram_quantiles" => HistogramQuantiles,
        "info" => Info,
        "label_join" => LabelJoin,
        "label_replace" => LabelReplace,
        "max_of" => MaxOf,
        "min_of" => MinOf,
        "pi" => Pi,
        "range" => Range,
        "round" => Round,
        "scalar" => Scalar,
        "sort" => Sort,
        "sort_desc" => SortDesc,
        "sort_by_label" => SortByLabel,
        "sort_by_label_desc" => SortByLabelDesc,
        "start" => Start,
        "step" => Step,
        "time" => Time,
        "timestamp" => Timestamp,
        "vector" => Vector,
        _ => return None,
    })
}

fn aggregation(op: TokenType) -> Result<Aggregation, String> {
    use Aggregation::*;
    Ok(match op.id() {
        token::T_SUM => Sum,
        token::T_AVG => Avg,
        token::T_MIN => Min,
        token::T_MAX => Max,
        token::T_COUNT => Count,
        token::T_GROUP => Group,
        token::T_STDDEV => Stddev,
        token::T_STDVAR => Stdvar,
        token::T_TOPK => TopK,
        token::T_BOTTOMK => BottomK,
        token::T_QUANTILE => Quantile,
        token::T_COUNT_VALUES => CountValues,
        token::T_LIMITK => LimitK,
        token::T_LIMIT_RATIO => LimitRatio,
        _ => return Err(format!("aggregation `{op}` is not supported")),
    })
}

fn binary_op(op: TokenType) -> Result<BinaryOp, String> {
    use BinaryOp::*;
    Ok(match op.id() {
        token::T_ADD => Add,
        token::T_SUB => Sub,
        token::T_MUL => Mul,
        token::T_DIV => Div,
        token::T_MOD => Mod,
        token::T_POW => Pow,
        token::T_ATAN2 => Atan2,
        token::T_EQLC => Equal,
        token::T_NEQ => NotEqual,
        token::T_GTR => Greater,
        token::T_LSS => Less,
        token::T_GTE => GreaterEqual,
        token::T_LTE => LessEqual,
        token::T_LAND => And,
        token::T_LOR => Or,
        token::T_LUNLESS => Unless,
        _ => return Err(format!("operator `{op}` is not supported")),
    })
}

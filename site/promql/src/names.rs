//! What a query can be made of, for those who complete what people type.

/// The functions that queries may call, by name.
pub const FUNCTIONS: &[&str] = &[
    "abs",
    "absent",
    "absent_over_time",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "avg_over_time",
    "ceil",
    "changes",
    "clamp",
    "clamp_max",
    "clamp_min",
    "cos",
    "cosh",
    "count_over_time",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "days_in_month",
    "deg",
    "delta",
    "deriv",
    "double_exponential_smoothing",
    "exp",
    "first_over_time",
    "floor",
    "histogram_quantile",
    "hour",
    "idelta",
    "increase",
    "info",
    "irate",
    "label_join",
    "label_replace",
    "last_over_time",
    "ln",
    "log10",
    "log2",
    "mad_over_time",
    "max_over_time",
    "min_over_time",
    "minute",
    "month",
    "pi",
    "predict_linear",
    "present_over_time",
    "quantile_over_time",
    "rad",
    "rate",
    "resets",
    "round",
    "scalar",
    "sgn",
    "sin",
    "sinh",
    "sort",
    "sort_by_label",
    "sort_by_label_desc",
    "sort_desc",
    "sqrt",
    "stddev_over_time",
    "stdvar_over_time",
    "sum_over_time",
    "tan",
    "tanh",
    "time",
    "timestamp",
    "vector",
    "year",
];

/// The aggregations, by name.
pub const AGGREGATIONS: &[&str] = &[
    "avg",
    "bottomk",
    "count",
    "count_values",
    "group",
    "max",
    "min",
    "quantile",
    "stddev",
    "stdvar",
    "sum",
    "topk",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Query;

    /// A name is known when one of the ways to call it is a query.
    #[test]
    fn every_name_can_be_called() {
        let arguments = [
            "",
            "x",
            "x[5m]",
            "1",
            "1, x",
            "x, 1",
            "x, 1, 2",
            "0.5, x[5m]",
            "x[5m], 1",
            "x[5m], 0.5, 0.5",
            "\"a\", x",
            "x, \"a\"",
            "x, \"a\", \"b\", \"c\"",
            "x, \"a\", \"b\", \"c\", \"d\"",
        ];
        for name in FUNCTIONS.iter().chain(AGGREGATIONS) {
            let called = |arguments: &&str| Query::parse(&format!("{name}({arguments})")).is_ok();
            assert!(arguments.iter().any(called), "{name}");
        }
        assert!(FUNCTIONS.is_sorted() && AGGREGATIONS.is_sorted());
    }
}

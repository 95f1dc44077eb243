//! Numbers in words as Prometheus writes them.
//!
//! Labels made from values and messages use them.

/// The shortest decimal form without an exponent: `0.1`, `12`, `+Inf`, `NaN`.
pub(crate) fn shortest(v: f64) -> String {
    if v.is_nan() {
        "NaN".to_owned()
    } else if v.is_infinite() {
        if v > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        v.to_string()
    }
}

/// As in OpenMetrics, where a whole number keeps `.0`.
pub(crate) fn open_metrics(v: f64) -> String {
    let text = shortest(v);
    if v.is_finite() && !text.contains('.') { format!("{text}.0") } else { text }
}

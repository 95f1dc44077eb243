//! Several figures to one. `strips` and `overlay` summarise services and calls with it.

use crate::Figure;

/// The sum of what has a value; a state only when nothing has one.
pub(crate) fn sum<'a>(figures: impl IntoIterator<Item = &'a Figure>) -> Figure {
    combine(figures, |a, b| a + b)
}

/// The largest likewise.
pub(crate) fn largest<'a>(figures: impl IntoIterator<Item = &'a Figure>) -> Figure {
    combine(figures, f64::max)
}

fn combine<'a>(
    figures: impl IntoIterator<Item = &'a Figure>,
    join: impl Fn(f64, f64) -> f64,
) -> Figure {
    figures.into_iter().fold(Figure::NoData, |all, next| match (&all, next) {
        (Figure::Value(a), Figure::Value(b)) => number(join(*a, *b)),
        (Figure::Stale(a, age), Figure::Stale(b, other)) => {
            Figure::Stale(join(*a, *b), *age.max(other))
        }
        _ if says_more(next) > says_more(&all) => next.clone(),
        _ => all,
    })
}

/// The share of all requests that failed, from pairs of rate and share.
pub(crate) fn weighted<'a>(parts: impl IntoIterator<Item = (&'a Figure, &'a Figure)>) -> Figure {
    let (mut requests, mut failed, mut otherwise) = (0.0, 0.0, Figure::NoData);
    for (rate, share) in parts {
        match (rate, share) {
            (Figure::Value(rate), Figure::Value(share)) => {
                requests += rate;
                failed += rate * share;
            }
            (_, Figure::Value(_)) => {}
            (_, state) if says_more(state) > says_more(&otherwise) => otherwise = state.clone(),
            _ => {}
        }
    }
    if requests > 0.0 { number((failed / requests).clamp(0.0, 1.0)) } else { otherwise }
}

/// A number, or "no traffic": a quantile of nothing and a share of nothing are no numbers.
pub(crate) fn number(v: f64) -> Figure {
    if v.is_finite() { Figure::Value(v) } else { Figure::NoTraffic }
}

/// Which of two states to show for both.
fn says_more(figure: &Figure) -> u8 {
    match figure {
        Figure::NoData => 0,
        Figure::Loading => 1,
        Figure::QueryError(_) => 2,
        Figure::Stale(..) => 3,
        Figure::NoTraffic => 4,
        Figure::Value(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Figure::{Loading, NoData, NoTraffic, Stale, Value};

    #[test]
    fn figures_add_up() {
        let cases = [
            (vec![], NoData, NoData),
            (vec![NoData, Loading], Loading, Loading),
            (vec![Value(2.0), NoData, Value(3.0)], Value(5.0), Value(3.0)),
            (vec![NoTraffic, Stale(1.0, 5)], NoTraffic, NoTraffic),
            (vec![Stale(1.0, 9), Stale(2.0, 5)], Stale(3.0, 9), Stale(2.0, 9)),
            (vec![Stale(7.0, 9), Value(2.0)], Value(2.0), Value(2.0)),
            (vec![Value(f64::MAX), Value(f64::MAX)], NoTraffic, Value(f64::MAX)),
        ];
        for (figures, total, top) in cases {
            assert_eq!((sum(&figures), largest(&figures)), (total, top), "{figures:?}");
        }
    }

    #[test]
    fn shares_weigh_by_their_requests() {
        let cases = [
            (vec![(Value(90.0), Value(0.0)), (Value(10.0), Value(0.5))], Value(0.05)),
            (vec![(Value(0.0), NoTraffic), (Value(10.0), Value(0.5))], Value(0.5)),
            (vec![(Value(0.0), NoTraffic)], NoTraffic),
            (vec![(NoData, NoData)], NoData),
        ];
        for (parts, share) in cases {
            assert_eq!(weighted(parts.iter().map(|(r, s)| (r, s))), share, "{parts:?}");
        }
    }
}

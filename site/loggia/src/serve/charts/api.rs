//! `/api/live/chart` and `/api/live/chart.csv`: the numbers behind a chart, for its tooltip and its
//! table and for whoever wants to go on with them.

use super::{Asked, Line, Span};
use crate::serve::App;
use crate::serve::api::problem;
use crate::serve::places;
use crate::serve::seen::Seen;
use crate::serve::tick::now_ms;
use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use pages::{Chart, ChartKind};
use std::sync::Arc;

/// Queries of one chart.
const LINES_MAX: usize = 16;
/// Bytes of one query.
const QUERY_MAX: usize = 10_000;
/// The span when the address names none.
const USUAL_MS: i64 = 900_000;
/// For whoever wrote something else.
const HELP: &str = "write `query=` with PromQL, once for each line, `name=` before each, and any of `unit=`, `type=line|area|bar|stacked`, `threshold=`, `exemplars=`, `service=`, `from=` and `to=`; or `objective=` with its id";

/// What an address asks: a chart, or an objective's.
pub(super) fn parse(query: &str) -> Result<(Asked, Option<String>), String> {
    let mut asked = Asked::default();
    let (mut objective, mut name) = (None, String::new());
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = value.into_owned();
        match key.as_ref() {
            "title" => asked.title = value,
            "unit" => asked.unit = value,
            "type" => {
                let known = ChartKind::named(&value);
                asked.kind = known.ok_or_else(|| format!("`{value}` is no type of chart"))?;
            }
            "threshold" => {
                let bound = value.parse().ok().filter(|bound: &f64| bound.is_finite());
                let bound = bound.ok_or_else(|| format!("`{value}` is no threshold"))?;
                asked.threshold = Some(bound);
            }
            "service" => asked.service = Some(value),
            "exemplars" => asked.exemplars = Some(value),
            "objective" => objective = Some(value),
            "name" => name = value,
            "query" if value.len() > QUERY_MAX => {
                return Err(format!("a query has more than {QUERY_MAX} bytes"));
            }
            "query" => {
                asked.lines.push(Line { name: std::mem::take(&mut name), query: value });
            }
            // `from`, `to` and `at` are read elsewhere.
            _ => {}
        }
    }
    match asked.lines.len() {
        0 if objective.is_none() => Err("no query is given".to_owned()),
        count if count > LINES_MAX => Err(format!("{count} queries, more than {LINES_MAX}")),
        _ => Ok((asked, objective)),
    }
}

/// `GET /api/live/chart`: each step's values and their words.
pub(in crate::serve) async fn json(
    State(app): State<Arc<App>>,
    seen: Seen,
    RawQuery(query): RawQuery,
) -> Response {
    match asked(&app, seen, query, false).await {
        Ok(chart) => Json(pages::chart_json(&chart)).into_response(),
        Err(answer) => answer,
    }
}

/// `GET /api/live/chart.csv`: each step's values with all digits, of every series.
pub(in crate::serve) async fn csv(
    State(app): State<Arc<App>>,
    seen: Seen,
    RawQuery(query): RawQuery,
) -> Response {
    let chart = match asked(&app, seen, query, true).await {
        Ok(chart) => chart,
        Err(answer) => return answer,
    };
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = chart.title.chars().take(60).map(plain).collect();
    let name = if name.trim_matches('-').is_empty() { "chart".to_owned() } else { name };
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.csv\"")),
    ];
    (headers, pages::chart_csv(&chart)).into_response()
}

async fn asked(
    app: &Arc<App>,
    seen: Seen,
    query: Option<String>,
    all: bool,
) -> Result<Chart, Response> {
    let read = parse(query.as_deref().unwrap_or_default());
    let (asked, objective) =
        read.map_err(|words| problem(StatusCode::BAD_REQUEST, &words, HELP))?;
    let Some(place) = places::exploring(app).await else {
        let words = "too many questions are being answered";
        return Err(problem(StatusCode::SERVICE_UNAVAILABLE, words, "ask again in a moment"));
    };
    let asking = Arc::clone(app);
    let work = tokio::task::spawn_blocking(move || {
        let _place = place;
        let now = now_ms();
        match objective {
            Some(id) => {
                pages::objective_chart(&seen.evidence, &id, seen.at().unwrap_or(now), seen.at())
            }
            None => Some(asked.chart(&asking, Span::of(seen.moment, USUAL_MS, now), now, all)),
        }
    });
    let chart = work.await.map_err(|error| {
        tracing::error!(%error, "a chart failed");
        problem(StatusCode::INTERNAL_SERVER_ERROR, "the chart could not be made", HELP)
    })?;
    match chart {
        None => Err(problem(StatusCode::NOT_FOUND, "there is no such objective", HELP)),
        Some(Chart { fault: Some(why), .. }) => {
            Err(problem(StatusCode::BAD_REQUEST, &why, "the query must be PromQL"))
        }
        Some(chart) => Ok(chart),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_asked_is_said() {
        for (query, words) in [
            ("", "no query is given"),
            ("query=up&type=pie", "`pie` is no type of chart"),
            ("query=up&threshold=NaN", "`NaN` is no threshold"),
            (&"query=up&".repeat(17), "17 queries, more than 16"),
        ] {
            assert_eq!(parse(query), Err(words.to_owned()), "{query}");
        }
        let (asked, objective) = parse("name=a&query=x&query=y&from=3").expect("it is right");
        assert_eq!(objective, None);
        let lines: Vec<_> =
            asked.lines.iter().map(|l| (l.name.as_str(), l.query.as_str())).collect();
        assert_eq!(lines, [("a", "x"), ("", "y")]);
    }
}

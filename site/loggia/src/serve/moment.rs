//! Which time a view shows: `from`, `to` and `at` of its address, read once and for all views alike.
//!
//! A handler that takes a [`Moment`] has it checked; what is wrong was answered before, in words, as a page or below
//! `/api/` as JSON. `at` is the moment that all figures are of, `from` and `to` are the ends of charts and lists.

use super::App;
use super::tick::now_ms;
use super::views;
use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;

/// How far a reader's clock may be ahead of ours; such times are taken as now.
const AHEAD_MS: i64 = 5_000;
/// Numbers from here on are milliseconds: as seconds they would be after the year 5000, as milliseconds they are of 1973.
const MILLISECONDS_FROM: f64 = 1e11;
/// The largest time in milliseconds that a number may say, in the year 9999.
const LAST_MS: f64 = 253_402_300_799_999.0;
/// Units of a time before now, milliseconds.
const UNITS: [(char, i64); 4] = [('s', 1_000), ('m', 60_000), ('h', 3_600_000), ('d', 86_400_000)];
/// For whoever wrote something else.
const HELP: &str =
    "A time is `now`, `now-15m`, 2026-01-31T12:00:00Z, or milliseconds or seconds since 1970.";

/// As it stands in the address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) at: String,
}

/// The times of a view, milliseconds since 1970: none of them in the future, `from` before the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Moment {
    /// The moment of the past that all figures are of, to the second; `None` shows the present.
    pub(super) at: Option<i64>,
    /// Where charts and lists begin.
    pub(super) from: Option<i64>,
    /// Where they end.
    pub(super) to: Option<i64>,
}

/// Why times cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wrong {
    /// In words, without a final stop.
    Words(String),
    /// All that is kept is younger: since when.
    BeforeAll(i64),
}

impl Moment {
    /// The times of an address.
    pub(super) fn read(app: &App, uri: &Uri) -> Result<Self, Wrong> {
        match Query::<Typed>::try_from_uri(uri) {
            Ok(Query(typed)) if typed == Typed::default() => Ok(Self::default()),
            Ok(Query(typed)) => Self::parse(&typed, now_ms(), app.sources.metrics().oldest_ms()),
            Err(_) => {
                let words = "`from`, `to` and `at` may stand in the address once each";
                Err(Wrong::Words(words.to_owned()))
            }
        }
    }

    /// Reads them; `oldest` says since when there is telemetry.
    pub(super) fn parse(typed: &Typed, now: i64, oldest: Option<i64>) -> Result<Self, Wrong> {
        // What is said relative to now is so to the moment that is shown.
        let past = |name: &str, text: &str, shown: i64| {
            let read = given(text).map(|text| time(text, shown).map_err(Wrong::Words));
            match read.transpose()? {
                Some(ms) if ms > now + AHEAD_MS => {
                    Err(Wrong::Words(format!("`{name}` is in the future")))
                }
                read => Ok(read.map(|ms| ms.min(now))),
            }
        };
        // `now` and what is as good as now is live, not a moment of the past.
        let at = past("at", &typed.at, now)?.filter(|at| *at < now);
        let at = at.map(|at| at - at.rem_euclid(1000));
        let shown = at.unwrap_or(now);
        let (from, to) = (past("from", &typed.from, shown)?, past("to", &typed.to, shown)?);
        if from.is_some_and(|from| from >= to.or(at).unwrap_or(now)) {
            return Err(Wrong::Words("`from` is not before the end".to_owned()));
        }
        match (oldest, at.into_iter().chain(to).min()) {
            (Some(oldest), Some(asked)) if asked < oldest - oldest.rem_euclid(1000) => {
                Err(Wrong::BeforeAll(oldest))
            }
            (None, Some(_)) if at.is_some() => {
                Err(Wrong::Words("nothing has been measured yet".to_owned()))
            }
            _ => Ok(Self { at, from, to }),
        }
    }

    /// The first and last moment of charts that reach back `usual_ms` unless the address says otherwise.
    pub(super) fn span(self, usual_ms: i64, now: i64) -> (i64, i64) {
        let end = self.to.or(self.at).unwrap_or(now);
        (self.from.unwrap_or(end - usual_ms), end)
    }
}

impl FromRequestParts<Arc<App>> for Moment {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        Self::read(app, &parts.uri).map_err(|wrong| answer(app, &parts.uri, &wrong))
    }
}

/// The answer to times that cannot be shown.
pub(super) fn answer(app: &App, uri: &Uri, wrong: &Wrong) -> Response {
    let is_json = uri.path().starts_with("/api/");
    let status = StatusCode::BAD_REQUEST;
    match wrong {
        Wrong::Words(words) if is_json => super::api::problem(status, words, HELP),
        Wrong::BeforeAll(oldest) if is_json => {
            let words = format!("nothing is kept from before {}", pages::date_time(*oldest));
            super::api::problem(status, &words, &format!("the earliest is `at={}`", first(*oldest)))
        }
        Wrong::Words(words) => {
            let words = format!("{}. {HELP}", sentence(words));
            views::problem_page(app, status, "This time cannot be shown", &words)
        }
        Wrong::BeforeAll(oldest) => {
            let words = format!("All that is kept is from after {}.", pages::date_time(*oldest));
            let title = "Nothing is kept from that time";
            let links = [
                ("Show the earliest moment", with_time(uri, Some(first(*oldest)))),
                ("Show the present", with_time(uri, None)),
            ];
            views::leading_page(app, status, title, &words, &links)
        }
    }
}

/// The first whole second that is kept.
fn first(oldest: i64) -> i64 {
    oldest.div_euclid(1000) + 1
}

/// The address at another moment, seconds since 1970; `None` is the present. Ends of charts go with the old one.
pub(super) fn with_time(uri: &Uri, at: Option<i64>) -> String {
    let is_time = |part: &&str| ["at=", "from=", "to="].iter().any(|name| part.starts_with(name));
    let query = uri.query().unwrap_or_default().split('&');
    let kept = query.filter(|part| !part.is_empty() && !is_time(part)).map(str::to_owned);
    let all: Vec<String> = kept.chain(at.map(|at| format!("at={at}"))).collect();
    match all.is_empty() {
        true => uri.path().to_owned(),
        false => format!("{}?{}", uri.path(), all.join("&")),
    }
}

/// One time in words, as milliseconds since 1970; else what is wrong with it.
pub(super) fn time(text: &str, now: i64) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no time such as now-15m or 2026-01-31T12:00:00Z");
    if text == "now" {
        return Ok(now);
    }
    if let Some(before) = text.strip_prefix("now-") {
        let (unit, ms) =
            UNITS.iter().find(|(unit, _)| before.ends_with(*unit)).ok_or_else(wrong)?;
        let number: u32 =
            before.strip_suffix(*unit).and_then(|n| n.parse().ok()).ok_or_else(wrong)?;
        return Ok(now.saturating_sub(i64::from(number) * ms));
    }
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        let number: f64 = text.parse().map_err(|_| wrong())?;
        let ms = if number < MILLISECONDS_FROM { number * 1000.0 } else { number };
        return if ms <= LAST_MS { Ok(ms.round() as i64) } else { Err(wrong()) };
    }
    // A form's field has no zone; it is in UTC, as all times here.
    let zoned = text.parse::<jiff::Timestamp>();
    let read = zoned.or_else(|_| {
        let local: jiff::civil::DateTime = text.parse()?;
        Ok::<_, jiff::Error>(local.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp())
    });
    read.map(|time| time.as_millisecond()).map_err(|_| wrong())
}

fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000_000_000;

    #[test]
    fn times_are_read() {
        for (text, expected) in [
            ("now", Some(NOW)),
            ("now-15m", Some(NOW - 900_000)),
            ("now-2d", Some(NOW - 172_800_000)),
            ("2001-09-09T01:46:40Z", Some(NOW)),
            ("2001-09-09T01:46:40", Some(NOW)),
            ("2001-09-09T01:46", Some(NOW - 40_000)),
            ("2001-09-09T03:46:40+02:00", Some(NOW)),
            ("2001-09-09 01:46:40", Some(NOW)),
            ("1000000000000", Some(NOW)),
            ("1000000000", Some(NOW)),
            ("1000000000.25", Some(NOW + 250)),
            ("now-15", None),
            ("now-m", None),
            ("now-5mm", None),
            ("now--5m", None),
            ("soon", None),
            ("-5", None),
            ("1.2.3", None),
            (".", None),
            ("9999999999999999", None),
            ("now-99999999999999999d", None),
            ("2001-02-30T00:00:00Z", None),
        ] {
            assert_eq!(time(text, NOW).ok(), expected, "{text}");
        }
    }

    fn check(typed: [&str; 3], oldest: Option<i64>, expected: Result<[Option<i64>; 3], Wrong>) {
        let [from, to, at] = typed.map(str::to_owned);
        let read = Moment::parse(&Typed { from, to, at }, NOW, oldest);
        assert_eq!(read.map(|m| [m.from, m.to, m.at]), expected, "{typed:?}");
    }

    #[test]
    fn moments_are_of_the_past_and_in_order() {
        let kept = Some(NOW - 3_600_000);
        let words = |words: &str| Err(Wrong::Words(words.to_owned()));
        let minutes = |n: i64| Some(NOW - n * 60_000);
        check(["", " ", ""], kept, Ok([None; 3]));
        check(["now-15m", "now-5m", ""], kept, Ok([minutes(15), minutes(5), None]));
        check(["", "", "now-5m"], kept, Ok([None, None, minutes(5)]));
        check(["", "", "now"], kept, Ok([None; 3]));
        check(["", "", "1000000003"], kept, Ok([None; 3]));
        check(["", "", "999999700.9"], kept, Ok([None, None, minutes(5)]));
        check(["now-2d", "", ""], kept, Ok([minutes(2 * 1440), None, None]));
        check(["", "", "1000000060"], kept, words("`at` is in the future"));
        check(["", "2031-01-01T00:00:00Z", ""], kept, words("`to` is in the future"));
        check(["now-5m", "now-5m", ""], kept, words("`from` is not before the end"));
        check(["now-5m", "", "now-15m"], kept, Ok([minutes(20), None, minutes(15)]));
        check(["1000000000", "", "now-15m"], kept, words("`from` is not before the end"));
        check(["", "", "now-2h"], kept, Err(Wrong::BeforeAll(NOW - 3_600_000)));
        check(["", "now-2h", ""], kept, Err(Wrong::BeforeAll(NOW - 3_600_000)));
        check(["", "", "now-2h"], None, words("nothing has been measured yet"));
        check(["", "now-2h", ""], None, Ok([None, minutes(120), None]));
    }

    #[test]
    fn charts_end_at_the_moment() {
        let at = |from, to, at| Moment { at, from, to }.span(100, 1000);
        assert_eq!(at(None, None, None), (900, 1000));
        assert_eq!(at(None, None, Some(500)), (400, 500));
        assert_eq!(at(Some(10), None, Some(500)), (10, 500));
        assert_eq!(at(Some(10), Some(700), Some(500)), (10, 700));
    }

    #[test]
    fn an_address_keeps_what_is_no_time() {
        let uri: Uri = "/live/services?x=1&at=5&from=3&y=%20".parse().expect("an address");
        assert_eq!(with_time(&uri, Some(7)), "/live/services?x=1&y=%20&at=7");
        let bare: Uri = "/?at=5".parse().expect("an address");
        assert_eq!(with_time(&bare, None), "/");
    }
}

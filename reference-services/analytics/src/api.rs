//! The HTTP side of analytics: clients post events; whoever has the role reads
//! series, products, the funnel, the join, late events and alerts, and registers
//! schemas. Dead letters are listed and redriven under `/internal`, as everywhere.

use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRef, Path, Query};
use axum::routing::{get, post};
use axum::{Json, Router};
use chassis::clock::now_ms;
use chassis::{Caller, Chassis, Failure, Posted, Verifier, field};
use contracts::analytics::{
    Accepted, Alerts, Funnel, Join, LateEvents, PostEvents, ROLE_ANALYST, RegisterSchema,
    RegisteredSchema, Schemas, Series, TopProducts,
};
use contracts::messaging::Event;
use http::StatusCode;
use prometheus::IntCounterVec;
use serde::Deserialize;

use crate::cache::{Answered, Cache, Question};
use crate::domain::{self, MINUTE_MS};
use crate::events;
use crate::schema;
use crate::sources;
use crate::store::{Desk, Kept, Page, Range, Registered, is_subject};

mod posted;

/// Most rows in one answer, and how many there are when nothing is said.
pub(crate) const MAX_LISTED: u32 = 500;
const USUALLY_LISTED: u32 = 100;

/// The range when nothing is said: so long, up to now.
const USUAL_RANGE_MS: i64 = 60 * MINUTE_MS;

/// What the handlers share.
#[derive(Debug, Clone, FromRef)]
pub(crate) struct State {
    pub(crate) desk: Desk,
    pub(crate) verifier: Verifier,
    pub(crate) schemas: events::Schemas,
    pub(crate) posted: sources::Posted,
    pub(crate) cache: Cache,
    pub(crate) counts: IntCounterVec,
}

/// Counts events that clients post, by what became of them at the door.
pub(crate) fn counts(chassis: &Chassis) -> IntCounterVec {
    chassis.metrics.counter(
        "analytics_posted_events_total",
        "Events that clients posted: `accepted`, `duplicate`, or refused because the queue is \
         `full` or the customer has `too_many` in it.",
        &["outcome"],
    )
}

pub(crate) fn routes(state: State) -> Router {
    Router::new()
        .route("/v1/analytics/events", post(take))
        .route("/v1/analytics/schemas", get(schemas).post(register))
        .route("/v1/analytics/series/{name}", get(series))
        .route("/v1/analytics/products", get(products))
        .route("/v1/analytics/funnel", get(funnel))
        .route("/v1/analytics/join", get(join))
        .route("/v1/analytics/late", get(late))
        .route("/v1/analytics/alerts", get(alerts))
        .with_state(state)
}

type Shared = axum::extract::State<State>;
type Asked<T> = Result<Query<T>, QueryRejection>;

fn allowed(caller: &Caller) -> Result<(), Failure> {
    match caller.roles.iter().any(|role| role == ROLE_ANALYST) {
        true => Ok(()),
        false => Err(Failure::forbidden(format!("the role `{ROLE_ANALYST}` is needed"))),
    }
}

async fn take(
    state: Shared,
    caller: Caller,
    posted: Posted<PostEvents>,
) -> Result<(StatusCode, Json<Accepted>), Failure> {
    let faults = posted::faults(&posted.value, now_ms());
    if !faults.is_empty() {
        return Err(Failure::invalid(faults));
    }
    let events: Vec<Event> =
        posted.value.events.into_iter().map(|event| posted::event(caller.account, event)).collect();
    let all = events.len() as u64;
    let count = |outcome, by| state.counts.with_label_values(&[outcome]).inc_by(by);
    match state.desk.keep(caller.account, &events).await? {
        Kept::All { new } => {
            state.posted.wake();
            count("accepted", new);
            count("duplicate", all - new);
            Ok((StatusCode::ACCEPTED, Json(Accepted { accepted: new, duplicates: all - new })))
        }
        Kept::Full => {
            count("full", all);
            tracing::debug!("the queue for events of clients is full");
            Err(Failure::unavailable("too many events wait; send the batch again", 1))
        }
        Kept::TooMany => {
            count("too_many", all);
            let status = StatusCode::TOO_MANY_REQUESTS;
            let failure = Failure::new(status, "too-many-events", "too many of your events wait");
            Err(failure.detail("send the batch again in a moment").retry_after(1))
        }
    }
}

/// Which part of a list is wanted, and of which time.
#[derive(Debug, Deserialize)]
struct Window {
    from_ms: Option<i64>,
    to_ms: Option<i64>,
    limit: Option<u32>,
    after: Option<String>,
    key: Option<String>,
    #[serde(default)]
    open: bool,
    #[serde(default)]
    offset: u32,
}

impl Window {
    /// Without a range it is the last hour, to the end of this minute: so that
    /// the same question is asked for a while.
    fn range(&self) -> Result<Range, Failure> {
        let usual_to_ms = (now_ms() / MINUTE_MS + 1) * MINUTE_MS;
        let to_ms = self.to_ms.unwrap_or(usual_to_ms);
        let from_ms = self.from_ms.unwrap_or(to_ms.saturating_sub(USUAL_RANGE_MS));
        match from_ms < to_ms {
            true => Ok(Range { from_ms, to_ms }),
            false => Err(Failure::invalid(vec![field("from_ms", "must be before `to_ms`")])),
        }
    }

    fn limit(&self) -> Result<u32, Failure> {
        let limit = self.limit.unwrap_or(USUALLY_LISTED);
        match (1..=MAX_LISTED).contains(&limit) {
            true => Ok(limit),
            false => {
                let message = format!("must be from 1 to {MAX_LISTED}");
                Err(Failure::invalid(vec![field("limit", message)]))
            }
        }
    }

    /// What lies before the last colon of `after`, and the number behind it.
    fn place<T: std::str::FromStr>(&self) -> Result<Option<(String, T)>, Failure> {
        let Some(after) = &self.after else { return Ok(None) };
        let place = after
            .rsplit_once(':')
            .and_then(|(text, number)| Some((text.to_owned(), number.parse().ok()?)));
        let wrong = || Failure::invalid(vec![field("after", "must be what `next` said")]);
        place.ok_or_else(wrong).map(Some)
    }
}

async fn series(
    state: Shared,
    caller: Caller,
    Path(name): Path<String>,
    asked: Asked<Window>,
) -> Result<Json<Series>, Failure> {
    allowed(&caller)?;
    let Query(asked) = asked?;
    let series =
        domain::named(&name).ok_or_else(|| Failure::not_found("there is no such series"))?;
    let (range, limit) = (asked.range()?, asked.limit()?);
    let after = asked.place()?.map_or((i64::MIN, String::new()), |(key, start)| (start, key));
    let page = Page { after, limit };
    let key = asked.key.filter(|key| !key.is_empty());
    let watermark_ms = state.desk.watermark(series).await?;
    let version = state.desk.version().await?;
    let question = Question::Windows(series.name, key.clone(), range, page.clone());
    let kept = if asked.open { None } else { state.cache.get(&question, version) };
    let windows = match kept {
        Some(Answered::Windows(windows)) => windows,
        _ => {
            let found = state.desk.windows(series, key.as_deref(), range, &page, asked.open);
            let windows = std::sync::Arc::new(found.await?);
            if !asked.open {
                state.cache.put(question, version, &Answered::Windows(windows.clone()));
            }
            windows
        }
    };
    let last = windows.last().filter(|_| windows.len() == limit as usize);
    let next = last.map(|last| format!("{}:{}", last.key, last.start_ms));
    Ok(Json(Series { name, watermark_ms, windows: windows.to_vec(), next }))
}

async fn products(
    state: Shared,
    caller: Caller,
    asked: Asked<Window>,
) -> Result<Json<TopProducts>, Failure> {
    allowed(&caller)?;
    let Query(asked) = asked?;
    let (range, limit) = (asked.range()?, asked.limit()?);
    let version = state.desk.version().await?;
    let question = Question::Products(range, asked.offset, limit);
    let products = match state.cache.get(&question, version) {
        Some(Answered::Products(products)) => products,
        _ => {
            let found = state.desk.products(range, asked.offset, limit).await?;
            let products = std::sync::Arc::new(found);
            state.cache.put(question, version, &Answered::Products(products.clone()));
            products
        }
    };
    Ok(Json(TopProducts { products: products.to_vec() }))
}

async fn funnel(
    state: Shared,
    caller: Caller,
    asked: Asked<Window>,
) -> Result<Json<Funnel>, Failure> {
    allowed(&caller)?;
    let Query(asked) = asked?;
    let limit = asked.limit()?;
    let cohorts = state.desk.funnel(asked.range()?, limit).await?;
    let last = cohorts.last().filter(|_| cohorts.len() == limit as usize);
    let next = last.map(|last| last.start_ms + MINUTE_MS);
    Ok(Json(Funnel { cohorts, next }))
}

async fn join(state: Shared, caller: Caller) -> Result<Json<Join>, Failure> {
    allowed(&caller)?;
    Ok(Json(state.desk.join().await?))
}

/// How many are wanted.
#[derive(Debug, Deserialize)]
struct Listed {
    limit: Option<u32>,
}

async fn late(
    state: Shared,
    caller: Caller,
    asked: Asked<Listed>,
) -> Result<Json<LateEvents>, Failure> {
    allowed(&caller)?;
    let Query(Listed { limit }) = asked?;
    Ok(Json(state.desk.late(limit.unwrap_or(USUALLY_LISTED).clamp(1, MAX_LISTED)).await?))
}

async fn alerts(
    state: Shared,
    caller: Caller,
    asked: Asked<Window>,
) -> Result<Json<Alerts>, Failure> {
    allowed(&caller)?;
    let Query(asked) = asked?;
    Ok(Json(Alerts { alerts: state.desk.alerts(asked.range()?, asked.limit()?).await? }))
}

async fn schemas(
    state: Shared,
    caller: Caller,
    asked: Asked<Window>,
) -> Result<Json<Schemas>, Failure> {
    allowed(&caller)?;
    let Query(asked) = asked?;
    let limit = asked.limit()?;
    let (subject, version) = asked.place()?.unwrap_or_default();
    let schemas = state.desk.schemas((&subject, version), limit).await?;
    let last = schemas.last().filter(|_| schemas.len() == limit as usize);
    let next = last.map(|last| format!("{}:{}", last.subject, last.version));
    Ok(Json(Schemas { schemas, next }))
}

async fn register(
    state: Shared,
    caller: Caller,
    posted: Posted<RegisterSchema>,
) -> Result<(StatusCode, Json<RegisteredSchema>), Failure> {
    allowed(&caller)?;
    let RegisterSchema { subject, schema: json } = posted.value;
    if !is_subject(&subject) {
        let message = "must be a source, a dot, and a kind of small letters, digits and `_`";
        return Err(Failure::invalid(vec![field("subject", message)]));
    }
    let parsed =
        schema::parse(&json).map_err(|error| Failure::invalid(vec![field("schema", error)]))?;
    match state.desk.register(&subject, &json, &parsed, now_ms()).await? {
        Registered::New(new) => {
            state.schemas.refresh().await?;
            tracing::info!(subject, version = new.version, "a schema is registered");
            Ok((StatusCode::CREATED, Json(new)))
        }
        Registered::Known(known) => Ok((StatusCode::OK, Json(known))),
        Registered::Breaks(reasons) => {
            let title = "the schema does not take all that older versions took";
            let failure = Failure::new(StatusCode::CONFLICT, "incompatible", title);
            let errors = reasons.into_iter().map(|reason| field("schema", reason)).collect();
            Err(failure.errors(errors))
        }
        Registered::Full(why) => Err(Failure::conflict(why)),
    }
}

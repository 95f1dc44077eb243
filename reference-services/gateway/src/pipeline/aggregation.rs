//! Stage 7: one answer out of several. An order names its payment and has a
//! shipment; whoever wants all of it asks once. The parts are fetched at the same
//! time. One that cannot be had is missing, and the answer says so: half an
//! answer is better than none.

use chassis::{Call, Reply};
use http::{HeaderMap, header};
use serde_json::Value;
use tokio::task::JoinSet;
use tracing::Instrument;

use super::transformation::ABOUT_THE_CLIENT;
use crate::domain::{Part, Route};
use crate::upstream::{Order, Upstreams};

/// The field that names the parts that could not be had.
pub(crate) const UNAVAILABLE: &str = "unavailable";

/// The answer with the parts that belong to it.
pub(crate) async fn join(
    upstreams: &Upstreams,
    route: &Route,
    headers: &HeaderMap,
    tenant: u64,
    mut reply: Reply,
) -> Reply {
    if route.parts.is_empty() || !reply.status.is_success() {
        return reply;
    }
    let Ok(Value::Object(mut whole)) = reply.json::<Value>() else { return reply };
    let mut asked = JoinSet::new();
    for part in route.parts {
        let Some(id) = whole.get(part.key).and_then(Value::as_str) else { continue };
        let (upstreams, order) = (upstreams.clone(), order(route, part, id, headers, tenant));
        let fetched = async move { (part.name, fetch(&upstreams, part, order).await) };
        asked.spawn(fetched.in_current_span());
    }
    let mut unavailable = Vec::new();
    while let Some(fetched) = asked.join_next().await {
        match fetched {
            Ok((name, Fetched::Is(value))) => drop(whole.insert(name.to_owned(), value)),
            Ok((name, Fetched::NotThere)) => drop(whole.insert(name.to_owned(), Value::Null)),
            Ok((name, Fetched::Unavailable)) => {
                whole.insert(name.to_owned(), Value::Null);
                unavailable.push(Value::from(name));
            }
            Err(error) => tracing::error!(%error, "a part could not be fetched"),
        }
    }
    if !unavailable.is_empty() {
        whole.insert(UNAVAILABLE.to_owned(), unavailable.into());
    }
    reply.body = Value::Object(whole).to_string().into();
    reply.headers.remove(header::ETAG);
    reply
}

enum Fetched {
    Is(Value),
    NotThere,
    Unavailable,
}

fn order(route: &Route, part: &Part, id: &str, headers: &HeaderMap, tenant: u64) -> Order {
    let mut call = Call::get(part.peer, part.path)
        .path(part.path.replace("{id}", id))
        .expecting(ABOUT_THE_CLIENT)
        .timeout(route.timeout);
    if let Some(token) = headers.get(header::AUTHORIZATION) {
        call = call.header(header::AUTHORIZATION, token.clone());
    }
    Order { call, timeout: route.timeout, repeatable: true, tenant }
}

async fn fetch(upstreams: &Upstreams, part: &Part, order: Order) -> Fetched {
    let Ok(reply) = upstreams.call(part.peer, order).await else { return Fetched::Unavailable };
    match reply.status.as_u16() {
        200 => reply.json().map_or(Fetched::Unavailable, Fetched::Is),
        404 => Fetched::NotThere,
        _ => Fetched::Unavailable,
    }
}

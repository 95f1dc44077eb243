//! Stages 6 and 8: what the peer gets to see of a request, and what the client
//! gets to see of an answer. Version 2 of the interface lives here: the services
//! know only one.

use std::net::IpAddr;

use chassis::{Call, Reply};
use contracts::accounts::CLIENT_ADDRESS;
use http::{HeaderName, HeaderValue, header};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::validation::Inbound;
use crate::domain::{Caching, Route, Shape};

/// Headers of a request that reach the peer.
const FORWARDED: [HeaderName; 6] = [
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    header::ACCEPT,
    header::IF_NONE_MATCH,
    header::IF_MATCH,
    HeaderName::from_static(contracts::IDEMPOTENCY_KEY),
];

/// Headers of the peer's answer that reach the client.
pub(crate) const RETURNED: [HeaderName; 8] = [
    header::CONTENT_TYPE,
    header::LOCATION,
    header::RETRY_AFTER,
    header::WWW_AUTHENTICATE,
    header::ETAG,
    header::CACHE_CONTROL,
    header::CONTENT_DISPOSITION,
    HeaderName::from_static(contracts::IDEMPOTENCY_REPLAYED),
];

/// What a peer says about the client's own request. The gateway passes it on; nothing failed between
/// the gateway and the peer, so the call is no error in its traces.
pub(crate) const ABOUT_THE_CLIENT: &[u16] =
    &[400, 401, 402, 403, 404, 405, 409, 410, 412, 413, 415, 422, 423, 428, 429];

/// The call that a request becomes. The service that guards accounts gets to know where
/// it came from; the others do not need to.
pub(crate) fn request(route: &Route, inbound: &Inbound, from: IpAddr) -> Call {
    let mut call = Call::new(route.verb.method(), route.peer, route.upstream)
        .path(moved(route, &inbound.target))
        .body(inbound.body.clone())
        .expecting(ABOUT_THE_CLIENT)
        .timeout(route.timeout);
    for name in FORWARDED {
        // Whether the client has it already is said here, where the answer is made.
        let answered_here = name == header::IF_NONE_MATCH && own_tag(route);
        if let Some(value) = inbound.headers.get(&name).filter(|_| !answered_here) {
            call = call.header(name, value.clone());
        }
    }
    if route.peer == "auth" {
        let address = HeaderValue::try_from(from.to_string()).expect("an address is visible ASCII");
        call = call.header(HeaderName::from_static(CLIENT_ADDRESS), address);
        if let Some(agent) = inbound.headers.get(header::USER_AGENT) {
            call = call.header(header::USER_AGENT, agent.clone());
        }
    }
    call
}

/// Whether the gateway makes the answer's tag itself.
pub(crate) fn own_tag(route: &Route) -> bool {
    route.cache != Caching::No || route.shape != Shape::AsItIs || !route.parts.is_empty()
}

/// The path at the peer, with the parts that vary and the query of this request.
fn moved(route: &Route, target: &str) -> String {
    if route.path == route.upstream {
        return target.to_owned();
    }
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let vary = route.path.split('/').zip(path.split('/')).filter(|(name, _)| name.starts_with('{'));
    let moved =
        vary.fold(route.upstream.to_owned(), |path, (name, value)| path.replace(name, value));
    match query {
        Some(query) => format!("{moved}?{query}"),
        None => moved,
    }
}

/// The body that a client gets for a successful answer.
pub(crate) fn response(route: &Route, mut reply: Reply) -> Reply {
    if route.shape == Shape::AsItIs || !reply.status.is_success() {
        return reply;
    }
    if let Ok(value) = reply.json::<Value>() {
        reply.body = two(value).to_string().into();
        reply.headers.remove(header::ETAG);
    }
    reply
}

/// Version 2 of any answer.
fn two(value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(two).collect(),
        Value::Object(fields) => match money(&fields) {
            Some(money) => money,
            None => {
                Value::Object(fields.into_iter().map(|(name, value)| field(name, value)).collect())
            }
        },
        other => other,
    }
}

fn money(fields: &Map<String, Value>) -> Option<Value> {
    let (minor, currency) = (fields.get("minor")?.as_i64()?, fields.get("currency")?);
    (fields.len() == 2).then(|| json!({ "amount": decimal(minor), "currency": currency }))
}

fn field(name: String, value: Value) -> (String, Value) {
    if name == "state" {
        return ("status".to_owned(), value);
    }
    let number = value.as_i64();
    if let (Some(stem), Some(minor)) = (name.strip_suffix("_minor"), number) {
        return (stem.to_owned(), decimal(minor).into());
    }
    let time = number.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    if let (Some(stem), Some(time)) = (name.strip_suffix("_ms"), time) {
        return (format!("{stem}_at"), time.to_string().into());
    }
    (name, two(value))
}

/// Minor units as a decimal number: every currency has two places.
fn decimal(minor: i64) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let minor = minor.unsigned_abs();
    format!("{sign}{}.{:02}", minor / 100, minor % 100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::get;

    #[test]
    fn what_varies_moves_with_the_path() {
        let route = get("/v2/a/{id}/b/{sku}", "peer").at("/v1/{sku}/c/{id}");
        let cases =
            [("/v2/a/1/b/tea", "/v1/tea/c/1"), ("/v2/a/1/b/t%2Fa?x=1&y", "/v1/t%2Fa/c/1?x=1&y")];
        for (target, expected) in cases {
            assert_eq!(moved(&route, target), expected);
        }
        assert_eq!(moved(&get("/v1/{id}", "peer"), "/v1/7?x"), "/v1/7?x");
    }

    #[test]
    fn version_two_says_money_times_and_states_in_words() {
        let one = json!({
            "state": "paid",
            "total": { "minor": -1250, "currency": "EUR" },
            "lines": [{ "sku": "tea", "unit_price_minor": 5, "quantity": 2 }],
            "created_ms": 1_700_000_000_123_i64,
            "minor": 3,
        });
        let expected = json!({
            "status": "paid",
            "total": { "amount": "-12.50", "currency": "EUR" },
            "lines": [{ "sku": "tea", "unit_price": "0.05", "quantity": 2 }],
            "created_at": "2023-11-14T22:13:20.123Z",
            "minor": 3,
        });
        assert_eq!(two(one), expected);
    }
}

//! The description of all that is open to the outside (OpenAPI 3.1), at
//! `/openapi.json`, and as a page for people at `/docs`. Each service describes
//! its own routes; those that the table opens are put together here ([`merge`]).
//! What only the gateway knows (version 2) is described in `openapi.json` beside
//! `src`. The services are asked until each has answered, and again now and then.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use chassis::serve::DESCRIPTION_PATH;
use chassis::{Call, Chassis, Client};
use http::header;
use serde_json::Value;

mod merge;
mod page;

pub use merge::merge;

/// Where people read it.
pub const PAGE_PATH: &str = "/docs";

/// How often a service that has not answered yet is asked.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// All services are asked again after so many rounds.
const ROUNDS: u32 = 60;

/// What the gateway alone knows.
const OWN: &str = include_str!("../../openapi.json");

/// Nothing in the page comes from elsewhere, and nothing in it runs.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

/// The description as it is given now.
#[derive(Debug, Default)]
struct Given {
    json: Bytes,
    page: Bytes,
}

/// What the services said.
#[derive(Debug, Default)]
struct Said {
    by_service: BTreeMap<&'static str, Value>,
    round: u32,
}

/// Asks the services, and answers with what they said.
pub(crate) fn start(chassis: &Chassis, peers: impl Iterator<Item = &'static str>) -> Router {
    let given = Arc::new(RwLock::new(give(&BTreeMap::new())));
    let (client, peers) = (chassis.client.clone(), peers.collect::<Vec<_>>());
    let (said, current) = (Arc::new(Mutex::new(Said::default())), Arc::clone(&given));
    chassis.tasks.repeat("read descriptions", ASK_EVERY, move || {
        let (client, peers) = (client.clone(), peers.clone());
        let (said, current) = (Arc::clone(&said), Arc::clone(&current));
        async move { ask(&client, &peers, &said, &current).await }
    });
    let (json, page) = (Arc::clone(&given), given);
    let read = |given: &RwLock<Given>, part: fn(&Given) -> &Bytes| {
        part(&given.read().unwrap_or_else(PoisonError::into_inner)).clone()
    };
    Router::new()
        .route(
            DESCRIPTION_PATH,
            get(move || async move {
                let kind = [(header::CONTENT_TYPE, "application/json")];
                (kind, read(&json, |given| &given.json))
            }),
        )
        .route(
            PAGE_PATH,
            get(move || async move {
                let head = [
                    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
                    (header::CONTENT_SECURITY_POLICY, PAGE_POLICY),
                ];
                (head, read(&page, |given| &given.page))
            }),
        )
}

async fn ask(client: &Client, peers: &[&'static str], said: &Mutex<Said>, current: &RwLock<Given>) {
    let due: Vec<_> = {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.round = (said.round + 1) % ROUNDS;
        let all = said.round == 0;
        let due = |peer: &&&str| all || !said.by_service.contains_key(**peer);
        peers.iter().filter(due).copied().collect()
    };
    let mut news = false;
    for peer in due {
        let call = Call::get(peer, DESCRIPTION_PATH).untraced();
        let Ok(reply) = client.call(call).await else { continue };
        let Ok(description) = reply.json::<Value>() else { continue };
        if reply.status.is_success() && description["openapi"].is_string() {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            news |= said.by_service.insert(peer, description.clone()) != Some(description);
        }
    }
    if news {
        let given = give(&said.lock().unwrap_or_else(PoisonError::into_inner).by_service);
        *current.write().unwrap_or_else(PoisonError::into_inner) = given;
    }
}

fn give(by_service: &BTreeMap<&'static str, Value>) -> Given {
    let own = serde_json::from_str(OWN).expect("a test reads the gateway's own description");
    let whole = merge(own, by_service);
    Given { page: page::render(&whole).into(), json: whole.to_string().into() }
}

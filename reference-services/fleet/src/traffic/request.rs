//! From an action to an HTTP request, and from an answer to a verdict. The
//! types on the wire come from `contracts`.

use bytes::Bytes;
use contracts::IDEMPOTENCY_KEY;
use contracts::accounts::Refresh;
use contracts::money::Currency;
use contracts::orders::{Line, PlaceOrder};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use super::customers::{Customers, Placed, Ticket};
use super::schedule::{Action, Arrival};

/// What can be bought, with the price of a piece in minor units.
const CATALOGUE: [(&str, i64); 8] = [
    ("espresso-beans", 1_290),
    ("filter-papers", 350),
    ("hand-grinder", 7_900),
    ("kettle", 5_450),
    ("mug", 890),
    ("oat-drink", 240),
    ("scale", 3_200),
    ("sugar", 195),
];
/// What is soon sold out, and how many of the orders want it nevertheless.
const SCARCE: (&str, i64) = ("anniversary-mug", 2_490);
const SCARCE_SHARE: f64 = 0.01;
/// What people look for.
const SEARCHES: [&str; 4] = ["coffee", "stoneware", "grind", "raw cane"];
/// Most lines of an order.
const LINES_LIMIT: usize = 4;
/// Most pieces of a line.
const PIECES_LIMIT: u32 = 3;

/// A request, ready to be sent.
pub struct Prepared {
    /// What is sent.
    pub request: Request<Full<Bytes>>,
    /// What it really does: a customer without orders lists instead of reading.
    pub action: Action,
    /// The order in it, if it places one.
    pub placed: Option<Placed>,
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// What the request should bring about, be it a refusal.
    Expected,
    /// Refused because too much was asked (429).
    Limited,
    /// Any other status.
    Unexpected,
}

/// The parts in which requests differ.
struct Outline {
    action: Action,
    method: Method,
    path: String,
    body: Bytes,
    key: Option<String>,
    placed: Option<Placed>,
}

/// Makes the request of a `ticket`, for the server at `origin`
/// (`http://127.0.0.1:8080`).
pub fn prepare(origin: &str, ticket: Ticket, arrival: &Arrival, customers: &Customers) -> Prepared {
    let outline = outline(ticket, arrival, customers);
    let mut request =
        Request::builder().method(outline.method).uri(format!("{origin}{}", outline.path));
    let token = customers.token(ticket.place).filter(|_| outline.action != Action::Anonymous);
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    if let Some(key) = outline.key {
        request = request.header(IDEMPOTENCY_KEY, key);
    }
    if !outline.body.is_empty() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    Prepared {
        request: request
            .body(Full::new(outline.body))
            .expect("paths, keys and tokens are visible ASCII"),
        action: outline.action,
        placed: outline.placed,
    }
}

fn outline(ticket: Ticket, arrival: &Arrival, customers: &Customers) -> Outline {
    let place = ticket.place;
    let sign = |path| post(ticket.action, path, json(&customers.credentials(place)), None);
    match ticket.action {
        Action::Register => sign("/v1/register"),
        Action::Login => sign("/v1/login"),
        Action::Refresh => {
            let refresh_token = customers.refresh_token(place).unwrap_or_default().to_owned();
            post(Action::Refresh, "/v1/sessions/refresh", json(&Refresh { refresh_token }), None)
        }
        Action::Me | Action::Anonymous => get(ticket.action, "/v1/me".to_owned()),
        Action::List => get(Action::List, "/v1/orders".to_owned()),
        Action::Told => get(Action::Told, "/v1/notifications".to_owned()),
        Action::Profile => get(Action::Profile, "/v1/profile".to_owned()),
        Action::Missing => {
            get(Action::Missing, format!("/v1/orders/{}", Uuid::from_u64_pair(arrival.detail, 0)))
        }
        Action::Read => match customers.order(place, arrival.detail) {
            Some((order, _)) => get(Action::Read, format!("/v1/orders/{order}")),
            None => get(Action::List, "/v1/orders".to_owned()),
        },
        Action::Payment => match customers.order(place, arrival.detail) {
            Some((_, Some(payment))) => get(Action::Payment, format!("/v1/payments/{payment}")),
            _ => get(Action::List, "/v1/orders".to_owned()),
        },
        Action::Browse => get(Action::Browse, look_around(arrival.detail)),
        Action::Cancel => match customers.order(place, arrival.detail) {
            Some((order, _)) => {
                post(Action::Cancel, &format!("/v1/orders/{order}/cancel"), Bytes::new(), None)
            }
            None => get(Action::List, "/v1/orders".to_owned()),
        },
        Action::Place => order(Action::Place, fresh(arrival, customers)),
        Action::Resend => match customers.last(place) {
            Some(last) => order(Action::Resend, last.clone()),
            None => order(Action::Place, fresh(arrival, customers)),
        },
        Action::Invalid => {
            let empty = PlaceOrder { lines: Vec::new(), currency: Currency::Eur };
            let key = customers.key(arrival.number);
            post(Action::Invalid, "/v1/orders", json(&empty), Some(key))
        }
    }
}

fn get(action: Action, path: String) -> Outline {
    Outline { action, method: Method::GET, path, body: Bytes::new(), key: None, placed: None }
}

fn post(action: Action, path: &str, body: Bytes, key: Option<String>) -> Outline {
    Outline { action, method: Method::POST, path: path.to_owned(), body, key, placed: None }
}

fn order(action: Action, placed: Placed) -> Outline {
    let outline = post(action, "/v1/orders", json(&placed.body), Some(placed.key.clone()));
    Outline { placed: Some(placed), ..outline }
}

fn look_around(detail: u64) -> String {
    let mut chance = StdRng::seed_from_u64(detail);
    let (sku, _) = CATALOGUE[chance.random_range(0..CATALOGUE.len())];
    let words = SEARCHES[chance.random_range(0..SEARCHES.len())].replace(' ', "+");
    match chance.random_range(0..4) {
        0 => "/v1/products".to_owned(),
        1 => "/v1/categories".to_owned(),
        2 => format!("/v1/products?query={words}"),
        _ => format!("/v1/products/{sku}"),
    }
}

fn fresh(arrival: &Arrival, customers: &Customers) -> Placed {
    let mut chance = StdRng::seed_from_u64(arrival.detail);
    let count = chance.random_range(1..=LINES_LIMIT);
    let lines = (0..count).map(|_| {
        let (sku, unit_price_minor) = match chance.random_bool(SCARCE_SHARE / LINES_LIMIT as f64) {
            true => SCARCE,
            false => CATALOGUE[chance.random_range(0..CATALOGUE.len())],
        };
        let quantity = chance.random_range(1..=PIECES_LIMIT);
        Line { sku: sku.to_owned(), quantity, unit_price_minor }
    });
    let lines = lines.collect();
    let currency = Currency::ALL[chance.random_range(0..Currency::ALL.len())];
    Placed { key: customers.key(arrival.number), body: PlaceOrder { lines, currency } }
}

fn json(body: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(body).expect("plain structs have a JSON form").into()
}

/// What the `status` of an answer means for an `action`.
pub fn judge(action: Action, status: StatusCode) -> Verdict {
    let expected = match action {
        Action::Missing => status == StatusCode::NOT_FOUND,
        Action::Anonymous => status == StatusCode::UNAUTHORIZED,
        Action::Invalid => status == StatusCode::UNPROCESSABLE_ENTITY,
        // The simulated provider declines some payments, the carrier has no place
        // now and then, and some things are sold out.
        Action::Place | Action::Resend => {
            let refused = [StatusCode::PAYMENT_REQUIRED, StatusCode::CONFLICT];
            status.is_success() || refused.contains(&status)
        }
        // Many orders have left the house already.
        Action::Cancel => status.is_success() || status == StatusCode::CONFLICT,
        _ => status.is_success(),
    };
    match status {
        _ if expected => Verdict::Expected,
        StatusCode::TOO_MANY_REQUESTS => Verdict::Limited,
        _ => Verdict::Unexpected,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    #[test]
    fn the_same_arrival_makes_the_same_order() {
        let arrival =
            Arrival { number: 5, at: Duration::ZERO, place: 0, action: Action::Place, detail: 77 };
        let mut customers = Customers::new("run".to_owned());
        let now = Instant::now();
        let register = customers.settle(Action::Place, 0, now);
        customers.on_registered(register, true);
        let login = customers.settle(Action::Place, 0, now);
        let session = contracts::accounts::Session {
            access_token: "secret".to_owned(),
            token_type: "Bearer".to_owned(),
            expires_in_s: 60,
            refresh_token: "next".to_owned(),
            refresh_expires_in_s: 600,
            session: Uuid::nil(),
        };
        customers.on_login(login, session, now);
        let ticket = customers.settle(Action::Place, 0, now);
        let first = prepare("http://127.0.0.1:1", ticket, &arrival, &customers);
        let second = prepare("http://127.0.0.1:1", ticket, &arrival, &customers);
        assert_eq!(first.placed, second.placed);
        assert_eq!(first.request.headers()[IDEMPOTENCY_KEY], "run-5");
        assert_eq!(first.request.headers()[AUTHORIZATION], "Bearer secret");
        let read = Ticket { action: Action::Read, ..ticket };
        let read = prepare("http://127.0.0.1:1", read, &arrival, &customers);
        assert_eq!(read.action, Action::List, "there is no order to read yet");
    }

    #[test]
    fn a_refusal_can_be_what_was_wanted() {
        use Verdict::{Expected, Limited, Unexpected};
        let cases = [
            (Action::Me, 200, Expected),
            (Action::Me, 401, Unexpected),
            (Action::Anonymous, 401, Expected),
            (Action::Anonymous, 200, Unexpected),
            (Action::Missing, 404, Expected),
            (Action::Invalid, 422, Expected),
            (Action::Invalid, 429, Limited),
            (Action::Place, 201, Expected),
            (Action::Place, 402, Expected),
            (Action::Place, 409, Expected),
            (Action::Place, 503, Unexpected),
            (Action::Cancel, 409, Expected),
            (Action::Browse, 409, Unexpected),
        ];
        for (action, status, verdict) in cases {
            let status = StatusCode::from_u16(status).expect("a status");
            assert_eq!(judge(action, status), verdict, "{action:?} {status}");
        }
    }
}

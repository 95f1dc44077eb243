//! The gateway's routes, as data: what is open to the outside, who may call it,
//! which service answers, how long that may take, and what the pipeline does to
//! the request and its answer. `api` mounts them; nothing else knows a path.

use std::time::Duration;

use contracts::accounts::{ROLE_ADMINISTRATOR, ROLE_CUSTOMER};
use contracts::analytics::ROLE_ANALYST;
use http::Method;

/// One route. Made with [`get`] and [`post`], and what differs from the usual.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The method.
    pub verb: Verb,
    /// The path outside, with `{id}` for what varies. Its first part is the version.
    pub path: &'static str,
    /// The path at the peer, with the same parts that vary.
    pub upstream: &'static str,
    /// The service that answers.
    pub peer: &'static str,
    /// Who may call it.
    pub guard: Guard,
    /// How long the peer may take, repetitions included.
    pub timeout: Duration,
    /// Largest body that is read, in bytes.
    pub max_body: usize,
    /// How long an answer may be given again.
    pub cache: Caching,
    /// Other answers that are put into this one.
    pub parts: &'static [Part],
    /// How the answer is rewritten.
    pub shape: Shape,
    /// Whether a request with an idempotency key may be sent again: the peer honours
    /// the key, or has no effect that could come twice.
    pub keyed: bool,
}

/// The methods of the routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `GET`: may be sent again.
    Get,
    /// `POST`: may be sent again with an idempotency key only.
    Post,
    /// `PUT`: may be sent again.
    Put,
    /// `DELETE`: may be sent again.
    Delete,
}

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Everybody.
    Open,
    /// Whoever has a valid token with this role.
    Role(&'static str),
}

/// Whether an answer is kept for others who ask the same. Only answers of open
/// routes are: they say the same to everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caching {
    /// Never.
    No,
    /// Until an event of the catalog tells of a change, and for so long at most.
    UntilChanged(Duration),
}

/// Another answer that is put into an order's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The field that it becomes.
    pub name: &'static str,
    /// The service that has it.
    pub peer: &'static str,
    /// Its path there; `{id}` is what the field `key` says.
    pub path: &'static str,
    /// The field of the first answer that names it; without it, there is none.
    pub key: &'static str,
}

/// How an answer is rewritten on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As the peer gave it.
    AsItIs,
    /// Version 2: money as `{"amount": "12.50", "currency": "EUR"}`, times as
    /// RFC 3339, `status` for `state`.
    Two,
}

/// Time for reads and for logging in.
pub const SHORT: Duration = Duration::from_secs(3);

/// Time for placing an order or calling it off: longer than `orders` waits for a saga.
pub const LONG: Duration = Duration::from_secs(8);

/// Largest body of a request, in bytes.
pub const MAX_BODY: usize = 64 * 1024;

/// Longest time that an answer about products is given again.
pub const KEPT: Duration = Duration::from_secs(30);

const PAYMENT: Part =
    Part { name: "payment", peer: "payments", path: "/v1/payments/{id}", key: "payment" };
const SHIPMENT: Part =
    Part { name: "shipment", peer: "shipping", path: "/v1/shipments/{id}", key: "id" };

/// Every route.
pub const ROUTES: &[Route] = &[
    post("/v1/register", "auth"),
    post("/v1/login", "auth"),
    post("/v1/login/code", "auth"),
    post("/v1/sessions/refresh", "auth"),
    get("/v1/me", "auth").at("/v1/sessions/introspect").customer(),
    get("/v1/sessions", "auth").customer(),
    delete("/v1/sessions", "auth").customer(),
    delete("/v1/sessions/{id}", "auth").customer(),
    post("/v1/password", "auth").customer(),
    get("/v1/totp", "auth").customer(),
    post("/v1/totp", "auth").customer(),
    post("/v1/totp/confirm", "auth").customer(),
    post("/v1/totp/disable", "auth").customer(),
    post("/v1/administrators/first", "auth").customer(),
    put("/v1/accounts/{id}/roles/{role}", "auth").administrator(),
    delete("/v1/accounts/{id}/roles/{role}", "auth").administrator(),
    get("/v1/audit", "auth").administrator(),
    post("/v1/keys/rotate", "auth").administrator(),
    post("/v1/orders", "orders").customer().within(LONG).keyed(),
    get("/v1/orders", "orders").customer(),
    get("/v1/orders/{id}", "orders").customer(),
    get("/v1/orders/{id}/history", "orders").customer(),
    post("/v1/orders/{id}/cancel", "orders").customer().within(LONG),
    get("/v1/products", "catalog").kept(),
    get("/v1/products/{sku}", "catalog").kept(),
    get("/v1/categories", "catalog").kept(),
    post("/v1/quotes", "shipping").keyed(),
    get("/v1/shipments/{id}", "shipping").customer(),
    get("/v1/payments/{id}", "payments").customer(),
    get("/v1/notifications", "notifications").customer(),
    get("/v1/notifications/{id}", "notifications").customer(),
    post("/v1/notifications/read", "notifications").customer(),
    get("/v1/notifications/webhook", "notifications").customer(),
    put("/v1/notifications/webhook", "notifications").customer(),
    delete("/v1/notifications/webhook", "notifications").customer(),
    get("/v1/profile", "users").customer(),
    put("/v1/profile", "users").customer(),
    delete("/v1/profile", "users").customer(),
    get("/v1/profile/export", "users").customer(),
    get("/v1/preferences", "users").customer(),
    put("/v1/preferences", "users").customer(),
    post("/v1/analytics/events", "analytics").customer(),
    get("/v1/analytics/schemas", "analytics").role(ROLE_ANALYST),
    post("/v1/analytics/schemas", "analytics").role(ROLE_ANALYST),
    get("/v1/analytics/series/{name}", "analytics").role(ROLE_ANALYST),
    get("/v1/analytics/products", "analytics").role(ROLE_ANALYST),
    get("/v1/analytics/funnel", "analytics").role(ROLE_ANALYST),
    get("/v1/analytics/join", "analytics").role(ROLE_ANALYST),
    get("/v1/analytics/late", "analytics").role(ROLE_ANALYST),
    get("/v1/analytics/alerts", "analytics").role(ROLE_ANALYST),
    get("/v2/products/{sku}", "catalog").at("/v1/products/{sku}").kept().shaped(Shape::Two),
    get("/v2/orders/{id}", "orders")
        .at("/v1/orders/{id}")
        .customer()
        .with(&[PAYMENT, SHIPMENT])
        .shaped(Shape::Two),
];

/// A `GET` that everybody may send.
pub const fn get(path: &'static str, peer: &'static str) -> Route {
    route(Verb::Get, path, peer)
}

/// A `POST` that everybody may send.
pub const fn post(path: &'static str, peer: &'static str) -> Route {
    route(Verb::Post, path, peer)
}

/// A `PUT` that everybody may send.
pub const fn put(path: &'static str, peer: &'static str) -> Route {
    route(Verb::Put, path, peer)
}

/// A `DELETE` that everybody may send.
pub const fn delete(path: &'static str, peer: &'static str) -> Route {
    route(Verb::Delete, path, peer)
}

const fn route(verb: Verb, path: &'static str, peer: &'static str) -> Route {
    Route {
        verb,
        path,
        upstream: path,
        peer,
        guard: Guard::Open,
        timeout: SHORT,
        max_body: MAX_BODY,
        cache: Caching::No,
        parts: &[],
        shape: Shape::AsItIs,
        keyed: false,
    }
}

impl Route {
    /// For customers only.
    #[must_use]
    pub const fn customer(mut self) -> Self {
        self.guard = Guard::Role(ROLE_CUSTOMER);
        self
    }

    /// For whoever has this role only.
    #[must_use]
    pub const fn role(mut self, role: &'static str) -> Self {
        self.guard = Guard::Role(role);
        self
    }

    /// For administrators only.
    #[must_use]
    pub const fn administrator(mut self) -> Self {
        self.guard = Guard::Role(ROLE_ADMINISTRATOR);
        self
    }

    /// The peer has it at another path.
    #[must_use]
    pub const fn at(mut self, upstream: &'static str) -> Self {
        self.upstream = upstream;
        self
    }

    /// With an idempotency key it may be sent again.
    #[must_use]
    pub const fn keyed(mut self) -> Self {
        self.keyed = true;
        self
    }

    /// The peer may take so long.
    #[must_use]
    pub const fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The answer is kept until the catalog tells of a change.
    #[must_use]
    pub const fn kept(mut self) -> Self {
        self.cache = Caching::UntilChanged(KEPT);
        self
    }

    /// Other answers are put into this one.
    #[must_use]
    pub const fn with(mut self, parts: &'static [Part]) -> Self {
        self.parts = parts;
        self
    }

    /// The answer is rewritten.
    #[must_use]
    pub const fn shaped(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }
}

impl Verb {
    /// As HTTP has it.
    pub const fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Delete => Method::DELETE,
        }
    }

    /// Whether sending it twice does what sending it once does (RFC 9110, 9.2.2).
    pub const fn idempotent(self) -> bool {
        !matches!(self, Self::Post)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_signing_in_and_looking_around_are_open() {
        let open: Vec<_> = ROUTES
            .iter()
            .filter(|route| route.guard == Guard::Open)
            .map(|route| route.path)
            .collect();
        let looking_around = [
            "/v1/products",
            "/v1/products/{sku}",
            "/v1/categories",
            "/v1/quotes",
            "/v2/products/{sku}",
        ];
        let signing_in = ["/v1/register", "/v1/login", "/v1/login/code", "/v1/sessions/refresh"];
        assert_eq!(open, [&signing_in[..], &looking_around[..]].concat());
    }

    #[test]
    fn the_table_is_sound() {
        let vary = |path: &str| path.matches('{').count();
        for route in ROUTES {
            let Route { path, upstream, .. } = *route;
            assert_eq!(vary(path), vary(upstream), "{path} is answered at {upstream}");
            assert!(["/v1/", "/v2/"].iter().any(|version| path.starts_with(version)), "{path}");
            if route.cache != Caching::No {
                let sound = route.guard == Guard::Open && route.verb == Verb::Get;
                assert!(sound, "{path} is kept, but does not say the same to everybody");
            }
            let same = |other: &&Route| other.path == path && other.verb == route.verb;
            assert_eq!(ROUTES.iter().filter(same).count(), 1, "{path} is there twice");
        }
    }
}

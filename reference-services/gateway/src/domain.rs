//! The gateway's routes, as data: what is open to the outside, who may call it,
//! which service answers, and how long that may take.

use std::time::Duration;

use contracts::accounts::ROLE_CUSTOMER;
use http::Method;

/// One route.
#[derive(Debug, Clone)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path outside, with `{id}` for what varies.
    pub path: &'static str,
    /// The path at the peer, where it is another one.
    pub upstream: Option<&'static str>,
    /// The service that answers.
    pub peer: &'static str,
    /// Who may call it.
    pub guard: Guard,
    /// How long the peer may take.
    pub timeout: Duration,
}

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Everybody.
    Open,
    /// Whoever has a valid token with this role.
    Role(&'static str),
}

/// Time for reads and for logging in.
pub const SHORT: Duration = Duration::from_secs(3);

/// Time for placing an order or calling it off: longer than `orders` waits for a saga.
pub const LONG: Duration = Duration::from_secs(8);

const CUSTOMER: Guard = Guard::Role(ROLE_CUSTOMER);

/// Every route.
pub const ROUTES: &[Route] = &[
    route(Method::POST, "/v1/register", None, "auth", Guard::Open, SHORT),
    route(Method::POST, "/v1/login", None, "auth", Guard::Open, SHORT),
    route(Method::GET, "/v1/me", Some("/v1/sessions/introspect"), "auth", CUSTOMER, SHORT),
    route(Method::POST, "/v1/orders", None, "orders", CUSTOMER, LONG),
    route(Method::GET, "/v1/orders", None, "orders", CUSTOMER, SHORT),
    route(Method::GET, "/v1/orders/{id}", None, "orders", CUSTOMER, SHORT),
    route(Method::POST, "/v1/orders/{id}/cancel", None, "orders", CUSTOMER, LONG),
    route(Method::GET, "/v1/products", None, "catalog", Guard::Open, SHORT),
    route(Method::GET, "/v1/products/{sku}", None, "catalog", Guard::Open, SHORT),
    route(Method::GET, "/v1/categories", None, "catalog", Guard::Open, SHORT),
    route(Method::POST, "/v1/quotes", None, "shipping", Guard::Open, SHORT),
    route(Method::GET, "/v1/shipments/{id}", None, "shipping", CUSTOMER, SHORT),
    route(Method::GET, "/v1/payments/{id}", None, "payments", CUSTOMER, SHORT),
];

const fn route(
    method: Method,
    path: &'static str,
    upstream: Option<&'static str>,
    peer: &'static str,
    guard: Guard,
    timeout: Duration,
) -> Route {
    Route { method, path, upstream, peer, guard, timeout }
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
        let looking_around = ["/v1/products", "/v1/products/{sku}", "/v1/categories", "/v1/quotes"];
        assert_eq!(open[..2], ["/v1/register", "/v1/login"]);
        assert_eq!(open[2..], looking_around);
    }

    #[test]
    fn what_varies_stays_where_it_is() {
        for route in ROUTES {
            let moved = route.upstream.is_some() && route.path.contains('{');
            assert!(!moved, "{} varies and is answered at another path", route.path);
        }
    }
}

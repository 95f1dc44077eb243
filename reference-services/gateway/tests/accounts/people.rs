//! What the tests do at the door: people with sessions, and what they ask for.

#![allow(unreachable_pub)]

use std::time::{Duration, Instant};

use chassis::{Call, Reply};
use contracts::accounts::{Credentials, Refresh, Session, SessionLine, Sessions};
use contracts::invariants::Report;
use contracts::problem::Problem;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method};
use serde::Serialize;

use crate::running::{PASSWORD, System, with_token};

/// How long a case waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

impl System {
    pub async fn register(&self, email: &str) {
        let credentials = Credentials { email: email.to_owned(), password: PASSWORD.to_owned() };
        let registered = self.send(Call::post("gateway", "/v1/register").json(&credentials)).await;
        assert_eq!(registered.status, 201, "{registered:?}");
    }

    pub async fn session(&self, email: &str) -> Session {
        self.session_on(email, "curl/8.5.0").await
    }

    /// Logs in with a device of the caller's choice.
    pub async fn session_on(&self, email: &str, agent: &'static str) -> Session {
        let credentials = Credentials { email: email.to_owned(), password: PASSWORD.to_owned() };
        let call = Call::post("gateway", "/v1/login").json(&credentials);
        let reply = self.send(call.header(USER_AGENT, HeaderValue::from_static(agent))).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json().unwrap()
    }

    pub async fn refresh(&self, token: &str) -> Reply {
        let body = Refresh { refresh_token: token.to_owned() };
        self.send(Call::post("gateway", "/v1/sessions/refresh").json(&body)).await
    }

    pub async fn refreshed(&self, token: &str) -> Session {
        let reply = self.refresh(token).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json().unwrap()
    }

    pub async fn post(&self, path: &'static str, token: &str, body: &impl Serialize) -> Reply {
        self.send(with_token(Call::post("gateway", path).json(body), token)).await
    }

    pub async fn with(&self, method: Method, path: &str, token: &str) -> Reply {
        self.send(with_token(Call::new(method, "gateway", path), token)).await
    }

    pub async fn sessions(&self, token: &str) -> Vec<SessionLine> {
        let reply = self.get("/v1/sessions", token).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.json::<Sessions>().unwrap().sessions
    }

    /// Waits until the gateway refuses a token by itself: a service behind it would not.
    pub async fn refused_at_the_door(&self, token: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.get("/v1/orders", token).await.status != 401 {
            assert!(Instant::now() < deadline, "an ended session is let in still");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn report(&self, service: &str) -> Report {
        self.send(Call::get(service, "/invariants")).await.json().unwrap()
    }

    pub async fn metrics(&self, service: &str) -> String {
        let reply = self.send(Call::get(service, "/metrics")).await;
        String::from_utf8(reply.body.to_vec()).unwrap()
    }
}

pub fn problem(reply: &Reply) -> Problem {
    assert_eq!(reply.headers[CONTENT_TYPE], "application/problem+json", "{reply:?}");
    reply.json().unwrap()
}

/// The names of the fields that a refusal is about.
pub fn fields(reply: &Reply) -> Vec<String> {
    problem(reply).errors.into_iter().map(|error| error.field).collect()
}

//! What users hears: that somebody registered. Who it is, the event does not say:
//! `auth` is asked, in rounds, and the profile is made from the answer.

use std::time::Duration;

use anyhow::Context as _;
use chassis::clock::now_ms;
use chassis::messaging::{continues, decode};
use chassis::{Call, Chassis, Client, Handler, Trouble, Write};
use contracts::accounts::{Account, AccountEvent};
use contracts::messaging::Event;
use http::StatusCode;
use prometheus::IntCounterVec;
use tracing::Instrument;

use crate::store::{Arrival, Users};

/// How often those who arrived are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Where `auth` is asked.
const ROUTE: &str = "/internal/accounts/{id}";

pub(crate) fn subscribe(users: &Users, chassis: &Chassis, changes: &IntCounterVec) {
    users.messaging().subscribe(chassis, "auth", Accounts { users: users.clone() });
    let door =
        Door { users: users.clone(), client: chassis.client.clone(), changes: changes.clone() };
    chassis.tasks.repeat("welcome new users", LOOK_EVERY, move || {
        let door = door.clone();
        async move {
            if let Err(error) = door.round().await {
                tracing::debug!(error = format!("{error:#}"), "somebody new still waits");
            }
        }
    });
}

struct Accounts {
    users: Users,
}

impl Handler<Write> for Accounts {
    async fn handle(&self, write: &mut Write, event: &Event) -> Result<(), Trouble> {
        let known = decode(event).map_err(|error| Trouble::Never(error.to_string()))?;
        // Whose sessions end is no concern of profiles.
        let AccountEvent::Registered { account } = known else { return Ok(()) };
        Ok(self.users.arrive(write, account, &event.context, now_ms()).await?)
    }
}

/// Makes the profiles of those who arrived.
#[derive(Debug, Clone)]
struct Door {
    users: Users,
    client: Client,
    changes: IntCounterVec,
}

impl Door {
    async fn round(&self) -> anyhow::Result<()> {
        for arrival in self.users.arrivals().await? {
            let span = tracing::info_span!(
                target: chassis::telemetry::SPANS, "welcome", otel.name = "welcome user"
            );
            continues(&span, &arrival.context);
            self.welcome(&arrival).instrument(span).await?;
        }
        Ok(())
    }

    async fn welcome(&self, arrival: &Arrival) -> anyhow::Result<()> {
        let path = format!("/internal/accounts/{}", arrival.user);
        let call = Call::get("auth", ROUTE).path(path).expecting(&[404]);
        let reply = self.client.call(call).await?;
        let email = match reply.status {
            StatusCode::OK => {
                Some(reply.json::<Account>().context("the account cannot be read")?.email)
            }
            StatusCode::NOT_FOUND => None,
            other => anyhow::bail!("`auth` answered {other}"),
        };
        if self.users.welcome(arrival.user, email.as_deref(), now_ms()).await? {
            self.changes.with_label_values(&["registered"]).inc();
        }
        Ok(())
    }
}

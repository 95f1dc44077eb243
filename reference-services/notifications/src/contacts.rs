//! How customers want to be spoken to, and where: asked from `users` and kept
//! for a short time. Addresses are kept in memory only.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use chassis::client::CallError;
use chassis::{Call, Chassis, Client};
use contracts::users::Contact;
use http::StatusCode;
use quick_cache::sync::Cache;
use uuid::Uuid;

/// Where `users` is asked.
const ROUTE: &str = "/internal/contacts/{id}";

/// Most contacts that are kept.
pub(crate) const MAX_CONTACTS: usize = 1_000;

/// Longest time that a contact is kept: the bound on how late a change takes
/// effect when no event of it comes through.
pub(crate) const KEPT_FOR: Duration = Duration::from_secs(30);

/// Whether somebody is known.
#[derive(Clone)]
pub(crate) enum Asked {
    /// How to reach him.
    Known(Arc<Contact>),
    /// `users` has not heard of him: his account may be moments old.
    NotYet,
}

/// Asks for contacts. Clones share what is kept.
#[derive(Clone)]
pub(crate) struct Contacts {
    client: Client,
    kept: Arc<Cache<Uuid, (Instant, Arc<Contact>)>>,
}

impl std::fmt::Debug for Contacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contacts").field("kept", &self.kept.len()).finish_non_exhaustive()
    }
}

impl Contacts {
    pub(crate) fn new(chassis: &Chassis) -> Self {
        Self { client: chassis.client.clone(), kept: Arc::new(Cache::new(MAX_CONTACTS)) }
    }

    /// How to reach a customer. Who was removed, and where there is no `users`, is
    /// told in the app only, in the usual language.
    pub(crate) async fn of(&self, customer: Uuid) -> anyhow::Result<Asked> {
        if let Some((at, contact)) = self.kept.get(&customer)
            && at.elapsed() < KEPT_FOR
        {
            return Ok(Asked::Known(contact));
        }
        let call = Call::get("users", ROUTE)
            .path(format!("/internal/contacts/{customer}"))
            .expecting(&[404, 410]);
        let contact = match self.client.call(call).await {
            Ok(reply) if reply.status == StatusCode::OK => {
                reply.json().context("the contact cannot be read")?
            }
            Ok(reply) if reply.status == StatusCode::NOT_FOUND => return Ok(Asked::NotYet),
            Ok(reply) if reply.status == StatusCode::GONE => Contact::default(),
            Ok(reply) => anyhow::bail!("`users` answered {}", reply.status),
            Err(CallError::UnknownPeer(_)) => Contact::default(),
            Err(error) => return Err(error.into()),
        };
        let contact = Arc::new(contact);
        self.kept.insert(customer, (Instant::now(), Arc::clone(&contact)));
        Ok(Asked::Known(contact))
    }

    /// Asks again the next time.
    pub(crate) fn forget(&self, customer: Uuid) {
        self.kept.remove(&customer);
    }
}

//! CloudScale's users: who they are (profile and addresses) and how they want to
//! be spoken to (language, time zone, channels, quiet hours). A profile is there
//! as soon as the event of its account has come from `auth`. Personal fields are
//! sealed before they are written.

#![forbid(unsafe_code)]

mod api;
pub mod domain;
mod events;
mod store;

use std::env;
use std::time::Duration;

use chassis::{App, Callers, Chassis, Config, Verifier};

pub use chassis::sealing::Keys;

/// The service's name.
pub const NAME: &str = "users";

/// Variable with the keys of personal fields as `ID=HEX`, the newest first, with
/// commas between them; without it they are kept in the data folder.
pub const KEYS_VARIABLE: &str = "CLOUDSCALE_USERS_KEYS";

/// Name of the keys' file in the data folder.
pub const KEY_FILE: &str = "field-keys";

/// How often rows with old keys are looked for.
const RESEAL_EVERY: Duration = Duration::from_secs(5);

/// Runs the service until it is told to stop (SIGTERM or Ctrl-C).
pub async fn run(config: Config) -> anyhow::Result<()> {
    chassis::run(config, build).await
}

/// Builds the service.
pub async fn build(chassis: Chassis) -> anyhow::Result<App> {
    let given = env::var(KEYS_VARIABLE).ok().filter(|value| !value.is_empty());
    build_with(chassis, given.as_deref()).await
}

/// Builds the service with keys of the caller's choice.
pub async fn build_with(chassis: Chassis, keys: Option<&str>) -> anyhow::Result<App> {
    let keys = Keys::open(NAME, keys, &chassis.config.data_dir.join(KEY_FILE))?;
    let users = store::Users::open(&chassis, keys).await?;
    let changes = chassis.metrics.counter(
        "users_changes_total",
        "Changes of users, by what was changed; `stale` ones were refused.",
        &["what"],
    );
    start(&users, &chassis);
    events::subscribe(&users, &chassis, &changes);
    let (store, messaging) = (users.store().clone(), users.messaging().clone());
    let verifier = Verifier::start(&chassis);
    let router = api::routes(api::State { users: users.clone(), verifier, changes });
    let app = App::new(router, Callers::Services).describe(include_str!("../openapi.json"));
    Ok(app.store(store).messaging(messaging).checks(users))
}

/// Seals rows with old keys anew, and counts.
fn start(users: &store::Users, chassis: &Chassis) {
    let old = chassis.metrics.gauge(
        "users_rows_with_old_keys",
        "Users whose fields are not sealed with the newest key yet.",
    );
    let all = chassis.metrics.gauge("users_profiles", "Users that there are.");
    let users = users.clone();
    chassis.tasks.repeat("seal with the newest key", RESEAL_EVERY, move || {
        let (users, old, all) = (users.clone(), old.clone(), all.clone());
        async move {
            let done = async {
                all.set(users.count().await?);
                old.set(users.reseal().await?);
                anyhow::Ok(())
            };
            if let Err(error) = done.await {
                tracing::warn!(error = format!("{error:#}"), "fields were not sealed anew");
            }
        }
    });
}

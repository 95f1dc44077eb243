//! CloudScale's accounts and tokens: register, log in, keep sessions and end them, and
//! publish the keys with which every service checks tokens by itself.
//!
//! An access token is good for minutes and is checked without asking; the session that
//! it belongs to lasts as long as its refresh tokens are taken for new ones in time
//! ([`domain`], `store::sessions`). A session that ends is told as an event, which the
//! gateway follows: there it is refused at once, and everywhere else when its last
//! access token has ended. Who did what stays in a log that shows whether it was
//! tampered with ([`audit`]).

#![forbid(unsafe_code)]

mod api;
pub mod audit;
pub mod domain;
mod figures;
pub mod lockout;
pub mod password;
pub mod pepper;
pub mod signing;
mod store;
pub mod totp;

use std::env;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use chassis::clock::now_ms;
use chassis::token::Keys;
use chassis::{App, Callers, Chassis, Config, Verifier};
use chassis::{sealing, secret};

use pepper::{Pepper, digest};
use signing::Signer;
use store::keys::{Cause, Turned};

/// The service's name.
pub const NAME: &str = "auth";

/// Variable with the keys that seal what the database must not show (signing keys, second
/// factors) as `ID=HEX`, the newest first, with commas between them; without it they are
/// kept in the data folder.
pub const KEYS_VARIABLE: &str = "CLOUDSCALE_AUTH_KEYS";

/// Variable with the key of keyed hashes, 64 hexadecimal digits; without it, it is kept in
/// the data folder.
pub const PEPPER_VARIABLE: &str = "CLOUDSCALE_AUTH_PEPPER";

/// Variable with the secret for which somebody becomes the first administrator; without it,
/// one lies in the data folder.
pub const FIRST_ADMINISTRATOR_VARIABLE: &str = "CLOUDSCALE_AUTH_FIRST_ADMINISTRATOR";

/// Name of that secret's file in the data folder.
pub const FIRST_ADMINISTRATOR_FILE: &str = "first-administrator";

/// Shortest secret that is taken from the environment, in characters.
const MIN_SECRET_CHARS: usize = 16;

/// Name of the sealing keys' file in the data folder.
pub const KEY_FILE: &str = "sealing-keys";

/// How often it is looked whether another key should sign, or does (another replica may
/// have changed it).
const LOOK_AT_KEYS_EVERY: Duration = Duration::from_secs(5);

/// How often what is over is removed.
const SWEEP_EVERY: Duration = Duration::from_secs(30);

/// How often figures of the whole are counted.
const COUNT_EVERY: Duration = Duration::from_secs(5);

/// What auth can be given other than its configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long an access token is good.
    pub token_lifetime: Duration,
    /// How long a key signs.
    pub rotate_every: Duration,
    /// How long a key is published, at least, before it signs.
    pub published_ahead: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            token_lifetime: domain::TOKEN_LIFETIME,
            rotate_every: domain::ROTATE_EVERY,
            published_ahead: domain::PUBLISHED_AHEAD,
        }
    }
}

/// The secret for which somebody becomes the first administrator, as its hash.
#[derive(Debug, Clone)]
pub(crate) struct FirstAdministrator(String);

impl FirstAdministrator {
    fn open(given: Option<&str>, folder: &Path) -> anyhow::Result<Self> {
        if let Some(secret) = given.map(str::trim) {
            let long = secret.chars().count() >= MIN_SECRET_CHARS;
            anyhow::ensure!(
                long,
                "`{FIRST_ADMINISTRATOR_VARIABLE}` is shorter than {MIN_SECRET_CHARS} characters"
            );
            return Ok(Self(digest(secret)));
        }
        let file = folder.join(FIRST_ADMINISTRATOR_FILE);
        let kept = secret::kept(&file, || domain::random_token().into_bytes())
            .with_context(|| format!("cannot read or make the secret `{}`", file.display()))?;
        Ok(Self(digest(String::from_utf8_lossy(&kept).trim())))
    }

    /// Whether this is the secret. Hashes are compared: how far they agree tells nothing.
    pub(crate) fn is(&self, secret: &str) -> bool {
        digest(secret.trim()) == self.0
    }
}

/// Runs the service until it is told to stop (SIGTERM or Ctrl-C).
pub async fn run(config: Config) -> anyhow::Result<()> {
    chassis::run(config, build).await
}

/// Builds the service.
pub async fn build(chassis: Chassis) -> anyhow::Result<App> {
    build_with(chassis, Settings::default()).await
}

/// Builds the service with settings of the caller's choice.
pub async fn build_with(chassis: Chassis, settings: Settings) -> anyhow::Result<App> {
    let given = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let folder = &chassis.config.data_dir;
    let keys = sealing::Keys::open(NAME, given(KEYS_VARIABLE).as_deref(), &folder.join(KEY_FILE))?;
    let pepper = Pepper::open(given(PEPPER_VARIABLE).as_deref(), folder)?;
    let first_administrator =
        FirstAdministrator::open(given(FIRST_ADMINISTRATOR_VARIABLE).as_deref(), folder)?;
    let accounts = store::Accounts::open(&chassis, pepper, keys, settings.token_lifetime).await?;
    if !accounts.is_administered().await? {
        tracing::info!("there is no administrator yet: whoever has the secret can become one");
    }
    accounts.first_keys(folder, now_ms()).await?;
    let signer = Signer::new(accounts.ring(now_ms()).await?);
    let verifier = Verifier::fixed(Keys::of(&signer.published()), &chassis);
    let (store, messaging) = (accounts.store().clone(), accounts.messaging().clone());
    let state = api::State {
        accounts: accounts.clone(),
        signer,
        verifier,
        passwords: password::Passwords::new()?,
        counters: figures::Counters::new(&chassis.metrics),
        settings,
        first_administrator,
    };
    keep(&state, &chassis);
    let app = App::new(api::routes(state), Callers::Services);
    let app = app.describe(include_str!("../openapi.json"));
    Ok(app.store(store).messaging(messaging).checks(accounts))
}

/// What goes on beside requests: keys take turns, what is over is removed, and counts.
fn keep(state: &api::State, chassis: &Chassis) {
    let looking = state.clone();
    chassis.tasks.repeat("look at the signing keys", LOOK_AT_KEYS_EVERY, move || {
        let state = looking.clone();
        async move { tell(turn_keys(&state).await, "the signing keys cannot be looked at") }
    });
    let sweeping = state.accounts.clone();
    chassis.tasks.repeat("remove what is over", SWEEP_EVERY, move || {
        let accounts = sweeping.clone();
        async move {
            let done = async {
                while accounts.sweep(now_ms()).await? {}
                Ok(())
            };
            tell(done.await, "what is over cannot be removed");
        }
    });
    let (counting, figures) = (state.accounts.clone(), figures::Gauges::new(&chassis.metrics));
    chassis.tasks.repeat("count sessions", COUNT_EVERY, move || {
        let (accounts, figures) = (counting.clone(), figures.clone());
        async move {
            let done = async {
                figures.sessions.set(accounts.count_sessions(now_ms()).await?);
                figures.audit.set(accounts.audit_length().await?);
                anyhow::Ok(())
            };
            tell(done.await, "sessions cannot be counted");
        }
    });
}

async fn turn_keys(state: &api::State) -> anyhow::Result<()> {
    let millis = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4);
    let cause = Cause::Time { every_ms: millis(state.settings.rotate_every) };
    if state.accounts.rotate_keys(cause, state.ahead_ms(), now_ms()).await? == Turned::Done {
        tracing::info!("another key signs, as it was time");
        state.counters.rotations.with_label_values(&["time"]).inc();
    }
    state.take_keys().await
}

fn tell(done: anyhow::Result<()>, words: &str) {
    if let Err(error) = done {
        tracing::warn!(error = format!("{error:#}"), "{words}");
    }
}

//! CloudScale's messages to its customers. What became of an order, a payment or
//! a shipment is told in the app (a list and a stream), by e-mail and to a
//! webhook, in the customer's language and as far as he wants it.
//!
//! 1. An event is written down as a notification, in its own transaction.
//! 2. The customer's preferences are asked from `users`, and each channel is
//!    chosen or suppressed.
//! 3. What is chosen is sent, again and again until it is taken or given up.
//!
//! A process that dies between sending and noting sends again: a mail then has
//! the same `Message-ID`, and a webhook's call the same `webhook-id`.

#![forbid(unsafe_code)]

mod api;
mod contacts;
pub mod dispatch;
pub mod domain;
pub mod email;
mod events;
mod store;
pub mod stream;
pub mod templates;
pub mod webhook;

use std::env;
use std::sync::Arc;

use anyhow::Context as _;
use chassis::{App, Callers, Chassis, Config, Verifier, secret};
use tokio::sync::broadcast;

/// The service's name.
pub const NAME: &str = "notifications";

/// Name of the file with the key that webhooks' secrets follow from.
pub const KEY_FILE: &str = "webhook-key";

/// The variables that this service reads beside those of the chassis.
pub mod variables {
    /// Mail server, for example `smtp://user:password@mail.example.org:587?tls=required`;
    /// without it mails are written into the folder `outbox` of the data folder.
    pub const SMTP_URL: &str = "CLOUDSCALE_SMTP_URL";
    /// File that holds the same, so that the password is in no environment.
    pub const SMTP_URL_FILE: &str = "CLOUDSCALE_SMTP_URL_FILE";
    /// Sender of mails.
    pub const MAIL_FROM: &str = "CLOUDSCALE_MAIL_FROM";
    /// `1` lets webhooks lead to plain `http` and to addresses of this network.
    pub const WEBHOOK_INSIDE: &str = "CLOUDSCALE_WEBHOOK_ALLOW_PRIVATE";
    /// Key that webhooks' secrets follow from, as 64 hexadecimal digits; without
    /// it one is made and kept in the data folder.
    pub const WEBHOOK_KEY: &str = "CLOUDSCALE_WEBHOOK_KEY";
}

/// What is set of this service. It has no `Debug`: it holds secrets.
#[derive(Clone)]
pub struct Settings {
    /// Mail server with its password, if there is one.
    pub smtp_url: Option<String>,
    /// Sender of mails.
    pub mail_from: String,
    /// Whether webhooks may lead to plain `http` and inside.
    pub webhook_inside: bool,
    /// Key that webhooks' secrets follow from, if it is given.
    pub webhook_key: Option<String>,
    /// Pause after the first attempt that failed, in milliseconds.
    pub first_pause_ms: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            smtp_url: None,
            mail_from: "CloudScale <shop@cloudscale.invalid>".to_owned(),
            webhook_inside: false,
            webhook_key: None,
            first_pause_ms: 1_000,
        }
    }
}

impl Settings {
    /// Reads the environment.
    pub fn from_env() -> anyhow::Result<Self> {
        let get = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let smtp_url = match get(variables::SMTP_URL_FILE) {
            Some(file) => {
                let text = std::fs::read_to_string(&file)
                    .with_context(|| format!("cannot read `{file}`"))?;
                Some(text.trim().to_owned())
            }
            None => get(variables::SMTP_URL),
        };
        let usual = Self::default();
        Ok(Self {
            smtp_url,
            mail_from: get(variables::MAIL_FROM).unwrap_or(usual.mail_from),
            webhook_inside: get(variables::WEBHOOK_INSIDE).is_some_and(|value| value == "1"),
            webhook_key: get(variables::WEBHOOK_KEY),
            ..usual
        })
    }
}

/// Runs the service until it is told to stop (SIGTERM or Ctrl-C).
pub async fn run(config: Config) -> anyhow::Result<()> {
    chassis::run(config, build).await
}

/// Builds the service.
pub async fn build(chassis: Chassis) -> anyhow::Result<App> {
    let settings = Settings::from_env()?;
    build_with(chassis, settings).await
}

/// Builds the service with settings of the caller's choice.
pub async fn build_with(chassis: Chassis, settings: Settings) -> anyhow::Result<App> {
    let desk = store::Desk::open(&chassis).await?;
    let data_dir = &chassis.config.data_dir;
    let mailer = email::Mailer::new(settings.smtp_url.as_deref(), &settings.mail_from, data_dir)?;
    let hooks = webhook::Hooks::new(key(&chassis, &settings)?, settings.webhook_inside);
    let (news, _) = broadcast::channel(dispatch::MAX_UNREAD_NEWS);
    let dispatch = dispatch::Dispatch {
        desk: desk.clone(),
        contacts: contacts::Contacts::new(&chassis),
        templates: Arc::new(templates::Templates::load()?),
        mailer: Arc::new(mailer),
        hooks: hooks.clone(),
        news: news.clone(),
        crash: chassis.crash.clone(),
        first_pause_ms: settings.first_pause_ms,
        figures: dispatch::Figures::new(&chassis),
    };
    events::subscribe(&desk, &dispatch.contacts, &chassis);
    dispatch.start(&chassis);
    let open = chassis.metrics.gauge("notifications_streams", "Streams that are open now.");
    let router = api::routes(api::State {
        desk: desk.clone(),
        verifier: Verifier::start(&chassis),
        hooks,
        streams: stream::Streams::new(open),
        news,
        stop: chassis.tasks.stopping(),
        inside_allowed: settings.webhook_inside,
    });
    let (store, messaging) = (desk.store().clone(), desk.messaging().clone());
    Ok(App::new(router, Callers::Services)
        .describe(include_str!("../openapi.json"))
        .store(store)
        .messaging(messaging)
        .checks(desk))
}

fn key(chassis: &Chassis, settings: &Settings) -> anyhow::Result<[u8; secret::KEY_BYTES]> {
    let text = match &settings.webhook_key {
        Some(given) => given.clone(),
        None => {
            let file = chassis.config.data_dir.join(KEY_FILE);
            let kept = secret::kept(&file, || secret::to_hex(&secret::random()).into_bytes());
            let kept =
                kept.with_context(|| format!("cannot read or make the key `{}`", file.display()))?;
            String::from_utf8_lossy(&kept).trim().to_owned()
        }
    };
    secret::from_hex(&text).context("the key for webhooks must be 64 hexadecimal digits")
}

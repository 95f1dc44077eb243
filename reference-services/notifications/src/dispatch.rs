//! The work beside requests, in rounds: choose the channels of new notifications,
//! send what is due on each channel, forget what is old. A round takes what it
//! works on for a while ([`LEASE_MS`]); whoever dies in it has it taken again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chassis::clock::now_ms;
use chassis::messaging::continues;
use chassis::metrics::DURATION_BUCKETS_S;
use chassis::{Chassis, CrashPoints};
use contracts::notifications::{Channel, DeliveryState, Notification, WebhookBody, WebhookData};
use contracts::users::Contact;
use futures_util::StreamExt;
use prometheus::{GaugeVec, HistogramVec, IntCounterVec, IntGaugeVec};
use tokio::sync::broadcast;
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

use crate::contacts::{Asked, Contacts};
use crate::domain::{
    Facts, MAX_ATTEMPTS, MAX_PAUSE_MS, NO_ADDRESS, Plan, delivery_id, pause, plan,
};
use crate::email::{self, Mailer, NotSent};
use crate::store::{Desk, New, Outcome, Planned, Taken};
use crate::templates::{Templates, Values};
use crate::webhook::{self, Answer, HookCall, Hooks};

/// How often new notifications and due deliveries are looked for.
pub const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Most notifications whose channels are chosen in one transaction.
pub const MAX_PLANNED_AT_ONCE: u32 = 64;

/// Most deliveries of a channel that are sent in one round.
pub const MAX_SENT_IN_ROUND: u32 = 32;

/// Most calls at a time, of a channel and to `users`.
pub const MAX_AT_ONCE: usize = 4;

/// How long a round keeps what it took: longer than a round can last.
pub const LEASE_MS: i64 = 60_000;

/// How long notifications are kept, in milliseconds: a week.
pub const KEPT_MS: i64 = 7 * 24 * 3600 * 1000;

/// How often `users` is asked for somebody whom it does not know: for seconds.
pub const UNKNOWN_ATTEMPTS: i64 = 4;

/// How often what is old is looked for.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// How often what waits is counted.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// Notifications that a slow reader of the stream may be behind before it reads
/// from the database instead.
pub const MAX_UNREAD_NEWS: usize = 256;

/// What came into the stream, and whose it is.
pub(crate) type News = (Uuid, Arc<Notification>);

/// The rounds and what they need. Clones share everything.
#[derive(Debug, Clone)]
pub(crate) struct Dispatch {
    pub(crate) desk: Desk,
    pub(crate) contacts: Contacts,
    pub(crate) templates: Arc<Templates>,
    pub(crate) mailer: Arc<Mailer>,
    pub(crate) hooks: Hooks,
    pub(crate) news: broadcast::Sender<News>,
    pub(crate) crash: CrashPoints,
    pub(crate) first_pause_ms: i64,
    pub(crate) figures: Figures,
}

/// The business in figures.
#[derive(Debug, Clone)]
pub(crate) struct Figures {
    deliveries: IntCounterVec,
    duration: HistogramVec,
    waiting: IntGaugeVec,
    dead: IntGaugeVec,
    lag: GaugeVec,
}

impl Figures {
    pub(crate) fn new(chassis: &Chassis) -> Self {
        let metrics = &chassis.metrics;
        Self {
            deliveries: metrics.counter(
                "notifications_deliveries_total",
                "Deliveries that were planned or tried, by what came of it.",
                &["channel", "outcome"],
            ),
            duration: metrics.durations(
                "notifications_send_duration_seconds",
                "Duration of attempts to send.",
                &["channel"],
                &DURATION_BUCKETS_S,
            ),
            waiting: metrics.gauges(
                "notifications_waiting",
                "Deliveries that are to be sent.",
                &["channel"],
            ),
            dead: metrics.gauges(
                "notifications_dead",
                "Deliveries that were given up and lie here.",
                &["channel"],
            ),
            lag: metrics.seconds(
                "notifications_lag_seconds",
                "Time since the oldest waiting delivery was due; 0 when none is.",
                &["channel"],
            ),
        }
    }

    fn count(&self, channel: Channel, outcome: &str) {
        self.deliveries.with_label_values(&[channel.name(), outcome]).inc();
    }
}

impl Dispatch {
    /// Starts the rounds.
    pub(crate) fn start(self, chassis: &Chassis) {
        let this = self.clone();
        chassis.tasks.repeat("choose channels", LOOK_EVERY, move || {
            let this = this.clone();
            async move { report("channels cannot be chosen", this.plan_due().await) }
        });
        for (channel, name) in
            [(Channel::Email, "send e-mail"), (Channel::Webhook, "call webhooks")]
        {
            let this = self.clone();
            chassis.tasks.repeat(name, LOOK_EVERY, move || {
                let this = this.clone();
                async move { report("nothing can be sent", this.send_due(channel).await) }
            });
        }
        let this = self.clone();
        chassis.tasks.repeat("count deliveries", COUNT_EVERY, move || {
            let this = this.clone();
            async move { report("deliveries cannot be counted", this.measure().await) }
        });
        chassis.tasks.repeat("forget old notifications", FORGET_EVERY, move || {
            let this = self.clone();
            async move {
                let forgotten = this.desk.forget(now_ms() - KEPT_MS).await.map(|_| ());
                report("old notifications cannot be forgotten", forgotten);
            }
        });
    }

    /// Chooses the channels of new notifications until there are none.
    async fn plan_due(&self) -> anyhow::Result<()> {
        loop {
            let new = self.desk.new_ones(now_ms(), MAX_PLANNED_AT_ONCE).await?;
            if new.is_empty() {
                return Ok(());
            }
            let contacts = self.contacts_of(&new).await;
            let (known, unknown): (Vec<_>, Vec<_>) =
                new.iter().partition(|new| contacts.contains_key(&new.told.customer));
            if !unknown.is_empty() {
                self.desk
                    .postpone(&unknown.iter().map(|new| later(new)).collect::<Vec<_>>())
                    .await?;
            }
            let planned: Vec<_> =
                known.iter().map(|new| self.decide(new, &contacts[&new.told.customer])).collect();
            let streamed = self.desk.plan(&planned, now_ms()).await?;
            self.crash.at("notification.planned");
            for planned in &planned {
                for (channel, plan) in planned.plans {
                    match (channel, plan) {
                        (_, Plan::Not(_)) => {
                            self.figures.count(channel, DeliveryState::Suppressed.name())
                        }
                        (Channel::InApp, _) => {
                            self.figures.count(channel, DeliveryState::Sent.name())
                        }
                        _ => {}
                    }
                }
            }
            for (customer, notification) in streamed {
                // Nobody may be listening.
                let _ = self.news.send((customer, Arc::new(notification)));
            }
        }
    }

    /// The contacts of those who can be asked for. Who is not known after some
    /// time never registered with `users`, and is told in the app.
    async fn contacts_of(&self, new: &[New]) -> BTreeMap<Uuid, Arc<Contact>> {
        let customers: BTreeSet<Uuid> = new.iter().map(|new| new.told.customer).collect();
        let patient: BTreeSet<Uuid> = new
            .iter()
            .filter(|new| new.attempts < UNKNOWN_ATTEMPTS)
            .map(|new| new.told.customer)
            .collect();
        let asked = futures_util::stream::iter(customers)
            .map(|customer| async move { (customer, self.contacts.of(customer).await) });
        let answers: Vec<_> = asked.buffer_unordered(MAX_AT_ONCE).collect().await;
        let known = answers.into_iter().filter_map(|(customer, answer)| match answer {
            Ok(Asked::Known(contact)) => Some((customer, contact)),
            Ok(Asked::NotYet) if patient.contains(&customer) => None,
            Ok(Asked::NotYet) => Some((customer, Arc::default())),
            Err(error) => {
                tracing::debug!(error = format!("{error:#}"), "a contact cannot be asked for");
                None
            }
        });
        known.collect()
    }

    fn decide(&self, new: &New, contact: &Contact) -> Planned {
        let language = contact.preferences.language;
        let values = Values { order: new.told.order, total: new.total, facts: &new.told.facts };
        let words = self.templates.render(new.told.kind, language, values);
        let plans = Channel::ALL
            .map(|channel| (channel, plan(&new.told, channel, contact, new.has_webhook, now_ms())));
        let told = new.told.clone();
        Planned { told, language, plans, subject: words.subject, text: words.text }
    }

    /// Sends what is due on a channel.
    async fn send_due(&self, channel: Channel) -> anyhow::Result<()> {
        let (now_ms, limit) = (now_ms(), MAX_SENT_IN_ROUND);
        let taken = self.desk.take(channel, now_ms, now_ms + LEASE_MS, limit).await?;
        if taken.is_empty() {
            return Ok(());
        }
        self.crash.at("delivery.taken");
        let sent = futures_util::stream::iter(taken).map(|taken| self.send(taken));
        sent.buffer_unordered(MAX_AT_ONCE)
            .for_each(async |done| report("it is not noted", done))
            .await;
        Ok(())
    }

    /// Sends one delivery and notes what came of it, as part of the trace that
    /// the event came from.
    async fn send(&self, taken: Taken) -> anyhow::Result<()> {
        let channel = taken.channel;
        let span = self.span(&taken);
        async {
            let start = Instant::now();
            let outcome = match channel {
                Channel::Webhook => self.call_webhook(&taken).await?,
                _ => self.mail(&taken).await?,
            };
            self.crash.at("delivery.sent");
            let seconds = start.elapsed().as_secs_f64();
            self.figures.duration.with_label_values(&[channel.name()]).observe(seconds);
            let (word, reason) = match &outcome {
                Outcome::Sent => ("sent", ""),
                Outcome::Again { reason, .. } => ("retried", reason.as_str()),
                Outcome::Dead(reason) => ("dead", reason.as_str()),
                Outcome::Suppressed(reason) => ("suppressed", *reason),
            };
            let (notification, attempts) = (taken.told.id, taken.attempts);
            match outcome {
                Outcome::Sent | Outcome::Suppressed(_) => {
                    tracing::debug!(%notification, channel = channel.name(), word, reason, "tried");
                }
                _ => {
                    let current = tracing::Span::current();
                    current.set_status(opentelemetry::trace::Status::error(reason.to_owned()));
                    tracing::warn!(%notification, channel = channel.name(), attempts, word, reason,
                        "a notification was not sent");
                }
            }
            if self.desk.settle(&taken, &outcome).await? {
                self.figures.count(channel, word);
            }
            self.crash.at("delivery.noted");
            Ok(())
        }
        .instrument(span)
        .await
    }

    fn span(&self, taken: &Taken) -> tracing::Span {
        let (peer, remote) = match taken.channel {
            Channel::Webhook => (webhook::PEER, true),
            _ => (email::PEER, self.mailer.is_remote()),
        };
        let name = format!("notify {}", taken.channel.name());
        let kind = if remote { "client" } else { "internal" };
        let span = tracing::info_span!(
            target: chassis::telemetry::SPANS, "notify", otel.name = name, otel.kind = kind
        );
        continues(&span, &taken.context);
        if remote {
            span.set_attribute("service.peer.name", peer);
            span.set_attribute("peer.service", peer);
        }
        span.set_attribute("cloudscale.notification.kind", taken.told.kind.name());
        span.set_attribute("cloudscale.notification.attempt", taken.attempts);
        span
    }

    async fn mail(&self, taken: &Taken) -> anyhow::Result<Outcome> {
        let contact = match self.contacts.of(taken.told.customer).await {
            Ok(Asked::Known(contact)) => contact,
            Ok(Asked::NotYet) => return Ok(Outcome::Suppressed(NO_ADDRESS)),
            Err(error) => return Ok(self.again(taken, format!("{error:#}"))),
        };
        let Some(address) = &contact.email else { return Ok(Outcome::Suppressed(NO_ADDRESS)) };
        let id = delivery_id(taken.told.id, taken.channel);
        let words = self.templates.render(taken.told.kind, taken.language, values(taken));
        Ok(match self.mailer.send(&id, address, &words).await {
            Ok(()) => Outcome::Sent,
            Err(NotSent::Later(reason)) => self.again(taken, reason),
            Err(NotSent::Never(reason)) => Outcome::Dead(reason),
        })
    }

    async fn call_webhook(&self, taken: &Taken) -> anyhow::Result<Outcome> {
        let customer = taken.told.customer;
        let Some((url, created_ms)) = self.desk.webhook(customer).await? else {
            return Ok(Outcome::Suppressed(NO_ADDRESS));
        };
        let id = delivery_id(taken.told.id, taken.channel);
        let body = self.body(taken)?;
        let call = HookCall { id, url, customer, created_ms, now_ms: now_ms(), body };
        let hooks = self.hooks.clone();
        let answer = tokio::task::spawn_blocking(move || hooks.post(&call)).await?;
        Ok(match answer {
            Answer::Taken => Outcome::Sent,
            Answer::Gone => {
                self.desk.drop_webhook(customer, created_ms).await?;
                Outcome::Dead("it answers 410, so it is not called any more".to_owned())
            }
            Answer::NotTaken(reason) => self.again(taken, reason),
        })
    }

    fn body(&self, taken: &Taken) -> anyhow::Result<String> {
        let words = self.templates.render(taken.told.kind, taken.language, values(taken));
        let (id, order) = (taken.told.id, taken.told.order);
        let data = WebhookData { id, order, subject: words.subject, text: words.text };
        let (kind, timestamp_ms) = (taken.told.kind, taken.told.created_ms);
        Ok(serde_json::to_string(&WebhookBody { kind, timestamp_ms, data })?)
    }

    /// Another attempt, unless there were enough.
    fn again(&self, taken: &Taken, reason: String) -> Outcome {
        match pause(taken.attempts, self.first_pause_ms) {
            Some(pause_ms) => Outcome::Again { at_ms: now_ms() + pause_ms, reason },
            None => Outcome::Dead(format!("given up after {MAX_ATTEMPTS} attempts: {reason}")),
        }
    }

    async fn measure(&self) -> anyhow::Result<()> {
        let now_ms = now_ms();
        for channel in Channel::ALL {
            let backlog = self.desk.backlog(channel, now_ms).await?;
            let name = [channel.name()];
            self.figures.waiting.with_label_values(&name).set(backlog.waiting);
            self.figures.dead.with_label_values(&name).set(backlog.dead);
            let lag_ms = backlog.oldest_ms.map_or(0, |oldest_ms| (now_ms - oldest_ms).max(0));
            self.figures.lag.with_label_values(&name).set(lag_ms as f64 / 1e3);
        }
        Ok(())
    }
}

fn values(taken: &Taken) -> Values<'_> {
    let facts: &Facts = &taken.told.facts;
    Values { order: taken.told.order, total: taken.total, facts }
}

/// When to ask again for the contact of a notification: it is never given up,
/// for nobody but us is to blame.
fn later(new: &New) -> (Uuid, i64) {
    const FIRST_MS: i64 = 200;
    let pause_ms = pause((new.attempts + 1).min(MAX_ATTEMPTS - 1), FIRST_MS);
    (new.told.id, now_ms() + pause_ms.unwrap_or(MAX_PAUSE_MS).min(10_000))
}

fn report(what: &'static str, done: anyhow::Result<()>) {
    if let Err(error) = done {
        tracing::warn!(error = format!("{error:#}"), "{what}");
    }
}

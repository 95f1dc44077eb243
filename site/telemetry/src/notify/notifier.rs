//! The tasks of notifying: one that makes messages when groups are due, and one for each receiver that
//! delivers them in their order.
//!
//! Rules tell it of alerts. What groups know and what waits is on disk before anything is sent, in one
//! step, so that after a kill nothing is lost; a message that had just arrived may then come again.

use super::deliver::{Delivery, agent, deliver};
use super::grouping::{Group, Grouping};
use super::message::Message;
use super::outbox::{MAX_MESSAGES, Parcel};
use super::receiver::{MESSAGES, Receiver, message_key, undelivered};
use super::settings::NotifySettings;
use super::status::{NotifierStatus, Undelivered};
use crate::rules::notice::{Hears, Notice};
use crate::{Backend, task};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Messages given up that are still shown.
const REFUSED_SHOWN: usize = 50;
/// The longest sleep, so that a clock that is set is noticed.
const LONGEST_SLEEP_MS: i64 = 5_000;
/// Where groups lie among the backend's notes.
const GROUPS: &str = "group/";

/// Tells people of alerts.
pub struct Notifier {
    backend: Arc<Backend>,
    cancel: CancellationToken,
    state: Mutex<State>,
    /// Something new may be due.
    woken: Notify,
    agent: ureq::Agent,
}

#[derive(Default)]
struct State {
    settings: Arc<NotifySettings>,
    grouping: Grouping,
    receivers: BTreeMap<String, Receiver>,
    refused: VecDeque<Undelivered>,
    next_number: u64,
}

impl Notifier {
    /// Nobody is told yet; what was kept over a restart is read from the backend. Ends on `cancel`.
    pub fn new(backend: Arc<Backend>, cancel: CancellationToken) -> Arc<Self> {
        let now_ms = backend.now_ms();
        let groups = backend.notes(GROUPS).into_iter().filter_map(|(key, bytes)| {
            Some((
                key.strip_prefix(GROUPS)?.to_owned(),
                serde_json::from_slice::<Group>(&bytes).ok()?,
            ))
        });
        let state = State { grouping: Grouping::restored(groups, now_ms), ..State::default() };
        let notifier = Self {
            state: Mutex::new(state),
            woken: Notify::new(),
            agent: agent(),
            backend,
            cancel,
        };
        Arc::new(notifier)
    }

    /// Tells these receivers from now on. To be called within the runtime.
    pub fn load(self: &Arc<Self>, settings: NotifySettings) {
        let mut state = self.lock();
        let settings = Arc::new(settings);
        let mut before = std::mem::take(&mut state.receivers);
        let mut waiting = self.waiting();
        state.next_number =
            state.next_number.max(waiting.back().map_or(0, |(number, _)| number + 1));
        for integration in &settings.integrations {
            let name = integration.name.clone();
            let receiver = match before.remove(&name) {
                Some(old) => {
                    old.stop.cancel();
                    Receiver {
                        integration: integration.clone(),
                        stop: self.cancel.child_token(),
                        ..old
                    }
                }
                None => {
                    let mut receiver =
                        Receiver::new(integration.clone(), self.cancel.child_token());
                    let (own, others) =
                        waiting.into_iter().partition(|(_, message)| message.integration == name);
                    (receiver.outbox.messages, waiting) = (own, others);
                    receiver
                }
            };
            let (stop, woken) = (receiver.stop.clone(), Arc::clone(&receiver.woken));
            state.receivers.insert(name.clone(), receiver);
            task::spawn("notify", stop.clone(), Arc::clone(self).send(name, woken, stop));
        }
        for (name, gone) in before {
            gone.stop.cancel();
            self.forget(&name, gone.outbox.messages);
        }
        // What waits on disk for nobody that is known stays there until the disk's owner names it again.
        state.grouping.keep_only(&settings);
        state.settings = settings;
        let batch = changes(&mut state);
        drop(state);
        self.backend.keep_notes(batch);
        self.woken.notify_one();
    }

    /// Messages on disk, the oldest first.
    fn waiting(&self) -> VecDeque<(u64, Message)> {
        let found = self.backend.notes(MESSAGES).into_iter().filter_map(|(key, bytes)| {
            let number = u64::from_str_radix(key.strip_prefix(MESSAGES)?, 16).ok()?;
            Some((number, serde_json::from_slice(&bytes).ok()?))
        });
        found.collect()
    }

    fn forget(&self, name: &str, messages: VecDeque<(u64, Message)>) {
        if !messages.is_empty() {
            tracing::warn!(
                "`{name}` is configured no more: {} messages for it are dropped",
                messages.len()
            );
            self.backend.keep_notes(
                messages.iter().map(|(number, _)| (message_key(*number), None)).collect(),
            );
        }
    }

    /// Makes messages when groups are due, until cancelled.
    pub async fn run(self: Arc<Self>) {
        let cancel = self.cancel.clone();
        let work = async {
            loop {
                let now_ms = self.backend.now_ms();
                let working = Arc::clone(&self);
                if tokio::task::spawn_blocking(move || working.flush(now_ms)).await.is_err() {
                    tracing::error!("making notifications failed");
                }
                let next_ms = self.lock().grouping.next_ms().unwrap_or(i64::MAX);
                let pause_ms =
                    next_ms.saturating_sub(self.backend.now_ms()).clamp(1, LONGEST_SLEEP_MS);
                let pause = Duration::from_millis(u64::try_from(pause_ms).unwrap_or(1));
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = self.woken.notified() => {}
                }
            }
        };
        cancel.run_until_cancelled(work).await;
    }

    /// Makes the messages that are due: they and what groups know of them are kept in one step.
    fn flush(&self, now_ms: i64) {
        let mut state = self.lock();
        let settings = Arc::clone(&state.settings);
        let State { grouping, receivers, next_number, .. } = &mut *state;
        let has_room = |name: &str| {
            receivers.get(name).is_some_and(|one| one.outbox.messages.len() < MAX_MESSAGES)
        };
        let messages = grouping.due(&settings, now_ms, has_room);
        let mut batch = Vec::with_capacity(messages.len());
        for message in messages {
            let Some(receiver) = receivers.get_mut(&message.integration) else { continue };
            batch.push((message_key(*next_number), Some(to_json(&message))));
            receiver.outbox.messages.push_back((*next_number, message));
            receiver.woken.notify_one();
            *next_number += 1;
        }
        batch.extend(changes(&mut state));
        // Within the lock: what is sent must be on disk, and the order of changes is that of the disk.
        self.backend.keep_notes(batch);
    }

    /// Delivers to one receiver until stopped.
    async fn send(self: Arc<Self>, name: String, woken: Arc<Notify>, stop: CancellationToken) {
        let work = async {
            loop {
                let next = self.lock().receivers.get(&name).and_then(|receiver| {
                    let pause_ms = receiver.outbox.next_try_ms - self.backend.now_ms();
                    Some((receiver.outbox.next()?, receiver.integration.clone(), pause_ms))
                });
                let Some((parcel, integration, pause_ms)) = next else {
                    woken.notified().await;
                    continue;
                };
                if pause_ms > 0 {
                    let pause = u64::try_from(pause_ms.min(LONGEST_SLEEP_MS)).unwrap_or(1);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                    continue;
                }
                let working = Arc::clone(&self);
                let attempt = move || {
                    let url = Arc::clone(&working.lock().settings.external_url);
                    let delivery = deliver(&working.agent, &integration, &parcel, &url);
                    working.settle(&integration.name, &parcel, delivery);
                };
                if tokio::task::spawn_blocking(attempt).await.is_err() {
                    tracing::error!(name, "a notification failed inside");
                    tokio::time::sleep(Duration::from_secs(5)).await;
                }
            }
        };
        stop.run_until_cancelled(work).await;
    }

    /// What an attempt changes.
    fn settle(&self, name: &str, parcel: &Parcel, delivery: Delivery) {
        let now_ms = self.backend.now_ms();
        let mut guard = self.lock();
        let State { receivers, refused, .. } = &mut *guard;
        let Some(receiver) = receivers.get_mut(name) else { return };
        match delivery {
            Delivery::Later(why, asked) => {
                receiver.outcomes[1] += 1;
                if receiver.outbox.attempts == 0 {
                    tracing::warn!(
                        "`{name}` does not take a notification, it is tried again: {why}"
                    );
                }
                receiver.outbox.failed(why, asked, now_ms);
                return;
            }
            Delivery::Delivered => {
                receiver.outcomes[0] += 1;
                receiver.arrived(parcel, now_ms);
            }
            Delivery::Refused(why) => {
                receiver.outcomes[2] += 1;
                tracing::error!("`{name}` refuses a notification for good: {why}");
                refused.push_front(undelivered(
                    name,
                    parcel,
                    why,
                    receiver.outbox.attempts + 1,
                    None,
                    now_ms,
                ));
                refused.truncate(REFUSED_SHOWN);
            }
        }
        receiver.outbox.settled();
        let batch = receiver.remove(parcel);
        self.backend.keep_notes(batch);
        drop(guard);
        // Groups that had no room may have it now.
        self.woken.notify_one();
    }

    /// How notifying does.
    pub fn status(&self) -> NotifierStatus {
        let state = self.lock();
        let mut status =
            NotifierStatus { left_out: state.grouping.left_out, ..NotifierStatus::default() };
        for (name, receiver) in &state.receivers {
            status.integrations.push(receiver.status(name));
            // What waits for its first attempt is on its way, not undelivered.
            if let Some(why) = &receiver.outbox.last_error {
                status.undelivered.extend(receiver.undelivered(name, why));
            }
        }
        status.undelivered.extend(state.refused.iter().cloned());
        status
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Notifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notifier").finish_non_exhaustive()
    }
}

impl Hears for Notifier {
    fn hear(&self, now_ms: i64, notices: Vec<Notice>) {
        let mut guard = self.lock();
        let State { settings, grouping, receivers, .. } = &mut *guard;
        for notice in &notices {
            grouping.hear(settings, notice, now_ms);
            for receiver in receivers.values_mut() {
                receiver.forward(notice);
            }
        }
        let batch = changes(&mut guard);
        self.backend.keep_notes(batch);
        drop(guard);
        self.woken.notify_one();
    }

    fn only(&self, now_ms: i64, rule: &str, active: &[BTreeMap<String, String>]) {
        let mut guard = self.lock();
        guard.grouping.only(rule, active, now_ms);
        let batch = changes(&mut guard);
        self.backend.keep_notes(batch);
        drop(guard);
        self.woken.notify_one();
    }
}

/// What of the groups is not on disk yet.
fn changes(state: &mut State) -> Vec<(String, Option<Vec<u8>>)> {
    let changed = state.grouping.take_changed();
    changed
        .into_iter()
        .map(|(key, group)| (format!("{GROUPS}{key}"), group.map(|group| to_json(&group))))
        .collect()
}

fn to_json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain data with text keys serializes")
}

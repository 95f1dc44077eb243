//! Alerts to groups to messages, as Alertmanager does it: a new group waits a while, then it is told
//! when it changed, and again after a long time when it did not.
//!
//! `notifier` hands in alerts and the time, and takes messages and what of the state changed, which it
//! keeps on disk in one step. No clock, no I/O.

use super::message::{MAX_ALERTS, Message, Told, fingerprint};
use super::settings::{Integration, IntegrationKind, NotifySettings};
use crate::rules::notice::Notice;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Groups at most; alerts of more are counted and left out until there is room.
const MAX_GROUPS: usize = 10_000;
/// After a restart, an alert that fired counts as firing for so long at least, milliseconds: its rule has
/// to look twice before it can say so again.
const KEPT_OVER_RESTART_MS: i64 = 15 * 60 * 1000;

/// One group of one receiver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) integration: String,
    pub(super) labels: BTreeMap<String, String>,
    /// By fingerprint.
    pub(super) alerts: BTreeMap<u64, Kept>,
    /// When it is looked at next, milliseconds since 1970.
    flush_ms: i64,
    sent: Option<Sent>,
}

/// An alert of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) notice: Notice,
    /// Whether its rule said that it is over.
    pub(super) over: bool,
}

impl Kept {
    fn is_firing(&self, now_ms: i64) -> bool {
        !self.over && self.notice.ends_ms > now_ms
    }
}

/// What was told last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Sent {
    at_ms: i64,
    firing: BTreeSet<u64>,
    resolved: BTreeSet<u64>,
}

/// All groups by receiver and labels.
#[derive(Debug, Default)]
pub(super) struct Grouping {
    groups: BTreeMap<String, Group>,
    /// Keys of groups that are not on disk as they are here.
    changed: BTreeSet<String>,
    /// Alerts that had no room.
    pub(super) left_out: u64,
}

impl Grouping {
    /// With what was kept over a restart.
    pub(super) fn restored(groups: impl IntoIterator<Item = (String, Group)>, now_ms: i64) -> Self {
        let mut grouping = Self { groups: groups.into_iter().collect(), ..Self::default() };
        for kept in grouping.groups.values_mut().flat_map(|group| group.alerts.values_mut()) {
            if !kept.over {
                kept.notice.ends_ms = kept.notice.ends_ms.max(now_ms + KEPT_OVER_RESTART_MS);
            }
        }
        grouping
    }

    /// Groups whose state changed since the last call; `None` for those that are gone.
    pub(super) fn take_changed(&mut self) -> Vec<(String, Option<Group>)> {
        let changed = std::mem::take(&mut self.changed);
        changed
            .into_iter()
            .map(|key| (self.groups.get(&key).cloned(), key))
            .map(|(group, key)| (key, group))
            .collect()
    }

    /// Groups of receivers that are no more are forgotten.
    pub(super) fn keep_only(&mut self, settings: &NotifySettings) {
        let known =
            |group: &Group| settings.integrations.iter().any(|one| one.name == group.integration);
        for (key, _) in self.groups.extract_if(.., |_, group| !known(group)) {
            self.changed.insert(key);
        }
    }

    /// Takes an alert for all receivers that want it.
    pub(super) fn hear(&mut self, settings: &NotifySettings, notice: &Notice, now_ms: i64) {
        let over = notice.ends_ms <= now_ms;
        let grouped =
            settings.integrations.iter().filter(|one| one.kind != IntegrationKind::Alertmanager);
        for integration in grouped.filter(|one| one.wants(&notice.labels)) {
            self.hear_for(settings, integration, notice, over, now_ms);
        }
    }

    fn hear_for(
        &mut self,
        settings: &NotifySettings,
        integration: &Integration,
        notice: &Notice,
        over: bool,
        now_ms: i64,
    ) {
        let labels = group_labels(settings, &notice.labels);
        let key = format!("{}:{}", integration.name, key_of(&labels));
        let id = fingerprint(&notice.labels);
        let room = self.groups.len() < MAX_GROUPS;
        if !self.groups.contains_key(&key) {
            if over {
                // Nobody was told that it began.
                return;
            }
            if !room {
                self.left_out += 1;
                return;
            }
            // What fires for long already, as after a restart, need not wait.
            let late = notice.starts_ms + settings.group_wait_ms < now_ms;
            let flush_ms = if late { now_ms } else { now_ms + settings.group_wait_ms };
            let group = Group {
                integration: integration.name.clone(),
                labels,
                alerts: BTreeMap::new(),
                flush_ms,
                sent: None,
            };
            self.groups.insert(key.clone(), group);
        }
        let Some(group) = self.groups.get_mut(&key) else { return };
        let mut kept = Kept { notice: notice.clone(), over };
        match group.alerts.get_mut(&id) {
            None if over => return,
            None => {}
            Some(before) => {
                if before.is_firing(now_ms) {
                    kept.notice.starts_ms = kept.notice.starts_ms.min(before.notice.starts_ms);
                }
                let same = (&before.notice.annotations, before.notice.starts_ms, before.over)
                    == (&kept.notice.annotations, kept.notice.starts_ms, kept.over);
                if same {
                    // A later end and another value need no place on disk.
                    *before = kept;
                    return;
                }
            }
        }
        group.alerts.insert(id, kept);
        self.changed.insert(key);
    }

    /// Alerts of a rule that are not among these are over.
    pub(super) fn only(&mut self, rule: &str, active: &[BTreeMap<String, String>], now_ms: i64) {
        let active: BTreeSet<u64> = active.iter().map(fingerprint).collect();
        for (key, group) in &mut self.groups {
            for (id, kept) in &mut group.alerts {
                if kept.notice.rule == rule && !kept.over && !active.contains(id) {
                    (kept.over, kept.notice.ends_ms) = (true, now_ms);
                    self.changed.insert(key.clone());
                }
            }
        }
    }

    /// When the next group is to be looked at.
    pub(super) fn next_ms(&self) -> Option<i64> {
        self.groups.values().map(|group| group.flush_ms).min()
    }

    /// The messages that are due. Where `has_room` says no for a receiver, its groups wait: what they have
    /// to say is said later, as it is then.
    pub(super) fn due(
        &mut self,
        settings: &NotifySettings,
        now_ms: i64,
        has_room: impl Fn(&str) -> bool,
    ) -> Vec<Message> {
        let mut messages = Vec::new();
        let mut gone = Vec::new();
        for (key, group) in self.groups.iter_mut().filter(|(_, group)| group.flush_ms <= now_ms) {
            let Some(integration) =
                settings.integrations.iter().find(|one| one.name == group.integration)
            else {
                continue;
            };
            group.flush_ms = now_ms + settings.group_interval_ms;
            if !has_room(&group.integration) {
                continue;
            }
            self.changed.insert(key.clone());
            let firing: BTreeSet<u64> = group
                .alerts
                .iter()
                .filter(|(_, kept)| kept.is_firing(now_ms))
                .map(|(id, _)| *id)
                .collect();
            let resolved: BTreeSet<u64> =
                group.alerts.keys().filter(|id| !firing.contains(id)).copied().collect();
            if group.is_news(
                &firing,
                &resolved,
                integration.send_resolved,
                settings.repeat_interval_ms,
                now_ms,
            ) {
                messages.push(group.message(&firing, integration.send_resolved, now_ms));
                group.sent = Some(Sent { at_ms: now_ms, firing, resolved: resolved.clone() });
            }
            group.alerts.retain(|id, _| !resolved.contains(id));
            if group.alerts.is_empty() {
                gone.push(key.clone());
            }
        }
        for key in gone {
            self.groups.remove(&key);
        }
        messages
    }
}

impl Group {
    fn is_news(
        &self,
        firing: &BTreeSet<u64>,
        resolved: &BTreeSet<u64>,
        send_resolved: bool,
        repeat_ms: i64,
        now_ms: i64,
    ) -> bool {
        let Some(sent) = &self.sent else { return !firing.is_empty() };
        if !firing.is_subset(&sent.firing) {
            return true;
        }
        if firing.is_empty() {
            return send_resolved && !sent.firing.is_empty();
        }
        // An alert that came and went between two messages is no news.
        let ended = resolved.intersection(&sent.firing).any(|id| !sent.resolved.contains(id));
        (send_resolved && ended) || sent.at_ms + repeat_ms <= now_ms
    }

    fn message(&self, firing: &BTreeSet<u64>, send_resolved: bool, now_ms: i64) -> Message {
        let told = |(id, kept): (&u64, &Kept)| {
            let firing = firing.contains(id);
            let mut notice = kept.notice.clone();
            notice.ends_ms = if firing { notice.ends_ms } else { notice.ends_ms.min(now_ms) };
            Told { firing, notice }
        };
        let mut alerts: Vec<Told> =
            self.alerts.iter().map(told).filter(|told| told.firing || send_resolved).collect();
        alerts.sort_by(|a, b| {
            let key = |told: &Told| (!told.firing, told.notice.starts_ms);
            key(a).cmp(&key(b)).then_with(|| a.notice.labels.cmp(&b.notice.labels))
        });
        let left_out = alerts.len().saturating_sub(MAX_ALERTS);
        alerts.truncate(MAX_ALERTS);
        Message {
            integration: self.integration.clone(),
            group_key: format!("{{}}:{}", key_of(&self.labels)),
            group_labels: self.labels.clone(),
            made_ms: now_ms,
            alerts,
            left_out,
        }
    }
}

fn group_labels(
    settings: &NotifySettings,
    labels: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let all = settings.group_by.iter().any(|name| name == "...");
    let wanted = |name: &String| all || settings.group_by.contains(name);
    labels
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn key_of(labels: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

#[cfg(test)]
mod tests;

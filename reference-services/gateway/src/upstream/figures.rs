//! The figures about calls to peers. `peer` counts here.

use chassis::Metrics;
use prometheus::{IntCounterVec, IntGaugeVec};

use super::peer::Peer;

/// The figures. Clones count together.
#[derive(Debug, Clone)]
pub struct Figures {
    refused: IntCounterVec,
    calls: IntCounterVec,
    retries: IntCounterVec,
    ejections: IntCounterVec,
    roll_backs: IntCounterVec,
    breaker: IntGaugeVec,
    breaker_transitions: IntGaugeVec,
    replicas: IntGaugeVec,
    in_flight: IntGaugeVec,
    release: IntGaugeVec,
}

impl Figures {
    /// Figures without values. `refused` is where the pipeline counts what it stops.
    pub fn new(metrics: &Metrics, refused: IntCounterVec) -> Self {
        Self {
            refused,
            calls: metrics.counter(
                "gateway_calls_total",
                "Calls to services, repetitions among them, by the version that answered.",
                &["service_peer_name", "version", "outcome"],
            ),
            retries: metrics.counter(
                "gateway_retries_total",
                "Failed calls that could be sent again, by whether the budget allowed it.",
                &["service_peer_name", "outcome"],
            ),
            ejections: metrics.counter(
                "gateway_ejections_total",
                "Times that a replica was left out because it failed in a row.",
                &["service_peer_name"],
            ),
            roll_backs: metrics.counter(
                "gateway_roll_backs_total",
                "Versions on trial that were rolled back because they failed more.",
                &["service_peer_name", "version"],
            ),
            breaker: metrics.gauges(
                "gateway_breaker_state",
                "1 for the state that the circuit breaker of a service is in.",
                &["service_peer_name", "state"],
            ),
            breaker_transitions: metrics.gauges(
                "gateway_breaker_transitions",
                "Transitions of the circuit breaker of a service that are remembered.",
                &["service_peer_name", "from", "to"],
            ),
            replicas: metrics.gauges(
                "gateway_replicas",
                "Replicas of a service, by whether they get calls.",
                &["service_peer_name", "state"],
            ),
            in_flight: metrics.gauges(
                "gateway_calls_in_flight",
                "Calls to a service that are under way.",
                &["service_peer_name"],
            ),
            release: metrics.gauges(
                "gateway_release_percent",
                "Share of the tenants that get a version on trial.",
                &["service_peer_name", "version"],
            ),
        }
    }

    pub(super) fn refused(&self, reason: &str) {
        self.refused.with_label_values(&[reason]).inc();
    }

    pub(super) fn called(&self, peer: &str, version: &str, outcome: &str) {
        self.calls.with_label_values(&[peer, version, outcome]).inc();
    }

    pub(super) fn retried(&self, peer: &str, outcome: &str) {
        self.retries.with_label_values(&[peer, outcome]).inc();
    }

    pub(super) fn ejected(&self, peer: &str) {
        self.ejections.with_label_values(&[peer]).inc();
    }

    pub(super) fn rolled_back(&self, peer: &str, version: &str) {
        self.roll_backs.with_label_values(&[peer, version]).inc();
    }

    /// Shows how a peer stands now.
    pub(super) fn show(&self, peer: &Peer) {
        let name = peer.name.as_str();
        let record = peer.breaker.record();
        for state in [super::State::Closed, super::State::Open, super::State::HalfOpen] {
            let gauge = self.breaker.with_label_values(&[name, state.name()]);
            gauge.set(i64::from(state == record.state));
        }
        let mut steps = std::collections::BTreeMap::new();
        for step in &record.journal {
            *steps.entry((step.from.name(), step.to.name())).or_insert(0) += 1;
        }
        for ((from, to), count) in steps {
            self.breaker_transitions.with_label_values(&[name, from, to]).set(count);
        }
        let (pool, now) = (peer.pool(), std::time::Instant::now());
        let (mut usable, mut unusable, mut in_flight) = (0, 0, 0);
        for endpoint in pool.all() {
            *if endpoint.usable(now) { &mut usable } else { &mut unusable } += 1;
            in_flight += i64::from(endpoint.in_flight());
        }
        self.replicas.with_label_values(&[name, "usable"]).set(usable);
        self.replicas.with_label_values(&[name, "unusable"]).set(unusable);
        self.in_flight.with_label_values(&[name]).set(in_flight);
        if let Some(trial) = &pool.trial {
            let record = trial.record();
            let labels = [name, &record.version];
            self.release.with_label_values(&labels).set(record.percent.into());
        }
    }
}

//! Two spans make a call: the caller's and the callee's.
//!
//! The rules are those of Grafana Tempo's service graph. A caller (CLIENT, PRODUCER) and a callee
//! (SERVER, CONSUMER) meet under the caller's trace and span id, which the callee knows as its parent
//! or, for messages, from a span link. Each waits [`WAIT_MS`] for the other; then attributes may name
//! the other side, and else the half call is counted as expired.
//!
//! What needs no other side is told at once: a database call, the first span of a trace, and both ways
//! of a queue that is named.

use crate::graph::{Connection, GraphNode, NodeKind};
use crate::peer::{self, Side};
use crate::{Span, SpanId, TraceId};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// How long a side waits for the other, milliseconds.
pub(crate) const WAIT_MS: i64 = 10_000;
/// How far ahead of the present a side may have arrived, milliseconds; further, the clock was set back
/// and the side would wait for the clock to catch up.
const MAX_AHEAD_MS: i64 = 2_000;
/// Sides that wait at a time; beyond, the oldest expire early.
const MAX_WAITING: usize = 50_000;
/// Callees that wait for one caller.
const MAX_CALLEES: usize = 1000;
/// The name of whoever makes calls without sending spans.
const USER: &str = "user";

/// A call between two nodes.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) from: GraphNode,
    pub(crate) to: GraphNode,
    pub(crate) connection: Connection,
    pub(crate) count: u32,
    pub(crate) failed: bool,
    pub(crate) seconds: f64,
    /// As long as the caller saw it, if it sent a span.
    pub(crate) client_s: Option<f64>,
    /// As long as the called side saw it, if it sent a span; of a database what the caller saw.
    pub(crate) server_s: Option<f64>,
    pub(crate) trace_id: TraceId,
    /// When the first of its spans arrived, milliseconds since 1970.
    pub(crate) seen_ms: i64,
}

/// What is known of one side.
#[derive(Debug, Clone)]
struct Half {
    side: Side,
    service: Arc<str>,
    trace_id: TraceId,
    peer: Option<Arc<str>>,
    queue: Option<Arc<str>>,
    failed: bool,
    seconds: f64,
    arrived_ms: i64,
    met: bool,
}

type Key = (TraceId, SpanId);

/// The sides that wait, and the calls that were found.
#[derive(Debug, Default)]
pub(crate) struct Pairing {
    callers: HashMap<Key, Half>,
    callees: HashMap<Key, Vec<Half>>,
    order: VecDeque<(i64, Key)>,
    calls: Vec<Call>,
    expired: u64,
}

impl Pairing {
    /// Takes a span that arrived.
    pub(crate) fn observe(&mut self, span: &Span, now_ms: i64) {
        let Some(side) = peer::side(span) else { return };
        let half = Half {
            side,
            service: span.resource.service.clone(),
            trace_id: span.trace_id,
            peer: peer::service(span),
            queue: if matches!(side, Side::Producer | Side::Consumer) {
                peer::queue(span)
            } else {
                None
            },
            failed: span.is_error(),
            seconds: span.duration_ns() as f64 / 1e9,
            arrived_ms: now_ms,
            met: false,
        };
        match side {
            Side::Client | Side::Producer => self.caller(half, span),
            Side::Server | Side::Consumer => self.callee(half, span),
        }
    }

    /// The calls found and the halves expired since the last time.
    pub(crate) fn take(&mut self) -> (Vec<Call>, u64) {
        (std::mem::take(&mut self.calls), std::mem::take(&mut self.expired))
    }

    /// Gives up on what has waited long enough. `services` are those that send spans.
    pub(crate) fn expire(&mut self, now_ms: i64, services: &HashSet<Arc<str>>) {
        while let Some((arrived_ms, key)) = self.order.front().copied() {
            let waits = (-MAX_AHEAD_MS..WAIT_MS).contains(&now_ms.saturating_sub(arrived_ms));
            if waits && self.order.len() <= MAX_WAITING {
                break;
            }
            self.order.pop_front();
            if let Some(caller) = self.callers.remove(&key).filter(|caller| !caller.met) {
                self.give_up_caller(caller, services);
            }
            for callee in self.callees.remove(&key).unwrap_or_default() {
                self.expired += u64::from(!callee.met);
            }
        }
    }

    fn caller(&mut self, mut half: Half, span: &Span) {
        if let Some(database) = peer::database(span).filter(|_| half.side == Side::Client) {
            let to = GraphNode { name: database, kind: NodeKind::Database };
            return self.tell(
                &half,
                GraphNode::service(&half.service),
                to,
                Connection::Database,
                1,
            );
        }
        if let Some(queue) = half.queue.clone() {
            half.met = true;
            self.tell(
                &half,
                GraphNode::service(&half.service),
                GraphNode::queue(&queue),
                Connection::Messaging,
                1,
            );
        }
        let key = (span.trace_id, span.span_id);
        let mut callees = self.callees.remove(&key).unwrap_or_default();
        for callee in &mut callees {
            self.join(&mut half, callee);
        }
        if self.callers.insert(key, half).is_none() {
            self.order.push_back((span_arrival(&self.callers, &key), key));
        }
    }

    fn callee(&mut self, mut half: Half, span: &Span) {
        let keys = keys_of_callers(span, half.side);
        if let Some(queue) = half.queue.clone() {
            half.met = true;
            let count = span.links.len().clamp(1, MAX_CALLEES) as u32;
            self.tell(
                &half,
                GraphNode::queue(&queue),
                GraphNode::service(&half.service),
                Connection::Messaging,
                count,
            );
        }
        if keys.is_empty() && !half.met {
            return self.first_of_trace(half);
        }
        for key in keys {
            let mut half = half.clone();
            // With links it is those that tell where the messages came from; a parent may be anything.
            half.met |= !span.links.is_empty() && Some(key.1) == span.parent_id;
            if let Some(mut caller) = self.callers.remove(&key) {
                self.join(&mut caller, &mut half);
                self.callers.insert(key, caller);
                continue;
            }
            let arrived_ms = half.arrived_ms;
            let waiting = self.callees.entry(key).or_default();
            if waiting.is_empty() {
                self.order.push_back((arrived_ms, key));
            }
            if waiting.len() < MAX_CALLEES {
                waiting.push(half);
            }
        }
    }

    fn first_of_trace(&mut self, half: Half) {
        let from = match (&half.peer, half.side) {
            (Some(peer), _) => GraphNode { name: peer.clone(), kind: NodeKind::External },
            (None, Side::Server) => GraphNode { name: USER.into(), kind: NodeKind::User },
            (None, _) => {
                self.expired += 1;
                return;
            }
        };
        self.tell(&half, from, GraphNode::service(&half.service), Connection::Virtual, 1);
    }

    /// Both sides are there. Of a message through a named queue each side that knows the name has told
    /// its own way already, and the other side's way remains.
    fn join(&mut self, caller: &mut Half, callee: &mut Half) {
        let (from, to) = (GraphNode::service(&caller.service), GraphNode::service(&callee.service));
        match (&caller.queue, &callee.queue) {
            (Some(_), Some(_)) => {}
            (Some(queue), None) => {
                self.tell(callee, GraphNode::queue(queue), to, Connection::Messaging, 1)
            }
            (None, Some(_)) if caller.met => {}
            (None, Some(queue)) => {
                self.tell(caller, from, GraphNode::queue(queue), Connection::Messaging, 1)
            }
            (None, None) => {
                let message = caller.side == Side::Producer || callee.side == Side::Consumer;
                let connection = if message { Connection::Messaging } else { Connection::Call };
                let mut both = caller.clone();
                both.failed |= callee.failed;
                both.arrived_ms = caller.arrived_ms.min(callee.arrived_ms);
                self.tell(&both, from, to, connection, 1);
                if let Some(call) = self.calls.last_mut() {
                    (call.client_s, call.server_s) = (Some(caller.seconds), Some(callee.seconds));
                }
            }
        }
        caller.met = true;
        callee.met = true;
    }

    fn give_up_caller(&mut self, caller: Half, services: &HashSet<Arc<str>>) {
        let Some(peer) = caller.peer.clone() else {
            self.expired += 1;
            return;
        };
        let kind = if services.contains(&peer) { NodeKind::Service } else { NodeKind::External };
        let to = GraphNode { name: peer, kind };
        self.tell(&caller, GraphNode::service(&caller.service), to, Connection::Virtual, 1);
    }

    fn tell(
        &mut self,
        half: &Half,
        from: GraphNode,
        to: GraphNode,
        connection: Connection,
        count: u32,
    ) {
        let calls = matches!(half.side, Side::Client | Side::Producer);
        let answers = !calls || connection == Connection::Database;
        self.calls.push(Call {
            client_s: calls.then_some(half.seconds),
            server_s: answers.then_some(half.seconds),
            from,
            to,
            connection,
            count,
            failed: half.failed,
            seconds: half.seconds,
            trace_id: half.trace_id,
            seen_ms: half.arrived_ms,
        });
    }
}

fn span_arrival(callers: &HashMap<Key, Half>, key: &Key) -> i64 {
    callers.get(key).map_or(0, |half| half.arrived_ms)
}

/// Where a callee's callers are to be found. A message's parent and links may name the same span.
fn keys_of_callers(span: &Span, side: Side) -> Vec<Key> {
    let mut keys: Vec<Key> =
        span.parent_id.map(|parent| (span.trace_id, parent)).into_iter().collect();
    if side == Side::Consumer {
        for link in &span.links {
            let key = (link.trace_id, link.span_id);
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    keys
}

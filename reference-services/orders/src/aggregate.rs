//! An order as the sum of what happened to it, without input or output. Facts
//! are written and never changed; [`Aggregate::apply`] says what follows from
//! one, and [`Aggregate::phase`] what the saga has to do next.
//!
//! The saga goes forth through the steps of [`Step::ALL`]. When one is refused,
//! those before it are undone in reverse; the same when the customer calls the
//! order off. The capture is the point of no return: before it the saga may give
//! up, from it on it only goes forth, for as long as it takes.

use contracts::money::Money;
use contracts::orders::{Happened, Line, Order, OrderState};
use contracts::problem::FieldError;
use contracts::shipping::ShipmentState;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A step of the saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// `payments` reserves the total.
    Authorise,
    /// `catalog` sets the pieces aside for a while.
    Reserve,
    /// `shipping` books a place.
    Schedule,
    /// `catalog` keeps the pieces for good.
    Confirm,
    /// `payments` takes the total.
    Capture,
}

impl Step {
    /// Every step, in the order in which they are done.
    pub const ALL: [Self; 5] =
        [Self::Authorise, Self::Reserve, Self::Schedule, Self::Confirm, Self::Capture];

    /// The step's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authorise => "authorise",
            Self::Reserve => "reserve",
            Self::Schedule => "schedule",
            Self::Confirm => "confirm",
            Self::Capture => "capture",
        }
    }

    fn next(self) -> Option<Self> {
        let at = Self::ALL.iter().position(|step| *step == self)?;
        Self::ALL.get(at + 1).copied()
    }

    /// The step before this one that something has to be done about when the
    /// saga goes back. What was confirmed is given back with the reservation.
    fn undone_before(self) -> Option<Self> {
        match self {
            Self::Authorise => None,
            Self::Reserve => Some(Self::Authorise),
            Self::Schedule => Some(Self::Reserve),
            Self::Confirm | Self::Capture => Some(Self::Schedule),
        }
    }
}

/// Something that happened to an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "snake_case")]
pub enum Fact {
    /// The customer placed it.
    Placed {
        /// Account of the customer.
        customer: Uuid,
        /// Its idempotency key.
        key: String,
        /// What is bought.
        lines: Vec<Line>,
        /// Sum of the lines.
        total: Money,
    },
    /// How it ended before there were sagas.
    Settled {
        /// Paid, or not.
        state: OrderState,
        /// The payment, if there was one.
        payment: Option<Uuid>,
    },
    /// A step was done.
    Done {
        /// Which.
        step: Step,
        /// The payment, when it is known now.
        payment: Option<Uuid>,
    },
    /// A step cannot be done.
    Refused {
        /// Which.
        step: Step,
        /// Why.
        reason: String,
        /// The fields of the order that are at fault.
        errors: Vec<FieldError>,
    },
    /// What became of a step stayed unknown for too long.
    GaveUp {
        /// Which.
        step: Step,
    },
    /// The customer calls it off.
    CancelAsked,
    /// It has not left the house, and never will.
    CancelGranted,
    /// It has left the house already.
    CancelRefused,
    /// A step was undone.
    Undone {
        /// Which.
        step: Step,
    },
    /// The carrier has moved it.
    Moved {
        /// How far it has come.
        shipment: ShipmentState,
    },
}

impl Fact {
    /// The fact as the order's customer sees it.
    pub fn told(&self, version: i64, at_ms: i64) -> Happened {
        let (what, step) = match self {
            Self::Placed { .. } => ("placed", None),
            Self::Settled { .. } => ("settled", None),
            Self::Done { step, .. } => ("done", Some(step)),
            Self::Refused { step, .. } => ("refused", Some(step)),
            Self::GaveUp { step } => ("gave_up", Some(step)),
            Self::CancelAsked => ("cancel_asked", None),
            Self::CancelGranted => ("cancel_granted", None),
            Self::CancelRefused => ("cancel_refused", None),
            Self::Undone { step } => ("undone", Some(step)),
            Self::Moved { .. } => ("moved", None),
        };
        let reason = match self {
            Self::Refused { reason, .. } => Some(reason.clone()),
            _ => None,
        };
        let shipment = match self {
            Self::Moved { shipment } => Some(*shipment),
            _ => None,
        };
        let (what, step) = (what.to_owned(), step.map(|step| step.name().to_owned()));
        Happened { version, at_ms, what, step, reason, shipment }
    }
}

/// What the saga has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Do this step. It may have been tried before.
    Forth(Step),
    /// Ask `shipping` whether the order can still be called off.
    Asking,
    /// Undo this step. It may have been undone before.
    Back(Step),
    /// Nothing: it has come to an end, for now.
    Rest,
}

impl Phase {
    /// The phase's name, which is also that of its crash points.
    pub fn name(self) -> String {
        match self {
            Self::Forth(step) => step.name().to_owned(),
            Self::Asking => "ask".to_owned(),
            Self::Back(step) => format!("undo_{}", step.name()),
            Self::Rest => "rest".to_owned(),
        }
    }
}

/// An order with what its saga is about to do. Its serialized form is that of
/// snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aggregate {
    /// The order as its customer sees it.
    pub order: Order,
    /// What the saga has to do next.
    pub phase: Phase,
    /// Number of facts.
    pub version: i64,
    /// The idempotency key that it was placed with.
    pub key: String,
    /// Fields that a refusal was about.
    pub errors: Vec<FieldError>,
    /// The state in which the way back ends.
    end: OrderState,
}

impl Aggregate {
    /// The order that begins with its first fact. None: that is not how one begins.
    pub fn begin(id: Uuid, fact: &Fact, at_ms: i64) -> Option<Self> {
        let Fact::Placed { customer, key, lines, total } = fact else { return None };
        let order = Order {
            id,
            customer: *customer,
            state: OrderState::Pending,
            lines: lines.clone(),
            total: *total,
            payment: None,
            reason: None,
            shipment: None,
            created_ms: at_ms,
            updated_ms: at_ms,
        };
        let phase = Phase::Forth(Step::Authorise);
        let (key, end) = (key.clone(), OrderState::Rejected);
        Some(Self { order, phase, version: 1, key, errors: Vec::new(), end })
    }

    /// Whether a fact can follow now.
    pub fn allows(&self, fact: &Fact) -> bool {
        match fact {
            Fact::Placed { .. } => false,
            Fact::Settled { .. } => self.version == 1,
            Fact::Done { step, .. } | Fact::Refused { step, .. } => {
                self.phase == Phase::Forth(*step)
            }
            Fact::GaveUp { step } => self.phase == Phase::Forth(*step) && *step != Step::Capture,
            Fact::CancelAsked => self.phase == Phase::Rest && self.order.state == OrderState::Paid,
            Fact::CancelGranted | Fact::CancelRefused => self.phase == Phase::Asking,
            Fact::Undone { step } => self.phase == Phase::Back(*step),
            Fact::Moved { .. } => true,
        }
    }

    /// What follows from a fact.
    #[must_use]
    pub fn apply(mut self, fact: &Fact, at_ms: i64) -> Self {
        self.version += 1;
        self.order.updated_ms = at_ms;
        match fact {
            Fact::Placed { .. } => {}
            Fact::Settled { state, payment } => {
                (self.order.state, self.order.payment) = (*state, *payment);
                self.phase = Phase::Rest;
            }
            Fact::Done { step, payment } => self.done(*step, *payment),
            Fact::Refused { step, reason, errors } => {
                self.errors.clone_from(errors);
                self.end = match step {
                    Step::Authorise | Step::Capture => OrderState::PaymentFailed,
                    _ => OrderState::Rejected,
                };
                self.go_back(step.undone_before(), reason.clone());
            }
            Fact::GaveUp { step } => {
                let first = match step {
                    Step::Confirm => step.undone_before(),
                    step => Some(*step),
                };
                self.go_back(first, format!("`{}` took too long", step.name()));
            }
            Fact::CancelAsked => {
                (self.order.state, self.phase) = (OrderState::Cancelling, Phase::Asking);
            }
            Fact::CancelGranted => {
                self.end = OrderState::Cancelled;
                self.go_back(Some(Step::Capture), "called off by the customer".to_owned());
            }
            Fact::CancelRefused => {
                (self.order.state, self.phase) = (OrderState::Paid, Phase::Rest);
            }
            Fact::Undone { step } => {
                if *step == Step::Schedule {
                    self.order.shipment = Some(ShipmentState::Cancelled);
                }
                self.back_to(step.undone_before());
            }
            Fact::Moved { shipment } => {
                // An event that was put aside and redriven comes late.
                if self.order.shipment != Some(ShipmentState::Delivered) {
                    self.order.shipment = Some(*shipment);
                }
            }
        }
        self
    }

    fn done(&mut self, step: Step, payment: Option<Uuid>) {
        self.order.payment = payment.or(self.order.payment);
        if step == Step::Schedule {
            self.order.shipment = Some(ShipmentState::Scheduled);
        }
        match step.next() {
            Some(next) => self.phase = Phase::Forth(next),
            None => (self.order.state, self.phase) = (OrderState::Paid, Phase::Rest),
        }
    }

    fn go_back(&mut self, first: Option<Step>, reason: String) {
        self.order.reason = Some(reason);
        self.back_to(first);
    }

    fn back_to(&mut self, step: Option<Step>) {
        match step {
            Some(step) => self.phase = Phase::Back(step),
            None => (self.order.state, self.phase) = (self.end, Phase::Rest),
        }
    }

    /// Pieces in all lines.
    pub fn pieces(&self) -> u32 {
        self.order.lines.iter().map(|line| line.quantity).sum()
    }
}

/// Form of the bodies that are written today.
pub const FORM: i64 = 2;

/// Form of the snapshots that are written today: it changes whenever
/// [`Aggregate`] does. Those of another form are passed over.
pub const SNAPSHOT_FORM: i64 = 1;

/// A body of an older form as it is written today.
pub fn upcast(kind: &str, form: i64, mut body: serde_json::Value) -> serde_json::Value {
    if kind == "placed" && form == 1 {
        // The total was two fields.
        let (minor, currency) = (body["total_minor"].take(), body["currency"].take());
        body["total"] = serde_json::json!({ "minor": minor, "currency": currency });
    }
    body
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use contracts::money::Currency;
    use serde_json::json;

    use super::*;

    fn placed() -> Fact {
        let line = Line { sku: "tea".to_owned(), quantity: 2, unit_price_minor: 450 };
        let total = Money { minor: 900, currency: Currency::Eur };
        Fact::Placed { customer: Uuid::nil(), key: "k".to_owned(), lines: vec![line], total }
    }

    fn after(facts: &[Fact]) -> Aggregate {
        let begun = Aggregate::begin(Uuid::nil(), &placed(), 1).unwrap();
        facts.iter().fold(begun, |aggregate, fact| {
            assert!(aggregate.allows(fact), "{fact:?} after {:?}", aggregate.phase);
            aggregate.apply(fact, 2)
        })
    }

    fn done(steps: &[Step]) -> Vec<Fact> {
        steps.iter().map(|step| Fact::Done { step: *step, payment: None }).collect()
    }

    fn refused(step: Step) -> Fact {
        Fact::Refused { step, reason: "no".to_owned(), errors: Vec::new() }
    }

    /// What is undone, from here to the end.
    fn way_back(mut aggregate: Aggregate) -> (Vec<Step>, OrderState) {
        let mut undone = Vec::new();
        while let Phase::Back(step) = aggregate.phase {
            undone.push(step);
            aggregate = aggregate.apply(&Fact::Undone { step }, 3);
        }
        assert_eq!(aggregate.phase, Phase::Rest);
        (undone, aggregate.order.state)
    }

    #[test]
    fn all_steps_done_is_paid() {
        let paid = after(&done(&Step::ALL));
        assert_eq!((paid.order.state, paid.phase), (OrderState::Paid, Phase::Rest));
        assert_eq!(paid.order.shipment, Some(ShipmentState::Scheduled));
        assert_eq!((paid.version, paid.pieces()), (6, 2));
    }

    #[test]
    fn a_refusal_undoes_what_was_done_before_it_in_reverse() {
        use Step::{Authorise, Capture, Confirm, Reserve, Schedule};
        let cases = [
            (Authorise, vec![], OrderState::PaymentFailed),
            (Reserve, vec![Authorise], OrderState::Rejected),
            (Schedule, vec![Reserve, Authorise], OrderState::Rejected),
            (Confirm, vec![Schedule, Reserve, Authorise], OrderState::Rejected),
            (Capture, vec![Schedule, Reserve, Authorise], OrderState::PaymentFailed),
        ];
        for (step, undone, end) in cases {
            let before = Step::ALL.iter().position(|each| *each == step).unwrap();
            let mut facts = done(&Step::ALL[..before]);
            facts.push(refused(step));
            assert_eq!(way_back(after(&facts)), (undone, end), "{step:?}");
        }
    }

    #[test]
    fn a_step_of_unknown_outcome_is_undone_too_except_the_capture() {
        use Step::{Authorise, Reserve, Schedule};
        let cases = [
            (Authorise, vec![Authorise]),
            (Reserve, vec![Reserve, Authorise]),
            (Schedule, vec![Schedule, Reserve, Authorise]),
            (Step::Confirm, vec![Schedule, Reserve, Authorise]),
        ];
        for (step, undone) in cases {
            let before = Step::ALL.iter().position(|each| *each == step).unwrap();
            let mut facts = done(&Step::ALL[..before]);
            facts.push(Fact::GaveUp { step });
            assert_eq!(way_back(after(&facts)), (undone, OrderState::Rejected), "{step:?}");
        }
        let capturing = after(&done(&Step::ALL[..4]));
        assert!(!capturing.allows(&Fact::GaveUp { step: Step::Capture }));
    }

    #[test]
    fn calling_off_gives_the_money_back_first_and_only_what_has_not_left() {
        use Step::{Authorise, Capture, Reserve, Schedule};
        let mut facts = done(&Step::ALL);
        facts.push(Fact::CancelAsked);
        let asking = after(&facts);
        assert_eq!((asking.order.state, asking.phase), (OrderState::Cancelling, Phase::Asking));
        let granted = asking.clone().apply(&Fact::CancelGranted, 3);
        let expected = vec![Capture, Schedule, Reserve, Authorise];
        assert_eq!(way_back(granted), (expected, OrderState::Cancelled));
        let kept = asking.apply(&Fact::CancelRefused, 3);
        assert_eq!((kept.order.state, kept.phase), (OrderState::Paid, Phase::Rest));
        assert!(!after(&[]).allows(&Fact::CancelAsked), "it is still under way");
    }

    #[test]
    fn a_shipment_that_has_arrived_stays_so() {
        let moved = |shipment| Fact::Moved { shipment };
        let mut facts = done(&Step::ALL);
        facts.extend([ShipmentState::Delivered, ShipmentState::Dispatched].map(moved));
        assert_eq!(after(&facts).order.shipment, Some(ShipmentState::Delivered));
    }

    #[test]
    fn facts_come_back_as_they_were_and_old_ones_are_understood() {
        let facts = [placed(), refused(Step::Reserve), Fact::CancelAsked];
        for fact in facts {
            let text = serde_json::to_string(&fact).unwrap();
            assert_eq!(serde_json::from_str::<Fact>(&text).unwrap(), fact);
        }
        let old = json!({
            "customer": Uuid::nil(), "key": "k", "total_minor": 900, "currency": "EUR",
            "lines": [{ "sku": "tea", "quantity": 2, "unit_price_minor": 450 }],
        });
        let body = upcast("placed", 1, old);
        let fact: Fact = serde_json::from_value(json!({ "kind": "placed", "body": body })).unwrap();
        assert_eq!(fact, placed());
        let settled = Fact::Settled { state: OrderState::Paid, payment: Some(Uuid::nil()) };
        let order = after(&[settled]);
        assert_eq!((order.order.state, order.phase), (OrderState::Paid, Phase::Rest));
    }
}

//! The rules of payments, without input or output: which state may follow which,
//! and what a captured payment writes into the ledger.

use chassis::field;
use contracts::money::Money;
use contracts::payments::{Authorise, PaymentState};
use contracts::problem::FieldError;

/// Largest amount of one payment, in minor units: a million in full units.
pub const MAX_AMOUNT_MINOR: i64 = 100_000_000;

/// What the provider owes us.
pub const ACCOUNT_RECEIVED: &str = "provider_receivable";

/// What we earned.
pub const ACCOUNT_REVENUE: &str = "sales_revenue";

/// What is asked of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The provider reserved the amount.
    Authorise,
    /// The provider said no.
    Decline,
    /// Take what was reserved.
    Capture,
    /// Give up what was reserved.
    Void,
}

/// What a step does to a payment in some state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It moves on.
    Becomes(PaymentState),
    /// It is there already: asking twice is no mistake.
    Already,
    /// The step is not allowed.
    Refused,
}

/// What `step` does to a payment in `state`.
pub fn advance(state: PaymentState, step: Step) -> Outcome {
    use PaymentState::{Authorised, Captured, Declined, Started, Voided};
    match (state, step) {
        (Started, Step::Authorise) => Outcome::Becomes(Authorised),
        (Started, Step::Decline) => Outcome::Becomes(Declined),
        (Authorised, Step::Capture) => Outcome::Becomes(Captured),
        (Started | Authorised, Step::Void) => Outcome::Becomes(Voided),
        (Authorised | Captured, Step::Authorise)
        | (Declined, Step::Decline | Step::Void)
        | (Captured, Step::Capture)
        | (Voided, Step::Void) => Outcome::Already,
        _ => Outcome::Refused,
    }
}

/// One row of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The account that changes.
    pub account: &'static str,
    /// By how much, in minor units.
    pub minor: i64,
}

/// What a captured payment writes: money received, and the same earned.
pub fn booking(amount: Money) -> [Entry; 2] {
    [
        Entry { account: ACCOUNT_RECEIVED, minor: amount.minor },
        Entry { account: ACCOUNT_REVENUE, minor: -amount.minor },
    ]
}

/// What is wrong with a request to authorise.
pub fn faults(request: &Authorise) -> Vec<FieldError> {
    if (1..=MAX_AMOUNT_MINOR).contains(&request.amount.minor) {
        Vec::new()
    } else {
        vec![field("amount.minor", format!("must be from 1 to {MAX_AMOUNT_MINOR}"))]
    }
}

#[cfg(test)]
mod tests {
    use contracts::money::Currency;

    use super::*;

    #[test]
    fn nothing_is_captured_without_being_authorised_or_after_an_end() {
        use PaymentState::{Authorised, Captured, Declined, Started, Voided};
        let cases = [
            (Started, Outcome::Refused),
            (Authorised, Outcome::Becomes(Captured)),
            (Captured, Outcome::Already),
            (Declined, Outcome::Refused),
            (Voided, Outcome::Refused),
        ];
        for (state, outcome) in cases {
            assert_eq!(advance(state, Step::Capture), outcome, "{state:?}");
        }
    }

    #[test]
    fn ends_stay_ends() {
        let steps = [Step::Authorise, Step::Decline, Step::Capture, Step::Void];
        for state in [PaymentState::Captured, PaymentState::Declined, PaymentState::Voided] {
            for step in steps {
                let moved = matches!(advance(state, step), Outcome::Becomes(_));
                assert!(!moved, "{state:?} moved by {step:?}");
            }
        }
    }

    #[test]
    fn a_booking_sums_to_zero() {
        for minor in [1, 1250, MAX_AMOUNT_MINOR] {
            let entries = booking(Money { minor, currency: Currency::Eur });
            assert_eq!(entries.iter().map(|entry| entry.minor).sum::<i64>(), 0);
        }
    }
}

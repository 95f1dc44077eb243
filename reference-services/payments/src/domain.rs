//! The rules of payments, without input or output: which state may follow which,
//! and what a payment writes into the ledger.

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

/// What we gave back.
pub const ACCOUNT_REFUNDS: &str = "sales_refunds";

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
    /// Give back what was taken.
    Refund,
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
    use PaymentState::{Authorised, Captured, Declined, Refunded, Started, Voided};
    match (state, step) {
        (Started, Step::Authorise) => Outcome::Becomes(Authorised),
        (Started, Step::Decline) => Outcome::Becomes(Declined),
        (Authorised, Step::Capture) => Outcome::Becomes(Captured),
        (Started | Authorised, Step::Void) => Outcome::Becomes(Voided),
        (Captured, Step::Refund) => Outcome::Becomes(Refunded),
        (Authorised | Captured, Step::Authorise)
        | (Declined, Step::Decline | Step::Void)
        | (Captured, Step::Capture)
        | (Voided | Refunded, Step::Void)
        | (Refunded, Step::Refund) => Outcome::Already,
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

/// What a payment writes when it comes to a state: the booking's name and its
/// rows. Captured is money received, and the same earned; refunded is the money
/// gone again, and the same not earned after all.
pub fn booking(state: PaymentState, amount: Money) -> Option<(&'static str, [Entry; 2])> {
    let entry = |account, minor| Entry { account, minor };
    match state {
        PaymentState::Captured => Some((
            "capture",
            [entry(ACCOUNT_RECEIVED, amount.minor), entry(ACCOUNT_REVENUE, -amount.minor)],
        )),
        PaymentState::Refunded => Some((
            "refund",
            [entry(ACCOUNT_RECEIVED, -amount.minor), entry(ACCOUNT_REFUNDS, amount.minor)],
        )),
        _ => None,
    }
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
        use PaymentState::{Authorised, Captured, Declined, Refunded, Started, Voided};
        let cases = [
            (Started, Outcome::Refused),
            (Authorised, Outcome::Becomes(Captured)),
            (Captured, Outcome::Already),
            (Declined, Outcome::Refused),
            (Voided, Outcome::Refused),
            (Refunded, Outcome::Refused),
        ];
        for (state, outcome) in cases {
            assert_eq!(advance(state, Step::Capture), outcome, "{state:?}");
        }
    }

    #[test]
    fn ends_stay_ends() {
        let steps = [Step::Authorise, Step::Decline, Step::Capture, Step::Void, Step::Refund];
        for state in [PaymentState::Refunded, PaymentState::Declined, PaymentState::Voided] {
            for step in steps {
                let moved = matches!(advance(state, step), Outcome::Becomes(_));
                assert!(!moved, "{state:?} moved by {step:?}");
            }
        }
    }

    #[test]
    fn only_what_was_taken_is_given_back() {
        let refundable =
            |state: &PaymentState| matches!(advance(*state, Step::Refund), Outcome::Becomes(_));
        let found: Vec<_> = PaymentState::ALL.into_iter().filter(refundable).collect();
        assert_eq!(found, [PaymentState::Captured]);
    }

    #[test]
    fn a_booking_sums_to_zero_and_a_refund_takes_the_money_out_again() {
        for minor in [1, 1250, MAX_AMOUNT_MINOR] {
            let amount = Money { minor, currency: Currency::Eur };
            let mut received = 0;
            for state in PaymentState::ALL {
                let Some((_, entries)) = booking(state, amount) else { continue };
                assert_eq!(entries.iter().map(|entry| entry.minor).sum::<i64>(), 0);
                let of = entries.iter().filter(|entry| entry.account == ACCOUNT_RECEIVED);
                received += of.map(|entry| entry.minor).sum::<i64>();
            }
            assert_eq!(received, 0);
        }
    }
}

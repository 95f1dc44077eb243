//! The rules of shipments, without input or output: what sending costs, and
//! which state may follow which.

use chassis::field;
use contracts::money::{Currency, Money};
use contracts::problem::FieldError;
use contracts::shipping::{Quote, ShipmentState, Speed};

/// Most pieces of one shipment: what an order can have at most.
pub const MAX_PIECES: u32 = 50_000;

/// Pieces in one parcel.
pub const PIECES_PER_PARCEL: u32 = 20;

/// What the first parcel costs, in minor units, by speed.
const FIRST_MINOR: [(Speed, i64, u32); 2] = [(Speed::Standard, 490, 3), (Speed::Express, 1_290, 1)];

/// What each further parcel costs, as a share of the first: a half.
const FURTHER_DIVISOR: i64 = 2;

/// What is asked of a shipment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The order is complete.
    Release,
    /// The carrier fetched it.
    Dispatch,
    /// The carrier brought it.
    Deliver,
    /// The order is called off.
    Cancel,
}

/// What a step does to a shipment in some state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It moves on.
    Becomes(ShipmentState),
    /// It is there already, or beyond: asking twice is no mistake.
    Already,
    /// The step is not allowed.
    Refused,
}

/// What `step` does to a shipment in `state`.
pub fn advance(state: ShipmentState, step: Step) -> Outcome {
    use ShipmentState::{Cancelled, Delivered, Dispatched, Released, Scheduled};
    match (state, step) {
        (Scheduled, Step::Release) => Outcome::Becomes(Released),
        (Released, Step::Dispatch) => Outcome::Becomes(Dispatched),
        (Dispatched, Step::Deliver) => Outcome::Becomes(Delivered),
        (Scheduled | Released, Step::Cancel) => Outcome::Becomes(Cancelled),
        (Released | Dispatched | Delivered, Step::Release)
        | (Dispatched | Delivered, Step::Dispatch)
        | (Delivered, Step::Deliver)
        | (Cancelled, Step::Cancel) => Outcome::Already,
        _ => Outcome::Refused,
    }
}

/// What is wrong with a number of pieces.
pub fn faults(pieces: u32) -> Vec<FieldError> {
    match (1..=MAX_PIECES).contains(&pieces) {
        true => Vec::new(),
        false => vec![field("pieces", format!("must be from 1 to {MAX_PIECES}"))],
    }
}

/// What sending so many pieces costs, the cheapest first.
pub fn quotes(pieces: u32, currency: Currency) -> Vec<Quote> {
    let further = i64::from(pieces.div_ceil(PIECES_PER_PARCEL).saturating_sub(1));
    let quote = |(speed, first, days)| {
        let minor = first + further * (first / FURTHER_DIVISOR);
        Quote { speed, price: Money { minor, currency }, days }
    };
    FIRST_MINOR.map(quote).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_called_off_that_has_left_and_nothing_leaves_that_was_called_off() {
        use ShipmentState::{Cancelled, Delivered, Dispatched, Released, Scheduled};
        for left in [Dispatched, Delivered] {
            assert_eq!(advance(left, Step::Cancel), Outcome::Refused, "{left:?}");
        }
        for step in [Step::Release, Step::Dispatch, Step::Deliver] {
            assert_eq!(advance(Cancelled, step), Outcome::Refused, "{step:?}");
        }
        assert_eq!(advance(Scheduled, Step::Dispatch), Outcome::Refused, "not complete yet");
        assert_eq!(advance(Released, Step::Cancel), Outcome::Becomes(Cancelled));
        assert_eq!(advance(Delivered, Step::Release), Outcome::Already);
    }

    #[test]
    fn more_parcels_cost_more_and_express_most() {
        let price =
            |pieces| quotes(pieces, Currency::Eur).into_iter().map(|quote| quote.price.minor);
        assert!(price(1).eq([490, 1_290]) && price(20).eq([490, 1_290]));
        assert!(price(21).eq([735, 1_935]));
        assert!(price(MAX_PIECES).all(|minor| minor > 0));
        assert_eq!((faults(0).len(), faults(1).len(), faults(MAX_PIECES + 1).len()), (1, 0, 1));
    }
}

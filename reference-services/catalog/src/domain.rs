//! The rules of the catalog, without input or output: what a product may say,
//! how a search is understood, and how a reservation moves pieces.

use chassis::field;
use contracts::catalog::{Description, ReservationState, Reserve};
use contracts::problem::FieldError;

/// Longest stock keeping unit, in bytes.
pub const MAX_SKU_BYTES: usize = 64;

/// Longest name of a product or category, in bytes.
pub const MAX_NAME_BYTES: usize = 120;

/// Longest description, in bytes.
pub const MAX_DESCRIPTION_BYTES: usize = 4000;

/// Highest price of a piece, in minor units.
pub const MAX_PRICE_MINOR: i64 = 10_000_000;

/// Most pieces that come in at once.
pub const MAX_RECEIPT: i64 = 1_000_000;

/// Most lines of a reservation.
pub const MAX_LINES: usize = 50;

/// Most words of a search that are looked at.
pub const MAX_WORDS: usize = 8;

/// How long pieces are held for an order that is not confirmed, in milliseconds.
pub const HELD_FOR_MS: i64 = 15 * 60 * 1000;

/// Below so many pieces on hand more are ordered.
pub const REFILL_BELOW: i64 = 5_000;

/// So many pieces come in then.
pub const REFILL_PIECES: i64 = 20_000;

/// What is asked of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The order will be completed: keep the pieces.
    Confirm,
    /// The order is called off: give the pieces back.
    Release,
    /// Nobody confirmed in time.
    Expire,
    /// The pieces left the house.
    Ship,
}

/// What a step does to a reservation in some state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It moves on, and its pieces with it.
    Becomes(ReservationState, Pieces),
    /// It is there already: asking twice is no mistake.
    Already,
    /// The step is not allowed.
    Refused,
}

/// Where the reserved pieces go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pieces {
    /// They stay reserved.
    Stay,
    /// They are on hand again.
    Return,
    /// They are shipped.
    Leave,
}

/// What `step` does to a reservation in `state`.
pub fn advance(state: ReservationState, step: Step) -> Outcome {
    use ReservationState::{Confirmed, Expired, Held, Released, Shipped};
    match (state, step) {
        (Held, Step::Confirm) => Outcome::Becomes(Confirmed, Pieces::Stay),
        (Held | Confirmed, Step::Release) => Outcome::Becomes(Released, Pieces::Return),
        (Held, Step::Expire) => Outcome::Becomes(Expired, Pieces::Return),
        (Held | Confirmed, Step::Ship) => Outcome::Becomes(Shipped, Pieces::Leave),
        (Confirmed | Shipped, Step::Confirm)
        | (Released | Expired, Step::Release | Step::Expire)
        | (Shipped, Step::Ship) => Outcome::Already,
        _ => Outcome::Refused,
    }
}

/// What is wrong with a product.
pub fn faults(sku: &str, product: &Description) -> Vec<FieldError> {
    let mut faults = Vec::new();
    if !is_sku(sku) {
        let message =
            format!("must be 1 to {MAX_SKU_BYTES} letters, digits, `-`, `_` or `.` (ASCII)");
        faults.push(field("sku", message));
    }
    let texts = [
        ("name", &product.name, MAX_NAME_BYTES),
        ("description", &product.description, MAX_DESCRIPTION_BYTES),
        ("category", &product.category, MAX_NAME_BYTES),
    ];
    for (name, text, most) in texts {
        if text.trim().is_empty() || text.len() > most {
            faults.push(field(name, format!("must have from 1 to {most} bytes")));
        }
    }
    if !(1..=MAX_PRICE_MINOR).contains(&product.price_minor) {
        faults.push(field("price_minor", format!("must be from 1 to {MAX_PRICE_MINOR}")));
    }
    faults
}

/// What is wrong with a request to reserve.
pub fn reserve_faults(request: &Reserve) -> Vec<FieldError> {
    if !(1..=MAX_LINES).contains(&request.lines.len()) {
        return vec![field("lines", format!("must have from 1 to {MAX_LINES} lines"))];
    }
    let empty = request.lines.iter().enumerate().filter(|(_, line)| line.quantity == 0);
    empty.map(|(at, _)| field(format!("lines[{at}].quantity"), "must not be 0")).collect()
}

/// Whether `text` can be a stock keeping unit: 1 to [`MAX_SKU_BYTES`] letters,
/// digits, `-`, `_` or `.` (ASCII).
pub fn is_sku(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=MAX_SKU_BYTES).contains(&text.len()) && text.bytes().all(allowed)
}

/// The words in what a person searches for, in letters and digits only.
pub fn words(text: &str) -> Vec<&str> {
    let words = text.split(|letter: char| !letter.is_alphanumeric());
    words.filter(|word| !word.is_empty()).take(MAX_WORDS).collect()
}

/// The version in a header `If-Match` such as `"3"`.
pub fn version(tag: &str) -> Option<i64> {
    tag.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_return_or_leave_once() {
        use ReservationState::{Confirmed, Expired, Held, Released, Shipped};
        let steps = [Step::Confirm, Step::Release, Step::Expire, Step::Ship];
        for end in [Shipped, Released, Expired] {
            for step in steps {
                let moved = matches!(advance(end, step), Outcome::Becomes(..));
                assert!(!moved, "{end:?} moved by {step:?}");
            }
        }
        assert_eq!(advance(Confirmed, Step::Expire), Outcome::Refused, "it is kept");
        assert_eq!(advance(Expired, Step::Confirm), Outcome::Refused, "it is gone");
        assert_eq!(advance(Shipped, Step::Release), Outcome::Refused, "it left");
        assert_eq!(advance(Held, Step::Confirm), Outcome::Becomes(Confirmed, Pieces::Stay));
    }

    #[test]
    fn a_search_is_words_and_nothing_else() {
        for (text, expected) in [
            ("dark roast", vec!["dark", "roast"]),
            ("a\" OR b*", vec!["a", "OR", "b"]),
            ("it's 'x':* & !y", vec!["it", "s", "x", "y"]),
            ("thé", vec!["thé"]),
            (" -\"*()", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
        assert_eq!(words(&"x ".repeat(100)).len(), MAX_WORDS);
    }

    #[test]
    fn a_product_s_faults_name_their_field() {
        let product = |name: &str, price_minor| Description {
            name: name.to_owned(),
            description: "Of use".to_owned(),
            category: "tools".to_owned(),
            price_minor,
        };
        let fields = |sku: &str, product| {
            faults(sku, &product).into_iter().map(|fault| fault.field).collect::<Vec<_>>()
        };
        assert!(fields("a-1", product("Axe", 1)).is_empty());
        assert_eq!(fields("a b", product(" ", 0)), ["sku", "name", "price_minor"]);
        let long = "x".repeat(MAX_NAME_BYTES + 1);
        assert_eq!(fields("a", product(&long, MAX_PRICE_MINOR + 1)), ["name", "price_minor"]);
    }

    #[test]
    fn a_tag_is_a_quoted_number() {
        for (tag, version_in_it) in
            [("\"3\"", Some(3)), ("3", None), ("*", None), ("W/\"3\"", None)]
        {
            assert_eq!(version(tag), version_in_it, "{tag}");
        }
    }
}

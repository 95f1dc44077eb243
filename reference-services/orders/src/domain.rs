//! The rules of orders, without input or output: what a valid order is, and
//! what it costs.

use chassis::field;
use contracts::money::Money;
use contracts::orders::PlaceOrder;
use contracts::problem::FieldError;

/// Most lines of an order.
pub const MAX_LINES: usize = 50;

/// Most pieces in one line.
pub const MAX_QUANTITY: u32 = 1000;

/// Longest stock keeping unit, in bytes.
pub const MAX_SKU_BYTES: usize = 64;

/// Highest price of one piece, in minor units.
pub const MAX_UNIT_PRICE_MINOR: i64 = 10_000_000;

/// Highest total of an order, in minor units: what `payments` takes at once.
pub const MAX_TOTAL_MINOR: i64 = 100_000_000;

/// What a request to place an order costs, or everything that is wrong with it.
pub fn price(request: &PlaceOrder) -> Result<Money, Vec<FieldError>> {
    let mut faults = Vec::new();
    if !(1..=MAX_LINES).contains(&request.lines.len()) {
        faults.push(field("lines", format!("must have from 1 to {MAX_LINES} lines")));
    }
    for (at, line) in request.lines.iter().take(MAX_LINES).enumerate() {
        if !is_sku(&line.sku) {
            let message =
                format!("must be 1 to {MAX_SKU_BYTES} letters, digits, `-`, `_` or `.` (ASCII)");
            faults.push(field(format!("lines[{at}].sku"), message));
        }
        if !(1..=MAX_QUANTITY).contains(&line.quantity) {
            let message = format!("must be from 1 to {MAX_QUANTITY}");
            faults.push(field(format!("lines[{at}].quantity"), message));
        }
        if !(1..=MAX_UNIT_PRICE_MINOR).contains(&line.unit_price_minor) {
            let message = format!("must be from 1 to {MAX_UNIT_PRICE_MINOR}");
            faults.push(field(format!("lines[{at}].unit_price_minor"), message));
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    // No overflow: the limits above bound the sum by 50 x 1000 x 10 million.
    let lines = request.lines.iter();
    let minor = lines.map(|line| i64::from(line.quantity) * line.unit_price_minor).sum();
    if minor > MAX_TOTAL_MINOR {
        let message = format!("must not cost more than {MAX_TOTAL_MINOR} together");
        return Err(vec![field("lines", message)]);
    }
    Ok(Money { minor, currency: request.currency })
}

fn is_sku(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=MAX_SKU_BYTES).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use contracts::money::Currency;
    use contracts::orders::Line;

    use super::*;

    fn check(lines: &[(&str, u32, i64)], expected: Result<i64, &[&str]>) {
        let lines = lines
            .iter()
            .map(|&(sku, quantity, unit_price_minor)| Line {
                sku: sku.to_owned(),
                quantity,
                unit_price_minor,
            })
            .collect();
        let priced = price(&PlaceOrder { lines, currency: Currency::Eur });
        let found = priced
            .map(|total| total.minor)
            .map_err(|faults| faults.into_iter().map(|fault| fault.field).collect::<Vec<_>>());
        let expected = expected
            .map_err(|fields| fields.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>());
        assert_eq!(found, expected);
    }

    #[test]
    fn an_order_costs_the_sum_of_its_lines_and_faults_name_their_field() {
        check(&[("tea-1", 2, 450), ("cup_2", 1, 1250)], Ok(2150));
        check(&[("x", MAX_QUANTITY, 100_000)], Ok(MAX_TOTAL_MINOR));
        check(&[], Err(&["lines"]));
        check(&[("tea", 0, 450)], Err(&["lines[0].quantity"]));
        check(&[("tea", 1, 1), ("tea", 1, -1)], Err(&["lines[1].unit_price_minor"]));
        check(
            &[("", 1, 1), ("a b", 1, 0)],
            Err(&["lines[0].sku", "lines[1].sku", "lines[1].unit_price_minor"]),
        );
        check(&[("x", MAX_QUANTITY, 100_001)], Err(&["lines"]));
        check(
            &[("x", u32::MAX, i64::MAX)],
            Err(&["lines[0].quantity", "lines[0].unit_price_minor"]),
        );
        check(&[("x", 1, 1); MAX_LINES + 1], Err(&["lines"]));
    }
}

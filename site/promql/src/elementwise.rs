//! Functions of one value, and parts of dates.
//!
//! The evaluator applies them to every value of a vector.

/// A function of one value.
pub(crate) type Map = fn(f64) -> f64;

/// The mathematical function called `name`.
pub(crate) fn find(name: &str) -> Option<Map> {
    let function: Map = match name {
        "abs" => f64::abs,
        "acos" => f64::acos,
        "acosh" => f64::acosh,
        "asin" => f64::asin,
        "asinh" => f64::asinh,
        "atan" => f64::atan,
        "atanh" => f64::atanh,
        "ceil" => f64::ceil,
        "cos" => f64::cos,
        "cosh" => f64::cosh,
        "deg" => f64::to_degrees,
        "exp" => f64::exp,
        "floor" => f64::floor,
        "ln" => f64::ln,
        "log10" => f64::log10,
        "log2" => f64::log2,
        "rad" => f64::to_radians,
        "sgn" => |v| {
            if v > 0.0 {
                1.0
            } else if v < 0.0 {
                -1.0
            } else {
                v
            }
        },
        "sin" => f64::sin,
        "sinh" => f64::sinh,
        "sqrt" => f64::sqrt,
        "tan" => f64::tan,
        "tanh" => f64::tanh,
        _ => return None,
    };
    Some(function)
}

/// The part of a date called `name`, as a function of seconds since 1970, in UTC.
pub(crate) fn find_date(name: &str) -> Option<fn(i64) -> f64> {
    let function: fn(i64) -> f64 = match name {
        "minute" => |s| (s.rem_euclid(3600) / 60) as f64,
        "hour" => |s| (s.rem_euclid(DAY) / 3600) as f64,
        // 1970 began on a Thursday.
        "day_of_week" => |s| (days(s) + 4).rem_euclid(7) as f64,
        "day_of_month" => |s| date(s).2 as f64,
        "day_of_year" => |s| {
            let (year, ..) = date(s);
            (days(s) - days_before(year, 1) + 1) as f64
        },
        "days_in_month" => |s| {
            let (year, month, _) = date(s);
            let next =
                if month == 12 { days_before(year + 1, 1) } else { days_before(year, month + 1) };
            (next - days_before(year, month)) as f64
        },
        "month" => |s| date(s).1 as f64,
        "year" => |s| date(s).0 as f64,
        _ => return None,
    };
    Some(function)
}

const DAY: i64 = 86_400;
/// Days in 400 Gregorian years.
const ERA: i64 = 146_097;
/// Days from 0000-03-01, where the reckoning below starts, to 1970-01-01.
const TO_1970: i64 = 719_468;

fn days(seconds: i64) -> i64 {
    seconds.div_euclid(DAY)
}

/// Year, month and day. Years are counted from March, so that the leap day comes last.
fn date(seconds: i64) -> (i64, i64, i64) {
    let day = days(seconds) + TO_1970;
    let (era, day) = (day.div_euclid(ERA), day.rem_euclid(ERA));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// Days from 1970-01-01 to the first of a month.
fn days_before(year: i64, month: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year) = (year.div_euclid(400), year.rem_euclid(400));
    let month = (month + 9) % 12;
    era * ERA + 365 * year + year / 4 - year / 100 + (153 * month + 2) / 5 - TO_1970
}

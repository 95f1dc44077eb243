//! How long somebody waits after wrong attempts. `store::failures` counts them, for the
//! account that was named (whether it exists or not) and for the address that they came
//! from; what is decided here knows neither clock nor database.
//!
//! Nobody is locked out for ever: a wait is never longer than [`LONGEST_MS`], attempts
//! that are refused while waiting do not count, and an address from which the account has
//! logged in before does not wait for what others did to the account. Sessions that
//! exist go on in any case.

/// Wrong attempts at an account before there is a wait.
pub const FREE_FOR_ACCOUNT: i64 = 5;

/// Wrong attempts from an address before there is a wait: many people may share one.
pub const FREE_FOR_ADDRESS: i64 = 20;

/// The first wait, in milliseconds; each one after it is twice as long.
pub const FIRST_MS: i64 = 1_000;

/// The longest wait, in milliseconds.
pub const LONGEST_MS: i64 = 5 * 60 * 1000;

/// When a wrong attempt is forgotten if no other follows, in milliseconds.
pub const FORGOTTEN_AFTER_MS: i64 = 15 * 60 * 1000;

/// Most accounts and addresses that are counted; those whose last attempt is the longest
/// ago make room.
pub const MAX_COUNTED: i64 = 10_000;

/// How long to wait after so many wrong attempts, in milliseconds.
pub fn wait_ms(attempts: i64, free: i64) -> i64 {
    if attempts < free {
        return 0;
    }
    let doublings = u32::try_from(attempts - free).unwrap_or(u32::MAX).min(30);
    (FIRST_MS << doublings).min(LONGEST_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_have_an_end() {
        let cases = [(0, 0), (4, 0), (5, 1_000), (6, 2_000), (9, 16_000), (13, 256_000)];
        for (attempts, wait) in cases {
            assert_eq!(wait_ms(attempts, FREE_FOR_ACCOUNT), wait, "{attempts}");
        }
        for attempts in [14, 100, i64::MAX] {
            assert_eq!(wait_ms(attempts, FREE_FOR_ACCOUNT), LONGEST_MS, "{attempts}");
        }
    }
}

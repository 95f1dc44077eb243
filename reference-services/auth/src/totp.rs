//! Codes that change with the time (RFC 6238, with the parameters that every
//! authenticator knows: HMAC-SHA-1, six digits, 30 seconds), and recovery codes.
//! `store::second` keeps the secrets, sealed, and sees to it that a code is good once.

use hmac::{Hmac, Mac};
use sha1::Sha1;

/// Bytes of a secret (RFC 4226 recommends 160 bits).
pub const SECRET_BYTES: usize = 20;

/// How long a code is shown, in milliseconds.
pub const STEP_MS: i64 = 30_000;

/// Steps before and after the present one whose code is taken: clocks differ.
pub const WINDOW: i64 = 1;

/// Digits of a code.
pub const DIGITS: usize = 6;

/// Recovery codes of an account.
pub const RECOVERY_CODES: usize = 10;

/// Letters and digits of a recovery code: 80 bits.
const RECOVERY_CHARS: usize = 16;

/// Who issues the secret, as authenticators show it.
const ISSUER: &str = "CloudScale";

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A secret by chance.
pub fn new_secret() -> [u8; SECRET_BYTES] {
    rand::random()
}

/// The code of a time step.
pub fn code(secret: &[u8], step: i64) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret).expect("HMAC takes keys of every length");
    mac.update(&step.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    // Four bytes from where the last four bits say (RFC 4226, 5.3).
    let at = usize::from(hash[hash.len() - 1] & 0xf);
    let word = u32::from_be_bytes([hash[at], hash[at + 1], hash[at + 2], hash[at + 3]]);
    format!("{:0DIGITS$}", (word & 0x7fff_ffff) % 1_000_000)
}

/// The step that a code belongs to, of those that are taken now and come after `last`:
/// no code is good twice, and none that is older than one that was taken.
pub fn step_of(secret: &[u8], given: &str, now_ms: i64, last: i64) -> Option<i64> {
    let now = now_ms.div_euclid(STEP_MS);
    let given: String = given.chars().filter(|character| !character.is_whitespace()).collect();
    // Each is compared, so that the time does not tell which one it is.
    let steps = (now - WINDOW..=now + WINDOW).filter(|step| *step > last);
    steps.fold(None, |found, step| found.or((code(secret, step) == given).then_some(step)))
}

/// Bytes as letters and digits for typing in (RFC 4648, without padding).
pub fn base32(bytes: &[u8]) -> String {
    let bit = |at: usize| bytes.get(at / 8).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0);
    let quintet = |from: usize| (from..from + 5).fold(0, |sum, at| sum * 2 + usize::from(bit(at)));
    (0..bytes.len() * 8).step_by(5).map(|from| char::from(BASE32[quintet(from)])).collect()
}

/// The bytes that [`base32`] wrote; none if it did not.
pub fn from_base32(text: &str) -> Option<Vec<u8>> {
    let mut bits = Vec::with_capacity(text.len() * 5);
    for letter in text.bytes() {
        let value = BASE32.iter().position(|known| *known == letter)?;
        bits.extend((0..5).rev().map(|bit| (value >> bit) & 1 == 1));
    }
    let byte = |bits: &[bool]| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
    Some(bits.chunks_exact(8).map(byte).collect())
}

/// What authenticators read from a QR code.
pub fn uri(secret: &[u8], email: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let label: String = email
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect();
    let secret = base32(secret);
    let form = format!("issuer={ISSUER}&algorithm=SHA1&digits={DIGITS}&period=30");
    format!("otpauth://totp/{ISSUER}:{label}?secret={secret}&{form}")
}

/// Recovery codes by chance, in groups of four for reading.
pub fn recovery_codes() -> Vec<String> {
    let one = || {
        let text = base32(&rand::random::<[u8; RECOVERY_CHARS * 5 / 8]>()).to_lowercase();
        let groups: Vec<&str> =
            (0..RECOVERY_CHARS).step_by(4).map(|at| &text[at..at + 4]).collect();
        groups.join("-")
    };
    std::iter::repeat_with(one).take(RECOVERY_CODES).collect()
}

/// A recovery code as it is compared: people leave out dashes and press Shift.
pub fn normal_recovery_code(given: &str) -> String {
    given.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SECRET: &[u8; 20] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B; the last six of its eight digits.
        let cases = [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(code(SECRET, seconds / 30), expected, "{seconds}");
        }
    }

    #[test]
    fn a_code_is_taken_near_its_time_and_once() {
        let (now_ms, now) = (1_700_000_000_000, 1_700_000_000_000 / STEP_MS);
        for (offset, last, taken) in [
            (0, 0, true),
            (-1, 0, true),
            (1, 0, true),
            (-2, 0, false),
            (2, 0, false),
            (0, now, false),
            (-1, now - 1, false),
            (0, now - 1, true),
            (1, now, true),
        ] {
            let given = code(SECRET, now + offset);
            let found = step_of(SECRET, &given, now_ms, last);
            assert_eq!(found.is_some(), taken, "{offset} after {last}");
        }
        let spaced = code(SECRET, now);
        let spaced = format!("{} {}", &spaced[..3], &spaced[3..]);
        assert_eq!(step_of(SECRET, &spaced, now_ms, 0), Some(now));
        for wrong in ["", "12345", "1234567", "abcdef"] {
            assert_eq!(step_of(SECRET, wrong, now_ms, 0), None, "{wrong}");
        }
    }

    #[test]
    fn secrets_are_written_for_people_and_read_again() {
        for (bytes, text) in [("", ""), ("f", "MY"), ("foob", "MZXW6YQ"), ("foobar", "MZXW6YTBOI")]
        {
            assert_eq!(base32(bytes.as_bytes()), text);
            assert_eq!(from_base32(text).unwrap(), bytes.as_bytes());
        }
        assert_eq!(from_base32("a1"), None);
        let uri = uri(SECRET, "ada+x@example.org");
        assert!(uri.starts_with("otpauth://totp/CloudScale:ada%2Bx%40example.org?secret=GEZDGNBV"));
    }

    #[test]
    fn recovery_codes_can_be_typed_in() {
        let codes = recovery_codes();
        let distinct: std::collections::BTreeSet<_> = codes.iter().collect();
        assert_eq!(distinct.len(), RECOVERY_CODES);
        let (first, typed) = (&codes[0], codes[0].to_uppercase().replace('-', " "));
        assert_eq!(first.len(), 19);
        assert_eq!(normal_recovery_code(first), normal_recovery_code(&typed));
    }
}

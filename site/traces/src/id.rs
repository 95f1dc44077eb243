//! Trace and span ids: fixed bytes, hexadecimal at the edges.
//!
//! Parsed at the door (OTLP decoding, URLs), passed on by value everywhere else.

use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Why a text or a byte string is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not the right number of bytes.
    #[error("an id of `{found}` bytes, expected `{expected}`")]
    Length {
        /// Bytes that an id of this kind has.
        expected: usize,
        /// Bytes (or half the characters) that were given.
        found: usize,
    },
    /// A character that is not hexadecimal.
    #[error("an id with a character that is not hexadecimal")]
    NotHex,
    /// Every byte is zero, which W3C trace context and OTLP call invalid.
    #[error("an id of zeros only")]
    Zero,
}

macro_rules! id {
    ($name:ident, $bytes:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Takes the bytes of a message; fails on a wrong length and on zeros.
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, IdError> {
                let bytes: [u8; $bytes] = bytes
                    .try_into()
                    .map_err(|_| IdError::Length { expected: $bytes, found: bytes.len() })?;
                if bytes == [0; $bytes] { Err(IdError::Zero) } else { Ok(Self(bytes)) }
            }

            /// The bytes, most significant first.
            pub fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                if text.len() != $bytes * 2 {
                    return Err(IdError::Length { expected: $bytes, found: text.len() / 2 });
                }
                let mut bytes = [0; $bytes];
                for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
                    *byte = (nibble(pair[0])? << 4) | nibble(pair[1])?;
                }
                Self::from_bytes(&bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

id!(
    TraceId,
    16,
    "The id of a trace: 16 bytes, not all zero; shown as 32 lower-case hexadecimal digits."
);
id!(
    SpanId,
    8,
    "The id of a span: 8 bytes, not all zero; shown as 16 lower-case hexadecimal digits."
);

fn nibble(digit: u8) -> Result<u8, IdError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(IdError::NotHex),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_parse_or_say_why_not() {
        let check = |text: &str, expected: Result<&str, IdError>| {
            let found = text.parse::<SpanId>().map(|id| id.to_string());
            assert_eq!(found, expected.map(str::to_owned), "{text}");
        };
        check("00f067aa0ba902b7", Ok("00f067aa0ba902b7"));
        check("00F067AA0BA902B7", Ok("00f067aa0ba902b7"));
        check("0000000000000000", Err(IdError::Zero));
        check("00f067aa0ba902", Err(IdError::Length { expected: 8, found: 7 }));
        check("00f067aa0ba902bg", Err(IdError::NotHex));
        check("ééééxxxx", Err(IdError::Length { expected: 8, found: 6 }));
        check("éééééééé", Err(IdError::NotHex));
        check("", Err(IdError::Length { expected: 8, found: 0 }));
    }
}

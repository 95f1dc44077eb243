//! Where and for how long a book wants telemetry kept, and how times and sizes are written.
//!
//! `config` reads it from `book.toml`; the command line reads its own the same way. Whoever serves the book acts on it.

/// Units of a retention, milliseconds.
const DURATIONS: [(&str, i64); 5] =
    [("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000), ("y", 31_536_000_000)];
/// Units of a size, bytes.
const SIZES: [(&str, u64); 6] = [
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];
/// The shortest retention, milliseconds: as much is in memory anyway.
const LEAST_RETENTION_MS: i64 = 2 * 60 * 60 * 1000;
/// The smallest size, bytes: with less, what goes at a time is too much of the whole.
const LEAST_BYTES: u64 = 64_000_000;

/// `[output.loggia]`: `data-dir`, `retention`, `retention-size`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keep {
    /// Where.
    pub place: KeepPlace,
    /// `retention`, milliseconds.
    pub retention_ms: Option<i64>,
    /// `retention-size`, bytes.
    pub retention_bytes: Option<u64>,
}

/// Where telemetry is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum KeepPlace {
    /// Nothing is said.
    #[default]
    Unsaid,
    /// `data-dir = false`: in memory only.
    Memory,
    /// `data-dir = "FOLDER"`, from the folder of `book.toml` on.
    Folder(String),
}

/// `15d` as milliseconds. An error says in words what is expected.
pub fn parse_retention(text: &str) -> Result<i64, String> {
    let help = "expected a whole number and m, h, d, w or y, for instance 15d";
    let (unit, ms) = DURATIONS.iter().find(|(unit, _)| text.ends_with(unit)).ok_or(help)?;
    let number: i64 = text[..text.len() - unit.len()].parse().map_err(|_| help)?;
    let ms = number.checked_mul(*ms).ok_or(help)?;
    if ms < LEAST_RETENTION_MS {
        return Err("the least is 2h, which is kept in memory anyway".to_owned());
    }
    Ok(ms)
}

/// `2GB` as bytes. An error says in words what is expected.
pub fn parse_retention_size(text: &str) -> Result<u64, String> {
    let help = "expected a whole number and MB, GB, TB, MiB, GiB or TiB, for instance 2GB";
    let (unit, bytes) = SIZES.iter().find(|(unit, _)| text.ends_with(unit)).ok_or(help)?;
    let number: u64 = text[..text.len() - unit.len()].parse().map_err(|_| help)?;
    let bytes = number.checked_mul(*bytes).ok_or(help)?;
    if bytes < LEAST_BYTES {
        return Err(format!("the least is {} MB", LEAST_BYTES / 1_000_000));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read() {
        for (text, ms) in [("15d", 1_296_000_000), ("120m", 7_200_000), ("2w", 1_209_600_000)] {
            assert_eq!(parse_retention(text), Ok(ms), "{text}");
        }
        for (text, bytes) in [("2GB", 2_000_000_000), ("64MB", 64_000_000), ("1GiB", 1 << 30)] {
            assert_eq!(parse_retention_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "d", "15", "1.5d", "-3d", "1h", "99999999999999999y"] {
            assert!(parse_retention(text).is_err(), "{text}");
        }
        for text in ["", "GB", "2", "2gb", "1MB", "-2GB", "99999999999999TB"] {
            assert!(parse_retention_size(text).is_err(), "{text}");
        }
    }
}

//! Which failures of a database pass by themselves, so that a client may well
//! ask again. `problem` makes 503 of them.

/// Why a database gives no answer now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outage {
    /// Others hold what is needed.
    Busy,
    /// It cannot be reached, or is about to stop.
    Away,
}

/// Classes (two characters) and codes of PostgreSQL's errors that pass.
const PASSING: [(&str, Outage); 9] = [
    ("08", Outage::Away),    // connection exceptions
    ("57P01", Outage::Away), // the server is shut down
    ("57P02", Outage::Away), // the server crashed
    ("57P03", Outage::Away), // the server starts
    ("25P03", Outage::Away), // the transaction did nothing for too long
    ("53", Outage::Busy),    // no connections, memory or disk left
    ("55P03", Outage::Busy), // a lock was waited for too long
    ("57014", Outage::Busy), // the statement took too long
    ("40", Outage::Busy),    // rolled back: deadlocks, serialisation
];

/// What SQLite's result code says; the primary one is in its lowest byte.
const fn sqlite(code: u32) -> Option<Outage> {
    match code & 0xff {
        // Busy, locked, and no disk left.
        5 | 6 | 13 => Some(Outage::Busy),
        // The disk fails, or the file cannot be opened.
        10 | 14 => Some(Outage::Away),
        _ => None,
    }
}

/// What kind of outage is behind an error, if one is.
pub(crate) fn outage(error: &anyhow::Error) -> Option<Outage> {
    error.chain().find_map(|cause| match cause.downcast_ref::<sqlx::Error>()? {
        sqlx::Error::PoolTimedOut => Some(Outage::Busy),
        sqlx::Error::Io(_) | sqlx::Error::PoolClosed | sqlx::Error::Protocol(_) => {
            Some(Outage::Away)
        }
        sqlx::Error::Database(error) => {
            if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
                return sqlite(error.code()?.parse().ok()?);
            }
            let code = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>()?.code();
            PASSING.iter().find(|(start, _)| code.starts_with(start)).map(|(_, outage)| *outage)
        }
        _ => None,
    })
}

//! What is written down of what happened, and how rows are bound to each other. `store`
//! writes them; `/v1/audit` shows them to administrators.
//!
//! Each row holds a keyed hash over itself and the hash of the row before it, and the
//! head (how many there are, and the last hash) has one too. So whoever can write to the
//! database but does not have the key cannot change, remove, add or swap a row unseen,
//! nor cut off the end: the head would tell. He could put back an old copy of the whole
//! database. Against that, the running service remembers how far the log went, a file
//! outside of the database does over restarts, and the metric `auth_audit_entries` does
//! wherever it is scraped to. Whoever has the key, or replaces the program, is not found
//! out. Rows hold neither passwords, tokens nor addresses: of an address they hold a
//! keyed hash, by which two rows can be told to be about the same.

use contracts::accounts::AuditRow;
use uuid::Uuid;

use crate::pepper::Pepper;

/// What the hash of the row before the first one is.
pub const BEGIN: &str = "";

/// Something that happened, before it has its place.
#[derive(Debug, Clone, Default)]
pub struct Event {
    /// What: see [`kinds`].
    pub kind: &'static str,
    /// Whose account it concerns, if it is known.
    pub account: Option<Uuid>,
    /// Who did it, if somebody else.
    pub actor: Option<Uuid>,
    /// In which session.
    pub session: Option<Uuid>,
    /// What else there is to say: words, and aliases of addresses.
    pub detail: String,
}

/// The kinds of events.
pub mod kinds {
    /// Somebody registered.
    pub const REGISTERED: &str = "registered";
    /// Somebody logged in.
    pub const LOGIN: &str = "login";
    /// A password was right, and a code is asked for.
    pub const LOGIN_CHALLENGED: &str = "login_challenged";
    /// An address, password or code was wrong.
    pub const LOGIN_REFUSED: &str = "login_refused";
    /// There were too many wrong ones before.
    pub const LOGIN_LOCKED: &str = "login_locked";
    /// A session got its next tokens.
    pub const REFRESHED: &str = "refreshed";
    /// A spent refresh token came again.
    pub const REUSE_FOUND: &str = "reuse_found";
    /// A session was ended.
    pub const SESSION_REVOKED: &str = "session_revoked";
    /// A password was changed.
    pub const PASSWORD_CHANGED: &str = "password_changed";
    /// A second factor is asked for from now on.
    pub const TOTP_ON: &str = "totp_on";
    /// A second factor is asked for no longer.
    pub const TOTP_OFF: &str = "totp_off";
    /// A recovery code was used in place of a code.
    pub const RECOVERY_USED: &str = "recovery_code_used";
    /// An account may do more.
    pub const ROLE_GRANTED: &str = "role_granted";
    /// An account may do less.
    pub const ROLE_TAKEN: &str = "role_taken";
    /// Another key signs.
    pub const KEYS_ROTATED: &str = "keys_rotated";
}

/// The row of an event that comes after the one with the hash `previous`.
pub fn follow(pepper: &Pepper, number: i64, previous: &str, event: &Event, at_ms: i64) -> AuditRow {
    let id = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    let mut row = AuditRow {
        number,
        at_ms,
        kind: event.kind.to_owned(),
        account: id(event.account),
        actor: id(event.actor),
        session: id(event.session),
        detail: event.detail.clone(),
        seal: String::new(),
    };
    row.seal = seal(&row, pepper, previous);
    row
}

/// The hash that a row must have after the one with the hash `previous`.
fn seal(row: &AuditRow, pepper: &Pepper, previous: &str) -> String {
    let (number, at_ms) = (row.number.to_string(), row.at_ms.to_string());
    let AuditRow { kind, account, actor, session, detail, .. } = row;
    let parts = [previous, &number, &at_ms, kind, account, actor, session, detail];
    pepper.hash("audit row", &parts)
}

/// Where the log ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// How many rows there are.
    pub number: i64,
    /// The hash of the last one.
    pub seal: String,
}

impl Head {
    /// Of an empty log.
    pub fn empty() -> Self {
        Self { number: 0, seal: BEGIN.to_owned() }
    }

    /// The keyed hash that the head must have.
    pub fn expected(&self, pepper: &Pepper) -> String {
        pepper.hash("audit head", &[&self.number.to_string(), &self.seal])
    }
}

/// What is wrong with some rows that follow the one with the hash `previous` (they must
/// begin with `number`), in words; and the hash of the last one.
pub fn verify(
    pepper: &Pepper,
    mut number: i64,
    mut previous: String,
    rows: &[AuditRow],
) -> Result<String, String> {
    for row in rows {
        if row.number != number {
            return Err(format!("row {number} is missing"));
        }
        if seal(row, pepper, &previous) != row.seal {
            return Err(format!("row {number} is not what was written, or not where it was"));
        }
        previous.clone_from(&row.seal);
        number += 1;
    }
    Ok(previous)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn log(pepper: &Pepper, rows: i64) -> Vec<AuditRow> {
        let mut log: Vec<AuditRow> = Vec::new();
        for number in 1..=rows {
            let previous = log.last().map_or(BEGIN, |row| row.seal.as_str()).to_owned();
            let event =
                Event { kind: kinds::LOGIN, detail: number.to_string(), ..Event::default() };
            log.push(follow(pepper, number, &previous, &event, number * 1000));
        }
        log
    }

    #[test]
    fn a_row_that_was_changed_removed_added_or_moved_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let pepper = Pepper::open(None, folder.path()).unwrap();
        let check = |change: &dyn Fn(&mut Vec<AuditRow>), sound: bool| {
            let mut rows = log(&pepper, 6);
            change(&mut rows);
            let found = verify(&pepper, 1, BEGIN.to_owned(), &rows);
            assert_eq!(found.is_ok(), sound, "{rows:?}");
        };
        check(&|_| {}, true);
        check(&|rows| rows[2].at_ms += 1, false);
        check(&|rows| rows[2].kind = "logins".to_owned(), false);
        check(&|rows| rows[2].account = "x".to_owned(), false);
        check(&|rows| rows[2].actor = "x".to_owned(), false);
        check(&|rows| rows[2].detail.push('x'), false);
        check(&|rows| drop(rows.remove(2)), false);
        check(&|rows| drop(rows.remove(0)), false);
        check(&|rows| rows.swap(2, 3), false);
        check(&|rows| rows.insert(2, rows[2].clone()), false);
        // Whoever renumbers cannot make the hashes.
        let renumber = |rows: &mut Vec<AuditRow>| {
            rows.remove(2);
            rows[2].number = 3;
            rows[3].number = 4;
            rows[4].number = 5;
        };
        check(&renumber, false);
    }
}

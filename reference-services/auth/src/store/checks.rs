//! What must hold of accounts: sessions have one token that can be used, a family of
//! which a spent one came again is over, one key signs and one is next, and the audit
//! log is whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chassis::Checks;
use chassis::clock::now_ms;
use chassis::invariants::Checking;
use chassis::store::{Source, sql, values};
use contracts::invariants::Invariant;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::{Accounts, audit};
use crate::audit::{BEGIN, Head, verify};

/// Rows of the audit log that one check reads. A longer one is read in turns: the newest
/// part each time, of the rest so many.
const VERIFIED_AT_ONCE: i64 = 20_000;

/// Rows that are in memory at once.
const PAGE: i64 = 500;

/// Name of the file that remembers how far the log went.
const WITNESS_FILE: &str = "audit-head.json";

/// How far the log was found whole before, kept outside of the database.
#[derive(Debug, Clone)]
pub(crate) struct Verified {
    file: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    witness: Option<Witness>,
    /// Where the next turn begins, with the hash of the row there.
    turn: Option<Witness>,
}

/// A row that was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Witness {
    number: i64,
    seal: String,
}

impl Verified {
    /// As far as the file in `folder` says.
    pub(super) fn at(folder: &Path) -> Self {
        let file = folder.join(WITNESS_FILE);
        let text = std::fs::read(&file).ok();
        let witness = text.and_then(|text| serde_json::from_slice(&text).ok());
        Self { file, state: Arc::new(Mutex::new(State { witness, turn: None })) }
    }

    /// Remembers a row, in memory and over restarts. The file is a witness, no source:
    /// when it is lost, the log is still checked against its head.
    fn remember(&self, state: &mut State, head: &Head) {
        let witness = Witness { number: head.number, seal: head.seal.clone() };
        if state.witness.as_ref() == Some(&witness) {
            return;
        }
        let beside = self.file.with_extension("new");
        let text = serde_json::to_vec(&witness).expect("a number and a text have a JSON form");
        let kept =
            std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, &self.file));
        if let Err(error) = kept {
            tracing::warn!(%error, "the end of the audit log cannot be remembered");
        }
        state.witness = Some(witness);
    }
}

impl Accounts {
    async fn sessions_are_sound(&self) -> anyhow::Result<Invariant> {
        let query = sql("SELECT COUNT(*) FILTER (WHERE t.revoked_ms IS NULL),
                           COUNT(*) FILTER (WHERE t.revoked_ms IS NULL AND t.usable <> 1),
                           COUNT(*) FILTER (WHERE t.revoked_ms IS NULL AND t.reused > 0)
                         FROM (SELECT s.revoked_ms,
                                 (SELECT COUNT(*) FROM refresh_tokens r
                                  WHERE r.session = s.id AND r.spent_ms IS NULL) AS usable,
                                 (SELECT COUNT(*) FROM refresh_tokens r
                                  WHERE r.session = s.id AND r.reused_ms IS NOT NULL) AS reused
                               FROM sessions s WHERE s.ends_ms > ?) AS t");
        let query = query.bind(now_ms());
        let (live, wrong, stolen): (i64, i64, i64) = self.store.reader().one(query, values).await?;
        let says = format!(
            "of {live} sessions that can be used, {wrong} do not have exactly one refresh token \
             that can be, and {stolen} are such that a spent one came again"
        );
        let figures = [("live", live), ("wrong", wrong), ("stolen", stolen)];
        Ok(Invariant::new("sessions_have_one_token", wrong == 0 && stolen == 0, says, &figures))
    }

    async fn keys_are_sound(&self) -> anyhow::Result<Invariant> {
        let query =
            sql("SELECT COUNT(*) FILTER (WHERE signs_ms IS NOT NULL AND retired_ms IS NULL),
                           COUNT(*) FILTER (WHERE signs_ms IS NULL),
                           COUNT(*) FILTER (WHERE secret NOT LIKE 'v1.%')
                         FROM signing_keys");
        let (signing, next, clear): (i64, i64, i64) =
            self.store.reader().one(query, values).await?;
        let says =
            format!("{signing} key signs, {next} is the next one, and {clear} lie there in clear");
        let figures = [("signing", signing), ("next", next), ("in_clear", clear)];
        let holds = signing == 1 && next == 1 && clear == 0;
        Ok(Invariant::new("one_key_signs", holds, says, &figures))
    }

    async fn log_is_whole(&self) -> anyhow::Result<Invariant> {
        let mut state = self.verified.state.lock().await;
        let head = self.head(&mut self.store.reader()).await?;
        let (head, sealed) =
            head.unwrap_or_else(|| (Head::empty(), Head::empty().expected(&self.pepper)));
        let fault = match head.expected(&self.pepper) == sealed {
            true => self.fault(&head, &mut state).await?,
            false => Some("the end of the log is not what was written".to_owned()),
        };
        if fault.is_none() && head.number > 0 {
            self.verified.remember(&mut state, &head);
        }
        let says = match &fault {
            None => {
                format!("the {} rows of the audit log are those that were written", head.number)
            }
            Some(fault) => format!("of {} rows of the audit log, {fault}", head.number),
        };
        let figures = [("rows", head.number)];
        Ok(Invariant::new("audit_log_is_whole", fault.is_none(), says, &figures))
    }

    /// What is wrong with the log up to `head`. Rows that come meanwhile are not looked at.
    async fn fault(&self, head: &Head, state: &mut State) -> anyhow::Result<Option<String>> {
        let query = sql("SELECT COUNT(*) FROM audit WHERE number <= ?").bind(head.number);
        let rows: i64 = self.store.reader().one(query, values).await?;
        if rows != head.number {
            return Ok(Some(format!("{} are missing", head.number - rows)));
        }
        if let Some(witness) = &state.witness
            && self.seal_of(witness.number).await?.as_ref() != Some(&witness.seal)
        {
            return Ok(Some(format!("row {} is not the one that was there", witness.number)));
        }
        // The newest part each time, with a turn over the rest.
        let newest = (head.number - VERIFIED_AT_ONCE).max(0);
        if let Err(fault) = self.part(newest, head.number).await? {
            return Ok(Some(fault));
        }
        if self.seal_of(head.number).await?.unwrap_or_default() != head.seal {
            return Ok(Some("the last one is not where the log ends".to_owned()));
        }
        if newest == 0 {
            return Ok(None);
        }
        let from = state.turn.as_ref().map_or(0, |turn| turn.number);
        let from = if from >= newest { 0 } else { from };
        let to = (from + VERIFIED_AT_ONCE).min(newest);
        match self.part(from, to).await? {
            Ok(seal) => state.turn = Some(Witness { number: to, seal }),
            Err(fault) => return Ok(Some(fault)),
        }
        Ok(None)
    }

    /// Checks rows behind one place up to another, page by page.
    async fn part(&self, from: i64, to: i64) -> anyhow::Result<Result<String, String>> {
        let mut previous = match from {
            0 => BEGIN.to_owned(),
            from => self.seal_of(from).await?.unwrap_or_default(),
        };
        let mut after = from;
        while after < to {
            let upto = (after + PAGE).min(to);
            let query = sql("SELECT * FROM audit WHERE number > ? AND number <= ? ORDER BY number");
            let query = query.bind(after).bind(upto);
            let rows = self.store.reader().all(query, audit::row).await?;
            match verify(&self.pepper, after + 1, previous, &rows) {
                Ok(seal) if rows.len() as i64 == upto - after => previous = seal,
                Ok(_) => return Ok(Err(format!("one is missing before row {}", upto + 1))),
                Err(fault) => return Ok(Err(fault)),
            }
            after = upto;
        }
        Ok(Ok(previous))
    }

    async fn seal_of(&self, number: i64) -> anyhow::Result<Option<String>> {
        let query = sql("SELECT seal FROM audit WHERE number = ?").bind(number);
        self.store.reader().optional(query, values).await
    }

    /// How many rows the audit log has.
    pub(crate) async fn audit_length(&self) -> anyhow::Result<i64> {
        let head = self.head(&mut self.store.reader()).await?;
        Ok(head.map_or(0, |(head, _)| head.number))
    }
}

impl Checks for Accounts {
    fn check(&self) -> Checking<'_> {
        Box::pin(async {
            Ok(vec![
                self.sessions_are_sound().await?,
                self.keys_are_sound().await?,
                self.log_is_whole().await?,
            ])
        })
    }
}

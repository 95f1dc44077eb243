//! The SQL of wrong attempts. An attempt at an account counts before it is made, so that
//! many at once are not many free ones; a good one is taken back. One from an address
//! counts when it was wrong, for many people may share an address.

use chassis::store::{Row, Source, sql, values};
use chassis::{Operation, Write};
use uuid::Uuid;

use super::Accounts;
use crate::audit::{Event, kinds};
use crate::lockout::{
    FORGOTTEN_AFTER_MS, FREE_FOR_ACCOUNT, FREE_FOR_ADDRESS, MAX_COUNTED, wait_ms,
};

const UPDATE: Operation = Operation { name: "INSERT", collection: "failures" };

/// How many make room at once.
const ROOM: i64 = MAX_COUNTED / 16;

/// Somebody who tries something that can be wrong.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// What he tries, and at whom: a keyed hash or an id.
    pub(crate) subject: String,
    /// Keyed hash of the address that he comes from.
    pub(crate) origin: String,
    /// The account: where it has logged in from that address before, he does not wait for
    /// what others did to it.
    pub(crate) account: Option<Uuid>,
}

/// Whether he may try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    Come,
    Wait {
        ms: i64,
        /// `account` or `address`.
        by: &'static str,
    },
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    attempts: i64,
    until_ms: i64,
    noted_ms: i64,
}

impl Attempt {
    fn address(&self) -> String {
        format!("address {}", self.origin)
    }
}

impl Accounts {
    /// Asks whether an attempt may be made, and counts it.
    pub(crate) async fn admit(&self, attempt: &Attempt, now_ms: i64) -> anyhow::Result<Admission> {
        let work = async |write: &mut Write| {
            self.forget_failures(write, now_ms).await?;
            let familiar = self.familiar(write, attempt).await?;
            let address = attempt.address();
            let (by_address, by_account) = (
                self.failures(write, &address).await?,
                match familiar {
                    true => Count::default(),
                    false => self.failures(write, &attempt.subject).await?,
                },
            );
            let (by, subject, count) = match by_address.until_ms > by_account.until_ms {
                true => ("address", &address, by_address),
                false => ("account", &attempt.subject, by_account),
            };
            if count.until_ms > now_ms {
                self.note_lock(write, attempt, subject, count, now_ms).await?;
                return Ok(Admission::Wait { ms: count.until_ms - now_ms, by });
            }
            if !familiar {
                self.count(write, &attempt.subject, by_account, FREE_FOR_ACCOUNT, now_ms).await?;
            }
            Ok(Admission::Come)
        };
        self.store.write(UPDATE, work).await
    }

    /// The attempt was wrong.
    pub(crate) async fn refused(
        &self,
        attempt: &Attempt,
        event: Event,
        now_ms: i64,
    ) -> anyhow::Result<()> {
        let work = async |write: &mut Write| {
            let address = attempt.address();
            let count = self.failures(write, &address).await?;
            self.count(write, &address, count, FREE_FOR_ADDRESS, now_ms).await?;
            self.note(write, event, now_ms).await
        };
        self.store.write(UPDATE, work).await
    }

    /// The attempt was good.
    pub(crate) async fn admitted(&self, attempt: &Attempt) -> anyhow::Result<()> {
        let delete = sql("DELETE FROM failures WHERE subject = ?").bind(&attempt.subject);
        let work = async |write: &mut Write| write.execute(delete).await;
        self.store.write(UPDATE, work).await?;
        Ok(())
    }

    async fn failures(&self, write: &mut Write, subject: &str) -> anyhow::Result<Count> {
        let query = sql("SELECT attempts, until_ms, noted_ms FROM failures WHERE subject = ?");
        let read = |row: &Row| {
            Ok(Count {
                attempts: row.get("attempts")?,
                until_ms: row.get("until_ms")?,
                noted_ms: row.get("noted_ms")?,
            })
        };
        Ok(write.optional(query.bind(subject), read).await?.unwrap_or_default())
    }

    async fn count(
        &self,
        write: &mut Write,
        subject: &str,
        before: Count,
        free: i64,
        now_ms: i64,
    ) -> anyhow::Result<()> {
        let attempts = before.attempts + 1;
        let insert = sql("INSERT INTO failures (subject, attempts, last_ms, until_ms)
                          VALUES (?, ?, ?, ?)
                          ON CONFLICT (subject) DO UPDATE SET attempts = excluded.attempts,
                            last_ms = excluded.last_ms, until_ms = excluded.until_ms");
        let insert = insert.bind(subject).bind(attempts).bind(now_ms);
        write.execute(insert.bind(now_ms + wait_ms(attempts, free))).await?;
        Ok(())
    }

    /// Writes a lock down once: whoever goes on trying does not fill the log.
    async fn note_lock(
        &self,
        write: &mut Write,
        attempt: &Attempt,
        subject: &str,
        count: Count,
        now_ms: i64,
    ) -> anyhow::Result<()> {
        if count.noted_ms == count.until_ms {
            return Ok(());
        }
        let update = sql("UPDATE failures SET noted_ms = until_ms WHERE subject = ?");
        write.execute(update.bind(subject)).await?;
        let event = Event {
            kind: kinds::LOGIN_LOCKED,
            account: attempt.account,
            detail: format!("{} from {}", attempt.subject, attempt.origin),
            ..Event::default()
        };
        self.note(write, event, now_ms).await
    }

    /// Whether the account has logged in from this address before.
    async fn familiar(&self, write: &mut Write, attempt: &Attempt) -> anyhow::Result<bool> {
        let Some(account) = attempt.account else { return Ok(false) };
        let query = sql("SELECT 1 FROM sessions WHERE account = ? AND origin = ? LIMIT 1");
        let found: Option<i64> =
            write.optional(query.bind(account).bind(&attempt.origin), values).await?;
        Ok(found.is_some())
    }

    async fn forget_failures(&self, write: &mut Write, now_ms: i64) -> anyhow::Result<()> {
        let delete = sql("DELETE FROM failures WHERE last_ms < ? AND until_ms < ?");
        write.execute(delete.bind(now_ms - FORGOTTEN_AFTER_MS).bind(now_ms)).await?;
        let counted: i64 = write.one(sql("SELECT COUNT(*) FROM failures"), values).await?;
        if counted >= MAX_COUNTED {
            let delete = sql("DELETE FROM failures WHERE subject IN
                                (SELECT subject FROM failures ORDER BY last_ms LIMIT ?)");
            write.execute(delete.bind(ROOM)).await?;
        }
        Ok(())
    }
}

//! The SQL of sessions. A session is a family of refresh tokens, each of which is good
//! once and brings the next one. A spent one that comes again was stolen, or its
//! successor was: nobody can tell, so the family ends. There is no time of grace for a
//! client that sends a request twice: it logs in again.

use chassis::store::{Row, Source, sql, values};
use chassis::{Operation, Write};
use contracts::accounts::{Account, AccountEvent, Revoked, SessionLine};
use uuid::Uuid;

use super::Accounts;
use crate::audit::{Event, kinds};
use crate::domain::{
    KEPT_AFTER_END_MS, MAX_REVOCATIONS, MAX_ROTATIONS, MAX_SESSIONS, REFRESH_LIFETIME_MS,
    SESSION_LIFETIME_MS,
};
use crate::pepper::digest;

const SELECT: Operation = Operation { name: "SELECT", collection: "sessions" };
const INSERT: Operation = Operation { name: "INSERT", collection: "sessions" };
const UPDATE: Operation = Operation { name: "UPDATE", collection: "sessions" };
const ROTATE: Operation = Operation { name: "UPDATE", collection: "refresh_tokens" };

/// Rows that one round of tidying removes at most.
const SWEPT_AT_ONCE: u32 = 500;

/// Who begins a session, and with what.
#[derive(Debug, Clone)]
pub(crate) struct Beginning {
    pub(crate) account: Uuid,
    /// In words.
    pub(crate) device: String,
    /// Keyed hash of the address.
    pub(crate) origin: String,
}

/// A session with new tokens.
pub(crate) struct Fresh {
    pub(crate) session: Uuid,
    pub(crate) account: Account,
    pub(crate) refresh_token: String,
    /// When the refresh token ends.
    pub(crate) ends_ms: i64,
}

/// What became of a refresh token.
pub(crate) enum Rotated {
    Done(Fresh),
    /// It was spent before: its family has ended.
    Reused,
    /// It is unknown, or its time or its session is over.
    Refused,
}

/// A session as the database has it.
struct Family {
    session: Uuid,
    account: Uuid,
    created_ms: i64,
    live: bool,
    spent: bool,
}

impl Accounts {
    /// Begins a session within a login's transaction. Where an account has too many, the
    /// one that was not used for the longest time ends.
    pub(super) async fn begin_session(
        &self,
        write: &mut Write,
        beginning: &Beginning,
        now_ms: i64,
    ) -> anyhow::Result<Fresh> {
        self.make_room(write, beginning.account, now_ms).await?;
        let session = Uuid::now_v7();
        let insert = sql("INSERT INTO sessions (id, account, device, origin, created_ms, used_ms,
                            ends_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?5)");
        let insert = insert.bind(session).bind(beginning.account).bind(&beginning.device);
        write.execute(insert.bind(&beginning.origin).bind(now_ms)).await?;
        self.issue(write, session, now_ms, now_ms).await
    }

    /// Begins a session for somebody whose password alone was asked for.
    pub(crate) async fn log_in(&self, on: &Beginning, now_ms: i64) -> anyhow::Result<Fresh> {
        let work = async |write: &mut Write| {
            let fresh = self.begin_session(write, on, now_ms).await?;
            let event = Event {
                kind: kinds::LOGIN,
                account: Some(on.account),
                session: Some(fresh.session),
                detail: format!("password from {}", on.origin),
                ..Event::default()
            };
            self.note(write, event, now_ms).await?;
            self.crash.at("session.written");
            Ok(fresh)
        };
        self.store.write(INSERT, work).await
    }

    /// Writes a refresh token of a session, which lasts for as long as it.
    async fn issue(
        &self,
        write: &mut Write,
        session: Uuid,
        created_ms: i64,
        now_ms: i64,
    ) -> anyhow::Result<Fresh> {
        let refresh_token = crate::domain::random_token();
        let ends_ms = (created_ms + SESSION_LIFETIME_MS).min(now_ms + REFRESH_LIFETIME_MS);
        let insert = sql("INSERT INTO refresh_tokens (hash, session, issued_ms, ends_ms)
                          VALUES (?, ?, ?, ?)");
        let insert = insert.bind(digest(&refresh_token)).bind(session).bind(now_ms).bind(ends_ms);
        write.execute(insert).await?;
        let update = sql("UPDATE sessions SET used_ms = ?, ends_ms = ? WHERE id = ?");
        write.execute(update.bind(now_ms).bind(ends_ms).bind(session)).await?;
        let query = sql("SELECT a.* FROM accounts a JOIN sessions s ON s.account = a.id
                         WHERE s.id = ?");
        let account = write.one(query.bind(session), super::account).await?;
        Ok(Fresh { session, account, refresh_token, ends_ms })
    }

    /// Takes a refresh token for the next one.
    pub(crate) async fn rotate(&self, token: &str, now_ms: i64) -> anyhow::Result<Rotated> {
        let hash = digest(token);
        let work = async |write: &mut Write| {
            let query = sql("SELECT r.session, r.spent_ms, s.account, s.created_ms, s.revoked_ms,
                               s.ends_ms
                             FROM refresh_tokens r JOIN sessions s ON s.id = r.session
                             WHERE r.hash = ?");
            let read = |row: &Row| family(row, now_ms);
            let Some(family) = write.optional(query.bind(&hash), read).await? else {
                return Ok(Rotated::Refused);
            };
            let rotated = match (family.spent, family.live) {
                (true, _) => self.reuse(write, &hash, &family, now_ms).await?,
                (false, false) => Rotated::Refused,
                (false, true) => self.spend(write, &hash, &family, now_ms).await?,
            };
            self.crash.at("rotation.written");
            Ok(rotated)
        };
        let rotated = self.store.write(ROTATE, work).await;
        self.crash.at("rotation.committed");
        rotated
    }

    async fn spend(
        &self,
        write: &mut Write,
        hash: &str,
        family: &Family,
        now_ms: i64,
    ) -> anyhow::Result<Rotated> {
        let count = sql("SELECT COUNT(*) FROM refresh_tokens WHERE session = ?");
        let tokens: i64 = write.one(count.bind(family.session), values).await?;
        if tokens >= MAX_ROTATIONS {
            self.revoke(write, family.account, family.session, "too many refreshes", now_ms)
                .await?;
            return Ok(Rotated::Refused);
        }
        let update = sql("UPDATE refresh_tokens SET spent_ms = ? WHERE hash = ?");
        write.execute(update.bind(now_ms).bind(hash)).await?;
        let fresh = self.issue(write, family.session, family.created_ms, now_ms).await?;
        let event = Event {
            kind: kinds::REFRESHED,
            account: Some(family.account),
            session: Some(family.session),
            ..Event::default()
        };
        self.note(write, event, now_ms).await?;
        Ok(Rotated::Done(fresh))
    }

    async fn reuse(
        &self,
        write: &mut Write,
        hash: &str,
        family: &Family,
        now_ms: i64,
    ) -> anyhow::Result<Rotated> {
        let update = sql("UPDATE refresh_tokens SET reused_ms = ?
                          WHERE hash = ? AND reused_ms IS NULL");
        let first = write.execute(update.bind(now_ms).bind(hash)).await? == 1;
        if !first && !family.live {
            // Told once: the same stolen token does not fill the log.
            return Ok(Rotated::Refused);
        }
        let event = Event {
            kind: kinds::REUSE_FOUND,
            account: Some(family.account),
            session: Some(family.session),
            ..Event::default()
        };
        self.note(write, event, now_ms).await?;
        self.revoke(write, family.account, family.session, "reuse", now_ms).await?;
        Ok(Rotated::Reused)
    }

    /// Ends a session, and tells. False: it had ended, or is another account's.
    async fn revoke(
        &self,
        write: &mut Write,
        account: Uuid,
        session: Uuid,
        reason: &str,
        now_ms: i64,
    ) -> anyhow::Result<bool> {
        let update = sql("UPDATE sessions SET revoked_ms = ?, reason = ?
                          WHERE id = ? AND account = ? AND revoked_ms IS NULL");
        let update = update.bind(now_ms).bind(reason).bind(session).bind(account);
        if write.execute(update).await? == 0 {
            return Ok(false);
        }
        let event = AccountEvent::SessionRevoked { session, until_ms: self.until_ms(now_ms) };
        self.tell(write, account, &event).await?;
        let event = Event {
            kind: kinds::SESSION_REVOKED,
            account: Some(account),
            session: Some(session),
            detail: reason.to_owned(),
            ..Event::default()
        };
        self.note(write, event, now_ms).await?;
        Ok(true)
    }

    /// Ends all sessions of an account but for `kept`, and says how many that were.
    pub(super) async fn revoke_all(
        &self,
        write: &mut Write,
        account: Uuid,
        kept: Option<Uuid>,
        reason: &str,
        now_ms: i64,
    ) -> anyhow::Result<u64> {
        let query = sql("SELECT id FROM sessions
                         WHERE account = ? AND revoked_ms IS NULL AND ends_ms > ? ORDER BY id");
        let live: Vec<Uuid> = write.all(query.bind(account).bind(now_ms), values).await?;
        let mut ended = 0;
        for session in live.into_iter().filter(|session| Some(*session) != kept) {
            ended += u64::from(self.revoke(write, account, session, reason, now_ms).await?);
        }
        Ok(ended)
    }

    async fn make_room(&self, write: &mut Write, account: Uuid, now_ms: i64) -> anyhow::Result<()> {
        let query = sql("SELECT id FROM sessions
                         WHERE account = ? AND revoked_ms IS NULL AND ends_ms > ?
                         ORDER BY used_ms DESC, id DESC");
        let live: Vec<Uuid> = write.all(query.bind(account).bind(now_ms), values).await?;
        for session in live.into_iter().skip(MAX_SESSIONS - 1) {
            self.revoke(write, account, session, "too many sessions", now_ms).await?;
        }
        Ok(())
    }

    /// Ends one session of an account.
    pub(crate) async fn end_session(
        &self,
        account: Uuid,
        session: Uuid,
        now_ms: i64,
    ) -> anyhow::Result<bool> {
        let work = async |write: &mut Write| {
            let done = self.revoke(write, account, session, "by its owner", now_ms).await?;
            self.crash.at("revocation.written");
            Ok(done)
        };
        self.store.write(UPDATE, work).await
    }

    /// Ends all sessions of an account.
    pub(crate) async fn end_sessions(&self, account: Uuid, now_ms: i64) -> anyhow::Result<u64> {
        let work = async |write: &mut Write| {
            let ended = self.revoke_all(write, account, None, "by its owner", now_ms).await?;
            self.crash.at("revocation.written");
            Ok(ended)
        };
        self.store.write(UPDATE, work).await
    }

    /// The sessions of an account that can still be used.
    pub(crate) async fn sessions(
        &self,
        account: Uuid,
        current: Uuid,
        now_ms: i64,
    ) -> anyhow::Result<Vec<SessionLine>> {
        let query = sql("SELECT * FROM sessions
                         WHERE account = ? AND revoked_ms IS NULL AND ends_ms > ?
                         ORDER BY used_ms DESC, id DESC");
        let line = |row: &Row| {
            let id: Uuid = row.get("id")?;
            Ok(SessionLine {
                id,
                device: row.get("device")?,
                created_ms: row.get("created_ms")?,
                used_ms: row.get("used_ms")?,
                ends_ms: row.get("ends_ms")?,
                current: id == current,
            })
        };
        self.store.all(SELECT, query.bind(account).bind(now_ms), line).await
    }

    /// The account of a session, if both are there still.
    pub(crate) async fn present(
        &self,
        session: Uuid,
        now_ms: i64,
    ) -> anyhow::Result<Option<Account>> {
        let query = sql("SELECT a.* FROM accounts a JOIN sessions s ON s.account = a.id
                         WHERE s.id = ? AND s.revoked_ms IS NULL AND s.ends_ms > ?");
        self.store.optional(SELECT, query.bind(session).bind(now_ms), super::account).await
    }

    /// Sessions that were ended not long ago.
    pub(crate) async fn revocations(&self, now_ms: i64) -> anyhow::Result<Vec<Revoked>> {
        let query = sql("SELECT id, revoked_ms FROM sessions WHERE revoked_ms > ?
                         ORDER BY revoked_ms DESC LIMIT ?");
        let since = now_ms - (self.until_ms(now_ms) - now_ms);
        let revoked = |row: &Row| {
            let until_ms = self.until_ms(row.get("revoked_ms")?);
            Ok(Revoked { session: row.get("id")?, until_ms })
        };
        self.store.all(SELECT, query.bind(since).bind(MAX_REVOCATIONS), revoked).await
    }

    /// How many sessions can be used.
    pub(crate) async fn count_sessions(&self, now_ms: i64) -> anyhow::Result<i64> {
        let query = sql("SELECT COUNT(*) FROM sessions WHERE revoked_ms IS NULL AND ends_ms > ?");
        self.store.reader().one(query.bind(now_ms), values).await
    }

    /// Removes some tokens and sessions that ended long ago. False: there were none.
    pub(crate) async fn sweep(&self, now_ms: i64) -> anyhow::Result<bool> {
        let query = sql("SELECT hash FROM refresh_tokens WHERE ends_ms < ? LIMIT ?");
        let old = query.bind(now_ms).bind(SWEPT_AT_ONCE);
        let tokens: Vec<String> = self.store.reader().all(old, values).await?;
        let query = sql("SELECT id FROM sessions WHERE ends_ms < ? LIMIT ?");
        let old = query.bind(now_ms - KEPT_AFTER_END_MS).bind(SWEPT_AT_ONCE);
        let sessions: Vec<String> = self.store.reader().all(old, values).await?;
        if tokens.is_empty() && sessions.is_empty() {
            return Ok(false);
        }
        let mut write = self.store.begin().await?;
        for hash in tokens {
            write.execute(sql("DELETE FROM refresh_tokens WHERE hash = ?").bind(hash)).await?;
        }
        for id in sessions {
            let tokens = sql("DELETE FROM refresh_tokens WHERE session = ?").bind(&id);
            write.execute(tokens).await?;
            write.execute(sql("DELETE FROM sessions WHERE id = ?").bind(id)).await?;
        }
        write.commit().await?;
        Ok(true)
    }

    /// When the last access token that was signed by now has ended everywhere.
    pub(crate) fn until_ms(&self, now_ms: i64) -> i64 {
        let leeway = i64::try_from(chassis::token::LEEWAY_S).unwrap_or_default() * 1000;
        let life = i64::try_from(self.token_lifetime.as_millis()).unwrap_or(i64::MAX / 2);
        // One second, because tokens count in seconds.
        now_ms + life + leeway + 1000
    }
}

fn family(row: &Row, now_ms: i64) -> anyhow::Result<Family> {
    let (revoked, spent): (Option<i64>, Option<i64>) =
        (row.get("revoked_ms")?, row.get("spent_ms")?);
    let ends_ms: i64 = row.get("ends_ms")?;
    Ok(Family {
        session: row.get("session")?,
        account: row.get("account")?,
        created_ms: row.get("created_ms")?,
        live: revoked.is_none() && ends_ms > now_ms,
        spent: spent.is_some(),
    })
}

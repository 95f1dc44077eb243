//! The SQL of second factors: secrets (sealed), recovery codes (hashed with a key), and
//! logins that wait for a code. A code is good once: the step of the last one is kept,
//! and written in the transaction that takes it.

use anyhow::Context as _;
use chassis::store::{Row, Source, sql, values};
use chassis::{Operation, Write};
use uuid::Uuid;

use super::Accounts;
use super::sessions::{Beginning, Fresh};
use crate::audit::{Event, kinds};
use crate::domain::{CHALLENGE_LIFETIME_MS, MAX_CHALLENGES, MAX_CODES_A_CHALLENGE, random_token};
use crate::pepper::digest;
use crate::totp::{self, step_of};

const SELECT: Operation = Operation { name: "SELECT", collection: "totp" };
const UPDATE: Operation = Operation { name: "UPDATE", collection: "totp" };
const INSERT: Operation = Operation { name: "INSERT", collection: "challenges" };
const ANSWER: Operation = Operation { name: "UPDATE", collection: "challenges" };
const FIELD: &str = "totp";

/// What became of the answer to a challenge.
pub(crate) enum Answered {
    Done(Box<Fresh>),
    Wrong,
    /// There is no such challenge any more.
    Gone,
}

/// A second factor as it lies there.
struct Factor {
    secret: Vec<u8>,
    on: bool,
    last_step: i64,
}

impl Accounts {
    /// Whether a code is asked for, and how many recovery codes are left.
    pub(crate) async fn second_factor(&self, account: Uuid) -> anyhow::Result<(bool, u32)> {
        let query = sql("SELECT (SELECT COUNT(*) FROM totp
                                 WHERE account = ?1 AND confirmed_ms IS NOT NULL),
                           (SELECT COUNT(*) FROM recovery_codes
                            WHERE account = ?1 AND spent_ms IS NULL)");
        let found: Option<(i64, i64)> =
            self.store.optional(SELECT, query.bind(account), values).await?;
        let (on, left) = found.unwrap_or_default();
        Ok((on > 0, u32::try_from(left)?))
    }

    /// Makes a secret that waits to be confirmed, in place of another that does. None: a
    /// second factor is on.
    pub(crate) async fn enrol(
        &self,
        account: Uuid,
        now_ms: i64,
    ) -> anyhow::Result<Option<Vec<u8>>> {
        let secret = totp::new_secret();
        let sealed = self.keys.seal(account, FIELD, &totp::base32(&secret))?;
        let work = async |write: &mut Write| {
            let insert = sql("INSERT INTO totp (account, secret, created_ms, last_step)
                              VALUES (?, ?, ?, 0)
                              ON CONFLICT (account) DO UPDATE SET secret = excluded.secret,
                                created_ms = excluded.created_ms, last_step = 0
                              WHERE totp.confirmed_ms IS NULL");
            let insert = insert.bind(account).bind(sealed).bind(now_ms);
            Ok(write.execute(insert).await? == 1)
        };
        let made = self.store.write(UPDATE, work).await?;
        Ok(made.then(|| secret.to_vec()))
    }

    /// Turns the second factor on for whoever has its secret, and gives recovery codes.
    pub(crate) async fn confirm(
        &self,
        account: Uuid,
        code: &str,
        now_ms: i64,
    ) -> anyhow::Result<Option<Vec<String>>> {
        let work = async |write: &mut Write| {
            let Some(factor) = self.factor(write, account).await?.filter(|factor| !factor.on)
            else {
                return Ok(None);
            };
            let Some(step) = step_of(&factor.secret, code, now_ms, factor.last_step) else {
                return Ok(None);
            };
            let update = sql("UPDATE totp SET confirmed_ms = ?, last_step = ? WHERE account = ?");
            write.execute(update.bind(now_ms).bind(step).bind(account)).await?;
            let codes = totp::recovery_codes();
            let delete = sql("DELETE FROM recovery_codes WHERE account = ?").bind(account);
            write.execute(delete).await?;
            for code in &codes {
                let insert = sql("INSERT INTO recovery_codes (account, hash) VALUES (?, ?)");
                write.execute(insert.bind(account).bind(self.recovery(account, code))).await?;
            }
            self.note(write, of(kinds::TOTP_ON, account), now_ms).await?;
            Ok(Some(codes))
        };
        self.store.write(UPDATE, work).await
    }

    /// Turns the second factor off, for a code. False: the code is wrong, or it is off.
    pub(crate) async fn disable(
        &self,
        account: Uuid,
        code: &str,
        now_ms: i64,
    ) -> anyhow::Result<bool> {
        let work = async |write: &mut Write| {
            if !self.take_code(write, account, code, now_ms).await? {
                return Ok(false);
            }
            for table in [
                sql("DELETE FROM totp WHERE account = ?"),
                sql("DELETE FROM recovery_codes WHERE account = ?"),
                sql("DELETE FROM challenges WHERE account = ?"),
            ] {
                write.execute(table.bind(account)).await?;
            }
            self.note(write, of(kinds::TOTP_OFF, account), now_ms).await?;
            Ok(true)
        };
        self.store.write(UPDATE, work).await
    }

    /// Lets a login wait for its code.
    pub(crate) async fn challenge(&self, on: &Beginning, now_ms: i64) -> anyhow::Result<String> {
        let token = random_token();
        let work = async |write: &mut Write| {
            let over = sql("DELETE FROM challenges WHERE ends_ms < ?").bind(now_ms);
            write.execute(over).await?;
            let room = sql("DELETE FROM challenges WHERE account = ?1 AND hash NOT IN
                              (SELECT hash FROM challenges WHERE account = ?1
                               ORDER BY ends_ms DESC LIMIT ?2)");
            write.execute(room.bind(on.account).bind(MAX_CHALLENGES - 1)).await?;
            let insert = sql("INSERT INTO challenges (hash, account, device, origin, ends_ms,
                                attempts) VALUES (?, ?, ?, ?, ?, 0)");
            let insert = insert.bind(digest(&token)).bind(on.account).bind(&on.device);
            let insert = insert.bind(&on.origin).bind(now_ms + CHALLENGE_LIFETIME_MS);
            write.execute(insert).await?;
            self.note(write, of(kinds::LOGIN_CHALLENGED, on.account), now_ms).await
        };
        self.store.write(INSERT, work).await?;
        Ok(token)
    }

    /// Who waits with this challenge.
    pub(crate) async fn challenged(
        &self,
        token: &str,
        now_ms: i64,
    ) -> anyhow::Result<Option<Beginning>> {
        let query = sql("SELECT account, device, origin FROM challenges
                         WHERE hash = ? AND ends_ms > ?");
        self.store.optional(SELECT, query.bind(digest(token)).bind(now_ms), beginning).await
    }

    /// Ends a login with a code. A challenge is good for one login and some attempts.
    pub(crate) async fn answer(
        &self,
        token: &str,
        code: &str,
        now_ms: i64,
    ) -> anyhow::Result<Answered> {
        let hash = digest(token);
        let work = async |write: &mut Write| {
            let update = sql("UPDATE challenges SET attempts = attempts + 1
                              WHERE hash = ? AND ends_ms > ? AND attempts < ?");
            let update = update.bind(&hash).bind(now_ms).bind(MAX_CODES_A_CHALLENGE);
            if write.execute(update).await? == 0 {
                return Ok(Answered::Gone);
            }
            let query = sql("SELECT account, device, origin FROM challenges WHERE hash = ?");
            let on = write.one(query.bind(&hash), beginning).await?;
            if !self.take_code(write, on.account, code, now_ms).await? {
                return Ok(Answered::Wrong);
            }
            write.execute(sql("DELETE FROM challenges WHERE hash = ?").bind(&hash)).await?;
            let fresh = self.begin_session(write, &on, now_ms).await?;
            let event = Event {
                session: Some(fresh.session),
                detail: format!("password and code from {}", on.origin),
                ..of(kinds::LOGIN, on.account)
            };
            self.note(write, event, now_ms).await?;
            self.crash.at("session.written");
            Ok(Answered::Done(Box::new(fresh)))
        };
        self.store.write(ANSWER, work).await
    }

    /// Whether a code is good; if it is, it never is again.
    async fn take_code(
        &self,
        write: &mut Write,
        account: Uuid,
        code: &str,
        now_ms: i64,
    ) -> anyhow::Result<bool> {
        let Some(factor) = self.factor(write, account).await?.filter(|factor| factor.on) else {
            return Ok(false);
        };
        if let Some(step) = step_of(&factor.secret, code, now_ms, factor.last_step) {
            let update = sql("UPDATE totp SET last_step = ? WHERE account = ?");
            write.execute(update.bind(step).bind(account)).await?;
            return Ok(true);
        }
        let update = sql("UPDATE recovery_codes SET spent_ms = ?
                          WHERE account = ? AND hash = ? AND spent_ms IS NULL");
        let update = update.bind(now_ms).bind(account).bind(self.recovery(account, code));
        if write.execute(update).await? == 0 {
            return Ok(false);
        }
        self.note(write, of(kinds::RECOVERY_USED, account), now_ms).await?;
        Ok(true)
    }

    async fn factor(&self, write: &mut Write, account: Uuid) -> anyhow::Result<Option<Factor>> {
        let read = |row: &Row| {
            let text = self.keys.open_field(account, FIELD, row.get("secret")?)?;
            let confirmed: Option<i64> = row.get("confirmed_ms")?;
            Ok(Factor {
                secret: totp::from_base32(&text).context("the secret cannot be read")?,
                on: confirmed.is_some(),
                last_step: row.get("last_step")?,
            })
        };
        write.optional(sql("SELECT * FROM totp WHERE account = ?").bind(account), read).await
    }

    fn recovery(&self, account: Uuid, code: &str) -> String {
        let code = totp::normal_recovery_code(code);
        self.pepper.hash("recovery code", &[&account.to_string(), &code])
    }
}

fn beginning(row: &Row) -> anyhow::Result<Beginning> {
    Ok(Beginning {
        account: row.get("account")?,
        device: row.get("device")?,
        origin: row.get("origin")?,
    })
}

fn of(kind: &'static str, account: Uuid) -> Event {
    Event { kind, account: Some(account), ..Event::default() }
}

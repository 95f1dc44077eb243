//! The SQL of the keys that sign: one that does, one that will, and those that did and
//! whose tokens have not ended. Private parts are sealed. A rotation is one transaction,
//! and what it did is in the audit log.

use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use chassis::store::{Row, Source, sql, values};
use chassis::{Operation, Write};
use uuid::Uuid;

use super::Accounts;
use crate::audit::{Event, kinds};
use crate::domain::MAX_PUBLISHED_KEYS;
use crate::signing::{Key, OLD_KEY_FILE, Ring, new_key};

const SELECT: Operation = Operation { name: "SELECT", collection: "signing_keys" };
const UPDATE: Operation = Operation { name: "UPDATE", collection: "signing_keys" };
const FIELD: &str = "signing-key";

/// Why another key signs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cause {
    /// The one until now has signed for so long.
    Time {
        /// How long a key signs.
        every_ms: i64,
    },
    /// An administrator asked for it.
    Asked {
        by: Uuid,
        /// Whether tokens that the old one has signed are not to be trusted.
        compromised: bool,
    },
}

/// What became of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Turned {
    /// The next key signs.
    Done,
    /// There was no reason to.
    NotYet,
    /// The next key was published so short a time ago that others may not know it.
    Wait { ms: i64 },
}

/// A key without its private part.
struct Kept {
    id: String,
    made_ms: i64,
    signs_ms: Option<i64>,
    retired_ms: Option<i64>,
}

impl Accounts {
    /// Makes the first keys where there are none; one that an older version has left in
    /// the data folder goes on signing.
    pub(crate) async fn first_keys(&self, folder: &Path, now_ms: i64) -> anyhow::Result<()> {
        let file = folder.join(OLD_KEY_FILE);
        let old = match std::fs::read(&file) {
            Ok(der) => Some(der),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot read the key `{}`", file.display()));
            }
        };
        let mut write = self.store.begin().await?;
        if self.kept(&mut write).await?.is_empty() {
            let der = old.clone().unwrap_or_else(new_key);
            self.add_key(&mut write, &der, now_ms, Some(now_ms)).await?;
            self.add_key(&mut write, &new_key(), now_ms, None).await?;
        }
        write.commit().await?;
        if old.is_some() {
            std::fs::remove_file(&file)?;
            tracing::info!("the signing key of an older version was taken over");
        }
        Ok(())
    }

    async fn add_key(
        &self,
        write: &mut Write,
        der: &[u8],
        now_ms: i64,
        signs_ms: Option<i64>,
    ) -> anyhow::Result<()> {
        let key = Key::of(der)?;
        let sealed = self.keys.seal(key.id(), FIELD, &BASE64.encode(der))?;
        let insert = sql("INSERT INTO signing_keys (id, secret, made_ms, signs_ms)
                          VALUES (?, ?, ?, ?)");
        let insert = insert.bind(key.id()).bind(sealed).bind(now_ms).bind(signs_ms);
        write.execute(insert).await?;
        Ok(())
    }

    /// Lets the next key sign from now on, and publishes the one after it.
    pub(crate) async fn rotate_keys(
        &self,
        cause: Cause,
        ahead_ms: i64,
        now_ms: i64,
    ) -> anyhow::Result<Turned> {
        let work = async |write: &mut Write| {
            let kept = self.kept(write).await?;
            let current =
                kept.iter().find(|key| key.signs_ms.is_some() && key.retired_ms.is_none());
            let next = kept.iter().find(|key| key.signs_ms.is_none());
            let (current, next) = current.zip(next).context("a signing key is missing")?;
            if let Cause::Time { every_ms } = cause
                && current.signs_ms.is_some_and(|since| now_ms < since + every_ms)
            {
                return Ok(Turned::NotYet);
            }
            let wait_ms = next.made_ms + ahead_ms - now_ms;
            if wait_ms > 0 || kept.len() >= MAX_PUBLISHED_KEYS {
                return Ok(Turned::Wait { ms: wait_ms.max(1000) });
            }
            self.turn(write, current, next, cause, now_ms).await?;
            self.crash.at("keys.written");
            Ok(Turned::Done)
        };
        self.store.write(UPDATE, work).await
    }

    async fn turn(
        &self,
        write: &mut Write,
        current: &Kept,
        next: &Kept,
        cause: Cause,
        now_ms: i64,
    ) -> anyhow::Result<()> {
        let (actor, words, ends_ms) = match cause {
            Cause::Time { .. } => (None, "in time", self.until_ms(now_ms)),
            Cause::Asked { by, compromised: false } => {
                (Some(by), "as was asked", self.until_ms(now_ms))
            }
            Cause::Asked { by, compromised: true } => {
                (Some(by), "the old one is withdrawn", now_ms)
            }
        };
        let retire = sql("UPDATE signing_keys SET retired_ms = ?, ends_ms = ? WHERE id = ?");
        write.execute(retire.bind(now_ms).bind(ends_ms).bind(&current.id)).await?;
        let promote = sql("UPDATE signing_keys SET signs_ms = ? WHERE id = ?");
        write.execute(promote.bind(now_ms).bind(&next.id)).await?;
        self.add_key(write, &new_key(), now_ms, None).await?;
        let event = Event {
            kind: kinds::KEYS_ROTATED,
            actor,
            detail: format!("{words}: {} after {}", next.id, current.id),
            ..Event::default()
        };
        self.note(write, event, now_ms).await
    }

    /// The keys as they are to be used now. Those whose time is over are removed.
    pub(crate) async fn ring(&self, now_ms: i64) -> anyhow::Result<Ring> {
        let over = sql("SELECT COUNT(*) FROM signing_keys WHERE ends_ms <= ?").bind(now_ms);
        let over: i64 = self.store.reader().one(over, values).await?;
        if over > 0 {
            let mut write = self.store.begin().await?;
            let delete = sql("DELETE FROM signing_keys WHERE ends_ms <= ?").bind(now_ms);
            write.execute(delete).await?;
            write.commit().await?;
        }
        let query = sql("SELECT * FROM signing_keys ORDER BY made_ms, id");
        let read = |row: &Row| {
            let (id, sealed): (String, &str) = (row.get("id")?, row.get("secret")?);
            let der = BASE64.decode(self.keys.open_field(&id, FIELD, sealed)?)?;
            let (signs, retired): (Option<i64>, Option<i64>) =
                (row.get("signs_ms")?, row.get("retired_ms")?);
            Ok((Key::of(&der)?, signs.is_some() && retired.is_none()))
        };
        let rows = match tracing::Span::current().is_none() {
            true => self.store.reader().all(query, read).await?,
            false => self.store.all(SELECT, query, read).await?,
        };
        let current = rows.iter().find(|(_, signs)| *signs).map(|(key, _)| key.clone());
        let current = current.context("there is no key that signs")?;
        Ok(Ring { current, published: rows.into_iter().map(|(key, _)| key).collect() })
    }

    async fn kept(&self, write: &mut Write) -> anyhow::Result<Vec<Kept>> {
        let read = |row: &Row| {
            Ok(Kept {
                id: row.get("id")?,
                made_ms: row.get("made_ms")?,
                signs_ms: row.get("signs_ms")?,
                retired_ms: row.get("retired_ms")?,
            })
        };
        let query = sql("SELECT id, made_ms, signs_ms, retired_ms FROM signing_keys ORDER BY id");
        write.all(query, read).await
    }
}

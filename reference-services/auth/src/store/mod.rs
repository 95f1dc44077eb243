//! The SQL of accounts. `api` hands it typed values and gets accounts back. What others
//! must hear of goes into the outbox, and what happened into the audit log, in the same
//! transaction.

use std::time::Duration;

use chassis::sealing::Keys;
use chassis::store::{Row, Source, sql, values};
use chassis::{Chassis, CrashPoints, Message, Messaging, Migrations, Operation, Store, Write};
use contracts::accounts::{Account, AccountEvent, TOPIC};
use uuid::Uuid;

use crate::audit::{Event, kinds};
use crate::pepper::Pepper;

pub(crate) mod audit;
mod checks;
pub(crate) mod failures;
pub(crate) mod keys;
pub(crate) mod roles;
pub(crate) mod second;
pub(crate) mod sessions;

static MIGRATIONS: Migrations = Migrations::new(sqlx::migrate!("./migrations"));

const SELECT: Operation = Operation { name: "SELECT", collection: "accounts" };
const INSERT: Operation = Operation { name: "INSERT", collection: "accounts" };
const UPDATE: Operation = Operation { name: "UPDATE", collection: "accounts" };

/// Accounts that others are told of in one transaction.
const ANNOUNCED_AT_ONCE: u32 = 200;

/// The accounts, with all that belongs to them.
#[derive(Debug, Clone)]
pub(crate) struct Accounts {
    store: Store,
    messaging: Messaging,
    pub(crate) pepper: Pepper,
    keys: Keys,
    crash: CrashPoints,
    token_lifetime: Duration,
    verified: checks::Verified,
}

/// An account with what proves it.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) account: Account,
    pub(crate) password_hash: String,
}

impl Accounts {
    pub(crate) async fn open(
        chassis: &Chassis,
        pepper: Pepper,
        keys: Keys,
        token_lifetime: Duration,
    ) -> anyhow::Result<Self> {
        let store = Store::open(chassis, &MIGRATIONS).await?;
        let messaging = Messaging::open(chassis, &store).await?;
        let crash = chassis.crash.clone();
        let verified = checks::Verified::at(&chassis.config.data_dir);
        let this = Self { store, messaging, pepper, keys, crash, token_lifetime, verified };
        while this.announce().await? {}
        Ok(this)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn messaging(&self) -> &Messaging {
        &self.messaging
    }

    /// Writes a new account. False: the address is taken.
    pub(crate) async fn add(&self, known: &Known) -> anyhow::Result<bool> {
        let insert = sql("INSERT INTO accounts (id, email, password_hash, roles, created_ms,
                            announced)
                          VALUES (?, ?, ?, ?, ?, 1) ON CONFLICT (email) DO NOTHING")
        .bind(known.account.id)
        .bind(&known.account.email)
        .bind(&known.password_hash)
        .bind(known.account.roles.join(" "))
        .bind(known.account.created_ms);
        let work = async |write: &mut Write| {
            let new = write.execute(insert).await? == 1;
            if new {
                let account = known.account.id;
                self.tell(write, account, &AccountEvent::Registered { account }).await?;
                let event = Event {
                    kind: kinds::REGISTERED,
                    account: Some(account),
                    detail: self.alias(&known.account.email),
                    ..Event::default()
                };
                self.note(write, event, known.account.created_ms).await?;
            }
            Ok(new)
        };
        self.store.write(INSERT, work).await
    }

    async fn tell(
        &self,
        write: &mut Write,
        account: Uuid,
        event: &AccountEvent,
    ) -> anyhow::Result<()> {
        self.messaging.publish(write, Message::new(TOPIC, account, event)).await
    }

    /// Tells of accounts from before there was anybody to be told. False: of none.
    async fn announce(&self) -> anyhow::Result<bool> {
        let query = sql("SELECT id FROM accounts WHERE announced = 0 ORDER BY id LIMIT ?");
        let query = query.bind(ANNOUNCED_AT_ONCE);
        let old: Vec<Uuid> = self.store.reader().all(query, values).await?;
        if old.is_empty() {
            return Ok(false);
        }
        let mut write = self.store.begin().await?;
        for account in old {
            let update = sql("UPDATE accounts SET announced = 1 WHERE id = ? AND announced = 0");
            if write.execute(update.bind(account)).await? == 1 {
                self.tell(&mut write, account, &AccountEvent::Registered { account }).await?;
            }
        }
        write.commit().await?;
        Ok(true)
    }

    pub(crate) async fn by_email(&self, email: &str) -> anyhow::Result<Option<Known>> {
        let query = sql("SELECT * FROM accounts WHERE email = ?").bind(email);
        self.store.optional(SELECT, query, known).await
    }

    pub(crate) async fn by_id(&self, id: Uuid) -> anyhow::Result<Option<Known>> {
        let query = sql("SELECT * FROM accounts WHERE id = ?").bind(id);
        self.store.optional(SELECT, query, known).await
    }

    /// Gives an account whose password hash is `known`'s another one, and ends its
    /// sessions but for `kept`. None: somebody else has changed it meanwhile.
    pub(crate) async fn change_password(
        &self,
        known: &Known,
        hash: &str,
        kept: Uuid,
        now_ms: i64,
    ) -> anyhow::Result<Option<u64>> {
        let account = known.account.id;
        let work = async |write: &mut Write| {
            let update = sql("UPDATE accounts SET password_hash = ?
                              WHERE id = ? AND password_hash = ?");
            let update = update.bind(hash).bind(account).bind(&known.password_hash);
            if write.execute(update).await? == 0 {
                return Ok(None);
            }
            let event = Event {
                kind: kinds::PASSWORD_CHANGED,
                account: Some(account),
                session: Some(kept),
                ..Event::default()
            };
            self.note(write, event, now_ms).await?;
            let ended = self.revoke_all(write, account, Some(kept), "password", now_ms).await?;
            self.crash.at("password.written");
            Ok(Some(ended))
        };
        self.store.write(UPDATE, work).await
    }

    /// The name that an address of mail goes by in the audit log and the lock-out.
    pub(crate) fn alias(&self, email: &str) -> String {
        self.pepper.alias("mail address", email)
    }
}

fn known(row: &Row) -> anyhow::Result<Known> {
    Ok(Known { account: account(row)?, password_hash: row.get("password_hash")? })
}

fn account(row: &Row) -> anyhow::Result<Account> {
    let roles: &str = row.get("roles")?;
    Ok(Account {
        id: row.get("id")?,
        email: row.get("email")?,
        roles: roles.split_whitespace().map(str::to_owned).collect(),
        created_ms: row.get("created_ms")?,
    })
}

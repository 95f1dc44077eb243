//! The SQL of accounts. `api` hands it typed values and gets accounts back. That
//! there is a new one goes into the outbox in the same transaction.

use chassis::store::{Row, Source, sql, values};
use chassis::{Chassis, Message, Messaging, Migrations, Operation, Store, Write};
use contracts::accounts::{Account, AccountEvent, TOPIC};
use uuid::Uuid;

static MIGRATIONS: Migrations = Migrations::new(sqlx::migrate!("./migrations"));

const SELECT: Operation = Operation { name: "SELECT", collection: "accounts" };
const INSERT: Operation = Operation { name: "INSERT", collection: "accounts" };

/// Accounts that others are told of in one transaction.
const ANNOUNCED_AT_ONCE: u32 = 200;

/// The accounts.
#[derive(Debug, Clone)]
pub(crate) struct Accounts {
    store: Store,
    messaging: Messaging,
}

/// An account with what proves it.
pub(crate) struct Known {
    pub(crate) account: Account,
    pub(crate) password_hash: String,
}

impl Accounts {
    pub(crate) async fn open(chassis: &Chassis) -> anyhow::Result<Self> {
        let store = Store::open(chassis, &MIGRATIONS).await?;
        let messaging = Messaging::open(chassis, &store).await?;
        let this = Self { store, messaging };
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
                self.tell(write, known.account.id).await?;
            }
            Ok(new)
        };
        self.store.write(INSERT, work).await
    }

    async fn tell(&self, write: &mut Write, account: Uuid) -> anyhow::Result<()> {
        let event = AccountEvent::Registered { account };
        self.messaging.publish(write, Message::new(TOPIC, account, &event)).await
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
                self.tell(&mut write, account).await?;
            }
        }
        write.commit().await?;
        Ok(true)
    }

    pub(crate) async fn by_email(&self, email: &str) -> anyhow::Result<Option<Known>> {
        let query = sql("SELECT * FROM accounts WHERE email = ?").bind(email);
        self.store.optional(SELECT, query, known).await
    }

    pub(crate) async fn by_id(&self, id: Uuid) -> anyhow::Result<Option<Account>> {
        let query = sql("SELECT * FROM accounts WHERE id = ?").bind(id);
        Ok(self.store.optional(SELECT, query, known).await?.map(|known| known.account))
    }
}

fn known(row: &Row) -> anyhow::Result<Known> {
    let roles: &str = row.get("roles")?;
    let account = Account {
        id: row.get("id")?,
        email: row.get("email")?,
        roles: roles.split_whitespace().map(str::to_owned).collect(),
        created_ms: row.get("created_ms")?,
    };
    Ok(Known { account, password_hash: row.get("password_hash")? })
}

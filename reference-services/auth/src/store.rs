//! The SQL of accounts. `api` hands it typed values and gets accounts back.

use chassis::store::{Row, Source, sql};
use chassis::{Chassis, Migrations, Operation, Store};
use contracts::accounts::Account;
use uuid::Uuid;

static MIGRATIONS: Migrations = Migrations::new(sqlx::migrate!("./migrations"));

const SELECT: Operation = Operation { name: "SELECT", collection: "accounts" };
const INSERT: Operation = Operation { name: "INSERT", collection: "accounts" };

/// The accounts.
#[derive(Debug, Clone)]
pub(crate) struct Accounts {
    store: Store,
}

/// An account with what proves it.
pub(crate) struct Known {
    pub(crate) account: Account,
    pub(crate) password_hash: String,
}

impl Accounts {
    pub(crate) async fn open(chassis: &Chassis) -> anyhow::Result<Self> {
        Ok(Self { store: Store::open(chassis, &MIGRATIONS).await? })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Writes a new account. False: the address is taken.
    pub(crate) async fn add(&self, known: &Known) -> anyhow::Result<bool> {
        let insert = sql("INSERT INTO accounts (id, email, password_hash, roles, created_ms)
                   VALUES (?, ?, ?, ?, ?) ON CONFLICT (email) DO NOTHING")
        .bind(known.account.id)
        .bind(&known.account.email)
        .bind(&known.password_hash)
        .bind(known.account.roles.join(" "))
        .bind(known.account.created_ms);
        Ok(self.store.write(INSERT, async |write| write.execute(insert).await).await? == 1)
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

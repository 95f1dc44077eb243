//! The SQL of users. `api` and `events` hand it typed values. Personal fields are
//! sealed here on their way in and opened on their way out; what others want to
//! know goes into the outbox in the same transaction.

use std::collections::BTreeMap;

use chassis::invariants::Checking;
use chassis::sealing::{FORM, Keys};
use chassis::store::{Row, Source, sql, values};
use chassis::{
    Chassis, Checks, CrashPoints, Message, Messaging, Migrations, Operation, Store, Write,
};
use contracts::invariants::Invariant;
use contracts::users::{ChangeProfile, Contact, Preferences, Profile, TOPIC, UserEvent};
use uuid::Uuid;

static MIGRATIONS: Migrations = Migrations::new(sqlx::migrate!("./migrations"));

const SELECT: Operation = Operation { name: "SELECT", collection: "users" };
const INSERT: Operation = Operation { name: "INSERT", collection: "users" };
const UPDATE: Operation = Operation { name: "UPDATE", collection: "users" };
const DELETE: Operation = Operation { name: "DELETE", collection: "users" };
const RESEAL: Operation = Operation { name: "UPDATE", collection: "users" };

/// Accounts that are asked for in one round.
const WELCOMED_AT_ONCE: u32 = 20;

/// Rows that are sealed anew in one transaction.
const RESEALED_AT_ONCE: u32 = 50;

/// Rows that each check opens: those that were changed last.
const OPENED_AT_ONCE: u32 = 20;

const EMAIL: &str = "email";
const OWN: &str = "own";

/// Somebody who registered and has no profile yet.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) user: Uuid,
    /// Of the event that told of him.
    pub(crate) context: BTreeMap<String, String>,
}

/// Somebody, with the versions that `ETag` says.
pub(crate) struct Known {
    pub(crate) profile: Profile,
    pub(crate) profile_version: i64,
    pub(crate) preferences: Preferences,
    pub(crate) preferences_version: i64,
}

/// What became of a change.
pub(crate) enum Changed<T> {
    /// It was made; the version now.
    Done(T, i64),
    /// Somebody was faster; the version now.
    Stale(i64),
    /// There is nobody.
    Missing,
}

/// Who is asked for.
pub(crate) enum Found<T> {
    Here(T),
    Deleted,
    Unknown,
}

/// The users.
#[derive(Debug, Clone)]
pub(crate) struct Users {
    store: Store,
    messaging: Messaging,
    keys: Keys,
    crash: CrashPoints,
}

impl Users {
    pub(crate) async fn open(chassis: &Chassis, keys: Keys) -> anyhow::Result<Self> {
        let store = Store::open(chassis, &MIGRATIONS).await?;
        let messaging = Messaging::open(chassis, &store).await?;
        Ok(Self { store, messaging, keys, crash: chassis.crash.clone() })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn messaging(&self) -> &Messaging {
        &self.messaging
    }

    /// Notes within the event's transaction that somebody registered. What comes
    /// again, and who was removed, is known.
    pub(crate) async fn arrive(
        &self,
        write: &mut Write,
        user: Uuid,
        context: &BTreeMap<String, String>,
        now_ms: i64,
    ) -> anyhow::Result<()> {
        let known = sql("SELECT (SELECT COUNT(*) FROM deleted WHERE id = ?1)
                           + (SELECT COUNT(*) FROM users WHERE id = ?1)");
        let known: i64 = write.one(known.bind(user), values).await?;
        if known > 0 {
            return Ok(());
        }
        let insert = sql("INSERT INTO arrivals (id, context, seen_ms) VALUES (?1, ?2, ?3)
                          ON CONFLICT (id) DO NOTHING");
        let insert = insert.bind(user).bind(serde_json::to_string(context)?).bind(now_ms);
        if write.execute(insert).await? == 1 {
            let count = sql("UPDATE counters SET value = value + 1 WHERE name = 'registered'");
            write.execute(count).await?;
        }
        Ok(())
    }

    /// Who has no profile yet, those first who wait longest. Not traced: it looks
    /// in vain nearly every time.
    pub(crate) async fn arrivals(&self) -> anyhow::Result<Vec<Arrival>> {
        let query = sql("SELECT id, context FROM arrivals ORDER BY seen_ms LIMIT ?1");
        let arrival =
            |row: &Row| Ok(Arrival { user: row.get("id")?, context: row.json("context")? });
        self.store.reader().all(query.bind(WELCOMED_AT_ONCE), arrival).await
    }

    /// Makes the profile of somebody who arrived; `email` is absent when there is
    /// no such account any more. False: somebody else did it.
    pub(crate) async fn welcome(
        &self,
        user: Uuid,
        email: Option<&str>,
        now_ms: i64,
    ) -> anyhow::Result<bool> {
        let work = async |write: &mut Write| {
            let delete = sql("DELETE FROM arrivals WHERE id = ?1").bind(user);
            if write.execute(delete).await? == 0 {
                return Ok(false);
            }
            match email {
                Some(email) => self.insert(write, user, email, now_ms).await?,
                None => self.bury(write, user, now_ms).await?,
            }
            self.crash.at("user.written");
            Ok(true)
        };
        self.store.write(INSERT, work).await
    }

    async fn bury(&self, write: &mut Write, user: Uuid, now_ms: i64) -> anyhow::Result<()> {
        let insert = sql("INSERT INTO deleted (id, deleted_ms) VALUES (?1, ?2)");
        write.execute(insert.bind(user).bind(now_ms)).await?;
        Ok(())
    }

    async fn insert(
        &self,
        write: &mut Write,
        user: Uuid,
        email: &str,
        now_ms: i64,
    ) -> anyhow::Result<()> {
        let insert = sql("INSERT INTO users (id, email, own, key_id, profile_version, preferences,
                            preferences_version, created_ms, updated_ms)
                          VALUES (?1, ?2, ?3, ?4, 1, ?5, 1, ?6, ?6)");
        let own = serde_json::to_string(&ChangeProfile::default())?;
        let insert = insert.bind(user).bind(self.keys.seal(user, EMAIL, email)?);
        let insert = insert.bind(self.keys.seal(user, OWN, &own)?).bind(self.keys.newest());
        let insert = insert.bind(serde_json::to_string(&Preferences::default())?).bind(now_ms);
        write.execute(insert).await?;
        self.tell(write, user, &UserEvent::UserRegistered { user }).await
    }

    pub(crate) async fn find(&self, user: Uuid) -> anyhow::Result<Option<Known>> {
        let query = sql("SELECT * FROM users WHERE id = ?1").bind(user);
        self.store.optional(SELECT, query, |row| self.known(row)).await
    }

    /// How to reach somebody.
    pub(crate) async fn contact(&self, user: Uuid) -> anyhow::Result<Found<Contact>> {
        if let Some(Known { profile, preferences, .. }) = self.find(user).await? {
            let (email, name) = (Some(profile.email), profile.own.name);
            return Ok(Found::Here(Contact { email, name, preferences }));
        }
        let query = sql("SELECT COUNT(*) FROM deleted WHERE id = ?1").bind(user);
        let gone: i64 = self.store.reader().one(query, values).await?;
        Ok(if gone > 0 { Found::Deleted } else { Found::Unknown })
    }

    /// Changes a profile that has this version.
    pub(crate) async fn change_profile(
        &self,
        user: Uuid,
        version: i64,
        own: &ChangeProfile,
        now_ms: i64,
    ) -> anyhow::Result<Changed<Profile>> {
        let work = async |write: &mut Write| {
            let Some(known) = self.load(write, user).await? else { return Ok(Changed::Missing) };
            if known.profile_version != version {
                return Ok(Changed::Stale(known.profile_version));
            }
            let profile = Profile { own: own.clone(), updated_ms: now_ms, ..known.profile };
            let version = version + 1;
            self.seal(write, &profile).await?;
            let update =
                sql("UPDATE users SET profile_version = ?1, updated_ms = ?2 WHERE id = ?3");
            write.execute(update.bind(version).bind(now_ms).bind(user)).await?;
            self.tell(write, user, &UserEvent::ProfileChanged { user, version }).await?;
            self.crash.at("user.written");
            Ok(Changed::Done(profile, version))
        };
        self.store.write(UPDATE, work).await
    }

    /// Changes preferences that have this version.
    pub(crate) async fn change_preferences(
        &self,
        user: Uuid,
        version: i64,
        preferences: Preferences,
        now_ms: i64,
    ) -> anyhow::Result<Changed<Preferences>> {
        let work = async |write: &mut Write| {
            let Some(known) = self.load(write, user).await? else { return Ok(Changed::Missing) };
            if known.preferences_version != version {
                return Ok(Changed::Stale(known.preferences_version));
            }
            let version = version + 1;
            let update = sql("UPDATE users SET preferences = ?1, preferences_version = ?2,
                                updated_ms = ?3 WHERE id = ?4");
            let update = update.bind(serde_json::to_string(&preferences)?).bind(version);
            write.execute(update.bind(now_ms).bind(user)).await?;
            self.tell(write, user, &UserEvent::PreferencesChanged { user, version }).await?;
            self.crash.at("user.written");
            Ok(Changed::Done(preferences, version))
        };
        self.store.write(UPDATE, work).await
    }

    /// Removes everything of a user but that there was one. False: there is none.
    pub(crate) async fn delete(&self, user: Uuid, now_ms: i64) -> anyhow::Result<bool> {
        let work = async |write: &mut Write| {
            let delete = sql("DELETE FROM users WHERE id = ?1").bind(user);
            let mut gone = write.execute(delete).await?;
            // Who has registered and has no profile yet gets none.
            let arrived = sql("DELETE FROM arrivals WHERE id = ?1").bind(user);
            gone += write.execute(arrived).await?;
            if gone == 0 {
                return Ok(false);
            }
            self.bury(write, user, now_ms).await?;
            self.tell(write, user, &UserEvent::UserDeleted { user }).await?;
            self.crash.at("user.written");
            Ok(true)
        };
        self.store.write(DELETE, work).await
    }

    /// Seals some rows anew that have an old key, and says how many have one.
    pub(crate) async fn reseal(&self) -> anyhow::Result<i64> {
        let count = sql("SELECT COUNT(*) FROM users WHERE key_id <> ?1").bind(self.keys.newest());
        let old: i64 = self.store.reader().one(count, values).await?;
        if old == 0 {
            return Ok(0);
        }
        let work = async |write: &mut Write| {
            let query = sql("SELECT * FROM users WHERE key_id <> ?1 ORDER BY key_id, id LIMIT ?2");
            let query = query.bind(self.keys.newest()).bind(RESEALED_AT_ONCE);
            let rows = write.all(query, |row| self.known(row)).await?;
            let sealed = rows.len();
            for known in &rows {
                self.seal(write, &known.profile).await?;
            }
            Ok(sealed)
        };
        let sealed = self.store.write(RESEAL, work).await?;
        Ok(old - i64::try_from(sealed)?)
    }

    /// How many users there are.
    pub(crate) async fn count(&self) -> anyhow::Result<i64> {
        self.store.reader().one(sql("SELECT COUNT(*) FROM users"), values).await
    }

    async fn load(&self, write: &mut Write, user: Uuid) -> anyhow::Result<Option<Known>> {
        let query = sql("SELECT * FROM users WHERE id = ?1").bind(user);
        write.optional(query, |row| self.known(row)).await
    }

    /// Writes the sealed fields of a row, all with the newest key.
    async fn seal(&self, write: &mut Write, profile: &Profile) -> anyhow::Result<()> {
        let user = profile.id;
        let own = serde_json::to_string(&profile.own)?;
        let update = sql("UPDATE users SET email = ?1, own = ?2, key_id = ?3 WHERE id = ?4");
        let update = update.bind(self.keys.seal(user, EMAIL, &profile.email)?);
        let update = update.bind(self.keys.seal(user, OWN, &own)?).bind(self.keys.newest());
        write.execute(update.bind(user)).await?;
        Ok(())
    }

    async fn tell(&self, write: &mut Write, user: Uuid, event: &UserEvent) -> anyhow::Result<()> {
        self.messaging.publish(write, Message::new(TOPIC, user, event)).await
    }

    fn known(&self, row: &Row) -> anyhow::Result<Known> {
        let id: Uuid = row.get("id")?;
        let email = self.keys.open_field(id, EMAIL, row.get("email")?)?;
        let own = self.keys.open_field(id, OWN, row.get("own")?)?;
        Ok(Known {
            profile: Profile {
                id,
                email,
                own: serde_json::from_str(&own)?,
                created_ms: row.get("created_ms")?,
                updated_ms: row.get("updated_ms")?,
            },
            profile_version: row.get("profile_version")?,
            preferences: row.json("preferences")?,
            preferences_version: row.get("preferences_version")?,
        })
    }

    async fn every_registration_is_kept(&self) -> anyhow::Result<Invariant> {
        let query = sql("SELECT (SELECT value FROM counters WHERE name = 'registered'),
                           (SELECT COUNT(*) FROM users), (SELECT COUNT(*) FROM deleted),
                           (SELECT COUNT(*) FROM arrivals),
                           (SELECT COUNT(*) FROM deleted d JOIN users u ON u.id = d.id)");
        let (registered, users, deleted, arriving, both): (i64, i64, i64, i64, i64) =
            self.store.reader().one(query, values).await?;
        let says = format!(
            "{registered} users were registered: {users} are here, {arriving} are asked for, \
             {deleted} were removed, and {both} of those removed are here"
        );
        let figures = [
            ("registered", registered),
            ("users", users),
            ("arriving", arriving),
            ("deleted", deleted),
            ("both", both),
        ];
        let holds = registered == users + arriving + deleted && both == 0;
        Ok(Invariant::new("every_registration_is_kept", holds, says, &figures))
    }

    async fn every_field_is_sealed(&self) -> anyhow::Result<Invariant> {
        let query = sql("SELECT COUNT(*) FILTER (WHERE email NOT LIKE ?1 OR own NOT LIKE ?1)
                         FROM users");
        let clear: i64 = self.store.reader().one(query.bind(format!("{FORM}.%")), values).await?;
        let query = sql("SELECT * FROM users ORDER BY updated_ms DESC LIMIT ?1");
        let opened = self.store.reader().rows(query.bind(OPENED_AT_ONCE)).await?;
        let closed = opened.iter().filter(|row| self.known(row).is_err()).count();
        let (closed, opened) = (i64::try_from(closed)?, i64::try_from(opened.len())?);
        let says = format!(
            "{clear} users have a personal field in clear; of the {opened} that were changed \
             last, {closed} do not open"
        );
        let figures = [("in_clear", clear), ("tried", opened), ("closed", closed)];
        Ok(Invariant::new("every_field_is_sealed", clear == 0 && closed == 0, says, &figures))
    }
}

impl Checks for Users {
    fn check(&self) -> Checking<'_> {
        Box::pin(async {
            Ok(vec![self.every_registration_is_kept().await?, self.every_field_is_sealed().await?])
        })
    }
}

//! Invariant 14 while `auth` is killed: people log in, refresh, use stolen tokens, end
//! sessions and do several things at once, by chance and with a seed that is printed. A
//! checker that knows nothing but what they sent and were answered then says whether a
//! session that had ended was let in, or one ended that nobody wanted to end.

use std::env;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chassis::config::Engines;
use chassis::{Call, Client, Config, Metrics, Running};
use command_fds::{CommandFdExt, FdMapping};
use contracts::accounts::{Credentials, Refresh, Session};
use contracts::invariants::Report;
use gateway::Limits;
use gateway::limit::Allowance;
use http::Method;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;
use uuid::Uuid;

use crate::history::{Act, Outcome, Record, faults};
use crate::people::PATIENCE;
use crate::running::{PASSWORD, engines, with_token};

const SERVICE: &str = "CLOUDSCALE_TEST_SERVICE";

/// People at work at a time, and what each of them does.
const PEOPLE: u64 = 4;
const STEPS: usize = 45;

/// Is `auth` when the environment asks for it; a test that passes otherwise.
#[test]
fn service() {
    if env::var(SERVICE).as_deref() != Ok(auth::NAME) {
        return;
    }
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)).unwrap();
    let config = Config::from_env(auth::NAME).unwrap();
    chassis::block_on(auth::run(config)).unwrap().unwrap();
}

/// `auth` as a process that can be killed, and a gateway before it.
struct Rig {
    socket: TcpListener,
    process: std::sync::Mutex<Child>,
    gateway: Running,
    client: Client,
    config: Config,
    _folder: TempDir,
}

impl Rig {
    async fn start() -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        let engines = engines::fresh().await;
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let config = engines::config(auth::NAME, folder.path(), &engines);
        let process = std::sync::Mutex::new(spawn(&socket, &config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut door = engines::config(gateway::NAME, folder.path(), &Engines::Embedded);
        let at = |socket: &TcpListener| socket.local_addr().unwrap();
        // Nobody answers for `orders`: whoever gets past the gateway's checks is told 502.
        let nobody: SocketAddr = "127.0.0.1:9".parse().unwrap();
        door.peers = [("auth".to_owned(), at(&socket)), ("orders".to_owned(), nobody)].into();
        let limits = Limits {
            address: Allowance::new(50_000, 50_000),
            account: Allowance::new(9_000, 9_000),
        };
        let gateway =
            chassis::start(door, listener, |chassis| gateway::build_with(chassis, limits));
        let gateway = gateway.await.unwrap();
        let peers =
            [("gateway".to_owned(), gateway.address), ("auth".to_owned(), at(&socket))].into();
        let client = Config::read("client", |_| None).unwrap();
        let client = Client::new(peers, Metrics::new(&client));
        let rig = Self { socket, process, gateway, client, config, _folder: folder };
        rig.until_ready().await;
        Arc::new(rig)
    }

    /// Kills `auth` and starts it again on the same socket.
    fn kill(&self) {
        let mut process = self.process.lock().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        *process = spawn(&self.socket, &self.config);
    }

    async fn until_ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ready = self.client.call(Call::get("auth", "/health/ready")).await;
            if ready.is_ok_and(|reply| reply.status == 200) {
                return;
            }
            assert!(Instant::now() < deadline, "auth is not ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What was answered: none where it is not known what became of the request.
    async fn send(&self, call: Call) -> Option<(u16, bytes::Bytes)> {
        let reply = self.client.call(call.timeout(Duration::from_secs(8))).await.ok()?;
        let status = reply.status.as_u16();
        (status < 500).then_some((status, reply.body))
    }

    async fn end(self: Arc<Self>) {
        let rig = Arc::into_inner(self).expect("everybody is done");
        rig.gateway.stop().await;
        let mut process = rig.process.into_inner().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }
}

fn spawn(socket: &TcpListener, config: &Config) -> Child {
    let socket = OwnedFd::from(socket.try_clone().unwrap());
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "faults::service", "--nocapture"])
        .env(SERVICE, auth::NAME)
        .env("LISTEN_FDS", "1")
        .env("CLOUDSCALE_DATA_DIR", &config.data_dir)
        .envs(engines::environment(&config.engines))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .fd_mappings(vec![FdMapping { parent_fd: socket, child_fd: 3 }])
        .unwrap();
    command.spawn().unwrap()
}

/// A session as its owner knows it.
struct Family {
    id: Uuid,
    access: String,
    /// Every refresh token that he was given, the newest last.
    tokens: Vec<String>,
}

/// Somebody who does things by chance, and writes down what he was answered.
struct Person {
    rig: Arc<Rig>,
    clock: Arc<AtomicU64>,
    chance: StdRng,
    email: String,
    families: Vec<Family>,
    records: Vec<Record>,
}

impl Person {
    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    async fn register(&self) {
        let body = Credentials { email: self.email.clone(), password: PASSWORD.to_owned() };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let call = Call::post("gateway", "/v1/register").json(&body);
            match self.rig.send(call).await {
                Some((201 | 409, _)) => return,
                other => assert!(Instant::now() < deadline, "{other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn log_in(&mut self) {
        let body = Credentials { email: self.email.clone(), password: PASSWORD.to_owned() };
        let call = Call::post("gateway", "/v1/login").json(&body);
        if let Some((200, body)) = self.rig.send(call).await {
            let session: Session = serde_json::from_slice(&body).unwrap();
            let (id, access) = (session.session, session.access_token);
            self.families.push(Family { id, access, tokens: vec![session.refresh_token] });
        }
    }

    /// Presents a token of a family, so many times at once.
    async fn refresh(&mut self, family: usize, token: usize, times: usize) {
        let refresh_token = self.families[family].tokens[token].clone();
        let body = Refresh { refresh_token };
        let invoked = self.tick();
        let calls = (0..times).map(|_| {
            let (rig, body) = (Arc::clone(&self.rig), body.clone());
            tokio::spawn(async move {
                let call = Call::post("gateway", "/v1/sessions/refresh").json(&body);
                rig.send(call).await
            })
        });
        for call in calls.collect::<Vec<_>>() {
            let outcome = match call.await.unwrap() {
                Some((200, body)) => {
                    let next: Session = serde_json::from_slice(&body).unwrap();
                    assert_eq!(next.session, self.families[family].id);
                    self.families[family].access = next.access_token;
                    self.families[family].tokens.push(next.refresh_token);
                    Outcome::Ok
                }
                Some((401, _)) => Outcome::Refused,
                _ => Outcome::Unknown,
            };
            self.note(family, Act::Refresh { token }, invoked, outcome);
        }
    }

    async fn revoke(&mut self, family: usize, by: usize) {
        let path = format!("/v1/sessions/{}", self.families[family].id);
        let call = Call::new(Method::DELETE, "gateway", "/v1/sessions/{id}").path(path);
        let call = with_token(call, &self.families[by].access);
        let invoked = self.tick();
        let outcome = match self.rig.send(call).await {
            // Not there: it had ended before, or the session that asks has.
            Some((204 | 404, _)) => Outcome::Ok,
            Some(_) => Outcome::Refused,
            None => Outcome::Unknown,
        };
        self.note(family, Act::Revoke, invoked, outcome);
    }

    async fn revoke_all(&mut self, by: usize) {
        let call = Call::new(Method::DELETE, "gateway", "/v1/sessions");
        let call = with_token(call, &self.families[by].access);
        let invoked = self.tick();
        let outcome = match self.rig.send(call).await {
            Some((200, _)) => Outcome::Ok,
            Some(_) => Outcome::Refused,
            None => Outcome::Unknown,
        };
        for family in 0..self.families.len() {
            self.note(family, Act::Revoke, invoked, outcome);
        }
    }

    /// Uses the newest access token, where the database is asked.
    async fn look(&mut self, family: usize) {
        let call = with_token(Call::get("gateway", "/v1/me"), &self.families[family].access);
        let invoked = self.tick();
        let outcome = match self.rig.send(call).await {
            Some((200, _)) => Outcome::Ok,
            Some((401, _)) => Outcome::Refused,
            _ => Outcome::Unknown,
        };
        self.note(family, Act::Look, invoked, outcome);
    }

    fn note(&mut self, family: usize, act: Act, invoked: u64, outcome: Outcome) {
        let (family, ended) = (self.families[family].id, self.tick());
        self.records.push(Record { family, act, invoked, ended, outcome });
    }

    async fn step(&mut self) {
        let known = self.families.len();
        if known == 0 || (known < 8 && self.chance.random_bool(0.15)) {
            return self.log_in().await;
        }
        let family = self.chance.random_range(0..known);
        let newest = self.families[family].tokens.len() - 1;
        let by = self.chance.random_range(0..known);
        match self.chance.random_range(0..100) {
            0..50 => self.refresh(family, newest, 1).await,
            50..57 => self.refresh(family, newest, 3).await,
            57..65 => {
                let any: Vec<usize> = (0..=newest).collect();
                let token = *any.choose(&mut self.chance).unwrap();
                self.refresh(family, token, 1).await;
            }
            65..73 => self.revoke(family, by).await,
            73..75 => self.revoke_all(by).await,
            _ => self.look(family).await,
        }
    }

    /// When it is quiet: what is over is refused everywhere, and what is not goes on.
    async fn settle(&mut self) {
        for family in 0..self.families.len() {
            let deadline = Instant::now() + PATIENCE;
            self.look(family).await;
            while self.records.last().unwrap().outcome == Outcome::Unknown {
                assert!(Instant::now() < deadline, "nobody answers");
                tokio::time::sleep(Duration::from_millis(50)).await;
                self.look(family).await;
            }
            let let_in = self.records.last().unwrap().outcome == Outcome::Ok;
            loop {
                let call = Call::get("gateway", "/v1/orders");
                let call = with_token(call, &self.families[family].access);
                let reply = self.rig.client.call(call).await.unwrap();
                if let_in == (reply.status != 401) {
                    break;
                }
                assert!(Instant::now() < deadline, "the gateway and auth do not agree");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let newest = self.families[family].tokens.len() - 1;
            self.refresh(family, newest, 1).await;
        }
    }
}

async fn people(rig: &Arc<Rig>, seed: u64, steps: usize) -> Vec<Record> {
    let clock = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..PEOPLE)
        .map(|number| {
            let mut person = Person {
                rig: Arc::clone(rig),
                clock: Arc::clone(&clock),
                chance: StdRng::seed_from_u64(seed.wrapping_mul(31).wrapping_add(number)),
                email: format!("person-{number}@example.org"),
                families: Vec::new(),
                records: Vec::new(),
            };
            tokio::spawn(async move {
                person.register().await;
                for _ in 0..steps {
                    person.step().await;
                }
                person
            })
        })
        .collect();
    let mut chance = StdRng::seed_from_u64(seed);
    while tasks.iter().any(|task| !task.is_finished()) {
        let pause = chance.random_range(400..1_200);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        if steps == STEPS {
            rig.kill();
        }
    }
    rig.until_ready().await;
    // The gateway's breaker takes a moment to believe it.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut records = Vec::new();
    for task in tasks {
        let mut person = task.await.unwrap();
        person.settle().await;
        records.extend(person.records);
    }
    records
}

fn seed(test: &str) -> u64 {
    let wanted = env::var("CLOUDSCALE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = wanted.unwrap_or_else(|| rand::random::<u32>().into());
    println!("{test}: CLOUDSCALE_TEST_SEED={seed}");
    seed
}

async fn report(rig: &Rig) -> Report {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some((200, body)) = rig.send(Call::get("auth", "/invariants")).await {
            return serde_json::from_slice(&body).unwrap();
        }
        assert!(Instant::now() < deadline, "auth says nothing of its invariants");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ended_session_stays_ended_while_auth_is_killed() {
    let seed = seed("an_ended_session_stays_ended_while_auth_is_killed");
    let rig = Rig::start().await;
    let records = people(&rig, seed, STEPS).await;
    let count = |outcome| records.iter().filter(|record| record.outcome == outcome).count();
    let counts = [Outcome::Ok, Outcome::Refused, Outcome::Unknown].map(count);
    println!("{} acts: ok, refused, unknown: {counts:?}", records.len());
    assert!(counts[0] > 20 && counts[1] > 5, "little has happened: {counts:?}");
    assert_eq!(faults(&records), Vec::<String>::new(), "seed {seed}");
    let report = report(&rig).await;
    assert!(report.holds, "seed {seed}: {report:?}");
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_forgets_the_family_is_found() {
    let seed = seed("a_rotation_that_forgets_the_family_is_found");
    let rig = Rig::start().await;
    // From now on no session can be ended.
    let planted: &[&str] = match rig.config.engines {
        Engines::Embedded => &["CREATE TRIGGER forgets AFTER UPDATE OF revoked_ms ON sessions
             BEGIN UPDATE sessions SET revoked_ms = NULL WHERE id = NEW.id; END"],
        Engines::Servers(_) => &[
            "CREATE FUNCTION forgets() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN NEW.revoked_ms := NULL; RETURN NEW; END $$",
            "CREATE TRIGGER forgets BEFORE UPDATE ON sessions
             FOR EACH ROW EXECUTE FUNCTION forgets()",
        ],
    };
    for sql in planted {
        engines::meddle(&rig.config, (*sql).to_owned()).await;
    }
    let records = people(&rig, seed, STEPS - 1).await;
    let found = faults(&records);
    assert!(!found.is_empty(), "seed {seed}: the checker has found nothing");
    let report = report(&rig).await;
    let sound = |name: &str| report.invariants.iter().find(|found| found.name == name).unwrap();
    assert!(!sound("sessions_have_one_token").holds, "seed {seed}: {report:?}");
    rig.end().await;
}

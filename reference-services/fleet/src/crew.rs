//! The replicas that a fleet has now, and how one is added, started and given up.
//! [`crate::fleet`] brings the plan's, [`crate::scale`] changes them while they
//! run, and [`crate::faults`] hurts them.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::board::{Board, Status};
use crate::faults::Faults;
use crate::limits::Limits;
use crate::output::Output;
use crate::plan::{Plan, Service, peers, variables};
use crate::port::{NotLoopback, Port, loopback};
use crate::probe::Probe;
use crate::process::Reins;
use crate::supervise::Replica;

/// Why a fleet does not run.
#[derive(Debug, Error)]
pub enum StartError {
    /// An address that others could reach.
    #[error(transparent)]
    NotLoopback(#[from] NotLoopback),
    /// Somebody listens where a service should.
    #[error("port {} is taken, `{service}` cannot listen there", .address.port())]
    PortTaken {
        /// The service.
        service: String,
        /// The address.
        address: SocketAddr,
    },
    /// A replica died or was not ready in time.
    #[error("`{instance}` did not start: it ended with {how}")]
    Replica {
        /// The replica.
        instance: String,
        /// How it ended.
        how: String,
        /// The last lines that it wrote, oldest first.
        tail: Vec<String>,
        /// The file with all that it wrote.
        log: PathBuf,
    },
    /// The machine refused something.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What the fleet and whoever changes it share.
#[derive(Debug)]
pub(crate) struct Crew {
    pub(crate) plan: Plan,
    pub(crate) limits: Limits,
    pub(crate) board: Arc<Board>,
    pub(crate) discovery: SocketAddr,
    pub(crate) faults: Faults,
    /// One change at a time.
    pub(crate) turn: tokio::sync::Mutex<()>,
    /// The fleet stops: nobody is added any more.
    pub(crate) closing: CancellationToken,
    /// Processes that drain are killed at once.
    pub(crate) kill: CancellationToken,
    pub(crate) otlp_endpoint: OnceLock<String>,
    members: Mutex<Vec<Member>>,
}

/// A replica as the fleet holds it.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) service: Service,
    pub(crate) number: usize,
    pub(crate) instance: String,
    pub(crate) version: String,
    pub(crate) place: usize,
    pub(crate) reins: Reins,
    port: Option<Arc<Port>>,
    output: Arc<Output>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Crew {
    pub(crate) fn new(plan: Plan, limits: Limits, discovery: SocketAddr) -> Self {
        Self {
            plan,
            limits,
            board: Arc::default(),
            discovery,
            faults: Faults::default(),
            turn: tokio::sync::Mutex::default(),
            closing: CancellationToken::new(),
            kill: CancellationToken::new(),
            otlp_endpoint: OnceLock::new(),
            members: Mutex::default(),
        }
    }

    pub(crate) fn members(&self) -> MutexGuard<'_, Vec<Member>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reserves what a replica needs. Answers its place; it does not run yet.
    pub(crate) fn enlist(
        &self,
        service: &Service,
        number: usize,
        version: &str,
    ) -> Result<usize, StartError> {
        let instance = service.instance(number);
        let port = service.listen.map(|wanted| reserve(service, wanted)).transpose()?;
        let address = port.as_ref().map(Port::address);
        let log = self.plan.data_dir.join("logs").join(format!("{instance}.log"));
        let output = Arc::new(Output::open(log)?);
        let place = self.board.add(&service.name, &instance, version, address);
        self.members().push(Member {
            number,
            place,
            output,
            version: version.to_owned(),
            reins: Reins::default(),
            service: service.clone(),
            port: port.map(Arc::new),
            stop: CancellationToken::new(),
            task: None,
            instance,
        });
        Ok(place)
    }

    /// Starts the replica at `place`.
    pub(crate) fn start(&self, place: usize) {
        let mut members = self.members();
        let Some(index) = members.iter().position(|member| member.place == place) else { return };
        let member = &members[index];
        let replica = Replica {
            env: self.environment(&members, member),
            instance: member.instance.clone(),
            place,
            program: member.service.program.clone(),
            args: member.service.args.clone(),
            port: member.port.clone(),
            output: Arc::clone(&member.output),
            reins: member.reins.clone(),
            board: Arc::clone(&self.board),
            probe: Probe::new(self.limits.probe),
            limits: self.limits,
            stop: member.stop.clone(),
            kill: self.kill.clone(),
        };
        members[index].task = Some(tokio::spawn(replica.supervise()));
    }

    /// Waits until the replicas at `places` have been ready once, and fails when
    /// one has died before.
    pub(crate) async fn ready(&self, places: &[usize]) -> Result<(), StartError> {
        let mut changes = self.board.changes();
        loop {
            changes.borrow_and_update();
            let all: Vec<Status> =
                places.iter().filter_map(|place| self.board.replica(*place)).collect();
            for place in places {
                if let Some(failure) = self.failure(*place) {
                    return Err(failure);
                }
            }
            if all.iter().all(|replica| replica.was_ready) {
                return Ok(());
            }
            if changes.changed().await.is_err() {
                return Err(io::Error::other("the board is gone").into());
            }
        }
    }

    fn failure(&self, place: usize) -> Option<StartError> {
        let status = self.board.replica(place)?;
        let how = status.last_exit.filter(|_| !status.was_ready)?;
        let members = self.members();
        let member = members.iter().find(|member| member.place == place)?;
        Some(StartError::Replica {
            instance: member.instance.clone(),
            how,
            tail: member.output.tail(),
            log: member.output.path().to_owned(),
        })
    }

    /// Gives replicas up: they take no more requests, finish what they have, and
    /// end. Afterwards nobody hears of them any more.
    pub(crate) async fn retire(&self, places: &[usize], notice: Duration) {
        places.iter().for_each(|place| self.board.stopping(*place));
        tokio::select! {
            () = tokio::time::sleep(notice) => {}
            () = self.closing.cancelled() => {}
        }
        for ended in places.iter().map(|place| self.end(*place)).collect::<Vec<_>>() {
            wait(ended).await;
        }
        for place in places {
            self.members().retain(|member| member.place != *place);
            self.board.remove(*place);
        }
    }

    /// Tells the replica at `place` to end; what is answered ends with it.
    pub(crate) fn end(&self, place: usize) -> Option<JoinHandle<()>> {
        let mut members = self.members();
        let member = members.iter_mut().find(|member| member.place == place)?;
        member.stop.cancel();
        member.task.take()
    }

    fn environment(&self, members: &[Member], member: &Member) -> Vec<(String, String)> {
        // Peers know the first replica of each, and may ask discovery for the others.
        let mut listening: Vec<(&str, SocketAddr)> = Vec::new();
        for other in members {
            let Some(port) = &other.port else { continue };
            if listening.iter().all(|(name, _)| *name != other.service.name) {
                listening.push((&other.service.name, port.address()));
            }
        }
        let data_dir = self.plan.data_dir.join(&member.service.name);
        let mut env = vec![
            (variables::PARENT, std::process::id().to_string()),
            (variables::INSTANCE, member.instance.clone()),
            (variables::DATA_DIR, data_dir.display().to_string()),
            (variables::PEERS, peers(listening.into_iter())),
            (variables::DISCOVERY, self.discovery.to_string()),
            (variables::VERSION, member.version.clone()),
            (variables::LOG, self.plan.log.clone()),
        ];
        if let Some(port) = &member.port {
            env.push((variables::LISTEN, port.address().to_string()));
        }
        if let Some(control) = &self.plan.control {
            env.push((variables::CONTROL_TOKEN_FILE, control.file.display().to_string()));
        }
        if let Some(endpoint) = self.otlp_endpoint.get().filter(|_| member.port.is_some()) {
            env.push((variables::OTLP_ENDPOINT, endpoint.clone()));
        }
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value));
        env.chain(member.service.env.iter().cloned()).collect()
    }
}

/// Waits for the end of a supervision.
pub(crate) async fn wait(ended: Option<JoinHandle<()>>) {
    let Some(task) = ended else { return };
    if let Err(error) = task.await {
        tracing::error!(%error, "the supervision of a replica has failed");
    }
}

fn reserve(service: &Service, wanted: SocketAddr) -> Result<Port, StartError> {
    Port::reserve(loopback(wanted)?).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => {
            StartError::PortTaken { service: service.name.clone(), address: wanted }
        }
        _ => error.into(),
    })
}

//! The fleet as a whole: it reserves every port, answers discovery, starts the
//! replicas, waits for them, and stops them in order. `cloudscale up` holds it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::board::{Board, Event, Status};
use crate::discovery;
use crate::limits::Limits;
use crate::output::Output;
use crate::plan::{Plan, Service, peers, variables};
use crate::port::{NotLoopback, Port, loopback};
use crate::probe::Probe;
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

/// Processes that run one plan.
#[derive(Debug)]
pub struct Fleet {
    plan: Plan,
    limits: Limits,
    board: Arc<Board>,
    members: Vec<Member>,
    discovery: SocketAddr,
    end: CancellationToken,
    kill: CancellationToken,
}

/// A replica as the fleet holds it.
#[derive(Debug)]
struct Member {
    service: Service,
    instance: String,
    place: usize,
    port: Option<Arc<Port>>,
    output: Arc<Output>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Fleet {
    /// Reserves the ports of `plan` and serves discovery. Nothing runs yet, so
    /// that a scraper can be told where to look before there is anything.
    pub async fn open(plan: Plan, limits: Limits) -> Result<Self, StartError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let mut fleet = Self {
            limits,
            board: Arc::default(),
            members: Vec::new(),
            discovery: listener.local_addr()?,
            end: CancellationToken::new(),
            kill: CancellationToken::new(),
            plan,
        };
        for service in fleet.plan.services.clone() {
            fleet.enlist(&service)?;
        }
        let router = discovery::router(Arc::clone(&fleet.board));
        let end = fleet.end.clone();
        tokio::spawn(async move {
            let served =
                axum::serve(listener, router).with_graceful_shutdown(end.cancelled_owned());
            if let Err(error) = served.await {
                tracing::error!(%error, "discovery has ended");
            }
        });
        Ok(fleet)
    }

    /// Where the fleet answers: `/discovery`, `/status`, `/events`.
    pub fn url(&self) -> String {
        format!("http://{}", self.discovery)
    }

    /// Every replica as it stands now, in the order of their start.
    pub fn status(&self) -> Vec<Status> {
        self.board.replicas()
    }

    /// What happens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.board.subscribe()
    }

    /// Starts every replica of the plan. They send spans to `otlp_endpoint`,
    /// for example `http://127.0.0.1:4317`.
    pub fn launch(&mut self, otlp_endpoint: Option<&str>) {
        for index in 0..self.members.len() {
            self.start(index, otlp_endpoint);
        }
    }

    /// Adds a service to a fleet that runs; it stops before those it joins.
    pub fn join(&mut self, service: &Service) -> Result<(), StartError> {
        self.enlist(service)?;
        self.start(self.members.len() - 1, None);
        Ok(())
    }

    /// Waits until every replica has been ready once, and fails when one has
    /// died before.
    pub async fn ready(&self) -> Result<(), StartError> {
        let mut changes = self.board.changes();
        loop {
            changes.borrow_and_update();
            let replicas = self.board.replicas();
            if let Some(failed) = self.members.iter().find_map(|member| member.failure(&replicas)) {
                return Err(failed);
            }
            if replicas.iter().all(|replica| replica.was_ready) {
                return Ok(());
            }
            if changes.changed().await.is_err() {
                return Err(io::Error::other("the board is gone").into());
            }
        }
    }

    /// Stops the replicas, last started first, each with time to drain, and
    /// then discovery. Who takes long does not hold up the next for more than
    /// the stagger. Afterwards no process and no port is left.
    pub async fn stop(&mut self) {
        let mut late = Vec::new();
        for mut member in self.members.drain(..).rev() {
            member.stop.cancel();
            let Some(mut task) = member.task.take() else { continue };
            if timeout(self.limits.stagger, &mut task).await.is_err() {
                late.push(task);
            }
        }
        for task in late {
            if let Err(error) = task.await {
                tracing::error!(%error, "the supervision of a replica has failed");
            }
        }
        self.end.cancel();
    }

    /// What a stop needs to give up waiting: once cancelled, processes that
    /// drain are killed at once.
    pub fn impatience(&self) -> CancellationToken {
        self.kill.clone()
    }

    fn enlist(&mut self, service: &Service) -> Result<(), StartError> {
        let instance = service.instance();
        let port = service.listen.map(|wanted| reserve(service, wanted)).transpose()?;
        let address = port.as_ref().map(Port::address);
        let log = self.plan.data_dir.join("logs").join(format!("{instance}.log"));
        self.members.push(Member {
            place: self.board.add(&service.name, &instance, &self.plan.version, address),
            output: Arc::new(Output::open(log)?),
            service: service.clone(),
            port: port.map(Arc::new),
            stop: CancellationToken::new(),
            task: None,
            instance,
        });
        Ok(())
    }

    fn start(&mut self, index: usize, otlp_endpoint: Option<&str>) {
        let member = &self.members[index];
        let replica = Replica {
            env: self.environment(member, otlp_endpoint),
            instance: member.instance.clone(),
            place: member.place,
            program: member.service.program.clone(),
            args: member.service.args.clone(),
            port: member.port.clone(),
            output: Arc::clone(&member.output),
            board: Arc::clone(&self.board),
            probe: Probe::new(self.limits.probe),
            limits: self.limits,
            stop: member.stop.clone(),
            kill: self.kill.clone(),
        };
        self.members[index].task = Some(tokio::spawn(replica.supervise()));
    }

    fn environment(&self, member: &Member, otlp_endpoint: Option<&str>) -> Vec<(String, String)> {
        let listening = self.members.iter().filter_map(|other| {
            Some((other.service.name.as_str(), other.port.as_ref()?.address()))
        });
        let data_dir = self.plan.data_dir.join(&member.service.name);
        let mut env = vec![
            (variables::PARENT, std::process::id().to_string()),
            (variables::INSTANCE, member.instance.clone()),
            (variables::DATA_DIR, data_dir.display().to_string()),
            (variables::PEERS, peers(listening)),
            (variables::DISCOVERY, self.discovery.to_string()),
            (variables::VERSION, self.plan.version.clone()),
            (variables::LOG, self.plan.log.clone()),
        ];
        if let Some(port) = &member.port {
            env.push((variables::LISTEN, port.address().to_string()));
        }
        if let Some(endpoint) = otlp_endpoint {
            env.push((variables::OTLP_ENDPOINT, endpoint.to_owned()));
        }
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value));
        env.chain(member.service.env.iter().cloned()).collect()
    }
}

impl Member {
    fn failure(&self, replicas: &[Status]) -> Option<StartError> {
        let status = &replicas[self.place];
        let how = status.last_exit.clone().filter(|_| !status.was_ready)?;
        Some(StartError::Replica {
            instance: self.instance.clone(),
            how,
            tail: self.output.tail(),
            log: self.output.path().to_owned(),
        })
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

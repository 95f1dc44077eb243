//! The fleet as a whole: it reserves every port, answers discovery, starts the
//! replicas, waits for them, and stops them in order. `cloudscale up` holds it.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::board::{Event, Status};
use crate::crew::{Crew, wait};
use crate::limits::Limits;
use crate::plan::{Plan, Service};
use crate::{control, discovery};

pub use crate::crew::StartError;

/// Processes that run one plan.
#[derive(Debug)]
pub struct Fleet {
    crew: Arc<Crew>,
    end: CancellationToken,
}

impl Fleet {
    /// Reserves the ports of `plan` and serves discovery. Nothing runs yet, so
    /// that a scraper can be told where to look before there is anything.
    pub async fn open(plan: Plan, limits: Limits) -> Result<Self, StartError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let crew = Arc::new(Crew::new(plan, limits, listener.local_addr()?));
        for service in &crew.plan.services {
            crew.enlist(service, 1, &crew.plan.version)?;
        }
        let router = discovery::router(Arc::clone(&crew.board));
        let router = router.merge(control::router(Arc::clone(&crew)));
        let end = CancellationToken::new();
        let ended = end.clone();
        tokio::spawn(async move {
            let served =
                axum::serve(listener, router).with_graceful_shutdown(ended.cancelled_owned());
            if let Err(error) = served.await {
                tracing::error!(%error, "discovery has ended");
            }
        });
        Ok(Self { crew, end })
    }

    /// Where the fleet answers: `/discovery`, `/status`, `/events`, and to whoever
    /// has leave `/control/*`.
    pub fn url(&self) -> String {
        format!("http://{}", self.crew.discovery)
    }

    /// Every replica as it stands now, in the order of their start.
    pub fn status(&self) -> Vec<Status> {
        self.crew.board.replicas()
    }

    /// What happens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.crew.board.subscribe()
    }

    /// Starts every replica of the plan. They send spans to `otlp_endpoint`,
    /// for example `http://127.0.0.1:4317`.
    pub fn launch(&mut self, otlp_endpoint: Option<&str>) {
        if let Some(endpoint) = otlp_endpoint {
            self.crew.otlp_endpoint.get_or_init(|| endpoint.to_owned());
        }
        self.places().into_iter().for_each(|place| self.crew.start(place));
    }

    /// Adds a service to a fleet that runs; it stops before those it joins.
    pub fn join(&mut self, service: &Service) -> Result<(), StartError> {
        let place = self.crew.enlist(service, 1, &self.crew.plan.version)?;
        self.crew.start(place);
        Ok(())
    }

    /// Waits until every replica has been ready once, and fails when one has
    /// died before.
    pub async fn ready(&self) -> Result<(), StartError> {
        self.crew.ready(&self.places()).await
    }

    /// Stops the replicas, last started first, each with time to drain, and
    /// then discovery. Who takes long does not hold up the next for more than
    /// the stagger. Afterwards no process and no port is left, and no fault.
    pub async fn stop(&mut self) {
        let crew = &self.crew;
        crew.closing.cancel();
        // A change that is under way comes to its end first: it is told to hurry.
        let _turn = crew.turn.lock().await;
        crew.faults.forget_all();
        let mut late = Vec::new();
        for place in self.places().into_iter().rev() {
            let Some(mut task) = crew.end(place) else { continue };
            if timeout(crew.limits.stagger, &mut task).await.is_err() {
                late.push(task);
            }
        }
        for task in late {
            wait(Some(task)).await;
        }
        // Their ports are free again.
        crew.members().clear();
        self.end.cancel();
    }

    /// What a stop needs to give up waiting: once cancelled, processes that
    /// drain are killed at once.
    pub fn impatience(&self) -> CancellationToken {
        self.crew.kill.clone()
    }

    fn places(&self) -> Vec<usize> {
        self.crew.members().iter().map(|member| member.place).collect()
    }
}

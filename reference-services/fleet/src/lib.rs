//! Supervisor and traffic for CloudScale on one machine.
//!
//! `cloudscale` hands over a [`Plan`]; a [`Fleet`] runs it as child processes
//! and tells a scraper over HTTP service discovery where they listen. The
//! traffic generator in [`traffic`] knows nothing of the supervisor: it is one
//! more process with an address to aim at.
//!
//! This crate runs on one machine, on loopback only, and does not know what
//! the services do: it sees programs, sockets and `GET /health/*`.
//!
//! How a replica lives: [`port`] opens its socket, [`process`] starts the child
//! with it, [`supervise`] waits, probes, restarts and drains, [`board`] keeps
//! what happened, [`discovery`] answers who runs where. While the fleet runs,
//! [`control`] takes wishes from whoever has leave: more or fewer replicas
//! ([`scale`]), something that goes wrong on purpose ([`faults`]).

pub mod limits;
pub mod plan;
pub mod port;

pub mod backoff;
pub mod output;
pub mod probe;
pub mod process;

pub mod board;
pub mod discovery;
pub mod supervise;

mod crew;
pub mod fleet;

pub mod control;
pub mod faults;
pub mod scale;

pub mod traffic;

pub use board::{Event, Happening, State, Status};
pub use fleet::{Fleet, StartError};
pub use limits::Limits;
pub use plan::{Plan, Service};
pub use port::{NotLoopback, Port, loopback};

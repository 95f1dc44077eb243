//! What shall run: the plan that `cloudscale` hands to the fleet, and the
//! environment that a child is started with.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The variables of a child's environment: those that `chassis` reads, and
/// those that concern only a process and its supervisor.
pub mod variables {
    pub use chassis::config::variables::{
        CONTROL_TOKEN_FILE, DATA_DIR, DISCOVERY, INSTANCE, LISTEN, LOG, OTLP_ENDPOINT, PEERS,
        VERSION,
    };

    /// How many sockets are handed over, from descriptor 3 on.
    pub const LISTEN_FDS: &str = "LISTEN_FDS";
    /// Process that the sockets are for. Never set here: the number is not
    /// known before the fork, and `listenfd` takes its absence for a yes.
    pub const LISTEN_PID: &str = "LISTEN_PID";
    /// Process that a child must not outlive.
    pub const PARENT: &str = "CLOUDSCALE_PARENT";
}

/// The descriptor on which a child finds its socket.
pub const SOCKET_FD: i32 = 3;

/// Everything that a fleet needs to know before it starts.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Services in the order of their start; they stop in the reverse order.
    pub services: Vec<Service>,
    /// Folder for the services' data (`NAME/`) and their output (`logs/`).
    pub data_dir: PathBuf,
    /// Version that every replica says it is.
    pub version: String,
    /// Log filter of every replica, for example `info`.
    pub log: String,
    /// What gives leave to change the fleet while it runs; none: nobody may.
    pub control: Option<Control>,
}

/// Leave to change the fleet, and to let its services do something wrong.
#[derive(Debug, Clone)]
pub struct Control {
    /// Who knows it has leave.
    pub token: chassis::config::Secret,
    /// File that holds it, for the services.
    pub file: PathBuf,
}

/// One service. Its data folder is named after it, and its replicas share that;
/// its peers know the address of the first one, and learn of the others.
#[derive(Debug, Clone)]
pub struct Service {
    /// Lower case; the label `job` of its series.
    pub name: String,
    /// Where it listens; none for a process that does not (traffic).
    pub listen: Option<SocketAddr>,
    /// The program.
    pub program: PathBuf,
    /// The program's arguments.
    pub args: Vec<OsString>,
    /// Variables beyond those of the contract.
    pub env: Vec<(String, String)>,
    /// Why there can be only one replica of it, if so.
    pub alone: Option<&'static str>,
}

impl Service {
    /// A service that listens on a loopback port of the operating system's choice.
    pub fn new(name: &str, program: PathBuf, args: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            program,
            args: args.iter().map(OsString::from).collect(),
            env: Vec::new(),
            alone: None,
        }
    }

    /// The name of its replica with this number, from 1 on.
    pub fn instance(&self, number: usize) -> String {
        format!("{}-{number}", self.name)
    }
}

/// What [`variables::PEERS`] says, given each listening service.
pub fn peers<'a>(services: impl Iterator<Item = (&'a str, SocketAddr)>) -> String {
    let pairs: Vec<_> = services.map(|(name, address)| format!("{name}={address}")).collect();
    pairs.join(",")
}

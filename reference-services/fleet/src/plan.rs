//! What shall run: the plan that `cloudscale` hands to the fleet, and the
//! environment that a child is started with.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The variables of a child's environment. Services read them in `chassis`,
/// which stands on a lower floor, so the names are written down on both sides.
pub mod variables {
    /// Address of the socket that is handed over.
    pub const LISTEN: &str = "CLOUDSCALE_LISTEN";
    /// How many sockets are handed over, from descriptor 3 on.
    pub const LISTEN_FDS: &str = "LISTEN_FDS";
    /// Process that the sockets are for. Never set here: the number is not
    /// known before the fork, and `listenfd` takes its absence for a yes.
    pub const LISTEN_PID: &str = "LISTEN_PID";
    /// Name of the replica.
    pub const INSTANCE: &str = "CLOUDSCALE_INSTANCE";
    /// Folder of the service.
    pub const DATA_DIR: &str = "CLOUDSCALE_DATA_DIR";
    /// Every service as `name=address`, commas between them.
    pub const PEERS: &str = "CLOUDSCALE_PEERS";
    /// Version that the replica says it is.
    pub const VERSION: &str = "CLOUDSCALE_VERSION";
    /// Log filter.
    pub const LOG: &str = "CLOUDSCALE_LOG";
    /// Where spans go.
    pub const OTLP_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
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
}

/// One service, of which one or more replicas run.
#[derive(Debug, Clone)]
pub struct Service {
    /// Lower case; the label `job` of its series.
    pub name: String,
    /// How many replicas run; at least 1.
    pub replicas: u32,
    /// Where it listens; none for a process that does not (traffic).
    pub listen: Option<SocketAddr>,
    /// The program.
    pub program: PathBuf,
    /// The program's arguments.
    pub args: Vec<OsString>,
    /// Variables beyond those of the contract.
    pub env: Vec<(String, String)>,
}

impl Service {
    /// A service with one replica that listens on a loopback port of the
    /// operating system's choice.
    pub fn new(name: &str, program: PathBuf, args: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            replicas: 1,
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            program,
            args: args.iter().map(OsString::from).collect(),
            env: Vec::new(),
        }
    }

    /// The name of the replica `number`, counted from 1.
    pub fn instance(&self, number: u32) -> String {
        format!("{}-{number}", self.name)
    }
}

/// What [`variables::PEERS`] says, given each listening replica.
pub fn peers<'a>(replicas: impl Iterator<Item = (&'a str, SocketAddr)>) -> String {
    let pairs: Vec<_> = replicas.map(|(name, address)| format!("{name}={address}")).collect();
    pairs.join(",")
}

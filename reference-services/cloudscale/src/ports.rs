//! Whether the ports that `up` needs are free, and if not, who has them. Asked
//! before anything starts, so that the answer names the option that helps.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::path::Path;

use crate::settings::Refusal;

/// State of a listening socket in `/proc/net/tcp`.
const LISTENING: &str = "0A";

/// A port and the option that asks for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    pub(crate) option: &'static str,
}

/// Refuses ports that are taken, asked for twice or not ours to have.
pub(crate) fn check(wanted: &[Wanted<'_>]) -> Result<(), Refusal> {
    for (index, port) in wanted.iter().enumerate().filter(|(_, wanted)| wanted.port != 0) {
        if let Some(other) = wanted[..index].iter().find(|other| other.port == port.port) {
            return Err(Refusal(format!(
                "port {} is asked for twice, by {} and {}",
                port.port, other.option, port.option
            )));
        }
        port.check()?;
    }
    Ok(())
}

impl Wanted<'_> {
    fn check(&self) -> Result<(), Refusal> {
        let Self { host, port, option } = *self;
        let addresses = (host, port).to_socket_addrs().map_err(|error| {
            Refusal(format!("`{host}` is not an address: {error}\nhelp: try --hostname 127.0.0.1"))
        })?;
        let addresses: Vec<SocketAddr> = addresses.collect();
        let Err(error) = TcpListener::bind(addresses.as_slice()) else { return Ok(()) };
        let what = match error.kind() {
            io::ErrorKind::AddrInUse => {
                let by = holder(port).map(|by| format!(" by {by}")).unwrap_or_default();
                format!("port {port} is taken{by}")
            }
            _ => format!("cannot listen on `{host}:{port}`: {error}"),
        };
        Err(Refusal(format!("{what}\nhelp: choose another with {option} {}", self.instead())))
    }

    /// The next free port.
    fn instead(&self) -> u16 {
        let free = |port: &u16| TcpListener::bind((self.host, *port)).is_ok();
        let from = if self.port < 1024 { 8080 } else { self.port };
        (from..=u16::MAX).skip(1).take(100).find(free).unwrap_or(0)
    }
}

/// Who listens on `port`, where the system tells: ``pid 123 `python3` ``.
fn holder(port: u16) -> Option<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let inode = tables.iter().flatten().find_map(|table| inode(table, port))?;
    let socket = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten().map(|entry| entry.path());
    let mut open = processes.filter(|process| has_open(process, &socket));
    // Beside the numbered folders there is `self`.
    open.find_map(|process| {
        let pid: u32 = process.file_name()?.to_str()?.parse().ok()?;
        let name = fs::read_to_string(process.join("comm")).ok()?;
        Some(format!("pid {pid} `{}`", name.trim()))
    })
}

/// The inode of the socket that listens on `port`, from a table of the kernel
/// (proc(5)): local address, remote address, state, ..., inode.
fn inode(table: &str, port: u16) -> Option<&str> {
    let ending = format!(":{port:04X}");
    table.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let listens = fields.get(1)?.ends_with(&ending) && *fields.get(3)? == LISTENING;
        fields.get(9).copied().filter(|_| listens)
    })
}

fn has_open(process: &Path, socket: &str) -> bool {
    let Ok(open) = fs::read_dir(process.join("fd")) else { return false };
    open.flatten().any(|fd| fs::read_link(fd.path()).is_ok_and(|to| to.as_os_str() == socket))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_taken_port_is_named_with_its_holder_and_the_option() {
        let somebody = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = somebody.local_addr().unwrap().port();
        let wanted = Wanted { host: "127.0.0.1", port, option: "--port" };
        let message = check(&[wanted]).unwrap_err().to_string();
        let expected = format!("port {port} is taken by pid {}", std::process::id());
        assert!(message.starts_with(&expected), "{message}");
        assert!(message.contains("help: choose another with --port "), "{message}");
        drop(somebody);
        check(&[wanted]).unwrap();
    }

    #[test]
    fn one_port_for_two_is_refused_unless_the_system_chooses() {
        let wanted = |port, option| Wanted { host: "127.0.0.1", port, option };
        let twice = check(&[wanted(0, "--port"), wanted(0, "--gateway-port")]);
        assert!(twice.is_ok());
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let twice = check(&[wanted(free, "--port"), wanted(free, "--gateway-port")]).unwrap_err();
        assert!(twice.to_string().contains("asked for twice, by --port and --gateway-port"));
    }
}

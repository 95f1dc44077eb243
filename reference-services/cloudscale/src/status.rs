//! `cloudscale status`: asks the fleet that runs on a data folder.

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use fleet::Status;
use fleet::probe::Probe;

use crate::cli;
use crate::folder::{self, Note};

/// Longest wait for the fleet's answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Prints a table, or JSON.
pub(crate) fn main(options: &cli::Status) -> anyhow::Result<ExitCode> {
    let (_, note) = folder::running(options.up.data_dir.as_deref(), options.up.book.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let body = runtime.block_on(ask(&note))?;
    let replicas: Vec<Status> = serde_json::from_slice(&body)?;
    match options.json {
        true => println!("{}", serde_json::to_string_pretty(&replicas)?),
        false => print!("{}", table(&note, &replicas, now())),
    }
    Ok(ExitCode::SUCCESS)
}

async fn ask(note: &Note) -> anyhow::Result<Vec<u8>> {
    let uri = format!("{}/status", note.fleet).parse()?;
    let answer = Probe::new(ANSWER_LIMIT).get(uri).await;
    let (status, body) = answer.with_context(|| {
        format!("`cloudscale up` (pid {}) does not answer; it may have been killed", note.pid)
    })?;
    ensure!(status.is_success(), "`cloudscale up` (pid {}) answers {status}", note.pid);
    Ok(body.to_vec())
}

fn table(note: &Note, replicas: &[Status], now: i64) -> String {
    let mut text = format!("site {} (pid {})\n", note.site, note.pid);
    text += &format!(
        "{:16} {:11} {:>8} {:22} {:>8} {}\n",
        "replica", "state", "pid", "address", "restarts", "for"
    );
    for replica in replicas {
        let or_none = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        text += &format!(
            "{:16} {:11} {:>8} {:22} {:>8} {}\n",
            replica.instance,
            replica.state,
            or_none(replica.pid.map(|pid| pid.to_string())),
            or_none(replica.address.map(|address| address.to_string())),
            replica.restarts,
            age((now - replica.since) / 1000)
        );
    }
    text
}

/// Seconds in words: `42 s`, `5 min`, `3 h`.
fn age(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{} s", seconds.max(0)),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use fleet::State;

    use super::*;

    #[test]
    fn a_table_shows_each_replica() {
        let note = Note { pid: 1, fleet: String::new(), site: "http://127.0.0.1:3000".to_owned() };
        let replica = Status {
            name: "orders".to_owned(),
            instance: "orders-1".to_owned(),
            version: "1".to_owned(),
            pid: None,
            address: Some(([127, 0, 0, 1], 41001).into()),
            state: State::Restarting,
            restarts: 2,
            since: 1_000,
            was_ready: true,
            last_exit: None,
            canary_percent: None,
        };
        let text = table(&note, &[replica], 300_000);
        let words: Vec<_> =
            text.lines().last().into_iter().flat_map(str::split_whitespace).collect();
        assert_eq!(words, ["orders-1", "restarting", "-", "127.0.0.1:41001", "2", "4", "min"]);
    }
}

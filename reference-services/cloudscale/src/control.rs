//! `cloudscale scale` and `cloudscale fault`: wishes to a running `up`, which
//! the note in its data folder finds, with the token that lies beside it.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use fleet::control::{Clear, Refused, Scale, Scaled};
use fleet::faults::{Kind, Lasting, Wish};
use fleet::probe::Probe;
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cli::{self, Fault};
use crate::folder::{self, Note};
use crate::settings::Refusal;

/// Longest wait for a wish to be carried out: a start of several replicas takes long.
const ANSWER_LIMIT: Duration = Duration::from_secs(90);

/// A running `up`.
struct Up {
    note: Note,
    token: String,
}

/// Changes how many replicas a service has.
pub(crate) fn scale(options: &cli::Scale) -> anyhow::Result<ExitCode> {
    let service = options.service.name().to_owned();
    let wish = Scale { service, replicas: options.replicas };
    let Scaled { replicas } = Up::find(&options.up)?.ask(Method::POST, "scale", Some(&wish))?;
    println!("{} runs as {}", wish.service, replicas.join(", "));
    Ok(ExitCode::SUCCESS)
}

/// Lets something go wrong, or ends that, or tells of it.
pub(crate) fn fault(options: &cli::Faults) -> anyhow::Result<ExitCode> {
    let up = Up::find(&options.up)?;
    let wish = |kind, target: &str, lasts: Duration, ms, percent| Wish {
        kind,
        target: target.to_owned(),
        for_ms: u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX),
        ms,
        percent,
    };
    let wish = match &options.fault {
        Fault::Kill { target } => wish(Kind::Kill, target, Duration::ZERO, 0, 0),
        Fault::Pause { target, lasts } => wish(Kind::Pause, target, *lasts, 0, 0),
        Fault::Latency { target, lasts, ms, percent } => {
            wish(Kind::Latency, target, *lasts, *ms, *percent)
        }
        Fault::Error { target, lasts, percent } => wish(Kind::Error, target, *lasts, 0, *percent),
        Fault::List { json } => return list(&up, *json),
        Fault::Clear { target } => return clear(&up, target.clone()),
    };
    let hurt: Vec<Lasting> = up.ask(Method::POST, "faults", Some(&wish))?;
    for Lasting { instance, fault, .. } in hurt {
        println!("{instance}: {fault}");
    }
    Ok(ExitCode::SUCCESS)
}

fn list(up: &Up, json: bool) -> anyhow::Result<ExitCode> {
    let faults: Vec<Lasting> = up.ask(Method::GET, "faults", None::<&()>)?;
    if json {
        println!("{}", serde_json::to_string_pretty(&faults)?);
    } else if faults.is_empty() {
        println!("there are no faults");
    }
    for Lasting { instance, fault, ends_in_ms, .. } in faults.iter().filter(|_| !json) {
        println!("{instance}: {fault}, {:.1} s of them left", *ends_in_ms as f64 / 1e3);
    }
    Ok(ExitCode::SUCCESS)
}

fn clear(up: &Up, target: Option<String>) -> anyhow::Result<ExitCode> {
    let healed: Vec<Lasting> = up.ask(Method::POST, "faults/clear", Some(&Clear { target }))?;
    if healed.is_empty() {
        println!("there were no faults");
    }
    for Lasting { instance, fault, .. } in healed {
        println!("{instance} is healed: {fault}");
    }
    Ok(ExitCode::SUCCESS)
}

impl Up {
    fn find(at: &cli::RunningUp) -> anyhow::Result<Self> {
        let (data_dir, note) = folder::running(at.data_dir.as_deref(), at.book.as_deref())?;
        let token = folder::control_token(&data_dir)?;
        Ok(Self { note, token })
    }

    fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        what: &str,
        wish: Option<&impl Serialize>,
    ) -> anyhow::Result<T> {
        let uri = format!("{}/control/{what}", self.note.fleet).parse()?;
        let body = wish.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let probe = Probe::new(ANSWER_LIMIT);
        let answer = runtime.block_on(probe.tell(method, uri, &self.token, body));
        let pid = self.note.pid;
        let (status, body) = answer.with_context(|| {
            format!("`cloudscale up` (pid {pid}) does not answer; it may have been killed")
        })?;
        if status.is_success() {
            return serde_json::from_slice(&body).context("the answer cannot be read");
        }
        match serde_json::from_slice::<Refused>(&body) {
            Ok(Refused { error }) if status.as_u16() == 409 => Err(Refusal(error).into()),
            Ok(Refused { error }) => bail!("{error}"),
            Err(_) => bail!("`cloudscale up` (pid {pid}) answers {status}"),
        }
    }
}

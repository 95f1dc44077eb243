//! `cloudscale traffic`: requests until a time is over, SIGTERM or Ctrl-C, and
//! then a report on standard output.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fleet::traffic::{Options, run};
use tracing_subscriber::EnvFilter;

use crate::cli;
use crate::settings::seed_of_the_moment;

/// The process's name in the fleet.
const NAME: &str = "traffic";

/// Makes traffic in this process.
pub(crate) fn main(options: cli::Traffic) -> anyhow::Result<ExitCode> {
    fleet::process::die_with_parent()?;
    let filter = std::env::var(fleet::plan::variables::LOG).unwrap_or_else(|_| "info".to_owned());
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(EnvFilter::try_new(filter)?)
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let seed = options.seed.unwrap_or_else(seed_of_the_moment);
    let report = runtime.block_on(async {
        let stop = chassis::process::stop_signal()?;
        let options = Options {
            target: options.target,
            rate: options.rps,
            pattern: options.pattern.into(),
            seed,
            only: options.only,
            warm_up: Duration::from_secs_f64(options.warm_up),
            duration: options.duration.map(Duration::from_secs_f64),
            run: this_run(),
        };
        anyhow::Ok(run(options, stop).await)
    })?;
    writeln!(std::io::stdout(), "seed {seed}: {report}")?;
    Ok(ExitCode::SUCCESS)
}

/// A name that no other run has: customers and idempotency keys of an earlier
/// run are still in the databases.
fn this_run() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}", since.as_millis())
}

/// The process that `up` adds to its fleet.
pub(crate) fn plan(program: PathBuf, gateway: &str, rate: f64, seed: u64) -> fleet::Service {
    let (rate, seed) = (rate.to_string(), seed.to_string());
    let args = [NAME, "--rps", &rate, "--seed", &seed, "--target", gateway];
    let mut planned = fleet::Service::new(NAME, program, &args);
    planned.listen = None;
    planned.alone = Some("its rate is that of all requests; choose another with `up --traffic`");
    planned
}

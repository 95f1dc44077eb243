//! The command line: what can be asked for, with its defaults. `main` hands
//! each command's options to the module of the same name.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use fleet::traffic::run::{RATE_LEAST, RATE_LIMIT};
use fleet::traffic::{Action, Pattern, Target};

use crate::engines;

/// Port of the site.
const SITE_PORT: u16 = 3000;
/// Port of the gateway.
const GATEWAY_PORT: u16 = 8080;
/// Port on which spans arrive over gRPC.
const OTLP_GRPC_PORT: u16 = 4317;
/// Port on which spans arrive over HTTP.
const OTLP_HTTP_PORT: u16 = 4318;
/// Requests per second.
const TRAFFIC_RATE: f64 = 20.0;

/// CloudScale, Loggia's reference system: a few small services, and the book
/// that shows how they are built and how they are doing.
#[derive(Debug, Parser)]
#[command(name = "cloudscale", version, arg_required_else_help = true)]
#[command(after_help = "Examples:
  cloudscale up                        everything, then open http://127.0.0.1:3000
  cloudscale up --traffic 100 --open   more traffic, and the browser opens by itself
  cloudscale up --port 3001            when port 3000 is taken
  cloudscale status                    what runs, from another terminal
  cloudscale scale catalog 3           three replicas of catalog, behind the gateway
  cloudscale fault kill payments       what happens when payments dies?")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the services, traffic and the book, until Ctrl-C
    Up(Up),
    /// Run one service in this process (`up` does this for each)
    Run(Run),
    /// Send requests to a gateway at a rate that does not depend on its answers
    Traffic(Traffic),
    /// Show what a running `cloudscale up` runs
    Status(Status),
    /// Change how many replicas of a service a running `cloudscale up` runs
    Scale(Scale),
    /// Let something go wrong in a running `cloudscale up`, for a while
    Fault(Faults),
}

#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:
  cloudscale up --traffic 0                     no traffic: send your own to port 8080
  cloudscale up --seed 7                        the same customers want the same things again
  cloudscale up --book docs --data-dir ../data  another book, another place for the databases
  cloudscale up --engines servers --postgres postgres://me@127.0.0.1:5432/cloudscale

Ctrl-C stops everything in order; a second Ctrl-C at once.")]
pub(crate) struct Up {
    /// Port of the site; 0 lets the system choose
    #[arg(short, long, default_value_t = SITE_PORT)]
    pub(crate) port: u16,
    /// Address that the site and the telemetry ports listen on
    #[arg(short = 'n', long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub(crate) hostname: String,
    /// Port of the API gateway, on 127.0.0.1; 0 lets the system choose
    #[arg(long, default_value_t = GATEWAY_PORT, value_name = "PORT")]
    pub(crate) gateway_port: u16,
    /// Port on which the services' spans arrive over gRPC; 0 lets the system choose
    #[arg(long, default_value_t = OTLP_GRPC_PORT, value_name = "PORT")]
    pub(crate) otlp_grpc_port: u16,
    /// Port on which spans may arrive over HTTP; 0 lets the system choose
    #[arg(long, default_value_t = OTLP_HTTP_PORT, value_name = "PORT")]
    pub(crate) otlp_http_port: u16,
    /// Requests per second; 0 for none
    #[arg(long, default_value_t = TRAFFIC_RATE, value_name = "RPS", value_parser = rate_or_none)]
    pub(crate) traffic: f64,
    /// What the traffic is drawn from [default: the time]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Open the browser when everything runs
    #[arg(short, long)]
    pub(crate) open: bool,
    /// Folder for databases and logs [default: .cloudscale beside the book]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Folder of the book [default: the next one upward with a book.toml]
    #[arg(long, value_name = "DIR")]
    pub(crate) book: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) engines: engines::Options,
    /// Say only what goes wrong
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more, and let the services log more
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "The service reads its settings from the environment:
  CLOUDSCALE_LISTEN=127.0.0.1:41001      where to listen, unless a socket is handed over (LISTEN_FDS)
  CLOUDSCALE_PEERS=auth=127.0.0.1:41002  where its peers listen, commas between them
  CLOUDSCALE_DATA_DIR=data/orders        where it keeps its database
  CLOUDSCALE_ENGINES=servers             embedded (SQLite, the default) or servers (PostgreSQL)
  CLOUDSCALE_POSTGRES=postgres://...     the server's database; or CLOUDSCALE_POSTGRES_FILE=/a/file
  CLOUDSCALE_REDIS=redis://...           where gateways share their limits; or CLOUDSCALE_REDIS_FILE
  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317

Example:
  CLOUDSCALE_LISTEN=127.0.0.1:41003 cloudscale run payments")]
pub(crate) struct Run {
    /// Which service
    pub(crate) service: Service,
    #[command(flatten)]
    pub(crate) engines: engines::Options,
}

/// The services of this executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Service {
    /// Accounts, logins, tokens
    Auth,
    /// Authorises, captures and refunds payments
    Payments,
    /// Products and the stock of them
    Catalog,
    /// Books and tracks shipments
    Shipping,
    /// Places, reads and calls off orders
    Orders,
    /// Profiles, preferences and addresses
    Users,
    /// Tells customers: in the app, by e-mail, to a webhook
    Notifications,
    /// Series of windows over everybody's events, and what stands out
    Analytics,
    /// The only door: routes, checks tokens, limits rates
    Gateway,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  cloudscale traffic --rps 200 --seed 7 --duration 60 --target http://127.0.0.1:8080
  cloudscale traffic --rps 100 --only place --warm-up 10 --duration 60

Of 1000 requests, 30 are wrong on purpose and refused as they should be: 12 ask for
what does not exist (404), 8 come without a token (401), 10 place an order that makes
no sense (422). The report counts them as expected.

Latencies count from the time at which a request was due, so that a stall shows in
every request that it delayed. A report comes at the end, also after Ctrl-C.")]
pub(crate) struct Traffic {
    /// Requests per second
    #[arg(long, default_value_t = TRAFFIC_RATE, value_parser = rate)]
    pub(crate) rps: f64,
    /// What the traffic is drawn from [default: the time]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// The gateway, on this machine
    #[arg(long, default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub(crate) target: Target,
    /// How long, in seconds [default: until Ctrl-C]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) duration: Option<f64>,
    /// Seconds before that which the report leaves out: customers register and log in
    #[arg(long, default_value_t = 0.0, value_name = "SECONDS", value_parser = seconds_or_none)]
    pub(crate) warm_up: f64,
    /// Only this, by its name in the report, as `place`; customers register and log in as they must
    #[arg(long, value_name = "ACTION", value_parser = action)]
    pub(crate) only: Option<Action>,
    /// How requests are spread over time
    #[arg(long, default_value = "poisson")]
    pub(crate) pattern: Spread,
}

/// How requests are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Spread {
    /// Independent of each other, as people are
    Poisson,
    /// One every so often
    Constant,
}

impl From<Spread> for Pattern {
    fn from(spread: Spread) -> Self {
        match spread {
            Spread::Poisson => Self::Poisson,
            Spread::Constant => Self::Constant,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cloudscale status
  cloudscale status --json | jq '.[].state'")]
pub(crate) struct Status {
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) up: RunningUp,
}

/// Where a running `up` is found.
#[derive(Debug, Args)]
pub(crate) struct RunningUp {
    /// Folder that `up` was given [default: .cloudscale beside the book]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Folder of the book [default: the next one upward with a book.toml]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) book: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cloudscale scale catalog 3   starts two more and waits until they are ready
  cloudscale scale catalog 1   lets two finish what they have, and end

A service has 1 to 8 replicas. They share its database; the gateway and the other
services send requests to each, and the book shows each under its own name. A
replica that has to go gets no more requests before it is told to end.")]
pub(crate) struct Scale {
    /// Which service
    pub(crate) service: Service,
    /// How many replicas
    pub(crate) replicas: usize,
    #[command(flatten)]
    pub(crate) up: RunningUp,
}

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Examples:
  cloudscale fault kill payments                      dies as with kill -9, and is started again
  cloudscale fault pause catalog/2 --for 5s           the second replica stands still
  cloudscale fault latency shipping --ms 800 --for 1m every answer comes 800 ms late
  cloudscale fault error orders --percent 10          a tenth of the requests fail
  cloudscale fault list
  cloudscale fault clear                              ends all of them now

Whom: a service (all its replicas), or SERVICE/REPLICA, as payments/1. Every fault ends
by itself: after --for, when its process ends, and with `cloudscale up`.")]
pub(crate) struct Faults {
    #[command(subcommand)]
    pub(crate) fault: Fault,
    #[command(flatten)]
    pub(crate) up: RunningUp,
}

/// What can go wrong.
#[derive(Debug, Subcommand)]
pub(crate) enum Fault {
    /// A process dies at once (kill -9), and is started again
    Kill {
        /// Whom: SERVICE or SERVICE/REPLICA
        #[arg(value_name = "SERVICE[/REPLICA]")]
        target: String,
    },
    /// A process stands still: it takes connections and answers nothing
    Pause {
        /// Whom: SERVICE or SERVICE/REPLICA
        #[arg(value_name = "SERVICE[/REPLICA]")]
        target: String,
        /// How long, up to 60s
        #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = time)]
        lasts: Duration,
    },
    /// Requests are answered late
    Latency {
        /// Whom: SERVICE or SERVICE/REPLICA
        #[arg(value_name = "SERVICE[/REPLICA]")]
        target: String,
        /// How long, up to 10m
        #[arg(long = "for", value_name = "TIME", default_value = "30s", value_parser = time)]
        lasts: Duration,
        /// How much later an answer comes, in milliseconds, up to 10000
        #[arg(long, value_name = "MS", default_value_t = 200)]
        ms: u64,
        /// With so many of a hundred requests
        #[arg(long, value_name = "N", default_value_t = 100)]
        percent: u8,
    },
    /// Requests fail with 500, and have no effect
    Error {
        /// Whom: SERVICE or SERVICE/REPLICA
        #[arg(value_name = "SERVICE[/REPLICA]")]
        target: String,
        /// How long, up to 10m
        #[arg(long = "for", value_name = "TIME", default_value = "30s", value_parser = time)]
        lasts: Duration,
        /// With so many of a hundred requests
        #[arg(long, value_name = "N", default_value_t = 10)]
        percent: u8,
    },
    /// Show the faults that there are now
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// End faults before their time
    Clear {
        /// Whose: SERVICE or SERVICE/REPLICA [default: everybody's]
        #[arg(value_name = "SERVICE[/REPLICA]")]
        target: Option<String>,
    },
}

/// A time as people write it: `500ms`, `30s`, `2m`.
fn time(text: &str) -> Result<Duration, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let scale = match unit {
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return Err("not a time as `500ms`, `30s` or `2m`".to_owned()),
    };
    let seconds = number.parse::<f64>().map_err(|_| "not a time as `30s`".to_owned())? * scale;
    Duration::try_from_secs_f64(seconds).map_err(|_| "too long".to_owned())
}

fn rate_or_none(text: &str) -> Result<f64, String> {
    if text.parse() == Ok(0.0) {
        return Ok(0.0);
    }
    rate(text).map_err(|refused| format!("{refused}, nor 0"))
}

fn rate(text: &str) -> Result<f64, String> {
    number(text, RATE_LEAST, RATE_LIMIT)
}

fn seconds(text: &str) -> Result<f64, String> {
    // A week; longer runs have no end.
    number(text, 0.001, 7.0 * 86_400.0)
}

fn seconds_or_none(text: &str) -> Result<f64, String> {
    number(text, 0.0, 86_400.0)
}

fn action(text: &str) -> Result<Action, String> {
    let names = || Action::MIX.map(|(action, _)| action.name()).join(", ");
    Action::named(text).ok_or_else(|| format!("not one of {}", names()))
}

fn number(text: &str, least: f64, most: f64) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| format!("not a number from {least} to {most}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use clap::CommandFactory;
    use fleet::traffic::Action;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn senseless_values_are_refused() {
        for line in [
            "cloudscale up --traffic -1",
            "cloudscale up --traffic nan",
            "cloudscale up --traffic 0.0005",
            "cloudscale up --port 70000",
            "cloudscale up --quiet --verbose",
            "cloudscale traffic --rps 0",
            "cloudscale traffic --target http://10.0.0.1:80",
            "cloudscale run nothing",
            "cloudscale up --engines clouds",
            "cloudscale scale nothing 2",
            "cloudscale scale catalog -1",
            "cloudscale fault",
            "cloudscale fault pause catalog --for 5",
            "cloudscale fault pause catalog --for 5h",
            "cloudscale fault error catalog --percent 300",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
        for line in [
            "cloudscale up --traffic 0",
            "cloudscale up --traffic 0.001",
            "cloudscale scale catalog 3",
            "cloudscale fault latency catalog/2 --ms 100 --for 1.5s --data-dir x",
            "cloudscale fault --data-dir x kill catalog",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
    }

    #[test]
    fn the_help_tells_how_many_requests_are_wrong() {
        let wrong = [Action::Missing, Action::Anonymous, Action::Invalid].map(|wrong| {
            let found = Action::MIX.into_iter().find(|(action, _)| *action == wrong);
            found.expect("each action is in the mix").1
        });
        let sum: u32 = wrong.iter().sum();
        assert!((20..=30).contains(&sum), "{sum} of 1000 are wrong");
        let [missing, anonymous, invalid] = wrong;
        let mut cli = Cli::command();
        let help = cli.find_subcommand_mut("traffic").unwrap().render_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            format!("Of 1000 requests, {sum} are wrong"),
            format!("{missing} ask for what does not exist (404)"),
            format!("{anonymous} come without a token (401)"),
            format!("{invalid} place an order that makes no sense (422)"),
        ] {
            assert!(help.contains(&part), "{part}\nis not in\n{help}");
        }
    }
}

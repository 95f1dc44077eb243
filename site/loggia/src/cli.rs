//! What can be typed: arguments, help texts and exit codes. `main` hands in the arguments.

use crate::{build, check, fmt, init, new, out, serve};
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;

/// Exit code: the command did what was asked, and found things to mend.
pub const EXIT_FINDINGS: u8 = 1;
/// Exit code: the command could not be carried out (usage, configuration, environment).
pub const EXIT_FAILURE: u8 = 2;

/// Blocking work gets this long to end after the server has ended.
const STOP_WITHIN: std::time::Duration = std::time::Duration::from_millis(500);

/// Everything that can be typed after `loggia`.
#[derive(Debug, Parser)]
#[command(
    name = "loggia",
    version,
    about = "Architecture documentation that is tied to the system it describes",
    long_about = "Loggia renders a folder of Markdown as a site and links its sections, diagrams and \
                  figures to the services that run: health, rate, latency and errors, down to the trace.",
    after_help = "Examples:\n  \
        loggia new handbook         a starter book in a new folder\n  \
        loggia init docs            start a book where there is something\n  \
        loggia serve docs --open    read it while you write it\n  \
        loggia check docs           find what is broken\n  \
        loggia build docs           write the site as files",
    arg_required_else_help = true
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    talk: Talk,
}

/// How much is printed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Talk {
    /// Print only what is wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print what happens inside, too
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a starter book to a new folder: a page of each kind, to be replaced by yours
    New {
        /// Where to; it is made, and must not hold anything
        dir: PathBuf,
        /// The book's title [default: the folder's name]
        #[arg(long)]
        title: Option<String>,
    },
    /// Start a book in a folder that may hold something: book.toml and a first page
    Init {
        /// Where to; it is made when it is missing
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Write the book as a site of plain files
    #[command(after_help = "Examples:\n  \
        loggia build                  the book in this folder, to the folder that book.toml names\n  \
        loggia build docs -d public   the Markdown in docs/, to public/\n  \
        loggia build --base-url https://example.org/docs/\n  \
        loggia build --snapshot http://127.0.0.1:3000   with the figures of a running server\n\n\
        Exit code: 0 built, 1 built but some of it could not be read, 2 not built.")]
    Build(BuildArguments),
    /// Serve the book with live figures, and again after each save
    #[command(after_help = "Examples:\n  \
        loggia serve docs --open            \n  \
        loggia serve --scrape shop=http://127.0.0.1:9100/metrics\n\n\
        Services send traces to 127.0.0.1:4317 (OTLP gRPC) or :4318 (OTLP HTTP).")]
    Serve(ServeArguments),
    /// Find what is broken in the book
    #[command(after_help = "Examples:\n  \
        loggia check docs --strict                       warnings fail, too\n  \
        loggia check docs --live http://127.0.0.1:3000   also ask the running system\n  \
        loggia check docs --format sarif > found.sarif   for code hosts and editors\n  \
        loggia check docs --external                     also ask for links to the web\n  \
        loggia check --explain L004                      what a code means, and how to mend it\n\n\
        Exit code: 0 clean, 1 errors (with --live also violated claims and drift), 2 usage,\n\
        configuration, or a server that cannot be asked or has seen too little.")]
    Check(CheckArguments),
    /// Bring Markdown into an even form, or restore text that was decoded wrongly
    #[command(
        long_about = "Brings Markdown into an even form: one blank line between blocks, titles with `#`, lists with \
                      `-`, aligned tables, no spaces at line ends, JSON of kpi-grid fences and front matter laid out. \
                      Prose is never wrapped; code, diagrams and raw HTML are never touched. Each change is made only \
                      when the page, read by the engine that renders it, stays the same; what is left alone is named.",
        after_help = "Examples:\n  \
            loggia fmt                               format the book in this folder\n  \
            loggia fmt docs --check                  list what would change (for CI)\n  \
            loggia fmt docs/a.md --check --diff      show what would change\n  \
            loggia fmt docs --repair-encoding        turn `â€™` back into `’`, also where bytes were lost\n\n\
            Exit code: 0 done or nothing to do, 1 with --check: something would change, 2 a file could\n\
            not be read or written."
    )]
    Fmt(FmtArguments),
    /// Remove the site that build wrote
    Clean {
        /// The book
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// The folder to remove, instead of the one that book.toml names
        #[arg(short, long)]
        dest_dir: Option<PathBuf>,
    },
    /// Print a script that completes these commands in your shell
    Completions {
        /// bash, elvish, fish, powershell or zsh
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
struct BuildArguments {
    /// The book: a folder with book.toml, or any folder of Markdown
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Where to write [default: build-dir of book.toml; without one, ./book]
    #[arg(short, long)]
    dest_dir: Option<PathBuf>,
    /// Where the site will stand: https://example.org/docs/, or a path such as /docs/
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Bake the figures of a running server into the pages, with their time
    #[arg(long, value_name = "URL")]
    snapshot: Option<String>,
    /// Treat warnings as errors
    #[arg(long)]
    strict: bool,
    /// Leave out the search
    #[arg(long)]
    no_search: bool,
    /// Print how long each phase took
    #[arg(long)]
    timings: bool,
}

impl BuildArguments {
    fn options(self) -> build::Options {
        build::Options {
            dir: self.dir,
            dest: self.dest_dir,
            base_url: self.base_url,
            snapshot: self.snapshot,
            strict: self.strict,
            search: !self.no_search,
            timings: self.timings,
        }
    }
}

#[derive(Debug, Args)]
struct CheckArguments {
    /// The book: a folder with book.toml, or any folder of Markdown
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// How findings are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Treat warnings as errors
    #[arg(long)]
    strict: bool,
    /// Ask a running server as well: violated claims, and what its traces say of the diagrams
    #[arg(long, value_name = "URL")]
    live: Option<String>,
    /// Seconds of traces that the server must have seen before its diagrams are judged (0: judge at once)
    #[arg(long, value_name = "SECONDS", default_value_t = 30, requires = "live")]
    observe: u32,
    /// Ask the servers of links to the web as well
    #[arg(long)]
    external: bool,
    /// Leave out links to the web that match; `*` stands for any characters; may be given more than once
    #[arg(long, value_name = "PATTERN", requires = "external")]
    external_allow: Vec<String>,
    /// Seconds that a server on the web has for one answer
    #[arg(long, value_name = "SECONDS", default_value_t = 15, requires = "external", value_parser = clap::value_parser!(u32).range(1..=600))]
    external_timeout: u32,
    /// Say what a code means, with an example and how to silence it; without a code list all codes
    #[arg(long, value_name = "CODE", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["live", "external"])]
    explain: Option<String>,
}

#[derive(Debug, Args)]
struct FmtArguments {
    /// Books, folders of Markdown, or Markdown files
    #[arg(default_value = ".")]
    paths: Vec<PathBuf>,
    /// Write nothing; list the files that would change and exit with 1
    #[arg(long)]
    check: bool,
    /// Show the changes as a unified diff
    #[arg(long)]
    diff: bool,
    /// Only restore text that was UTF-8 and was read as Windows-1252 or Windows-1254; sound files stay untouched
    #[arg(long)]
    repair_encoding: bool,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// As a compiler would, with an excerpt
    #[default]
    Human,
    /// One JSON array
    Json,
    /// Annotations of GitHub Actions
    Github,
    /// SARIF 2.1.0
    Sarif,
}

#[derive(Debug, Args)]
struct ServeArguments {
    /// The book: a folder with book.toml, or any folder of Markdown
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Port of the site
    #[arg(short, long, default_value_t = 3000)]
    port: u16,
    /// Address to listen on
    #[arg(short = 'n', long, default_value = "127.0.0.1")]
    hostname: String,
    /// Open the site in the browser
    #[arg(short, long)]
    open: bool,
    /// Do not watch the files
    #[arg(long)]
    no_watch: bool,
    /// Port of the OTLP receiver, gRPC (0: off)
    #[arg(long, default_value_t = 4317)]
    otlp_grpc_port: u16,
    /// Port of the OTLP receiver, HTTP (0: off; it is also at /otlp of the site)
    #[arg(long, default_value_t = 4318)]
    otlp_http_port: u16,
    /// An address to scrape, with the name of its service; may be given more than once
    #[arg(long, value_name = "SERVICE=URL", value_parser = parse_scrape)]
    scrape: Vec<document::ScrapeTarget>,
    /// A URL that lists targets as Prometheus's HTTP service discovery does; more than once
    #[arg(long, value_name = "URL")]
    discovery: Vec<String>,
    /// Folder in which telemetry is kept over restarts [default: .loggia beside book.toml, which may name another]
    #[arg(long, value_name = "DIR", conflicts_with = "in_memory")]
    data_dir: Option<PathBuf>,
    /// Keep telemetry in memory only, as is done for a folder without book.toml
    #[arg(long)]
    in_memory: bool,
    /// How long telemetry is kept in the folder [default: what book.toml says, else 15d]
    #[arg(long, value_name = "TIME", value_parser = document::parse_retention)]
    retention: Option<i64>,
    /// How much room it takes there; beyond it the oldest goes [default: what book.toml says, else 2GB]
    #[arg(long, value_name = "SIZE", value_parser = document::parse_retention_size)]
    retention_size: Option<u64>,
    /// How much memory traces take; what is beyond it is searched for on disk, which takes longer [default: 48 MiB]
    #[arg(long, value_name = "SIZE", value_parser = document::parse_retention_size)]
    trace_memory: Option<u64>,
}

fn parse_scrape(text: &str) -> Result<document::ScrapeTarget, String> {
    let help = "expected SERVICE=URL, for instance shop=http://127.0.0.1:9100/metrics";
    let (job, url) = text.split_once('=').ok_or(help)?;
    if job.is_empty() || !(url.starts_with("http://") || url.starts_with("https://")) {
        return Err(help.to_owned());
    }
    let access = document::ScrapeAccess::default();
    Ok(document::ScrapeTarget {
        job: job.to_owned(),
        url: url.to_owned(),
        access,
        pace: document::ScrapePace::default(),
    })
}

/// Carries out what was typed.
pub fn run(arguments: Arguments) -> ExitCode {
    let talk = arguments.talk;
    start_log(talk);
    let outcome = match arguments.command {
        Command::New { dir, title } => new::run(&dir, title.as_deref(), talk),
        Command::Init { dir } => init::run(&dir, talk),
        Command::Build(a) => build::run(&a.options(), talk),
        Command::Check(a) => run_check(a, talk),
        Command::Fmt(a) => {
            let FmtArguments { check, diff, repair_encoding, .. } = a;
            fmt::run(&a.paths, fmt::Options { check, diff, repair_encoding }, talk)
        }
        Command::Clean { dir, dest_dir } => build::clean(&dir, dest_dir.as_deref(), talk),
        Command::Serve(a) => run_serve(a, talk),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "loggia", &mut script);
            out::put(&String::from_utf8_lossy(&script));
            Ok(ExitCode::SUCCESS)
        }
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(EXIT_FAILURE)
    })
}

fn run_check(a: CheckArguments, talk: Talk) -> anyhow::Result<ExitCode> {
    if let Some(code) = a.explain {
        return check::explain(&code);
    }
    let wanted = check::Wanted {
        format: a.format,
        strict: a.strict,
        live: a.live.map(|url| check::Live { url, observe_s: a.observe }),
        external: a
            .external
            .then_some(check::External { allow: a.external_allow, timeout_s: a.external_timeout }),
    };
    check::run(&a.dir, &wanted, talk)
}

fn run_serve(a: ServeArguments, talk: Talk) -> anyhow::Result<ExitCode> {
    let options = serve::Options {
        dir: a.dir,
        hostname: a.hostname,
        port: a.port,
        otlp_grpc_port: (a.otlp_grpc_port != 0).then_some(a.otlp_grpc_port),
        otlp_http_port: (a.otlp_http_port != 0).then_some(a.otlp_http_port),
        scrape: a.scrape,
        discovery: a.discovery,
        keep: serve::Keep {
            place: match a.data_dir {
                Some(folder) => serve::Place::Folder(folder),
                None if a.in_memory => serve::Place::Memory,
                None => serve::Place::Book,
            },
            retention_ms: a.retention,
            retention_bytes: a.retention_size,
            trace_bytes: a.trace_memory,
        },
        watch: !a.no_watch,
        print_findings: true,
        token: CancellationToken::new(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let token = options.token.clone();
        let running = serve::Server::start(options).await?;
        if !talk.quiet {
            println!("{}", running.greeting());
        }
        if a.open
            && let Err(error) = open::that_detached(running.url())
        {
            eprintln!("warning: cannot open the browser: {error}");
        }
        serve::stop_signal().await?;
        if !talk.quiet {
            println!("stopping");
        }
        token.cancel();
        running.join().await;
        Ok(ExitCode::SUCCESS)
    });
    // A query that still runs on a blocking thread does not hold up the end.
    runtime.shutdown_timeout(STOP_WITHIN);
    ended
}

/// Log lines go to standard error; `LOGGIA_LOG` filters them as `RUST_LOG` would.
fn start_log(talk: Talk) {
    let level = match talk {
        Talk { quiet: true, .. } => "error",
        Talk { verbose: true, .. } => "loggia=debug,telemetry=debug,info",
        _ => "warn",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("LOGGIA_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let colours = std::env::var_os("NO_COLOR").is_none()
        && std::io::IsTerminal::is_terminal(&std::io::stderr());
    // A second subscriber (an embedding program's own) is fine: it keeps the first.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .try_init();
}

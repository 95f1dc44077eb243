//! The book's server, in this process. The one file that knows Loggia.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use loggia::serve::{Keep, Options, PortTaken, Running, Server};
use tokio_util::sync::CancellationToken;

use crate::cli;
use crate::settings::Refusal;

/// The server while it runs.
#[derive(Debug)]
pub(crate) struct Site {
    running: Running,
    token: CancellationToken,
}

impl Site {
    /// Serves `book`, scraping what `discovery` lists and keeping telemetry in `data_dir`.
    pub(crate) async fn start(
        options: &cli::Up,
        book: &Path,
        data_dir: &Path,
        discovery: String,
    ) -> anyhow::Result<Self> {
        let token = CancellationToken::new();
        let started = Server::start(Options {
            dir: book.to_owned(),
            hostname: options.hostname.clone(),
            port: options.port,
            otlp_grpc_port: Some(options.otlp_grpc_port),
            otlp_http_port: Some(options.otlp_http_port),
            scrape: Vec::new(),
            discovery: vec![discovery],
            keep: Keep::folder(data_dir),
            watch: true,
            print_findings: !options.quiet,
            token: token.clone(),
        });
        let running = started.await.map_err(|error| match error.downcast::<PortTaken>() {
            Ok(taken) => Refusal(taken.to_string()).into(),
            Err(error) => error.context("the site did not start"),
        })?;
        Ok(Self { running, token })
    }

    /// What to open.
    pub(crate) fn url(&self) -> String {
        self.running.url()
    }

    /// Where the services send spans.
    pub(crate) fn otlp_endpoint(&self) -> Option<String> {
        let SocketAddr::V4(address) = self.running.otlp_grpc()? else {
            return self.running.otlp_grpc().map(|address| format!("http://{address}"));
        };
        let ip = if address.ip().is_unspecified() { &Ipv4Addr::LOCALHOST } else { address.ip() };
        Some(format!("http://{}", SocketAddr::new(IpAddr::V4(*ip), address.port())))
    }

    /// Ends the server and waits for it.
    pub(crate) async fn stop(self) {
        self.token.cancel();
        self.running.join().await;
    }
}

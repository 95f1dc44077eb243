//! A program with figures of our choice: `/metrics` gives what the test set last, and a server that scrapes it.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tests::{Program, binary, free_port};

/// For a server to start.
const SOON: Duration = Duration::from_secs(30);

/// Something to scrape.
pub(crate) struct Target {
    body: Arc<Mutex<Option<String>>>,
    address: String,
    _runtime: tokio::runtime::Runtime,
}

impl Target {
    /// It answers with nothing yet.
    pub(crate) fn start() -> Self {
        let body = Arc::new(Mutex::new(Some(String::new())));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let said = Arc::clone(&body);
        let answer = move || {
            let body = said.lock().unwrap().clone();
            let open = body.as_ref().is_some_and(|body| body.ends_with("# EOF\n"));
            let kind =
                if open { "application/openmetrics-text; version=1.0.0" } else { "text/plain" };
            async move {
                let body = body.ok_or(axum::http::StatusCode::SERVICE_UNAVAILABLE)?;
                Ok::<_, axum::http::StatusCode>(([("content-type", kind)], body))
            }
        };
        let router = axum::Router::new().route("/metrics", axum::routing::get(answer));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { body, address, _runtime: runtime }
    }

    /// `HOST:PORT`, for others that scrape it too.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What it says from now on, OpenMetrics when it ends so; `None` is an error.
    pub(crate) fn say(&self, body: Option<&str>) {
        *self.body.lock().unwrap() = body.map(str::to_owned);
    }

    /// A server of the book in `dir` that scrapes it as the service `shop`, with its address.
    pub(crate) fn serve(&self, dir: &Path) -> (Program, String) {
        let port = free_port();
        let mut command = Command::new(binary("loggia"));
        command.arg("serve").arg(dir).args(["--no-watch", "--in-memory"]);
        command.args(["--otlp-grpc-port", "0", "--otlp-http-port", "0"]);
        command.args(["--port", &port.to_string()]);
        command.args(["--scrape", &format!("shop=http://{}/metrics", self.address)]);
        let mut program = Program::start(&mut command).unwrap();
        program.wait_for("Ctrl-C", SOON).unwrap();
        (program, format!("http://127.0.0.1:{port}"))
    }
}

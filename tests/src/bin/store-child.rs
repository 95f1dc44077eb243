//! A backend on disk behind OTLP over HTTP, for the crash test: it is killed again and again.
//!
//! `store-child FOLDER SINCE LOSE` prints its port. Its clock runs fast from SINCE on, so that blocks are written and dropped from memory
//! within seconds. Unless LOSE is 0 every so manieth request is answered and stored in memory only: the planted fault that the
//! test has to find.

use anyhow::Context;
use axum::extract::Request;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use telemetry::{Backend, Limits};
use tests::FastClock;

/// Time between two rounds of housekeeping.
const TIDY_EVERY: Duration = Duration::from_millis(50);

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().context("usage: store-child FOLDER SINCE LOSE");
    let folder = next()?;
    let fast = FastClock { since_ms: next()?.parse()? };
    let lose: u64 = next()?.parse()?;
    let backend = Arc::new(fast.open(Path::new(&folder))?);
    let tidied = Arc::clone(&backend);
    std::thread::spawn(move || {
        loop {
            tidied.tidy();
            std::thread::sleep(TIDY_EVERY);
        }
    });
    let forgetful = Arc::new(Backend::with_clock(Limits::default(), fast.clock()));
    let (kept, lost) =
        (telemetry::otlp_http_router(backend), telemetry::otlp_http_router(forgetful));
    let requests = AtomicU64::new(0);
    let serve = async move |request: Request| {
        use tower::ServiceExt as _;
        let number = requests.fetch_add(1, Ordering::Relaxed) + 1;
        let router = if lose > 0 && number.is_multiple_of(lose) { &lost } else { &kept };
        router.clone().oneshot(request).await
    };
    let serve = Arc::new(serve);
    let app = axum::Router::new().fallback(move |request: Request| {
        let serve = Arc::clone(&serve);
        async move { serve(request).await }
    });
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(
        async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            println!("{}", listener.local_addr()?.port());
            Ok(axum::serve(listener, app).await?)
        },
    )
}

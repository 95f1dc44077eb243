//! What this test binary does when the supervisor starts it: a small service
//! on the handed-over socket, in the role that the environment names.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, exit};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use listenfd::ListenFd;
use tokio::signal::unix::{SignalKind, signal};

/// Says what the child shall do.
pub(super) const ROLE: &str = "FLEET_TEST_ROLE";
/// Where the role `supervisor` leaves a note.
pub(super) const FOLDER: &str = "FLEET_TEST_FOLDER";

/// Does nothing in the test run itself; never returns in a child.
pub(super) fn main() {
    let Ok(role) = std::env::var(ROLE) else { return };
    fleet::process::die_with_parent().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match role.as_str() {
        "crash" => {
            eprintln!("the cellar is flooded");
            exit(3);
        }
        "supervisor" => runtime.block_on(supervise()),
        role => runtime.block_on(serve(role)),
    }
    exit(0);
}

async fn serve(role: &str) {
    eprintln!("waiting for godot");
    let ready = match role {
        "never ready" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    let grandchild = match role {
        "family" => Command::new("sleep").arg("600").spawn().unwrap().id().to_string(),
        _ => String::new(),
    };
    let open = Arc::new(AtomicU32::new(0));
    let opened = Arc::clone(&open);
    let router = Router::new()
        .route("/health/ready", get(move || async move { ready }))
        .route("/health/live", get(|| async {}))
        .route("/pid", get(|| async { std::process::id().to_string() }))
        .route("/env", get(|| async { Json(std::env::vars().collect::<BTreeMap<_, _>>()) }))
        .route("/grandchild", get(move || async move { grandchild }))
        .route("/open", get(move || async move { open.load(Ordering::SeqCst).to_string() }))
        .route(
            "/slow",
            get(move || async move {
                opened.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(500)).await;
                "done"
            }),
        );
    let socket = ListenFd::from_env().take_tcp_listener(0).unwrap().expect("a handed-over socket");
    let listener = tokio::net::TcpListener::from_std(socket).unwrap();
    let mut term = signal(SignalKind::terminate()).unwrap();
    let stubborn = role == "stubborn";
    let stop = async move {
        term.recv().await;
        if stubborn {
            std::future::pending::<()>().await;
        }
    };
    axum::serve(listener, router).with_graceful_shutdown(stop).await.unwrap();
}

async fn supervise() {
    let folder = PathBuf::from(std::env::var(FOLDER).unwrap());
    let mut fleet = super::run(&folder, "serve", super::limits()).await;
    let pid = super::only(&fleet).pid.unwrap();
    std::fs::write(folder.join("pid"), pid.to_string()).unwrap();
    tokio::time::sleep(super::PATIENCE).await;
    fleet.stop().await;
}

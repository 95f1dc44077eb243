//! CloudScale's accounts and tokens.

/// Runs the service until it is told to stop (SIGTERM or Ctrl-C).
pub async fn run(config: chassis::Config) -> anyhow::Result<()> {
    let _ = config;
    std::future::pending().await
}

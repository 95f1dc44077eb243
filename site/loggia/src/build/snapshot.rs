//! Asks a running server what it measured, once, so that the figures can be baked into a site of
//! plain files.

use anyhow::Context;
use evidence::Evidence;
use std::time::Duration;

/// One answer takes no longer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// An answer is no larger, bytes.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The evidence of the server at `url`.
pub(super) fn take(url: &str) -> anyhow::Result<Evidence> {
    let address = format!("{}/api/live/evidence", url.trim_end_matches('/'));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let text = runtime
        .block_on(telemetry::fetch(&address, ANSWER_WITHIN, ANSWER_BYTES_MAX))
        .map_err(|why| {
            anyhow::anyhow!(
                "cannot take a snapshot of `{url}`: {why}\nhelp: name a running `loggia serve`, such as http://127.0.0.1:3000, or build without --snapshot"
            )
        })?;
    let mut evidence: Evidence = serde_json::from_str(&text)
        .with_context(|| format!("`{address}` answers something else than this Loggia does"))?;
    // Where its nodes stand is no part of the answer.
    evidence.map.place(None, 0);
    Ok(evidence)
}

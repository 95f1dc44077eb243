//! HTTP service discovery: a URL that lists targets in Prometheus's JSON.
//!
//! The scraper asks every URL now and then and compares what it hears with what it scrapes.

use crate::StaticTarget;
use crate::fetch::{FetchError, Fetcher};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Targets that are scraped at a time, over all sources.
pub(crate) const MAX_TARGETS: usize = 1000;

/// Why a URL listed no targets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiscoveryError {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("the list of targets cannot be read: {0}")]
    Json(#[from] serde_json::Error),
}

/// Targets that share labels.
#[derive(Debug, Deserialize)]
struct Group {
    targets: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// The targets that a URL lists now.
pub(crate) async fn discover(
    fetcher: &Fetcher,
    url: &str,
) -> Result<Vec<StaticTarget>, DiscoveryError> {
    let refresh = [("accept", "application/json")];
    let answer = fetcher.get(url, &refresh).await?;
    Ok(parse(&answer.text)?)
}

fn parse(json: &str) -> Result<Vec<StaticTarget>, serde_json::Error> {
    let groups: Vec<Group> = serde_json::from_str(json)?;
    let targets = groups.into_iter().flat_map(|group| {
        let labels = group.labels;
        group.targets.into_iter().map(move |address| StaticTarget {
            address,
            labels: labels.clone(),
            ..StaticTarget::default()
        })
    });
    Ok(targets.take(MAX_TARGETS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_or_refused() {
        let check = |json: &str, expected: Option<&[(&str, &str)]>| {
            let found = parse(json).ok().map(|targets| {
                targets
                    .into_iter()
                    .map(|target| {
                        (target.address, target.labels.get("job").cloned().unwrap_or_default())
                    })
                    .collect::<Vec<_>>()
            });
            let expected = expected.map(|list| {
                list.iter()
                    .map(|(address, job)| (address.to_string(), job.to_string()))
                    .collect::<Vec<_>>()
            });
            assert_eq!(found, expected, "{json}");
        };
        check("[]", Some(&[]));
        check(
            r#"[{"targets":["127.0.0.1:1","127.0.0.1:2"],"labels":{"job":"orders"}},{"targets":["a:3"]}]"#,
            Some(&[("127.0.0.1:1", "orders"), ("127.0.0.1:2", "orders"), ("a:3", "")]),
        );
        check(r#"{"targets":[]}"#, None);
        check("not json", None);
    }
}

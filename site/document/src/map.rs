//! The `service-map` fence: which part of the generated map a page shows, and how.
//!
//! `fences` hands in the text; `evidence` has the map itself.

use crate::MapOptions;

/// The text of the fence: nothing, or YAML. The error is a message and the byte of the fault.
pub(crate) fn parse(source: &str) -> Result<MapOptions, (String, usize)> {
    // Comments alone are nothing too.
    if source.lines().all(|line| line.trim().is_empty() || line.trim().starts_with('#')) {
        return Ok(MapOptions::default());
    }
    serde_saphyr::from_str(source).map_err(|error| crate::frontmatter::yaml_place(&error, source))
}

//! `loggia init`: a small book to begin with. Never overwrites a file.

use crate::cli::Talk;
use anyhow::Context;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

const BOOK_TOML: &str = r##"[book]
title = "Our architecture"
language = "en"
src = "src"

[output.html]

[output.loggia]
optional = true
# Addresses that answer with Prometheus text; `job` is the service's name.
# scrape = [{ job = "shop", url = "http://127.0.0.1:9100/metrics" }]

# Names under which a service appears in diagrams.
# [output.loggia.services.shop]
# title = "Shop"
# aliases = ["Web Shop"]
"##;

const INDEX: &str = r##"---
title: Our architecture
hero:
  title: Our architecture
  subtitle: What we run, and what it says about itself.
---

## Overview {#overview}

A node whose label names a service carries that service's health, and an edge its rate.

```mermaid
graph LR
    user([Users]) --> shop[Shop]
    shop --> db[(Shop DB)]
    %% bind: user = user
```

## Figures {#figures}

```kpi-grid
[
  { "label": "Response time", "value": "< 200 ms", "unit": "s",
    "query": "histogram_quantile(0.95, sum by (le) (rate(http_server_request_duration_seconds_bucket[$window])))" }
]
```

## Words {#words}

The first use of a term below each heading of this size, on every page, leads to its definition.

```glossary
- term: Service
  definition: A process that others call over the network.
```

## Looks and keys {#looks}

Put a `custom.css` into a folder `theme` beside `book.toml` and save it: this page takes its colours at
once. `header.html` and `footer.html` there stand on every page. Press <kbd>?</kbd> for all keys.
"##;

/// Writes `book.toml` and `src/index.md` below `dir`.
pub fn run(dir: &Path, talk: Talk) -> anyhow::Result<ExitCode> {
    fs::create_dir_all(dir.join("src"))
        .with_context(|| format!("cannot make the folder `{}`", dir.display()))?;
    for (name, text) in [("book.toml", BOOK_TOML), ("src/index.md", INDEX)] {
        let path = dir.join(name);
        match fs::File::create_new(&path) {
            Ok(mut file) => {
                file.write_all(text.as_bytes())
                    .with_context(|| format!("cannot write `{}`", path.display()))?;
                if !talk.quiet {
                    println!("wrote {}", path.display());
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                eprintln!("kept {}: it is there already", path.display());
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot write `{}`", path.display()));
            }
        }
    }
    if !talk.quiet {
        println!("next: loggia serve {} --open", dir.display());
    }
    Ok(ExitCode::SUCCESS)
}

//! Draws each case of a JSON file with one engine and prints how long one drawing took.
//!
//! `run.mjs` hands in the file (`[{"name", "source"}]`) and reads one JSON line per case:
//! `{"name", "ms"}` with the median in milliseconds, or `{"name", "error"}`.

use anyhow::{Context, bail};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// The allocator of the product, for all engines.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One case is drawn again until this much time is spent on it ...
const BUDGET: Duration = Duration::from_millis(600);
/// ... but never more often than this.
const ROUNDS_MAX: usize = 200;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [engine, file] = arguments.as_slice() else { bail!("usage: bench-diagrams ENGINE FILE") };
    let draw: fn(&str) -> Result<usize, String> = match engine.as_str() {
        "loggia" => ours,
        "mermaid-rs-renderer" => peer,
        other => bail!("no engine `{other}`: expected `loggia` or `mermaid-rs-renderer`"),
    };
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{file}`"))?;
    let cases: Vec<serde_json::Value> = serde_json::from_str(&text)?;
    for case in &cases {
        let name = case["name"].as_str().context("a case has no `name`")?;
        let source = case["source"].as_str().context("a case has no `source`")?;
        let line = match median(draw, source) {
            Ok(time) => serde_json::json!({"name": name, "ms": time.as_secs_f64() * 1e3}),
            Err(error) => serde_json::json!({"name": name, "error": error}),
        };
        println!("{line}");
    }
    Ok(())
}

/// The deadline of the product is for authors' pages; here the whole drawing is timed.
fn ours(source: &str) -> Result<usize, String> {
    diagram::draw_within(source, "d0", Duration::from_secs(120))
        .map(|drawing| black_box(drawing.svg.len()))
        .map_err(|error| error.to_string())
}

fn peer(source: &str) -> Result<usize, String> {
    mermaid_rs_renderer::render(source)
        .map(|svg| black_box(svg.len()))
        .map_err(|error| error.to_string())
}

/// Median of the rounds after one that warms up; the first round counts when it alone takes the budget.
fn median(draw: fn(&str) -> Result<usize, String>, source: &str) -> Result<Duration, String> {
    let start = Instant::now();
    draw(source)?;
    let first = start.elapsed();
    if first > BUDGET {
        return Ok(first);
    }
    let (began, mut times) = (Instant::now(), Vec::new());
    while times.len() < ROUNDS_MAX && (times.len() < 3 || began.elapsed() < BUDGET) {
        let start = Instant::now();
        draw(source)?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

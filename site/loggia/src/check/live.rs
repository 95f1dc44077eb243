//! Asks a running server what it measured: violated claims, and diagrams that drifted. Findings carry
//! the place in the book that is checked here.

use super::{Live, place};
use anyhow::{Context, bail};
use diagnostics::{Code, Diagnostic, SourceFile};
use document::Book;
use serde::Deserialize;
use std::time::{Duration, Instant};

/// One answer takes no longer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// An answer is no larger, bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Traces that a server must have seen before its diagrams are judged, besides the time.
const TRACES_MIN: u64 = 10;
/// Waiting for traces ends so long after the time that was to be observed.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Time between two lines of progress.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// What the server said.
pub(super) struct Answer {
    pub(super) findings: Vec<Diagnostic>,
    /// How much was looked at, in a sentence.
    pub(super) summary: String,
}

#[derive(Deserialize)]
struct DriftAnswer {
    drift: Drift,
}

#[derive(Deserialize)]
struct Drift {
    observation: Observation,
    conformance: Option<f64>,
    pages: Vec<PageDrift>,
}

#[derive(Deserialize)]
struct Observation {
    covered_s: f64,
    traces: u64,
    traced_share: Option<f64>,
}

#[derive(Deserialize)]
struct PageDrift {
    id: String,
    source: String,
    diagrams: Vec<DiagramDrift>,
}

#[derive(Deserialize)]
struct DiagramDrift {
    index: usize,
    caption: String,
    drawn: Vec<Drawn>,
    undocumented: Vec<Undocumented>,
}

#[derive(Deserialize)]
struct Drawn {
    from_node: String,
    to_node: String,
    from: String,
    to: String,
    state: String,
    unjudged: Option<String>,
}

#[derive(Deserialize)]
struct Undocumented {
    from_node: String,
    to_node: String,
    from: String,
    to: String,
    seen: Seen,
}

#[derive(Deserialize)]
struct Seen {
    calls: u64,
    example_trace: String,
}

#[derive(Deserialize)]
struct ClaimsAnswer {
    claims: Vec<Claim>,
}

#[derive(Deserialize)]
struct Claim {
    page: String,
    source: String,
    label: String,
    claim: String,
    measured: Measured,
}

#[derive(Deserialize)]
struct Measured {
    verdict: String,
    reason: String,
}

/// Asks until the server has seen enough, then reports. `progress` says on standard error what is
/// waited for.
pub(super) fn ask(book: &Book, live: &Live, progress: bool) -> anyhow::Result<Answer> {
    let url = live.url.trim_end_matches('/');
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let drift = observed(book, url, live.observe_s, progress).await?;
        let claims: ClaimsAnswer = get(&format!("{url}/api/live/claims")).await?;
        let mut findings = violated(book, &claims.claims);
        for page in &drift.pages {
            for diagram in &page.diagrams {
                findings.extend(drifted(book, url, page, diagram, &drift.observation));
            }
        }
        Ok(Answer { findings, summary: summary(url, &drift) })
    })
}

/// The drift once enough was observed. A book without diagrams waits for nothing.
async fn observed(book: &Book, url: &str, observe_s: u32, progress: bool) -> anyhow::Result<Drift> {
    let address = format!("{url}/api/live/drift");
    let draws = book.pages.iter().any(|page| page.diagrams().next().is_some());
    let (needed_s, needed) = if draws && observe_s > 0 { (observe_s, TRACES_MIN) } else { (0, 0) };
    let (start, mut told) = (Instant::now(), None::<Instant>);
    loop {
        let answer: DriftAnswer = get(&address).await?;
        let Observation { covered_s, traces, .. } = answer.drift.observation;
        if covered_s >= f64::from(needed_s) && traces >= needed {
            return Ok(answer.drift);
        }
        let seen = format!("{traces} of {needed} traces in {covered_s:.0} of {needed_s} s");
        if start.elapsed() > Duration::from_secs(needed_s.into()) + PATIENCE {
            bail!(
                "`{url}` has seen too little to judge the diagrams: {seen}\n\
                 help: send requests through the services, or take what is there with `--observe 0`"
            );
        }
        if progress && told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            eprintln!("waiting for traces: {seen}");
            told = Some(Instant::now());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn get<T: serde::de::DeserializeOwned>(url: &str) -> anyhow::Result<T> {
    let text = telemetry::fetch(url, ANSWER_WITHIN, ANSWER_BYTES_MAX).await.map_err(|why| {
        anyhow::anyhow!(
            "cannot ask `{url}`: {why}\nhelp: name a running `loggia serve`, such as http://127.0.0.1:3000"
        )
    })?;
    serde_json::from_str(&text)
        .with_context(|| format!("`{url}` answers something else than Loggia does"))
}

fn violated(book: &Book, claims: &[Claim]) -> Vec<Diagnostic> {
    let violated = claims.iter().filter(|claim| claim.measured.verdict == "violated");
    violated
        .map(|claim| {
            let message = format!(
                "`{}: {}` is violated: {}",
                claim.label, claim.claim, claim.measured.reason
            );
            match book.page(&claim.page) {
                Some(page) => {
                    let place = place::of_claim(page, &claim.label);
                    Diagnostic::at(Code::Claim, &page.file, place, message)
                }
                None => elsewhere(Code::Claim, &claim.source, message),
            }
        })
        .collect()
}

fn drifted(
    book: &Book,
    url: &str,
    page: &PageDrift,
    diagram: &DiagramDrift,
    observation: &Observation,
) -> Vec<Diagnostic> {
    let here = book.page(&page.id);
    let missing = diagram.undocumented.iter().map(|call| {
        let message = format!(
            "`{}` calls `{}`, which the diagram `{}` does not show",
            call.from, call.to, diagram.caption
        );
        let found = match here {
            Some(page) => {
                let place = place::of_diagram(page, diagram.index);
                Diagnostic::at(Code::Undocumented, &page.file, place, message)
            }
            None => elsewhere(Code::Undocumented, &page.source, message),
        };
        found.with_help(format!(
            "add `{} --> {}`; {} such calls were seen, one of them in {url}/live/traces/{}",
            call.from_node, call.to_node, call.seen.calls, call.seen.example_trace
        ))
    });
    let never = |call: &&Drawn| call.state == "never-seen" && call.unjudged.is_none();
    let unseen = diagram.drawn.iter().filter(never).map(|call| {
        let message = format!(
            "the diagram `{}` draws `{}` to `{}`, which no trace shows",
            diagram.caption, call.from, call.to
        );
        let found = match here {
            Some(page) => {
                let place =
                    place::of_edge(page, diagram.index, &call.from_node, &call.to_node);
                Diagnostic::at(Code::NeverSeen, &page.file, place, message)
            }
            None => elsewhere(Code::NeverSeen, &page.source, message),
        };
        found.with_help(format!(
            "not among {}, which does not mean absent: send such a request and look again, or take the line out",
            looked_at(observation)
        ))
    });
    missing.chain(unseen).collect()
}

/// The server shows a page that is not in the book that is checked.
fn elsewhere(code: Code, source: &str, message: String) -> Diagnostic {
    Diagnostic::at(code, &SourceFile::new(source, ""), 0..0, message)
        .with_label("the server has this page; it is not in this book")
}

fn looked_at(observation: &Observation) -> String {
    let Observation { covered_s, traces, .. } = observation;
    let sampled = match observation.traced_share {
        Some(share) => format!(" ({:.0} % of the requests that metrics count)", share * 100.0),
        None => String::new(),
    };
    format!("{traces} traces in {covered_s:.0} s{sampled}")
}

fn summary(url: &str, drift: &Drift) -> String {
    let confirmed = match drift.conformance {
        Some(share) => format!("{:.1} % of the drawn edges are confirmed", share * 100.0),
        None => "no drawn edge can be judged".to_owned(),
    };
    format!("asked {url}: {confirmed} by {}", looked_at(&drift.observation))
}

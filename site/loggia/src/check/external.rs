//! Asks the servers of links to the web whether they answer. Each address is asked once in a run, a
//! host by one worker at a time with a pause between two requests, so that nobody is flooded.
//!
//! `check` hands in the links of a book and prints what comes back.

mod address;
mod client;

use client::{Client, Fault};
use diagnostics::{Code, Diagnostic};
use document::{CheckRules, ExternalLink};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

/// Hosts that are asked at the same time.
const HOSTS_AT_ONCE: usize = 16;
/// Between two requests to one host.
const HOST_PAUSE: Duration = Duration::from_millis(100);
/// A host that gave no answer for so many addresses in a row is asked no more.
const SILENT_MAX: usize = 3;
/// Addresses that are asked in one run.
const ADDRESSES_MAX: usize = 20_000;
/// The bar is drawn so often, a second.
const DRAWN_HZ: u8 = 8;

/// Which links to the web are asked, and how patiently.
#[derive(Debug, Clone)]
pub struct External {
    /// Addresses that are not asked; `*` stands for any characters.
    pub allow: Vec<String>,
    /// Seconds for one request with all its redirects.
    pub timeout_s: u32,
}

/// What the servers said.
pub(super) struct Answer {
    pub(super) findings: Vec<Diagnostic>,
    /// How much was asked, in a sentence.
    pub(super) summary: String,
}

/// Asks for every link once, except for what the command and the book (`rules`) leave out; `progress` shows a bar where standard error is a terminal.
pub(super) fn ask(
    links: &[ExternalLink],
    external: &External,
    rules: &CheckRules,
    progress: bool,
) -> Answer {
    let allowed = |url: &str| {
        let patterns = external.allow.iter().chain(&rules.external_allow);
        patterns.into_iter().any(|pattern| address::matches(pattern, url))
    };
    let mut seen = HashSet::new();
    let mut hosts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut left_out = 0;
    for url in links.iter().map(|link| address::asked(&link.url)) {
        // A host beyond ASCII has another name on the wire, which is not made here.
        let beyond = address::host(&url).contains('%');
        if beyond || address::nobodys(&url) || allowed(&url) {
            continue;
        }
        if seen.len() >= ADDRESSES_MAX && !seen.contains(&url) {
            left_out += 1;
        } else if seen.insert(url.clone()) {
            hosts.entry(address::host(&url).to_owned()).or_default().push(url);
        }
    }
    let number = hosts.len();
    let faults = ask_all(hosts, &Client::new(external.timeout_s), &bar(seen.len(), progress));
    let findings = links
        .iter()
        .filter_map(|l| Some(finding(l, faults.get(&address::asked(&l.url))?)))
        .collect();
    let (all, broken) = (seen.len(), faults.len());
    let mut summary = format!(
        "asked for {all} address{} at {number} host{}: {broken} without a good answer",
        if all == 1 { "" } else { "es" },
        if number == 1 { "" } else { "s" },
    );
    if left_out > 0 {
        summary += &format!("; {left_out} more than {ADDRESSES_MAX} were not asked for");
    }
    Answer { findings, summary }
}

fn bar(addresses: usize, progress: bool) -> ProgressBar {
    let target = match progress {
        true => ProgressDrawTarget::stderr_with_hz(DRAWN_HZ),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(addresses as u64), target);
    match ProgressStyle::with_template("asking {pos} of {len}  {wide_msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// The addresses that gave no good answer.
fn ask_all(
    hosts: BTreeMap<String, Vec<String>>,
    client: &Client,
    bar: &ProgressBar,
) -> HashMap<String, Fault> {
    let mut hosts: Vec<(String, Vec<String>)> = hosts.into_iter().collect();
    // The host with most addresses takes longest, so it is the first to begin.
    hosts.sort_by_key(|(_, urls)| std::cmp::Reverse(urls.len()));
    let workers = hosts.len().min(HOSTS_AT_ONCE);
    let queue: Mutex<VecDeque<(String, Vec<String>)>> = Mutex::new(hosts.into());
    let faults: Mutex<HashMap<String, Fault>> = Mutex::default();
    const HELD: &str = "no worker panics while it holds the lock";
    let work = || {
        loop {
            let Some((host, urls)) = queue.lock().expect(HELD).pop_front() else { return };
            bar.set_message(host);
            let found = ask_host(urls, client, bar);
            faults.lock().expect(HELD).extend(found);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    bar.finish_and_clear();
    faults.into_inner().expect(HELD)
}

/// One after the other, until the host is silent or does not want to be asked.
fn ask_host(urls: Vec<String>, client: &Client, bar: &ProgressBar) -> Vec<(String, Fault)> {
    let mut faults: Vec<(String, Fault)> = Vec::new();
    let mut silent = 0;
    let mut over: Option<Fault> = None;
    for (nth, url) in urls.into_iter().enumerate() {
        bar.inc(1);
        if let Some(fault) = &over {
            faults.push((url, fault.clone()));
            continue;
        }
        if nth > 0 {
            std::thread::sleep(HOST_PAUSE);
        }
        let answer = client.look(&url);
        silent = if matches!(answer, Err(Fault::Silent(_))) { silent + 1 } else { 0 };
        if let Err(fault) = answer {
            if silent >= SILENT_MAX || matches!(fault, Fault::Busy(_)) {
                over = Some(Fault::NotAsked(fault.to_string()));
            }
            faults.push((url, fault));
        }
    }
    faults
}

fn finding(link: &ExternalLink, fault: &Fault) -> Diagnostic {
    let message = match fault {
        Fault::NotAsked(why) => {
            format!("`{}` was not asked for, as its host fails: {why}", link.url)
        }
        Fault::Refused(why) | Fault::Silent(why) | Fault::Busy(why) => {
            format!("`{}` cannot be reached: {why}", link.url)
        }
    };
    let help = "mend the address, or leave it out with `--external-allow PATTERN`";
    Diagnostic::at(Code::ExternalLink, &link.file, link.span.clone(), message).with_help(help)
}

//! What a person sees: a short start log with a spinner on a terminal, plain
//! lines elsewhere, colours unless `NO_COLOR` is set. Knows nothing of what it
//! tells; `up` hands it the words.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::time::Duration;

use fleet::{Event, Happening, Status};
use indicatif::{ProgressBar, ProgressStyle};

/// Pause between two pictures of the spinner.
const SPIN: Duration = Duration::from_millis(100);

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Volume {
    /// Only what goes wrong.
    Quiet,
    Normal,
    /// Everything that happens.
    Verbose,
}

/// Where a person reads.
#[derive(Debug)]
pub(crate) struct Console {
    volume: Volume,
    colour: bool,
    spinner: ProgressBar,
}

/// One line of the overview.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) place: String,
    pub(crate) pid: Option<u32>,
}

impl Console {
    /// A console on standard output; problems go to standard error.
    pub(crate) fn new(volume: Volume) -> Self {
        let coloured = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let terminal = stdout().is_terminal() && stderr().is_terminal();
        let spinner = match terminal && volume != Volume::Quiet {
            true => ProgressBar::new_spinner(),
            false => ProgressBar::hidden(),
        };
        Self { volume, colour: coloured && terminal, spinner }
    }

    /// A console for an error, and nothing else.
    pub(crate) fn errors() -> Self {
        let console = Self::new(Volume::Quiet);
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { colour: colour && stderr().is_terminal(), ..console }
    }

    /// Says a line.
    pub(crate) fn say(&self, line: &str) {
        if self.volume >= Volume::Normal {
            self.spinner.suspend(|| print(&mut stdout(), line));
        }
    }

    /// Says what is waited for.
    pub(crate) fn waiting(&self, replicas: &[Status]) {
        let missing: Vec<_> = replicas
            .iter()
            .filter(|replica| !replica.was_ready)
            .map(|replica| replica.instance.as_str())
            .collect();
        if self.spinner.is_hidden() {
            return;
        }
        if self.spinner.message().is_empty() {
            let style = ProgressStyle::with_template("  {spinner:.cyan} waiting for {msg}");
            self.spinner.set_style(style.expect("the template is constant"));
            self.spinner.enable_steady_tick(SPIN);
        }
        self.spinner.set_message(missing.join(", "));
    }

    /// The waiting is over.
    pub(crate) fn waited(&self) {
        self.spinner.finish_and_clear();
    }

    /// Says what runs where, what to open and how to stop.
    pub(crate) fn overview(&self, lines: &[Line], open: &str, data_dir: &str) {
        let width = lines.iter().map(|line| line.place.len()).max().unwrap_or(0);
        let names = lines.iter().map(|line| line.name.len()).max().unwrap_or(0);
        for Line { name, place, pid } in lines {
            let pid = pid.map(|pid| format!("pid {pid}")).unwrap_or_default();
            let mark = self.paint("32", "✓");
            self.say(&format!("  {mark} {name:names$} {place:width$}  {}", self.paint("2", &pid)));
        }
        self.say("");
        self.say(&format!("  Open  {}", self.paint("1;36", open)));
        self.say(&format!(
            "  Stop  Ctrl-C {}",
            self.paint("2", &format!("(logs and data: {data_dir})"))
        ));
        self.say("");
    }

    /// Says what happened to a replica, if it is worth a line. During the start
    /// that is its readiness, later its trouble.
    pub(crate) fn event(&self, event: &Event, starting: bool) {
        let from = match &event.happening {
            Happening::Exited { .. } | Happening::Deaf { .. } => Volume::Quiet,
            Happening::Stopped { killed: true } => Volume::Quiet,
            Happening::Restarting { .. } | Happening::Unready => Volume::Normal,
            Happening::Faulted { .. } | Happening::Healed { .. } => Volume::Normal,
            // On a terminal the spinner tells.
            Happening::Ready if starting && !self.spinner.is_hidden() => Volume::Verbose,
            Happening::Ready => Volume::Normal,
            Happening::Started { .. } | Happening::Stopped { .. } => Volume::Verbose,
        };
        if self.volume < from {
            return;
        }
        let colour = match event.happening {
            Happening::Ready | Happening::Healed { .. } => "32",
            Happening::Started { .. } | Happening::Stopped { killed: false } => "2",
            _ => "33",
        };
        let line = format!("  {}", self.paint(colour, &event.to_string()));
        match from {
            Volume::Quiet => self.spinner.suspend(|| print(&mut stderr(), &line)),
            _ => self.say(&line),
        }
    }

    /// Says what went wrong, with its causes and its help last.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let causes: Vec<_> = error.chain().map(ToString::to_string).collect();
        let (mut text, mut helps) = (Vec::new(), Vec::new());
        for cause in &causes {
            let (what, help) = cause
                .split_once("\nhelp:")
                .map_or((cause.as_str(), None), |(what, help)| (what, Some(help)));
            text.push(what);
            helps.extend(help);
        }
        let error = self.paint("1;31", "error");
        print(&mut stderr(), &format!("{error}: {}", text.join(": ")));
        for help in helps {
            print(&mut stderr(), &format!("{}:{help}", self.paint("36", "help")));
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        match self.colour && !text.is_empty() {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }
}

/// Writes a line. That nobody reads any more (a closed terminal, `| head`) must
/// not keep anything from being stopped in order.
fn print(to: &mut impl Write, line: &str) {
    let _ = writeln!(to, "{line}");
}

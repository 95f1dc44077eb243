//! Runs one of mdBook's preprocessors: a command that reads the book as JSON and prints it changed.
//!
//! `prepare` hands in the book and takes what was printed. The command comes from the author's
//! `book.toml` and runs with the rights of whoever builds the book, as under mdBook.

use document::Preprocessor;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A command that takes longer is ended. Some compile themselves first (`cargo run`).
const TIME_MAX: Duration = Duration::from_secs(600);
/// How often it is looked whether a command has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Of a longer answer the rest is not read, and the answer is refused.
const ANSWER_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Of longer messages the rest is dropped.
const MESSAGES_BYTES_MAX: u64 = 256 * 1024;
/// Lines of a command's messages that a finding quotes.
const QUOTED_LINES: usize = 4;

/// Why a preprocessor had no effect.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) message: String,
    pub(crate) help: String,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

/// A preprocessor that is to run in the book's folder.
pub(crate) struct Command<'a> {
    pub(crate) config: &'a Preprocessor,
    pub(crate) root: &'a Path,
}

/// What a command printed.
struct Printed {
    status: ExitStatus,
    answer: Vec<u8>,
    messages: String,
}

impl Command<'_> {
    /// The first call: whether it works for our renderer. A missing one that is optional does not.
    pub(crate) fn supports(&self) -> Result<bool, Fault> {
        let printed = self.call(&["supports", self.config.renderer()], Vec::new())?;
        Ok(printed.is_some_and(|printed| printed.status.success()))
    }

    /// The second call: the book in, the book out; `None` when it is missing and optional.
    pub(crate) fn run(&self, input: Vec<u8>) -> Result<Option<Vec<u8>>, Fault> {
        let Some(printed) = self.call(&[], input)? else { return Ok(None) };
        let name = &self.config.name;
        if !printed.status.success() {
            let message = format!("the preprocessor `{name}` failed ({})", printed.status);
            return Err(Fault::new(message, said(&printed.messages)));
        }
        eprint!("{}", printed.messages);
        if printed.answer.len() as u64 >= ANSWER_BYTES_MAX {
            let message = format!(
                "the preprocessor `{name}` printed more than {} MiB",
                ANSWER_BYTES_MAX / 1024 / 1024
            );
            return Err(Fault::new(message, "it must print the book once"));
        }
        Ok(Some(printed.answer))
    }

    fn call(&self, arguments: &[&str], input: Vec<u8>) -> Result<Option<Printed>, Fault> {
        let name = &self.config.name;
        let mut words = words(&self.config.command).into_iter();
        let Some(program) = words.next() else {
            return Err(Fault::new(
                format!("the preprocessor `{name}` has an empty command"),
                format!("name a program, or leave `command` out for `mdbook-{name}`"),
            ));
        };
        let spawned = std::process::Command::new(self.program(&program))
            .args(words)
            .args(arguments)
            .current_dir(self.root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        match spawned {
            Ok(child) => self.attend(child, input).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.config.optional => {
                Ok(None)
            }
            Err(error) => Err(Fault::new(
                format!("cannot run `{program}` for the preprocessor `{name}`: {error}"),
                "install it, or say `optional = true` to build without it",
            )),
        }
    }

    /// A name is looked up in PATH; a path starts at the book's folder.
    fn program(&self, program: &str) -> PathBuf {
        if Path::new(program).components().count() == 1 {
            return PathBuf::from(program);
        }
        let path = self.root.join(program);
        path.canonicalize().unwrap_or(path)
    }

    /// Feeds the command and listens to it until it ends or its time is over.
    fn attend(&self, mut child: Child, input: Vec<u8>) -> Result<Printed, Fault> {
        let stdin = child.stdin.take();
        let answer = listen(child.stdout.take(), ANSWER_BYTES_MAX);
        let messages = listen(child.stderr.take(), MESSAGES_BYTES_MAX);
        // A command may end without reading all of it: that is its affair.
        std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
        let until = Instant::now() + TIME_MAX;
        let name = &self.config.name;
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() < until => std::thread::sleep(LOOK_EVERY),
                Ok(None) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    let seconds = TIME_MAX.as_secs();
                    return Err(Fault::new(
                        format!("the preprocessor `{name}` took longer than {seconds} s"),
                        said(&String::from_utf8_lossy(&messages.recv().unwrap_or_default())),
                    ));
                }
                Err(error) => {
                    let message = format!("cannot wait for the preprocessor `{name}`: {error}");
                    return Err(Fault::new(message, "try again"));
                }
            }
        };
        // A child of the command's may keep the pipe open: it does not count as part of the answer.
        let heard = |pipe: &mpsc::Receiver<Vec<u8>>| {
            pipe.recv_timeout(until.saturating_duration_since(Instant::now())).unwrap_or_default()
        };
        let answer = heard(&answer);
        let messages = String::from_utf8_lossy(&heard(&messages)).into_owned();
        Ok(Printed { status, answer, messages })
    }
}

/// Reads a pipe to its end, beside whatever else is going on.
fn listen(pipe: Option<impl Read + Send + 'static>, bytes_max: u64) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut heard = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.by_ref().take(bytes_max).read_to_end(&mut heard);
            // The command must not block on a full pipe.
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        let _ = sender.send(heard);
    });
    receiver
}

/// The last lines of a command's messages.
fn said(messages: &str) -> String {
    let lines: Vec<&str> = messages.lines().filter(|line| !line.trim().is_empty()).collect();
    match lines.len() {
        0 => "it printed no message".to_owned(),
        many => format!("it said: {}", lines[many.saturating_sub(QUOTED_LINES)..].join(" | ")),
    }
}

/// Splits a command as a shell does: blanks, both kinds of quotes, backslashes.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = command.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(letters.next()),
            (None, _) if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_split() {
        for (command, expected) in [
            ("cargo run  --bin x", &["cargo", "run", "--bin", "x"][..]),
            ("'a b' \"c \\\" d\" e\\ f ''", &["a b", "c \" d", "e f", ""]),
            ("  ", &[]),
        ] {
            assert_eq!(words(command), expected, "{command}");
        }
    }
}

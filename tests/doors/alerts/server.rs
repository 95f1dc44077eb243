//! A small HTTP server: a target whose text can be changed, and a receiver that answers as it is told
//! and keeps what it took.

use serde_json::Value;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What it answers and what it heard.
#[derive(Default)]
struct State {
    metrics: String,
    /// Answers to the next requests; then all are taken.
    answers: VecDeque<&'static str>,
    heard: Vec<Heard>,
}

/// One request that came.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub(super) path: String,
    pub(super) headers: String,
    pub(super) body: Value,
    /// Whether it was taken.
    pub(super) taken: bool,
}

/// A server at a free port, for as long as the test runs.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) port: u16,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub(super) fn start() -> Self {
        Self::at(0)
    }

    /// At a port that was told to somebody before.
    pub(super) fn at(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), state: Arc::default() };
        let serving = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.answer(stream));
            }
        });
        server
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    pub(super) fn show(&self, metrics: &str) {
        self.state.lock().unwrap().metrics = metrics.to_owned();
    }

    /// Answers the next requests so: lines of status and headers.
    pub(super) fn fail_first(&self, answers: &[&'static str]) {
        self.state.lock().unwrap().answers.extend(answers);
    }

    /// What came to a path.
    pub(super) fn heard(&self, path: &str) -> Vec<Heard> {
        let state = self.state.lock().unwrap();
        state.heard.iter().filter(|heard| heard.path == path).cloned().collect()
    }

    /// What was taken at a path.
    pub(super) fn taken(&self, path: &str) -> Vec<Value> {
        self.heard(path).into_iter().filter(|heard| heard.taken).map(|heard| heard.body).collect()
    }

    fn answer(&self, mut stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        loop {
            let mut headers = String::new();
            while reader.read_line(&mut headers).ok()? > 2 {}
            if headers.is_empty() {
                return None;
            }
            let length = headers.lines().find_map(|line| {
                line.to_lowercase()
                    .strip_prefix("content-length:")
                    .and_then(|n| n.trim().parse().ok())
            });
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body).ok()?;
            let mut words = headers.split(' ');
            let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
            let mut state = self.state.lock().unwrap();
            let (status, text) = match method.as_str() {
                "GET" => {
                    ("200 OK\r\ncontent-type: text/plain; version=0.0.4", state.metrics.clone())
                }
                _ => {
                    let answer = state.answers.pop_front();
                    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
                    let taken = answer.is_none();
                    // As many servers do, it repeats what it was asked.
                    let said =
                        if taken { "{}".to_owned() } else { format!("cannot take {headers}") };
                    state.heard.push(Heard { path, headers, body, taken });
                    (answer.unwrap_or("202 Accepted"), said)
                }
            };
            drop(state);
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{text}", text.len());
            stream.write_all(answer.as_bytes()).ok()?;
        }
    }
}

//! The command line: exit codes, help, formats, and that nothing of the user's is lost.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tests::{binary, free_port, run_to_end};

fn loggia(arguments: &[&str], dir: &Path) -> Output {
    run_to_end(Command::new(binary("loggia")).args(arguments).current_dir(dir).env("NO_COLOR", "1"))
}

fn words(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// `loggia check ... | head` closes the pipe before all is written.
#[test]
fn a_reader_that_has_enough_is_no_mistake() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.md"), "# Page\n\n[x](nowhere.md)\n").unwrap();
    for (arguments, code) in [
        (&["check", "--format", "json", "."][..], 1),
        (&["check", "--format", "github", "."][..], 1),
        (&["check", "--explain", "L004"][..], 0),
        (&["completions", "bash"][..], 0),
        (&["fmt", "--check", "."][..], 0),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(binary("loggia"));
        command.args(arguments).current_dir(dir.path()).stdout(writer);
        let output = command.stdin(std::process::Stdio::null()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn exit_codes_and_words() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("empty")).unwrap();
    fs::create_dir(dir.path().join("good")).unwrap();
    fs::write(dir.path().join("good/index.md"), "# Fine\n\nText.\n").unwrap();
    fs::create_dir(dir.path().join("bad")).unwrap();
    fs::write(dir.path().join("bad/index.md"), "# Page\n\n[x](nowhere.md)\n").unwrap();
    for (arguments, code, expected) in [
        (&["--help"][..], 0, "Examples:"),
        (&["build", "--help"][..], 0, "Exit code"),
        (&["--version"][..], 0, "loggia 0.1"),
        (&["frobnicate"][..], 2, "unrecognized subcommand"),
        (&["check", "good"][..], 0, "nothing to mend"),
        (&["check", "bad"][..], 1, "L004"),
        (&["check", "missing"][..], 2, "cannot read `missing`"),
        (&["check", "empty"][..], 2, "holds no Markdown file"),
        (&["check", "good/index.md"][..], 2, "is a file"),
        (&["build", "good", "-d", "out"][..], 0, "built 1 page"),
        (&["build", "bad", "-d", "out2"][..], 1, "1 error"),
        (&["serve", "missing", "--port", "0"][..], 2, "cannot read `missing`"),
        (&["completions", "bash"][..], 0, "complete -F"),
    ] {
        let output = loggia(arguments, dir.path());
        let words = words(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {words}");
        assert!(words.contains(expected), "{arguments:?}: {words}");
    }
}

#[test]
fn check_formats() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.md"), "# Page\n\n[x](nowhere.md)\n").unwrap();
    let json = loggia(&["check", ".", "--format", "json"], dir.path());
    let found: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(found[0]["code"], "L004");
    assert_eq!((found[0]["line"].as_u64(), found[0]["file"].as_str()), (Some(3), Some("index.md")));
    let github = loggia(&["check", ".", "--format", "github"], dir.path());
    let line = String::from_utf8(github.stdout).unwrap();
    assert!(line.starts_with("::error file=index.md,line=3,col="), "{line}");
}

#[test]
fn build_keeps_foreign_files_and_removes_its_own_stale_ones() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("src")).unwrap();
    fs::write(at("src/index.md"), "# One\n").unwrap();
    fs::write(at("src/two.md"), "# Two\n").unwrap();
    fs::write(at("src/picture.svg"), "<svg xmlns='http://www.w3.org/2000/svg'/>").unwrap();
    fs::create_dir(at("mine")).unwrap();
    fs::write(at("mine/letter.txt"), "keep me").unwrap();

    let refused = loggia(&["build", "src", "-d", "mine"], dir.path());
    assert_eq!(refused.status.code(), Some(2), "{}", words(&refused));
    assert!(at("mine/letter.txt").is_file());

    assert!(loggia(&["build", "src", "-d", "out"], dir.path()).status.success());
    assert!(at("out/two.html").is_file() && at("out/picture.svg").is_file());
    fs::remove_file(at("src/two.md")).unwrap();
    fs::write(at("out/CNAME"), "example.org").unwrap();
    assert!(loggia(&["build", "src", "-d", "out"], dir.path()).status.success());
    assert!(!at("out/two.html").exists(), "a page that went is removed");
    assert!(at("out/CNAME").is_file(), "a file that somebody else put there stays");

    assert!(loggia(&["clean", "src", "-d", "out"], dir.path()).status.success());
    assert!(!at("out/index.html").exists() && at("out/CNAME").is_file());
}

#[test]
fn init_makes_a_book_that_builds_and_overwrites_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let first = loggia(&["init", "book"], dir.path());
    assert!(first.status.success(), "{}", words(&first));
    let check = loggia(&["check", "book", "--strict"], dir.path());
    assert!(check.status.success(), "{}", words(&check));
    fs::write(dir.path().join("book/src/index.md"), "# Mine\n").unwrap();
    assert!(loggia(&["init", "book"], dir.path()).status.success());
    assert_eq!(fs::read_to_string(dir.path().join("book/src/index.md")).unwrap(), "# Mine\n");
}

#[test]
fn new_makes_a_sound_book_in_a_folder_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| fs::read_to_string(dir.path().join(path)).unwrap();
    for (arguments, title) in [
        (&["new", "our-shop"][..], "Our shop"),
        (
            &["new", "b", "--title", "A \"b\" \\ c: #d <e>"][..],
            "A &#34;b&#34; \\ c: #d &#60;e&#62;",
        ),
    ] {
        let made = loggia(arguments, dir.path());
        assert!(made.status.success(), "{}", words(&made));
        let check = loggia(&["check", arguments[1], "--strict"], dir.path());
        assert!(words(&check).contains("nothing to mend"), "{}", words(&check));
        let even = loggia(&["fmt", arguments[1], "--check"], dir.path());
        assert!(even.status.success(), "{}", words(&even));
        let site = format!("{}/book", arguments[1]);
        assert!(loggia(&["build", arguments[1], "-d", &site], dir.path()).status.success());
        let page = at(&format!("{site}/index.html"));
        assert!(page.contains(&format!("<title>{title}")), "{page}");
        let again = loggia(arguments, dir.path());
        assert_eq!(again.status.code(), Some(2), "{}", words(&again));
        assert!(words(&again).contains("is not empty"), "{}", words(&again));
    }
}

#[test]
fn a_taken_port_is_named_with_its_option() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("index.md"), "# Page\n").unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let free = free_port().to_string();
    for (arguments, option) in [
        (["--port", &port, "--otlp-grpc-port", "0", "--otlp-http-port", "0"], "--port"),
        (["--port", &free, "--otlp-grpc-port", &port, "--otlp-http-port", "0"], "--otlp-grpc-port"),
        (["--port", &free, "--otlp-grpc-port", "0", "--otlp-http-port", &port], "--otlp-http-port"),
    ] {
        let mut all = vec!["serve", "."];
        all.extend(arguments);
        let output = loggia(&all, dir.path());
        let words = words(&output);
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(words.contains(&format!("127.0.0.1:{port}")) && words.contains(option), "{words}");
    }
}

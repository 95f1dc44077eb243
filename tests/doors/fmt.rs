//! `loggia fmt`: what it writes, what it leaves, what it says.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tests::{binary, run_to_end, shared};

fn fmt(arguments: &[&str], dir: &Path) -> (i32, String) {
    let mut command = Command::new(binary("loggia"));
    let output: Output =
        run_to_end(command.arg("fmt").args(arguments).current_dir(dir).env("NO_COLOR", "1"));
    let words = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.code().unwrap_or(-1), words)
}

const UNEVEN: &str = "Title\n=====\n* one  \n* two\n\n\n\n| a | b |\n|-|-|\n| long | x |\n";
const EVEN: &str = "# Title\n\n- one\n- two\n\n| a    | b   |\n| ---- | --- |\n| long | x   |\n";

#[test]
fn a_book_is_formatted_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.md");
    fs::write(&file, UNEVEN).unwrap();
    fs::write(dir.path().join("b.md"), EVEN).unwrap();
    let (code, words) = fmt(&["--check", "--diff"], dir.path());
    assert_eq!(code, 1, "{words}");
    assert!(words.contains("would format a.md"), "{words}");
    assert!(words.contains("--- a/a.md") && words.contains("+# Title"), "{words}");
    assert!(words.contains("would format 1 file; 1 file even already"), "{words}");
    assert_eq!(fs::read_to_string(&file).unwrap(), UNEVEN, "--check writes nothing");
    let (code, words) = fmt(&["."], dir.path());
    assert_eq!((code, fs::read_to_string(&file).unwrap().as_str()), (0, EVEN), "{words}");
    assert!(words.contains("formatted a.md"), "{words}");
    let (code, words) = fmt(&["--check", "a.md", "b.md"], dir.path());
    assert_eq!(code, 0, "{words}");
    assert!(words.contains("2 files even already"), "{words}");
}

#[test]
fn permissions_links_and_marks_stay() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let (file, link) = (dir.path().join("real.txt"), dir.path().join("a.md"));
    fs::write(&file, "\u{feff}a  \r\n\r\n\r\n\r\nb\r\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let (code, words) = fmt(&["a.md"], dir.path());
    assert_eq!(code, 0, "{words}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "\u{feff}a\r\n\r\nb\r\n");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left behind");
}

#[test]
fn what_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.md"), b"caf\xe9\n").unwrap();
    fs::write(dir.path().join("b.txt"), "text").unwrap();
    fs::write(dir.path().join("c.md"), "a\rb\n\n\n").unwrap();
    for (arguments, code, expected) in [
        (&["a.md"][..], 2, "`a.md` is not UTF-8"),
        (&["b.txt"][..], 2, "`b.txt` is no Markdown file"),
        (&["gone.md"][..], 2, "gone.md"),
        (&["c.md"][..], 0, "c.md stays as it is"),
        (&["--help"][..], 0, "--repair-encoding"),
    ] {
        let (found, words) = fmt(arguments, dir.path());
        assert_eq!(found, code, "{arguments:?}: {words}");
        assert!(words.contains(expected), "{arguments:?}: {words}");
    }
    assert_eq!(fs::read(dir.path().join("a.md")).unwrap(), b"caf\xe9\n");
}

#[test]
fn damaged_text_is_restored_and_sound_text_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("broken.md"), "# CafÃ©\n\nItâ€™s a â€œtestâ€.\n").unwrap();
    let sound = "# Sound  \nÃ and `â€œ` for `“` are fine, ÇÃO  \n";
    fs::write(at("sound.md"), sound).unwrap();
    let (code, words) = fmt(&["--repair-encoding", "--check"], dir.path());
    assert_eq!(code, 1, "{words}");
    assert!(words.contains("broken.md: 4 places in 2 lines"), "{words}");
    assert!(words.contains("would restore 1 file; 1 file sound"), "{words}");
    let (code, words) = fmt(&["--repair-encoding"], dir.path());
    assert_eq!(code, 0, "{words}");
    assert_eq!(fs::read_to_string(at("broken.md")).unwrap(), "# Café\n\nIt’s a “test”.\n");
    assert_eq!(fs::read_to_string(at("sound.md")).unwrap(), sound);
    assert_eq!(fmt(&["--repair-encoding", "--check"], dir.path()).0, 0);
}

#[test]
fn the_damaged_seed_draws_again() {
    let Some(seeds) = shared("seeds") else { return };
    let dir = tempfile::tempdir().unwrap();
    let named = |start: &str| {
        let entries = fs::read_dir(&seeds).unwrap().map(|entry| entry.unwrap().path());
        let mut found = entries.filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start))
        });
        fs::read_to_string(found.next().unwrap()).unwrap()
    };
    fs::write(dir.path().join("index.md"), named("002")).unwrap();
    let check = |expected: bool| {
        let mut command = Command::new(binary("loggia"));
        let output = run_to_end(command.args(["check", "--format", "json"]).arg(dir.path()));
        let found = String::from_utf8_lossy(&output.stdout).contains("L007");
        assert_eq!(found, expected);
    };
    check(true);
    let (code, words) = fmt(&["--repair-encoding"], dir.path());
    assert_eq!(code, 0, "{words}");
    assert!(words.contains("Windows-1254"), "{words}");
    check(false);
    let restored = fs::read_to_string(dir.path().join("index.md")).unwrap();
    let (restored, sound) = (restored.lines(), named("003"));
    assert!(restored.eq(sound.lines()), "line by line the text of the sound seed");
}

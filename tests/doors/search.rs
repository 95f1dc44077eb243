//! Search at its doors: the files of a build, the page for readers without script, and the dialog.

use crate::browser;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tests::{binary, get, run_to_end, serve, within};

const BOOK: &[(&str, &str)] = &[
    (
        "book.toml",
        "[book]\ntitle = \"Shop\"\nsrc = \"src\"\n[output.loggia.services.payments]\ntitle = \"Payments\"\nowner = \"Team Till\"\n",
    ),
    (
        "src/index.md",
        "# Shop\n\nEverything about the gateway & its <orders>.\n\n## Payments\n\nMoney is captured here.\n",
    ),
    (
        "src/guide/orders.md",
        "# Orders\n\nAn order is placed, paid and shipped.\n\n## Limits\n\nThe gateway allows a hundred orders.\n\n## Events\n\nEach state is published with read_to_string.\n",
    ),
    (
        "src/words.md",
        "# Words\n\n数据库很重要。 Crème brûlée.\n\n```glossary\n- term: CQRS\n  definition: Reading and writing are kept apart.\n```\n",
    ),
];

fn write(dir: &Path) {
    for (name, text) in BOOK {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// The files of an index by name, each with its value.
fn read(folder: &Path) -> BTreeMap<String, Value> {
    let value = |path: &Path| -> (String, Value) {
        let text = fs::read_to_string(path).unwrap();
        let inside = text.trim().strip_prefix("loggiaSearch(").and_then(|t| t.strip_suffix(')'));
        let (name, value) = inside.and_then(|inside| inside.split_once(',')).expect(&text);
        (name.trim_matches('"').to_owned(), serde_json::from_str(value).unwrap())
    };
    fs::read_dir(folder).unwrap().map(|entry| value(&entry.unwrap().path())).collect()
}

/// Titles and addresses of the sections in which a word stands, by the format's description.
fn places(files: &BTreeMap<String, Value>, word: &str) -> Vec<String> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let entry = &files["index"];
    let texts: Vec<&Value> = entry[4]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|name| files[name.as_str().unwrap()].as_array().unwrap())
        .collect();
    let parts = entry[2].as_array().unwrap().iter().map(|name| &files[name.as_str().unwrap()]);
    let all: Vec<&Value> = parts.flat_map(|part| part.as_array().unwrap()).collect();
    let Some(found) = all.chunks(3).find(|three| three[0] == word) else { return Vec::new() };
    let (mut numbers, mut value, mut unit) = (Vec::new(), 0, 1);
    for digit in found[2].as_str().unwrap().chars() {
        let digit = DIGITS.find(digit).unwrap();
        value += digit % 32 * unit;
        unit *= 32;
        if digit < 32 {
            numbers.push(std::mem::take(&mut value));
            unit = 1;
        }
    }
    let (mut slot, mut section, mut out) = (0, 0, Vec::new());
    for pair in numbers.chunks(2) {
        section = if pair[0] == 0 { section } else { 0 } + pair[1] / 64;
        slot += pair[0];
        let anchor = texts[slot][3][section * 3].as_str().unwrap();
        out.push(format!("{}#{anchor}", texts[slot][1].as_str().unwrap()));
    }
    out
}

#[test]
fn a_build_writes_an_index_that_finds() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let built = run_to_end(
        Command::new(binary("loggia"))
            .arg("build")
            .arg(dir.path())
            .args(["-d"])
            .arg(dir.path().join("out")),
    );
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let files = read(&dir.path().join("out/assets/search"));
    for (word, expected) in [
        ("gateway", &["guide/orders.html#limits", "index.html#"][..]),
        ("captured", &["index.html#payments"]),
        ("read_to_string", &["guide/orders.html#events"]),
        ("string", &["guide/orders.html#events"]),
        ("brulee", &["words.html#"]),
        ("数据", &["words.html#"]),
        ("cqrs", &["words.html#glossary-cqrs#"]),
        ("till", &["index.html#payments#"]),
        ("<orders>", &[]),
        ("nowhere", &[]),
    ] {
        let mut found = places(&files, word);
        found.sort();
        assert_eq!(found, expected, "{word}");
    }
    let page = fs::read_to_string(dir.path().join("out/search.html")).unwrap();
    assert!(
        page.contains("needs JavaScript") && page.contains("href=\"guide/orders.html\""),
        "{page}"
    );
}

#[test]
fn the_server_answers_and_follows_edits() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let (_program, url) = serve(dir.path());
    let ask = |query: &str| get(&format!("{url}/search.html?q={query}")).unwrap().text();
    for (query, expected) in [
        ("shipped", "href=\"/guide/orders.html?highlight=shipped\""),
        ("shipping", "Nothing was found"),
        ("limits", "href=\"/guide/orders.html?highlight=limits#limits\""),
        ("ord", "<mark>orders</mark>"),
        ("cqrs", "href=\"/words.html?highlight=cqrs#glossary-cqrs\""),
        ("payments", "href=\"/live/services/payments\""),
        ("%3Cscript%3E", "value=\"&#60;script&#62;\""),
        ("zzzz", "Nothing was found for “zzzz”"),
        ("", "All pages"),
    ] {
        let page = ask(query);
        let main = page.split("<main").nth(1).unwrap_or_default();
        assert!(main.contains(expected), "{query}: {expected}\n{main}");
    }
    let index = get(&format!("{url}/assets/search/index.js")).unwrap();
    assert_eq!(index.status, 200, "{}", index.headers);
    assert!(index.text().starts_with("loggiaSearch(\"index\","));
    assert_eq!(get(&format!("{url}/assets/search/nothing.js")).unwrap().status, 404);

    let file = dir.path().join("src/guide/orders.md");
    fs::write(&file, "# Orders\n\nAn order is cancelled.\n").unwrap();
    within("the new word is found", Duration::from_secs(10), || {
        ask("cancelled").contains("1 result")
    });
    assert!(ask("shipped").contains("Nothing was found"), "the old word is gone");
    assert!(ask("captured").contains("1 result"), "other pages stay");
    fs::remove_file(&file).unwrap();
    within("a removed page is gone", Duration::from_secs(10), || {
        ask("cancelled").contains("Nothing was found")
    });
}

#[test]
fn the_dialog_finds() {
    if !browser::is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    write(dir.path());
    let built = tempfile::tempdir().unwrap();
    let (out, below) = (built.path().join("out"), built.path().join("below"));
    for (dest, address) in [(&out, &[][..]), (&below, &["--base-url", "/docs/"])] {
        let mut command = Command::new(binary("loggia"));
        command.arg("build").arg(dir.path()).arg("-d").arg(dest).args(address);
        assert!(run_to_end(&mut command).status.success());
    }
    let (_program, url) = serve(dir.path());
    let file = dir.path().join("src/guide/orders.md");
    let paths = [&out, &below, &file].map(|path| path.to_str().unwrap());
    browser::run("search.mjs", &[&[format!("{url}/").as_str()][..], &paths].concat());
}

/// Pages of words that are drawn from a short list, the same ones each time, so that many of them hold
/// the same words in titles, headings and text.
fn write_many(dir: &Path) {
    const WORDS: &str = "order orders ordering gateway gateways cache cached caching limit limits queue \
        retry retries store storage stored trace traces budget budgets latency region failover shard \
        replica snapshot checkout payment payments café naïve read_to_string PageEntry 数据库 service";
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let mut state = 7_u32;
    let mut some = |count: usize| {
        let mut word = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            words[(state >> 16) as usize % words.len()]
        };
        (0..count).map(&mut word).collect::<Vec<_>>().join(" ")
    };
    fs::create_dir_all(dir.join("src")).unwrap();
    fs::write(
        dir.join("book.toml"),
        "[book]\ntitle = \"Many\"\nlanguage = \"en\"\nsrc = \"src\"\n",
    )
    .unwrap();
    for page in 0..40 {
        let mut text = format!("# {}\n\n{}\n", some(2), some(20));
        for _ in 0..page % 5 {
            text.push_str(&format!("\n## {}\n\n{}\n", some(2), some(10 + page)));
        }
        fs::write(dir.join(format!("src/p{page}.md")), text).unwrap();
    }
}

#[test]
fn the_server_and_the_script_list_the_same() {
    if !browser::is_there() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    write_many(dir.path());
    let (_program, url) = serve(dir.path());
    let queries = [
        "order",
        "orders ",
        "ord",
        "s",
        "gateway cache",
        "cached limits",
        "limit queue retry",
        "retr",
        "stor",
        "store storage stored",
        "trace budget ",
        "latency region failover shard",
        "cafe",
        "Naïve",
        "read_to_string",
        "string",
        "page",
        "数据",
        "gatewya",
        "snapshto chekcout",
        "order qqxxqq",
        "qqxxqq",
    ];
    let url = format!("{url}/");
    browser::run("search-order.mjs", &[&[url.as_str()][..], &queries].concat());
}

//! What `loggia build` writes: links that resolve below any prefix, the files beside the pages, and
//! figures of a running server.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;
use tests::{Program, binary, free_port, run_to_end};

fn build(dir: &Path, arguments: &[&str]) -> Output {
    run_to_end(
        Command::new(binary("loggia"))
            .args(["build", "book", "-d", "out"])
            .args(arguments)
            .current_dir(dir)
            .env("NO_COLOR", "1"),
    )
}

fn words(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A book with folders, a picture, names that need escapes and links in all directions.
fn book() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("book.toml", "[book]\ntitle = \"A & B\"\ndescription = \"What it is\"\nsrc = \".\"\n"),
        ("index.md", "# Start\n\n[deep](guide/part/deep.md#far) ![p](p.svg)\n"),
        ("p.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("guide/README.md", "---\ndescription: All of it\n---\n\n# Guide\n\n[up](../index.md)\n"),
        (
            "guide/part/deep.md",
            "# Deep\n\n[a](../README.md) [b](../../two%20words.md)\n\n## Far\n\nText.\n",
        ),
        ("two words.md", "# Two words\n\n[s](index.md)\n"),
    ] {
        let path = dir.path().join("book").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

/// Every `href` and `src` of a page.
fn addresses(html: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for name in [" href=\"", " src=\"", " data-root=\""] {
        for (at, _) in html.match_indices(name) {
            let rest = &html[at + name.len()..];
            let end = rest.find('"').expect("attributes end");
            found.insert(rest[..end].replace("&amp;", "&").replace("&#38;", "&"));
        }
    }
    found
}

/// Follows every link of every page as if the site stood below `prefix`; gives what leads nowhere.
fn crawl(out: &Path, prefix: &str) -> Vec<String> {
    let mut broken = Vec::new();
    let pages = files(out).into_iter().filter(|file| file.ends_with(".html"));
    let mut links = 0;
    for page in pages {
        let html = fs::read_to_string(out.join(&page)).unwrap();
        let here = format!("{prefix}{page}");
        for address in addresses(&html) {
            if address.starts_with("http") || address.starts_with("mailto:") {
                continue;
            }
            links += 1;
            let (path, fragment) = address.split_once('#').unwrap_or((&address, ""));
            let path = path.split('?').next().unwrap_or_default();
            let target = decode(&resolve(&here, path));
            let Some(file) = target.strip_prefix(prefix) else {
                broken.push(format!("{page}: `{address}` leaves {prefix}"));
                continue;
            };
            let file = if file.is_empty() || file.ends_with('/') {
                format!("{file}index.html")
            } else {
                file.to_owned()
            };
            match fs::read_to_string(out.join(&file)) {
                Err(_) if !out.join(&file).is_file() => {
                    broken.push(format!("{page}: no `{file}` for `{address}`"));
                }
                Ok(text) if !fragment.is_empty() => {
                    let id = format!("id=\"{}\"", decode(fragment));
                    if !text.contains(&id) {
                        broken.push(format!("{page}: no {id} in `{file}`"));
                    }
                }
                _ => {}
            }
        }
    }
    assert!(links > 20, "only {links} links were looked at");
    broken
}

fn resolve(page: &str, path: &str) -> String {
    if path.is_empty() {
        return page.to_owned();
    }
    if path.starts_with('/') {
        return path.to_owned();
    }
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let hex = text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (bytes[at], hex) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap()
}

/// All files below a folder, with `/` between their parts.
fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(dir.join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_dir() {
                folders.push(format!("{path}/"));
            } else {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn every_link_resolves_below_any_prefix() {
    for (arguments, prefix) in [
        (&[][..], "/"),
        (&["--base-url", "/docs/v1"][..], "/docs/v1/"),
        (&["--base-url", "https://example.org/docs/"][..], "/docs/"),
    ] {
        let dir = book();
        let output = build(dir.path(), arguments);
        assert!(output.status.success(), "{}", words(&output));
        let broken = crawl(&dir.path().join("out"), prefix);
        assert!(broken.is_empty(), "{arguments:?}\n{}", broken.join("\n"));
    }
    let dir = book();
    let output = build(dir.path(), &["--base-url", "ftp://example.org"]);
    assert_eq!(output.status.code(), Some(2), "{}", words(&output));
    assert!(words(&output).contains("is no base URL"), "{}", words(&output));
}

#[test]
fn files_beside_the_pages() {
    let dir = book();
    let output = build(dir.path(), &["--base-url", "https://example.org/docs"]);
    assert!(output.status.success(), "{}", words(&output));
    let read = |name: &str| fs::read_to_string(dir.path().join("out").join(name)).unwrap();
    for (file, expected) in [
        ("sitemap.xml", "<url><loc>https://example.org/docs/</loc></url>"),
        ("sitemap.xml", "<url><loc>https://example.org/docs/guide/</loc></url>"),
        ("sitemap.xml", "<url><loc>https://example.org/docs/two%20words.html</loc></url>"),
        ("llms.txt", "# A & B\n\n> What it is\n"),
        ("llms.txt", "- [Guide](https://example.org/docs/guide/index.md): All of it\n"),
        ("guide/index.md", "description: All of it"),
        ("two words.md", "# Two words"),
        ("404.html", "href=\"/docs/assets/loggia."),
        ("guide/index.html", "<link rel=\"canonical\" href=\"https://example.org/docs/guide/\">"),
        (
            "guide/index.html",
            "<meta property=\"og:url\" content=\"https://example.org/docs/guide/\">",
        ),
        ("guide/index.html", "<meta property=\"og:title\" content=\"Guide\">"),
        ("guide/index.html", "<meta name=\"description\" content=\"All of it\">"),
    ] {
        assert!(read(file).contains(expected), "{file} lacks {expected}\n{}", read(file));
    }
    assert!(!read("404.html").contains("rel=\"canonical\""), "404.html stands at no address");

    // Without an address on the web there is nothing that a sitemap could say.
    let output = build(dir.path(), &[]);
    assert!(output.status.success(), "{}", words(&output));
    assert!(!dir.path().join("out/sitemap.xml").exists(), "the old one goes");
    assert!(read("llms.txt").contains("- [Guide](guide/index.md)"));
}

#[test]
fn an_authors_file_comes_before_ours() {
    let dir = book();
    fs::write(dir.path().join("book/llms.txt"), "mine").unwrap();
    let output = build(dir.path(), &[]);
    assert!(output.status.success(), "{}", words(&output));
    assert_eq!(fs::read_to_string(dir.path().join("out/llms.txt")).unwrap(), "mine");

    // But not before a page: that would be lost without a word.
    fs::write(dir.path().join("book/index.html"), "mine").unwrap();
    let output = build(dir.path(), &[]);
    assert_eq!(output.status.code(), Some(1), "{}", words(&output));
    assert!(words(&output).contains("becomes `index.html`"), "{}", words(&output));
    let page = fs::read_to_string(dir.path().join("out/index.html")).unwrap();
    assert!(page.contains("<h1"), "the page is there");
}

#[test]
fn a_second_build_touches_only_what_changed() {
    let dir = book();
    assert!(build(dir.path(), &["--no-search"]).status.success());
    let out = dir.path().join("out");
    let times = || -> Vec<_> {
        let mut all = files(&out);
        all.retain(|file| file != ".loggia-files");
        all.sort();
        let time = |file: &String| fs::metadata(out.join(file)).unwrap().modified().unwrap();
        all.iter().map(|file| (file.clone(), time(file))).collect()
    };
    let first = times();
    assert!(words(&build(dir.path(), &["--no-search"])).contains("no file changed"));
    assert_eq!(times(), first);
    let page = dir.path().join("book/two words.md");
    fs::write(&page, "# Two words\n\nNew.\n").unwrap();
    assert!(build(dir.path(), &["--no-search"]).status.success());
    let before: BTreeSet<_> = first.into_iter().collect();
    let changed: Vec<String> =
        times().into_iter().filter(|file| !before.contains(file)).map(|(file, _)| file).collect();
    // The page of the whole book holds the page too.
    assert_eq!(changed, ["print.html", "two words.html", "two words.md"]);
}

#[test]
fn coloured_code_is_kept_between_builds() {
    let dir = book();
    let page = dir.path().join("book/two words.md");
    fs::write(&page, "# Two words\n\n```haskell\nmain = putStrLn \"x\"\n```\n").unwrap();
    assert!(build(dir.path(), &["--no-search"]).status.success());
    let (kept, html) = (dir.path().join("out/.loggia-code"), dir.path().join("out/two words.html"));
    let (bytes, shown) = (fs::read(&kept).unwrap(), fs::read_to_string(&html).unwrap());
    assert!(shown.contains("class=\"h-s\""), "the code is coloured");
    // Whole or damaged, the site is the same.
    for before in [&bytes[..], b"nothing that we wrote", &bytes[..bytes.len() / 2]] {
        fs::write(&kept, before).unwrap();
        assert!(build(dir.path(), &["--no-search"]).status.success());
        assert_eq!(fs::read_to_string(&html).unwrap(), shown);
        assert_eq!(fs::read(&kept).unwrap(), bytes);
    }
    // It goes with what it was made of.
    fs::write(&page, "# Two words\n").unwrap();
    assert!(build(dir.path(), &["--no-search"]).status.success());
    assert!(!kept.exists());
}

#[test]
fn a_snapshot_bakes_figures_with_their_time() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("book")).unwrap();
    let text = "# Page\n\n```kpi-grid\n[{\"label\": \"Answer\", \"value\": \"< 50\", \"query\": \"vector(42)\"}]\n```\n\nNow [< 50](kpi:answer).\n";
    fs::write(dir.path().join("book/index.md"), text).unwrap();
    let port = free_port().to_string();
    let url = format!("http://127.0.0.1:{port}");

    let away = build(dir.path(), &["--snapshot", &url]);
    assert_eq!(away.status.code(), Some(2), "{}", words(&away));
    assert!(words(&away).contains("cannot take a snapshot"), "{}", words(&away));
    assert!(words(&away).contains("help:"), "{}", words(&away));

    let mut server = Program::start(
        Command::new(binary("loggia"))
            .args(["serve", "book", "--port", &port])
            .args(["--otlp-grpc-port", "0", "--otlp-http-port", "0"])
            .current_dir(dir.path()),
    )
    .unwrap();
    server.wait_for("Ctrl-C", Duration::from_secs(10)).unwrap();
    tests::within("the figure is measured", Duration::from_secs(10), || {
        tests::get(&format!("{url}/")).is_ok_and(|page| page.text().contains(">42<"))
    });
    let output = build(dir.path(), &["--snapshot", &url]);
    assert!(output.status.success(), "{}", words(&output));
    let page = fs::read_to_string(dir.path().join("out/index.html")).unwrap();
    assert!(page.contains(">42<"), "the figure is in the page");
    assert!(page.contains("as of "), "it says when it was measured");
    assert!(page.contains(" UTC"), "it says when it was measured");
    assert!(!page.contains("data-events"), "nothing listens to a server");
}

#[test]
fn links_without_ending_and_from_the_root_stay_inside() {
    for (toml, links) in [
        (
            None,
            ["../b.html#x", "../b.html", "../guide/c.html", "../p.svg", "../p.svg", "/live/map"],
        ),
        (
            Some("[output.loggia]\noptional = true\n"),
            ["../b.html#x", "../b.html", "../guide/c.html", "../p.svg", "../p.svg", "/live/map"],
        ),
        // mdBook leaves addresses from the root to the host.
        (
            Some("[book]\ntitle = \"A\"\nsrc = \".\"\n"),
            ["/b.html#x", "../b.html", "/guide/c.html", "/p.svg", "/p.svg", "/live/map"],
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join("book").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let below = if toml.is_some_and(|toml| toml.contains("loggia")) { "src/" } else { "" };
        toml.iter().for_each(|toml| write("book.toml", toml));
        write(&format!("{below}b.md"), "# B\n\n## X\n");
        write(&format!("{below}p.svg"), "<svg xmlns='http://www.w3.org/2000/svg'/>");
        write(
            &format!("{below}guide/c.md"),
            "# C\n\n[a](/b.md#x) [b](../b) <a href=\"/guide/c\">c</a> ![p](/p.svg) \
             <img src=\"/p.svg\" alt=\"p\"> [m](/live/map)\n",
        );
        let output = build(dir.path(), &[]);
        assert!(output.status.success(), "{}", words(&output));
        let html = fs::read_to_string(dir.path().join("out/guide/c.html")).unwrap();
        let main = &html[html.find("<main").unwrap()..html.find("<nav class=\"beside").unwrap()];
        let found: Vec<&str> = main
            .split(['<'])
            .filter(|tag| !tag.contains("class=\"anchor\""))
            .filter(|tag| tag.starts_with("a ") || tag.starts_with("img "))
            .filter_map(|tag| tag.split("href=\"").nth(1).or(tag.split("src=\"").nth(1)))
            .map(|rest| rest.split('"').next().unwrap())
            .collect();
        let found: Vec<&str> = found.into_iter().filter(|to| !to.ends_with("index.html")).collect();
        assert_eq!(found, links, "{toml:?}: {main}");
    }
}

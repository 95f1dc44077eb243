//! The theme's files: embedded, replaceable by name, and named after their content.
//!
//! `loggia` hands in the replacements it read from a folder and serves or writes what comes out.

use crate::bundle;
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Parts of the style sheet in the order of the cascade; what else is in `css/` follows by name.
const CSS_ORDER: [&str; 10] = [
    "css/layers.css",
    "css/tokens.css",
    "css/base.css",
    "css/frame.css",
    "css/prose.css",
    "css/diagram.css",
    "css/figure.css",
    "css/live.css",
    "css/panels.css",
    "css/print.css",
];
/// Hexadecimal digits of a file's content hash that go into its name.
const HASH_DIGITS: usize = 8;
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Endings and media types of files that style sheets may name.
const MEDIA: &[(&str, &str)] = &[
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("avif", "image/avif"),
    ("gif", "image/gif"),
    ("woff2", "font/woff2"),
    ("woff", "font/woff"),
    ("ttf", "font/ttf"),
    ("otf", "font/otf"),
];

#[derive(RustEmbed)]
#[folder = "../../themes/default"]
#[exclude = "templates/*"]
struct Theme;

/// The theme's files, ready to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assets {
    files: Vec<Asset>,
    names: BTreeMap<&'static str, String>,
    /// Whether the scripts could not be put into one and are modules.
    modules: bool,
    slots: Slots,
}

/// HTML of the author's for every page, from `head.html`, `header.html` and `footer.html` of the
/// theme's folder. It is trusted as the book's configuration is, and stands in the page as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Slots {
    /// At the end of `<head>`.
    pub head: String,
    /// Below the top bar.
    pub header: String,
    /// At the foot.
    pub footer: String,
}

/// One file to serve or to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// Below the site's root, for instance `assets/loggia.3f2a91c0.css`. The content behind a path
    /// never changes, so it may be cached for good.
    pub path: String,
    /// Media type with charset.
    pub mime: &'static str,
    /// Content.
    pub bytes: Vec<u8>,
}

impl Assets {
    /// The theme as it was built in.
    pub fn embedded() -> Self {
        Self::with_overrides(Vec::new())
    }

    /// The theme with some files replaced or added: names are relative to the theme's folder, such
    /// as `css/tokens.css`, `js/live.js` or `img/icon.svg`; further `css/*.css` come last in the
    /// cascade, and `custom.css` after all of them. `img/*` and `fonts/*` may be named in style sheets;
    /// `favicon.svg` or `favicon.png` is the icon; `head.html`, `header.html` and `footer.html` are the
    /// [`Slots`]. Templates are compiled in and cannot be replaced.
    pub fn with_overrides(overrides: Vec<(String, Vec<u8>)>) -> Self {
        let mut sources: BTreeMap<String, Vec<u8>> = Theme::iter()
            .filter_map(|name| Some((name.to_string(), Theme::get(&name)?.data.into_owned())))
            .collect();
        sources.extend(overrides);
        let mut text = |name: &str| {
            let bytes = sources.remove(name).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let slots = Slots {
            head: text("head.html"),
            header: text("header.html"),
            footer: text("footer.html"),
        };
        let mut assets = Self { files: Vec::new(), names: BTreeMap::new(), modules: false, slots };
        let renamed = assets.add_media(&sources);
        assets.add_style(&sources, &renamed);
        assets.add_scripts(&sources);
        assets.add_icon(&sources);
        assets
    }

    /// The author's pieces of HTML.
    pub fn slots(&self) -> &Slots {
        &self.slots
    }

    /// Every file of the theme.
    pub fn iter(&self) -> impl Iterator<Item = &Asset> {
        self.files.iter()
    }

    /// The file at `path`, with or without a leading `/`.
    pub fn get(&self, path: &str) -> Option<&Asset> {
        let path = path.trim_start_matches('/');
        self.files.iter().find(|file| file.path == path)
    }

    /// The file that a page from before a change of the theme means with `path`: the same name with
    /// another hash, as it is now.
    pub fn newer(&self, path: &str) -> Option<&Asset> {
        let asked = unhashed(path.trim_start_matches('/'))?;
        self.files.iter().find(|file| unhashed(&file.path).is_some_and(|name| name == asked))
    }

    /// Path below the root of `style`, `mode`, `main`, `search` (the scripts) or `icon`.
    pub(crate) fn path(&self, name: &str) -> &str {
        self.names.get(name).map_or("", String::as_str)
    }

    /// How `main` is loaded: as a plain script, which also runs in a page opened from a file, or as
    /// modules where a theme's scripts cannot be put into one.
    pub(crate) fn script_kind(&self) -> &'static str {
        if self.modules { "type=\"module\"" } else { "defer" }
    }

    /// Pictures and fonts; gives the names that style sheets have to use for them.
    fn add_media(&mut self, sources: &BTreeMap<String, Vec<u8>>) -> Vec<(String, String)> {
        let mut renamed = Vec::new();
        for (name, bytes) in sources {
            let Some((stem, ending)) = name.rsplit_once('.') else { continue };
            let known = MEDIA.iter().find(|(known, _)| ending.eq_ignore_ascii_case(known));
            let place = name.starts_with("img/") || name.starts_with("fonts/");
            let Some((_, mime)) = known.filter(|_| place && name != "img/icon.svg") else {
                continue;
            };
            let hashed = format!("{stem}.{}.{ending}", hash(bytes));
            let path = format!("assets/{hashed}");
            self.files.push(Asset { path, mime, bytes: bytes.clone() });
            renamed.push((name.clone(), hashed));
        }
        renamed
    }

    fn add_icon(&mut self, sources: &BTreeMap<String, Vec<u8>>) {
        let known = [
            ("favicon.svg", "svg", "image/svg+xml"),
            ("favicon.png", "png", "image/png"),
            ("img/icon.svg", "svg", "image/svg+xml"),
        ];
        if let Some((name, ending, mime)) =
            known.iter().find(|(name, ..)| sources.contains_key(*name))
        {
            self.add("icon", "icon", ending, mime, sources[*name].clone());
        }
    }

    fn add_style(&mut self, sources: &BTreeMap<String, Vec<u8>>, renamed: &[(String, String)]) {
        let further = sources
            .keys()
            .map(String::as_str)
            .filter(|name| is_in(name, "css/", ".css") && !CSS_ORDER.contains(name));
        let mut style = Vec::new();
        let names = CSS_ORDER.into_iter().chain(further).chain(["custom.css"]);
        for part in names.filter_map(|name| sources.get(name)) {
            style.extend_from_slice(part);
            style.push(b'\n');
        }
        if !renamed.is_empty() {
            let mut text = String::from_utf8_lossy(&style).into_owned();
            for (name, hashed) in renamed {
                for before in ["\"", "'", "(", "\"../", "'../", "(../"] {
                    let lead = before.trim_end_matches("../");
                    text = text.replace(&format!("{before}{name}"), &format!("{lead}{hashed}"));
                }
            }
            style = text.into_bytes();
        }
        self.add("style", "loggia", "css", "text/css; charset=utf-8", style);
    }

    /// One plain script of `main` and all it needs, and every other script by itself.
    fn add_scripts(&mut self, sources: &BTreeMap<String, Vec<u8>>) {
        let scripts: Vec<(&str, &Vec<u8>)> = sources
            .iter()
            .filter(|(name, _)| is_in(name, "js/", ".js"))
            .map(|(name, bytes)| (stem(name), bytes))
            .collect();
        let texts = scripts.iter().filter_map(|(name, b)| Some((*name, str::from_utf8(b).ok()?)));
        match bundle::link(&texts.collect(), "main") {
            Some((script, within)) => {
                self.add("main", "loggia", "js", JAVASCRIPT, script.into_bytes());
                let others = scripts.into_iter().filter(|(name, _)| !within.contains(*name));
                self.add_modules(&others.collect::<Vec<_>>());
            }
            None => {
                self.modules = true;
                self.add_modules(&scripts);
            }
        }
    }

    /// All modules carry one hash, that of all their sources, so that an import's name can be put
    /// in without knowing which module imports which.
    fn add_modules(&mut self, scripts: &[(&str, &Vec<u8>)]) {
        let all: Vec<u8> = scripts.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
        let hash = hash(&all);
        for (name, bytes) in scripts {
            let mut text = String::from_utf8_lossy(bytes).into_owned();
            for (other, _) in scripts {
                text =
                    text.replace(&format!("\"./{other}.js\""), &format!("\"./{other}.{hash}.js\""));
            }
            let path = format!("assets/{name}.{hash}.js");
            match *name {
                "mode" => self.names.insert("mode", path.clone()),
                "main" => self.names.insert("main", path.clone()),
                "search" => self.names.insert("search", path.clone()),
                _ => None,
            };
            self.files.push(Asset { path, mime: JAVASCRIPT, bytes: text.into_bytes() });
        }
    }

    fn add(
        &mut self,
        name: &'static str,
        stem: &str,
        ending: &str,
        mime: &'static str,
        bytes: Vec<u8>,
    ) {
        let path = format!("assets/{stem}.{}.{ending}", hash(&bytes));
        self.names.insert(name, path.clone());
        self.files.push(Asset { path, mime, bytes });
    }
}

fn is_in(name: &str, folder: &str, ending: &str) -> bool {
    name.strip_prefix(folder).is_some_and(|rest| rest.ends_with(ending) && !rest.contains('/'))
}

fn stem(name: &str) -> &str {
    let file = name.rsplit('/').next().unwrap_or(name);
    file.split('.').next().unwrap_or(file)
}

fn hash(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()[..HASH_DIGITS].to_owned()
}
/// What stands before and after the hash in `assets/loggia.33a6c706.css`.
fn unhashed(path: &str) -> Option<(&str, &str)> {
    let (rest, ending) = path.rsplit_once('.')?;
    let (name, hash) = rest.rsplit_once('.')?;
    let is_hash = hash.len() == HASH_DIGITS && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then_some((name, ending))
}

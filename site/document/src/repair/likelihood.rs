//! How likely a character is behind two others and below a third.
//!
//! `decode` asks for every possible character at a gap. What it knows comes from `known` (samples,
//! symbols), from how box drawings join (`arms`), and from the sound places of the same document.

use super::arms::{Side, arm};
use super::known;
use crate::encoding::byte_of;
use std::collections::{HashMap, HashSet};

/// Shares of three, two and one letter's statistics, and of general knowledge, in the estimate.
const MIX: [f64; 4] = [0.55, 0.30, 0.10, 0.05];

/// What is known before the first gap is filled.
pub(super) struct Likelihood {
    threes: HashMap<[char; 3], f64>,
    twos: HashMap<[char; 2], f64>,
    ones: HashMap<char, f64>,
    total: f64,
    symbols: HashMap<char, f64>,
    han: HashSet<char>,
    here: HashMap<char, f64>,
    blocks_here: HashMap<u32, f64>,
    /// How often the most frequent character of `here` stands there.
    most: f64,
    /// What comes out is to be read again: its characters are bytes themselves.
    inner: bool,
}

impl Likelihood {
    /// `sound` are the document's characters that came back without a doubt.
    pub(super) fn new(sound: &str, inner: bool) -> Self {
        let mut made = Self {
            threes: HashMap::new(),
            twos: HashMap::new(),
            ones: HashMap::new(),
            total: 0.0,
            symbols: HashMap::new(),
            han: known::COMMON_HAN.chars().collect(),
            here: HashMap::new(),
            blocks_here: HashMap::new(),
            most: 0.0,
            inner,
        };
        for (list, share) in [
            (known::KNOWN_EMOJI, 3e-4),
            (known::COMMON_EMOJI, 2e-3),
            (known::KNOWN_SYMBOLS, 1e-3),
            (known::COMMON_SYMBOLS, 1e-2),
        ] {
            made.symbols.extend(list.chars().filter(|c| !c.is_whitespace()).map(|c| (c, share)));
        }
        known::SAMPLES.iter().for_each(|sample| made.learn(sample));
        for c in sound.chars() {
            *made.here.entry(c).or_default() += 1.0;
            *made.blocks_here.entry(u32::from(c) >> 6).or_default() += 1.0;
            // Two leading bytes share the letters of Cyrillic, and two those of Greek.
            let twin = match c {
                'Ñ' => 'Ð',
                'Î' => 'Ï',
                _ => continue,
            };
            *made.here.entry(twin).or_default() += 1.0;
        }
        made.most = made.here.values().copied().fold(0.0, f64::max);
        made
    }

    fn learn(&mut self, sample: &str) {
        let (mut a, mut b) = (' ', ' ');
        for c in sample.chars().map(fold) {
            if c == ' ' && b == ' ' {
                continue;
            }
            *self.threes.entry([a, b, c]).or_default() += 1.0;
            *self.twos.entry([b, c]).or_default() += 1.0;
            *self.ones.entry(c).or_default() += 1.0;
            self.total += 1.0;
            (a, b) = (b, c);
        }
    }

    /// Logarithm of the likelihood of `c` behind `a`, `b`, below `above`.
    pub(super) fn of(&self, [a, b]: [char; 2], c: char, above: Option<char>) -> f64 {
        if self.inner {
            return self.of_inner([a, b], c);
        }
        let (x, y, z) = (fold(a), fold(b), fold(c));
        let share = |count: Option<&f64>, of: Option<&f64>| match (count, of) {
            (Some(count), Some(of)) => count / of,
            _ => 0.0,
        };
        let mixed = MIX[0] * share(self.threes.get(&[x, y, z]), self.twos.get(&[x, y]))
            + MIX[1] * share(self.twos.get(&[y, z]), self.ones.get(&y))
            + MIX[2] * self.ones.get(&z).copied().unwrap_or_default() / self.total
            + MIX[3] * self.prior(c);
        mixed.ln()
            + joins(b, c, Side::Right, Side::Left)
            + writing([a, b], c)
            + above.map_or(0.0, |above| 0.7 * joins(above, c, Side::Down, Side::Up))
    }

    /// As a byte of text that is damaged once more.
    fn of_inner(&self, [a, b]: [char; 2], c: char) -> f64 {
        let Some(byte) = byte_of(c).or(u8::try_from(c).ok().filter(u8::is_ascii)) else {
            return -30.0;
        };
        let lead = |c: char| byte_of(c).is_some_and(|byte| byte >= 0xc2);
        let follows = |c: char| byte_of(c).is_some_and(|byte| (0x80..0xc0).contains(&byte));
        let fits = match byte {
            0x80..=0xbf => lead(b) || (follows(b) && !a.is_ascii()),
            0xc0 | 0xc1 | 0xf5.. => false,
            _ => !lead(b),
        };
        let usual = "ÃÂâÐÑÎÏÄÅğðäåæçèé".contains(c);
        let count = self.here.get(&c).copied().unwrap_or_default();
        // Nothing here is a gain: else a reading with more characters would win.
        (if fits { 0.0 } else { -6.0 })
            + if usual || (0x80..0xc0).contains(&byte) { 0.0 } else { -4.0 }
            + 0.5 * ((1.0 + count) / (1.0 + self.most)).ln()
    }

    /// How often the document holds it for certain, as a small letter or a capital.
    fn count(&self, c: char) -> f64 {
        let seen = |c: char| self.here.get(&c).copied().unwrap_or_default();
        let small = c.to_lowercase().next().filter(|small| *small != c);
        seen(c) + small.map_or(0.0, seen)
    }

    /// Without regard to what stands beside it; a document that holds a character or its neighbours in
    /// Unicode is likely to hold more of them.
    pub(super) fn prior(&self, c: char) -> f64 {
        let count = self.count(c);
        let block = self.blocks_here.get(&(u32::from(c) >> 6)).copied().unwrap_or_default();
        let general = match self.symbols.get(&c) {
            Some(share) => *share,
            None if self.han.contains(&c) => 1e-3,
            None => of_block(c),
        };
        general * (1.0 + count) * (1.0 + (1.0 + block).ln())
    }
}

/// Letters without case, digits as one, all space as one.
fn fold(c: char) -> char {
    if c.is_ascii_digit() {
        return '0';
    }
    if matches!(c, '\n' | '\t' | '\u{a0}') {
        return ' ';
    }
    c.to_lowercase().next().unwrap_or(c)
}

/// How often characters of its block stand in documents, roughly.
fn of_block(c: char) -> f64 {
    match u32::from(c) {
        0xa0 | 0xa1..=0xac | 0xae..=0xff => 1e-3,
        0x80..=0x9f => 1e-9,
        0xad => 1e-6,
        0x100..=0x17f => 2e-4,
        0x401 | 0x451 | 0x410..=0x44f => 5e-4,
        0x386..=0x38f | 0x391..=0x3ce => 5e-4,
        0x180..=0x24f | 0x1e00..=0x1eff => 1e-5,
        0x400..=0x45f | 0x490..=0x491 => 5e-5,
        0x3040..=0x30ff => 2e-4,
        0x3000..=0x303f | 0xff00..=0xff5e => 1e-4,
        0x5d0..=0x5ea | 0x620..=0x652 | 0x900..=0x97f => 1e-4,
        0xac00..=0xd7a3 => 1e-5,
        0x4e00..=0x9fff => 3e-6,
        0x2500..=0x257f => 1e-4,
        0x2190..=0x21ff => 1e-4,
        0x25a0..=0x27bf => 4e-5,
        0x2200..=0x22ff | 0x2580..=0x259f | 0x20a0..=0x20bf | 0x2b00..=0x2bff => 1e-5,
        0x1f300..=0x1f64f | 0x1f680..=0x1f6ff | 0x1f900..=0x1faff => 1e-5,
        0x200d => 1e-4,
        0x2000..=0x206f | 0x2100..=0x218f | 0x2300..=0x24ff => 1e-6,
        _ => 1e-9,
    }
}

/// Whether the arms of two neighbours meet. `to` is the side of `first` that faces `second`.
fn joins(first: char, second: char, to: Side, from: Side) -> f64 {
    match (arm(first, to), arm(second, from)) {
        (None, None) | (Some(0), Some(0)) => 0.0,
        (Some(one), Some(other)) if one == other => 3.0,
        (Some(0), Some(_)) | (Some(_), Some(0)) => -2.0,
        (Some(_), Some(_)) => -1.0,
        (Some(0), None) | (None, Some(0)) => 0.0,
        _ => -0.7,
    }
}

#[derive(PartialEq, Clone, Copy)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
    EastAsian,
    Other,
}

fn script(c: char) -> Option<Script> {
    Some(match u32::from(c) {
        _ if !c.is_alphabetic() => return None,
        0..=0x24f | 0x1e00..=0x1eff => Script::Latin,
        0x370..=0x3ff | 0x1f00..=0x1fff => Script::Greek,
        0x400..=0x52f => Script::Cyrillic,
        0x3040..=0x9fff | 0xac00..=0xd7a3 => Script::EastAsian,
        _ => Script::Other,
    })
}

fn is_pictograph(c: char) -> bool {
    matches!(u32::from(c), 0x203c..=0x3299 | 0x1f000.. | 0x23 | 0x2a | 0x30..=0x39 | 0xa9 | 0xae)
}

/// Script, case, and what joins emoji.
fn writing([a, b]: [char; 2], c: char) -> f64 {
    let quote = match c {
        '”' if b.is_whitespace() => -3.0,
        '„' | '‚' if !b.is_whitespace() => -3.0,
        _ => 0.0,
    };
    let mut score = quote
        + match (script(b), script(c)) {
            (Some(one), Some(other)) if one == other => 1.0,
            (Some(_), Some(_)) => -4.0,
            _ => 0.0,
        };
    if b.is_lowercase() && c.is_uppercase() {
        score -= 3.0;
    }
    if a.is_uppercase() && b.is_uppercase() && c.is_lowercase() {
        score -= 2.0;
    }
    match c {
        '\u{fe0f}' if is_pictograph(b) => score += 3.0,
        '\u{fe0f}' => score -= 3.0,
        '\u{200d}' if b == '\u{fe0f}' || u32::from(b) >= 0x1f000 => score += 4.0,
        '\u{200d}' => score -= 4.0,
        _ => {}
    }
    score
}

//! One pass over damaged text: whole sequences are read again, gaps are filled with what is most
//! likely between their neighbours.
//!
//! `mod` says which code page it was. Gaps are weighed line by line with a beam: a hypothesis is a
//! line's text up to here, and of two with the same last characters only the better one lives on.

use super::gaps::{self, Choice, CodePage, Token};
use super::likelihood::Likelihood;
use std::rc::Rc;

/// Hypotheses that live on at each step.
const BEAM: usize = 16;
/// Logarithm: leaving a broken character as it is must be that much likelier than any other.
const KEEP: f64 = -7.0;
/// Logarithm: that white space was cleaned, too, is that much less likely than the code page alone.
const FADED: f64 = -2.5;
/// A choice is doubtful when another one is at most e to the power of this less likely.
const DOUBT: f64 = 2.5;
/// Doubtful places that are kept for the report.
const DOUBTS_MAX: usize = 1000;

/// A place where another character is nearly as likely.
#[derive(Debug, Clone, PartialEq)]
pub struct Doubt {
    /// Line in the restored text, from 1.
    pub line: u32,
    /// Column in characters of the restored text, from 1.
    pub column: u32,
    /// What was put there.
    pub put: char,
    /// What it may have been instead, the likeliest first.
    pub instead: Vec<char>,
}

/// What one pass did.
#[derive(Default)]
pub(super) struct Pass {
    pub(super) text: String,
    /// Characters that came back.
    pub(super) places: usize,
    /// Of these, how many had lost bytes.
    pub(super) filled: usize,
    /// Lines with such places.
    pub(super) lines: usize,
    /// Places that look broken still.
    pub(super) left: usize,
    pub(super) doubtful: usize,
    pub(super) doubts: Vec<Doubt>,
}

/// What comes back without a doubt, with everything open left out.
pub(super) fn certain(text: &str, page: CodePage) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let (token, takes) = gaps::next(&chars[at..], page, None);
        match token {
            Token::Restored(c) => out.push(c),
            Token::Kept(c) if c.is_ascii() => out.push(c),
            _ => {}
        }
        at += takes;
    }
    out
}

/// Restores all of `text`.
pub(super) fn decode(text: &str, page: CodePage, likely: &Likelihood) -> Pass {
    let mut pass = Pass { text: String::with_capacity(text.len()), ..Pass::default() };
    let mut above: Vec<char> = Vec::new();
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if line.is_ascii() {
            pass.text.push_str(line);
            above.clear();
            continue;
        }
        let chars: Vec<char> = line.chars().collect();
        let mut beam = Beam { steps: Vec::new(), alive: vec![Hypothesis::new(0)] };
        while let Some(at) =
            beam.alive.iter().map(|one| one.at).filter(|at| *at < chars.len()).min()
        {
            beam.advance(&chars, at, &above, page, likely);
        }
        let out = beam.best();
        above = pass.take(&out, index, &above, likely);
    }
    pass
}

impl Pass {
    /// Adds a line and looks for doubts in it.
    fn take(
        &mut self,
        out: &[Step],
        index: usize,
        above: &[char],
        likely: &Likelihood,
    ) -> Vec<char> {
        let line: Vec<char> = out.iter().map(|step| step.c).collect();
        let restored = out.iter().filter(|step| step.restored).count();
        self.places += restored;
        self.lines += usize::from(restored > 0);
        for (at, step) in out.iter().enumerate() {
            let Some(choices) = &step.choices else { continue };
            self.filled += usize::from(step.restored);
            self.left += usize::from(!step.restored);
            let instead = rivals(&line, at, choices, above, likely);
            if instead.is_empty() {
                continue;
            }
            self.doubtful += 1;
            if self.doubts.len() < DOUBTS_MAX {
                let number = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
                let (line, column) = (number(index), number(at));
                self.doubts.push(Doubt { line, column, put: step.c, instead });
            }
        }
        self.text.extend(&line);
        line
    }
}

/// Characters that would fit nearly as well at `at`.
fn rivals(
    line: &[char],
    at: usize,
    choices: &[Choice],
    above: &[char],
    likely: &Likelihood,
) -> Vec<char> {
    let over = above.get(at).copied();
    let score = |c: char| {
        let here = |i: usize| if i == at { c } else { line[i] };
        let before = |i: usize, back: usize| i.checked_sub(back).map_or(' ', here);
        let end = line.len().min(at + 3);
        (at..end)
            .map(|i| likely.of([before(i, 2), before(i, 1)], here(i), over.filter(|_| i == at)))
            .sum::<f64>()
    };
    let cost = |c: char| {
        let costs = choices.iter().filter(|choice| choice.sound == c).map(cost_of);
        costs.fold(f64::NEG_INFINITY, f64::max)
    };
    let chosen = score(line[at]) + cost(line[at]);
    let mut found: Vec<(f64, char)> = choices
        .iter()
        .filter(|choice| !choice.kept && choice.sound != line[at])
        .map(|choice| (score(choice.sound) + cost_of(choice), choice.sound))
        .filter(|(score, _)| chosen - score < DOUBT)
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    found.dedup_by_key(|(_, c)| *c);
    found.into_iter().map(|(_, c)| c).take(3).collect()
}

/// What a choice costs, whatever stands beside it.
fn cost_of(choice: &Choice) -> f64 {
    match choice {
        Choice { kept: true, .. } => KEEP,
        Choice { faded: true, .. } => FADED,
        _ => 0.0,
    }
}

/// One character of the outcome and the step before it.
#[derive(Clone)]
struct Step {
    c: char,
    restored: bool,
    choices: Option<Rc<Vec<Choice>>>,
    before: Option<usize>,
}

#[derive(Clone)]
struct Hypothesis {
    /// Characters of the source that are read.
    at: usize,
    score: f64,
    last: [char; 2],
    column: usize,
    step: Option<usize>,
}

impl Hypothesis {
    fn new(at: usize) -> Self {
        Self { at, score: 0.0, last: [' ', ' '], column: 0, step: None }
    }
}

struct Beam {
    steps: Vec<Step>,
    alive: Vec<Hypothesis>,
}

impl Beam {
    /// Takes every hypothesis that stands at `at` one token further.
    fn advance(
        &mut self,
        chars: &[char],
        at: usize,
        above: &[char],
        page: CodePage,
        likely: &Likelihood,
    ) {
        let (token, takes) = gaps::next(&chars[at..], page, Some(likely));
        let (here, mut alive): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.alive).into_iter().partition(|one| one.at == at);
        // Where there is one way only there is nothing to weigh.
        let weigh = here.len() > 1 || !alive.is_empty() || matches!(token, Token::Open(_));
        for one in here {
            let mut go =
                |c: char, takes: usize, restored: bool, open: Option<&Rc<Vec<Choice>>>, cost| {
                    let over = above.get(one.column).copied();
                    let gain = if weigh { likely.of(one.last, c, over) + cost } else { 0.0 };
                    self.steps.push(Step { c, restored, choices: open.cloned(), before: one.step });
                    alive.push(Hypothesis {
                        at: at + takes,
                        score: one.score + gain,
                        last: [one.last[1], c],
                        column: one.column + 1,
                        step: Some(self.steps.len() - 1),
                    });
                };
            match &token {
                Token::Kept(c) => go(*c, takes, false, None, 0.0),
                Token::Restored(c) => go(*c, takes, true, None, 0.0),
                Token::Open(choices) => {
                    for choice in choices.iter() {
                        let cost = cost_of(choice);
                        go(choice.sound, choice.takes, !choice.kept, Some(choices), cost);
                    }
                }
            }
        }
        alive.sort_by(|a, b| b.score.total_cmp(&a.score));
        let mut kept: Vec<Hypothesis> = Vec::with_capacity(BEAM);
        for one in alive {
            let known = kept.iter().any(|k| (k.at, k.last) == (one.at, one.last));
            if kept.len() < BEAM && !known {
                kept.push(one);
            }
        }
        self.alive = kept;
    }

    /// The likeliest line.
    fn best(self) -> Vec<Step> {
        let best = self.alive.iter().max_by(|a, b| a.score.total_cmp(&b.score));
        let mut at = best.and_then(|one| one.step);
        let mut out = Vec::new();
        while let Some(index) = at {
            out.push(self.steps[index].clone());
            at = self.steps[index].before;
        }
        out.reverse();
        out
    }
}

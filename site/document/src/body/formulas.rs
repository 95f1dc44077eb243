//! Formulas in the text and in `math` fences.

use super::Body;
use crate::fences::Fence;
use crate::html::escape;
use crate::math;
use diagnostics::Code;
use std::ops::Range;

/// What to do about a formula that cannot be drawn.
const HELP: &str = "write the formula in LaTeX's notation; to show a dollar sign, write `\\$`";

/// A formula under `mathjax-support` that is not closed yet.
pub(super) struct Formula {
    open: &'static str,
    close: &'static str,
    display: bool,
    pub(super) text: String,
    span: Range<usize>,
}

impl Body<'_, '_, '_, '_> {
    /// Writes a formula, or its source where it cannot be drawn.
    pub(super) fn inline_formula(&mut self, formula: &str, display: bool, span: Range<usize>) {
        if self.image.is_some() || self.figure.is_some() {
            return self.inline(formula, escape);
        }
        let html = self.formula_html(formula, display, span);
        self.inline(formula, |_| html.clone());
    }

    fn formula_html(&mut self, formula: &str, display: bool, span: Range<usize>) -> String {
        match math::render(formula, display) {
            Ok(html) => html,
            Err(message) => {
                self.findings.report(
                    Code::Math,
                    self.origin.span(&span),
                    format!("the formula cannot be read: {message}"),
                    HELP,
                );
                format!("<code class=\"math\">{}</code>", escape(formula.trim()))
            }
        }
    }

    pub(super) fn math_fence(&mut self, fence: &Fence) {
        match math::render(&fence.text, true) {
            Ok(html) => {
                self.writer().html(&format!("<p class=\"math\" tabindex=\"0\">{html}</p>\n"))
            }
            Err(message) => {
                let message = format!("the formula cannot be read: {message}");
                self.broken(fence, Code::Math, 0, message, Some(HELP.to_owned()));
            }
        }
    }

    /// Text that may open, go on with or close a formula. As for MathJax, a formula is text alone:
    /// whatever else comes in between makes its beginning plain text again.
    pub(super) fn text_with_formulas(&mut self, text: &str, span: Range<usize>) {
        let mut rest = text;
        loop {
            let Some(mut formula) = self.formula.take() else {
                let Some((at, (open, close, display))) = math::opening(rest) else { break };
                self.plain_prose(&rest[..at], span.clone());
                rest = &rest[at + open.len()..];
                let text = String::new();
                self.formula = Some(Formula { open, close, display, text, span: span.clone() });
                continue;
            };
            let Some(end) = rest.find(formula.close) else {
                formula.text.push_str(rest);
                self.formula = Some(formula);
                return;
            };
            formula.text.push_str(&rest[..end]);
            rest = &rest[end + formula.close.len()..];
            let place = formula.span.start..span.end;
            self.inline_formula(&formula.text.replace('’', "'"), formula.display, place);
        }
        if !rest.is_empty() {
            self.plain_prose(rest, span);
        }
    }

    /// A formula that was never closed is text.
    pub(super) fn drop_formula(&mut self) {
        if let Some(formula) = self.formula.take() {
            let text = format!("{}{}", formula.open, formula.text);
            self.plain_prose(&text, formula.span);
        }
    }
}

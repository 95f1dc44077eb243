//! Pieces of a template to a tree.
//!
//! `lex` hands in the pieces, `eval` walks the tree. What the tree may hold is Go's `text/template`
//! without `define`, `template` and `block`.

use super::functions::is_function;
use super::lex::{Piece, Placed, TemplateError, Token, fault, pieces};

/// Actions inside actions.
const MAX_DEPTH: usize = 40;
/// Variables that the rules' templates begin with.
const GIVEN: [&str; 5] = ["", "labels", "externalLabels", "externalURL", "value"];

#[derive(Debug, Clone)]
pub(super) enum Node {
    Text(String),
    /// A pipeline that is shown, unless it sets a variable.
    Show(Pipeline),
    If {
        condition: Pipeline,
        then: Vec<Node>,
        otherwise: Vec<Node>,
    },
    With {
        value: Pipeline,
        then: Vec<Node>,
        otherwise: Vec<Node>,
    },
    Range {
        list: Pipeline,
        body: Vec<Node>,
        otherwise: Vec<Node>,
    },
    Break,
    Continue,
}

/// Commands, each fed with what the one before gave, and the variables that take the result.
#[derive(Debug, Clone, Default)]
pub(super) struct Pipeline {
    pub(super) variables: Vec<String>,
    pub(super) declares: bool,
    pub(super) commands: Vec<Command>,
}

#[derive(Debug, Clone)]
pub(super) struct Command {
    pub(super) parts: Vec<Operand>,
}

/// A term and the fields asked of it.
#[derive(Debug, Clone)]
pub(super) struct Operand {
    pub(super) term: Term,
    pub(super) fields: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) enum Term {
    Dot,
    Variable(String),
    Function(String),
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Nested(Box<Pipeline>),
}

/// Reads a template.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, TemplateError> {
    let mut parser = Parser {
        pieces: pieces(text)?.into_iter(),
        variables: GIVEN.map(str::to_owned).to_vec(),
        loops: 0,
        depth: 0,
        length: text.len(),
    };
    match parser.block()? {
        (nodes, End::Text) => Ok(nodes),
        (_, End::Else { at, .. }) => fault("`else` outside of `if`, `with` and `range`", at),
        (_, End::Done { at }) => fault("`end` without `if`, `with` or `range`", at),
    }
}

struct Parser {
    pieces: std::vec::IntoIter<Piece>,
    variables: Vec<String>,
    loops: usize,
    depth: usize,
    length: usize,
}

/// What ended a block.
enum End {
    Text,
    Done {
        at: usize,
    },
    /// `else`, with the words behind it.
    Else {
        words: Vec<Placed>,
        at: usize,
    },
}

impl Parser {
    fn block(&mut self) -> Result<(Vec<Node>, End), TemplateError> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let (words, at) = match piece {
                Piece::Text(text) => {
                    nodes.push(Node::Text(text));
                    continue;
                }
                Piece::Action { words, at } => (words, at),
            };
            let keyword = match words.first().map(|word| &word.token) {
                Some(Token::Word(word)) => word.as_str(),
                None => return fault("missing value for command", at),
                _ => "",
            };
            match keyword {
                "end" => return only(&words, End::Done { at }).map(|end| (nodes, end)),
                "else" => {
                    let words = words[1..].to_vec();
                    return Ok((nodes, End::Else { words, at }));
                }
                "if" | "with" | "range" => {
                    let keyword = keyword.to_owned();
                    nodes.push(self.control(&keyword, &words[1..], at)?);
                }
                "break" | "continue" if self.loops == 0 => {
                    return fault(format!("`{keyword}` outside of `range`"), at);
                }
                "break" => nodes.push(only(&words, Node::Break)?),
                "continue" => nodes.push(only(&words, Node::Continue)?),
                "define" | "template" | "block" => {
                    return fault(format!("`{keyword}` is not supported in rules"), at);
                }
                _ => {
                    let pipeline = self.whole(&words, at)?;
                    nodes.push(Node::Show(pipeline));
                }
            }
        }
        Ok((nodes, End::Text))
    }

    /// `if`, `with` or `range` up to its `end`.
    fn control(
        &mut self,
        keyword: &str,
        words: &[Placed],
        at: usize,
    ) -> Result<Node, TemplateError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return fault(format!("more than {MAX_DEPTH} actions inside each other"), at);
        }
        let known = self.variables.len();
        let head = self.pipeline_of_head(keyword, words, at)?;
        let with_head = self.variables.len();
        self.loops += usize::from(keyword == "range");
        let (then, end) = self.block()?;
        self.loops -= usize::from(keyword == "range");
        self.variables.truncate(with_head);
        let otherwise = match end {
            End::Done { .. } => Vec::new(),
            End::Text => return fault(format!("`{keyword}` has no `end`"), at.min(self.length)),
            End::Else { words, at } => self.otherwise(keyword, &words, at)?,
        };
        self.variables.truncate(known);
        self.depth -= 1;
        Ok(match keyword {
            "if" => Node::If { condition: head, then, otherwise },
            "with" => Node::With { value: head, then, otherwise },
            _ => Node::Range { list: head, body: then, otherwise },
        })
    }

    fn otherwise(
        &mut self,
        keyword: &str,
        words: &[Placed],
        at: usize,
    ) -> Result<Vec<Node>, TemplateError> {
        match words.first().map(|word| &word.token) {
            // `else if` and `else with` share the `end`.
            Some(Token::Word(word)) if word == keyword && keyword != "range" => {
                Ok(vec![self.control(keyword, &words[1..], at)?])
            }
            Some(_) => fault("unexpected words behind `else`", at),
            None => match self.block()? {
                (nodes, End::Done { .. }) => Ok(nodes),
                (_, End::Else { at, .. }) => fault("a second `else`", at),
                (_, End::Text) => fault("`else` has no `end`", at),
            },
        }
    }

    fn pipeline_of_head(
        &mut self,
        keyword: &str,
        words: &[Placed],
        at: usize,
    ) -> Result<Pipeline, TemplateError> {
        if words.is_empty() {
            return fault(format!("missing value for `{keyword}`"), at);
        }
        // `range $i, $x := ...`
        if let [first, comma, second, declare, ..] = words
            && let (Token::Variable(i), Token::Comma, Token::Variable(x), Token::Declare) =
                (&first.token, &comma.token, &second.token, &declare.token)
        {
            if keyword != "range" {
                return fault(format!("too many declarations in `{keyword}`"), first.at);
            }
            let mut pipeline = self.whole(&words[4..], at)?;
            pipeline.variables = vec![i.clone(), x.clone()];
            pipeline.declares = true;
            self.variables.extend([i.clone(), x.clone()]);
            return Ok(pipeline);
        }
        self.whole(words, at)
    }

    fn whole(&mut self, words: &[Placed], at: usize) -> Result<Pipeline, TemplateError> {
        let mut reader = Reader { words, next: 0, variables: &self.variables, depth: 0, end: at };
        let pipeline = reader.pipeline()?;
        if let Some(word) = reader.peek() {
            return fault("unexpected `)`", word.at);
        }
        if pipeline.declares {
            self.variables.extend(pipeline.variables.iter().cloned());
        }
        Ok(pipeline)
    }
}

fn only<T>(words: &[Placed], node: T) -> Result<T, TemplateError> {
    match words.get(1) {
        Some(word) => fault("unexpected words behind a keyword", word.at),
        None => Ok(node),
    }
}

/// Reads the words of one action.
struct Reader<'a> {
    words: &'a [Placed],
    next: usize,
    variables: &'a [String],
    depth: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<&'a Placed> {
        self.words.get(self.next)
    }

    fn at(&self) -> usize {
        self.peek().or(self.words.last()).map_or(self.end, |word| word.at)
    }

    fn pipeline(&mut self) -> Result<Pipeline, TemplateError> {
        let mut pipeline = Pipeline::default();
        if let [variable, sign, ..] = &self.words[self.next..]
            && let (Token::Variable(name), Token::Declare | Token::Assign) =
                (&variable.token, &sign.token)
        {
            pipeline.declares = sign.token == Token::Declare;
            if !pipeline.declares && !self.variables.contains(name) {
                return fault(format!("undefined variable `${name}`"), variable.at);
            }
            pipeline.variables.push(name.clone());
            self.next += 2;
        }
        loop {
            let command = self.command()?;
            let first = &command.parts[0];
            let callable = matches!(first.term, Term::Function(_)) && first.fields.is_empty();
            if !pipeline.commands.is_empty() && !callable {
                return fault("what stands behind `|` must be a function", self.at());
            }
            pipeline.commands.push(command);
            match self.peek().map(|word| &word.token) {
                Some(Token::Pipe) => self.next += 1,
                _ => return Ok(pipeline),
            }
        }
    }

    fn command(&mut self) -> Result<Command, TemplateError> {
        let mut parts: Vec<Operand> = Vec::new();
        while let Some(word) = self.peek() {
            if matches!(word.token, Token::Pipe | Token::Close) {
                break;
            }
            if !parts.is_empty() && !word.apart {
                return fault("words must stand apart", word.at);
            }
            parts.push(self.operand()?);
        }
        match parts.is_empty() {
            true => fault("missing value for command", self.at()),
            false => Ok(Command { parts }),
        }
    }

    fn operand(&mut self) -> Result<Operand, TemplateError> {
        let Some(word) = self.peek() else { return fault("missing value for command", self.end) };
        self.next += 1;
        let mut fields = Vec::new();
        let term = match &word.token {
            Token::Dot => Term::Dot,
            Token::Field(name) => {
                fields.push(name.clone());
                Term::Dot
            }
            Token::Variable(name) if self.variables.contains(name) => Term::Variable(name.clone()),
            Token::Variable(name) => {
                return fault(format!("undefined variable `${name}`"), word.at);
            }
            Token::Text(text) => Term::Text(text.clone()),
            Token::Int(number) => Term::Int(*number),
            Token::Float(number) => Term::Float(*number),
            Token::Word(name) => match name.as_str() {
                "true" => Term::Bool(true),
                "false" => Term::Bool(false),
                "nil" => Term::Nil,
                name if is_function(name) => Term::Function(name.to_owned()),
                name => return fault(format!("function `{name}` is not defined"), word.at),
            },
            Token::Open => Term::Nested(Box::new(self.nested(word.at)?)),
            Token::Pipe | Token::Close | Token::Comma | Token::Declare | Token::Assign => {
                return fault("unexpected sign in a command", word.at);
            }
        };
        while let Some(Placed { token: Token::Field(name), apart: false, .. }) = self.peek() {
            fields.push(name.clone());
            self.next += 1;
        }
        Ok(Operand { term, fields })
    }

    fn nested(&mut self, at: usize) -> Result<Pipeline, TemplateError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return fault(format!("more than {MAX_DEPTH} brackets inside each other"), at);
        }
        let inner = self.pipeline()?;
        self.depth -= 1;
        match self.peek().map(|word| &word.token) {
            Some(Token::Close) => self.next += 1,
            _ => return fault("unclosed `(`", at),
        }
        Ok(inner)
    }
}

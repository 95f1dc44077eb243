//! Walks a template's tree and writes its text, within limits on steps and output.
//!
//! `Template::expand` starts it; `functions` does what functions do.

use super::Surroundings;
use super::functions::call;
use super::parse::{Command, Node, Operand, Pipeline, Term};
use super::value::Value;
use std::sync::Arc;

/// Nodes, commands and turns of `range` that one template takes at most.
const MAX_STEPS: usize = 20_000;
/// Bytes of text that one template makes at most.
const MAX_OUTPUT: usize = 64 * 1024;

/// How a block ended.
#[derive(PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
}

pub(super) struct Evaluator<'a> {
    around: &'a Surroundings<'a>,
    variables: Vec<(String, Value)>,
    out: String,
    steps: usize,
}

/// The text of a template.
pub(super) fn evaluate(nodes: &[Node], around: &Surroundings<'_>) -> Result<String, String> {
    let alert = Value::Alert(Arc::new(around.alert.clone()));
    let given = |name: &str| alert.field(name).unwrap_or(Value::Nothing);
    let variables = vec![
        (String::new(), alert.clone()),
        ("labels".to_owned(), given("Labels")),
        ("externalLabels".to_owned(), given("ExternalLabels")),
        ("externalURL".to_owned(), given("ExternalURL")),
        ("value".to_owned(), given("Value")),
    ];
    let mut evaluator = Evaluator { around, variables, out: String::new(), steps: 0 };
    evaluator.block(nodes, &alert)?;
    Ok(evaluator.out)
}

impl Evaluator<'_> {
    fn step(&mut self) -> Result<(), String> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(format!("the template takes more than {MAX_STEPS} steps"));
        }
        Ok(())
    }

    fn write(&mut self, text: &str) -> Result<(), String> {
        if self.out.len() + text.len() > MAX_OUTPUT {
            return Err(format!("the template makes more than {MAX_OUTPUT} bytes"));
        }
        self.out.push_str(text);
        Ok(())
    }

    fn block(&mut self, nodes: &[Node], dot: &Value) -> Result<Flow, String> {
        let known = self.variables.len();
        let mut flow = Flow::On;
        for node in nodes {
            flow = self.node(node, dot)?;
            if flow != Flow::On {
                break;
            }
        }
        self.variables.truncate(known);
        Ok(flow)
    }

    fn node(&mut self, node: &Node, dot: &Value) -> Result<Flow, String> {
        self.step()?;
        let known = self.variables.len();
        let flow = match node {
            Node::Text(text) => {
                self.write(text)?;
                return Ok(Flow::On);
            }
            Node::Show(pipeline) => {
                let value = self.pipeline(pipeline, dot)?;
                if pipeline.variables.is_empty() {
                    self.write(&value.shown())?;
                }
                // What it declares lasts until the end of the block.
                return Ok(Flow::On);
            }
            Node::If { condition, then, otherwise } => {
                let is = self.pipeline(condition, dot)?.truth();
                self.block(if is { then } else { otherwise }, dot)?
            }
            Node::With { value, then, otherwise } => {
                let value = self.pipeline(value, dot)?;
                if value.truth() { self.block(then, &value)? } else { self.block(otherwise, dot)? }
            }
            Node::Range { list, body, otherwise } => self.range(list, body, otherwise, dot)?,
            Node::Break => Flow::Break,
            Node::Continue => Flow::Continue,
        };
        self.variables.truncate(known);
        Ok(flow)
    }

    fn range(
        &mut self,
        list: &Pipeline,
        body: &[Node],
        otherwise: &[Node],
        dot: &Value,
    ) -> Result<Flow, String> {
        let names = list.variables.clone();
        let bare = Pipeline { variables: Vec::new(), ..list.clone() };
        let items: Vec<(Value, Value)> = match self.pipeline(&bare, dot)? {
            Value::List(items) => {
                let numbers = (0..).map(Value::Int);
                numbers.zip(items.iter().cloned()).collect()
            }
            Value::Labels(labels) => {
                labels.iter().map(|(name, value)| (Value::text(name), Value::text(value))).collect()
            }
            Value::Args(args) => args
                .iter()
                .map(|(name, value)| (Value::text(name.as_str()), value.clone()))
                .collect(),
            Value::Int(count) => (0..count.clamp(0, MAX_STEPS as i64 + 1))
                .map(|i| (Value::Int(i), Value::Int(i)))
                .collect(),
            Value::Nothing => Vec::new(),
            other => return Err(format!("range can't iterate over {}", other.shown())),
        };
        if items.is_empty() {
            return self.block(otherwise, dot);
        }
        let known = self.variables.len();
        for (key, item) in items {
            self.step()?;
            match names.as_slice() {
                [one] => self.variables.push((one.clone(), item.clone())),
                [first, second] => {
                    self.variables.push((first.clone(), key));
                    self.variables.push((second.clone(), item.clone()));
                }
                _ => {}
            }
            let flow = self.block(body, &item)?;
            self.variables.truncate(known);
            if flow == Flow::Break {
                break;
            }
        }
        Ok(Flow::On)
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, String> {
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(self.command(command, dot, value)?);
        }
        let value = value.unwrap_or(Value::Nothing);
        for name in &pipeline.variables {
            let known = self.variables.iter_mut().rev().find(|(known, _)| known == name);
            match known.filter(|_| !pipeline.declares) {
                Some((_, place)) => *place = value.clone(),
                None => self.variables.push((name.clone(), value.clone())),
            }
        }
        Ok(value)
    }

    fn command(
        &mut self,
        command: &Command,
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, String> {
        self.step()?;
        let [first, rest @ ..] = command.parts.as_slice() else { return Ok(Value::Nothing) };
        if let (Term::Function(name), true) = (&first.term, first.fields.is_empty()) {
            return match name.as_str() {
                "and" | "or" => self.shortcut(name == "or", rest, dot, last),
                name => {
                    let mut arguments = Vec::with_capacity(rest.len() + 1);
                    for part in rest {
                        arguments.push(self.operand(part, dot)?);
                    }
                    arguments.extend(last);
                    self.call(name, &arguments)
                }
            };
        }
        if !rest.is_empty() || last.is_some() {
            return Err("can't give argument to non-function".to_owned());
        }
        self.operand(first, dot)
    }

    fn call(&mut self, name: &str, arguments: &[Value]) -> Result<Value, String> {
        call(name, arguments, self.around).map_err(|why| format!("error calling {name}: {why}"))
    }

    /// `and` and `or`: the first argument that decides, the later ones are not looked at.
    fn shortcut(
        &mut self,
        or: bool,
        parts: &[Operand],
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, String> {
        let mut value = None;
        for part in parts {
            let found = self.operand(part, dot)?;
            if found.truth() == or {
                return Ok(found);
            }
            value = Some(found);
        }
        let name = if or { "or" } else { "and" };
        last.or(value)
            .ok_or_else(|| format!("wrong number of args for {name}: want at least 1 got 0"))
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value, String> {
        self.step()?;
        let mut value = match &operand.term {
            Term::Dot => dot.clone(),
            Term::Variable(name) => {
                let found = self.variables.iter().rev().find(|(known, _)| known == name);
                found
                    .map(|(_, value)| value.clone())
                    .ok_or_else(|| format!("undefined variable: ${name}"))?
            }
            Term::Function(name) => self.call(name, &[])?,
            Term::Nil => Value::Nothing,
            Term::Bool(is) => Value::Bool(*is),
            Term::Int(number) => Value::Int(*number),
            Term::Float(number) => Value::Float(*number),
            Term::Text(text) => Value::text(text.as_str()),
            Term::Nested(pipeline) => self.pipeline(pipeline, dot)?,
        };
        for field in &operand.fields {
            value = value.field(field)?;
        }
        Ok(value)
    }
}

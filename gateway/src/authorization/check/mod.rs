//! Checks a rule against the messages of an RPC, and makes of it the tree that is evaluated.
//!
//! `cel` has no checker: to it, a field that nobody has is an error on every request, and a number that is compared with
//! a text is never equal. Here both are mistakes of the file, told before the door opens.

mod chain;
mod fault;
mod function;
mod operator;

use cel::common::ast::{Expr, IdedExpr, LiteralValue};

use super::expression::{Condition, Operand, Type};
use super::source::{Fault, Parsed};
use crate::message::{Field, RpcType, Value};

/// How deep a rule may nest after parsing: what decides requests runs on stacks of the usual size.
const DEEPEST: usize = 48;

/// What a rule reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reads {
    pub(super) claims: bool,
    pub(super) request: bool,
    pub(super) response: bool,
}

/// Checks a rule for an RPC. Every mistake is told.
pub(super) fn check(parsed: &Parsed, rpc: &RpcType) -> Result<(Condition, Reads), Vec<Fault>> {
    let mut checker =
        Checker { parsed, rpc, reads: Reads::default(), faults: Vec::new(), depth: 0 };
    let condition = checker.condition(&parsed.root, "a rule");
    match condition {
        Some(condition) if checker.faults.is_empty() => Ok((condition, checker.reads)),
        _ => Err(checker.faults),
    }
}

struct Checker<'a> {
    parsed: &'a Parsed,
    rpc: &'a RpcType,
    reads: Reads,
    faults: Vec<Fault>,
    depth: usize,
}

/// A part that was checked.
enum Checked {
    Truth(Condition),
    Value {
        operand: Operand,
        kind: Type,
        /// The field, where it is one: what is said about it can be exact.
        field: Option<Field>,
    },
}

impl Checked {
    fn kind(&self) -> &Type {
        match self {
            Self::Truth(_) => &Type::Bool,
            Self::Value { kind, .. } => kind,
        }
    }

    fn operand(self) -> Operand {
        match self {
            Self::Truth(condition) => Operand::Truth(Box::new(condition)),
            Self::Value { operand, .. } => operand,
        }
    }

    fn value(operand: Operand, kind: Type) -> Self {
        Self::Value { operand, kind, field: None }
    }
}

impl Checker<'_> {
    /// Notes a mistake.
    fn refuse<T>(&mut self, at: &IdedExpr, message: impl Into<String>) -> Option<T> {
        // A chain of names stands where its first name stands.
        let mut first = at;
        while let Expr::Select(select) = &first.expr {
            first = &select.operand;
        }
        self.faults.push(Fault { at: self.parsed.place(first), message: message.into() });
        None
    }

    /// A part that must be true or false.
    fn condition(&mut self, expr: &IdedExpr, who: &str) -> Option<Condition> {
        match self.part(expr)? {
            Checked::Truth(condition) => Some(condition),
            Checked::Value { kind, .. } => {
                self.refuse(expr, format!("this is {kind}, and {who} is true or false"))
            }
        }
    }

    fn conditions(&mut self, parts: &[&IdedExpr], who: &str) -> Option<Vec<Condition>> {
        let parts: Vec<_> = parts.iter().map(|part| self.condition(part, who)).collect();
        parts.into_iter().collect()
    }

    fn part(&mut self, expr: &IdedExpr) -> Option<Checked> {
        self.depth += 1;
        let checked = if self.depth > DEEPEST {
            self.refuse(expr, format!("it nests deeper than {DEEPEST} levels: split the rule"))
        } else {
            self.part_within(expr)
        };
        self.depth -= 1;
        checked
    }

    fn part_within(&mut self, expr: &IdedExpr) -> Option<Checked> {
        match &expr.expr {
            Expr::Literal(literal) => self.literal(expr, literal),
            Expr::Ident(_) | Expr::Select(_) => self.chain(expr),
            Expr::List(list) if list.optional_indices.is_empty() => {
                self.list(expr, &list.elements)
            }
            Expr::Call(call) => self.call(expr, call),
            Expr::Comprehension(_) => self.refuse(
                expr,
                "a rule has no loops (all, exists, exists_one, map, filter): nothing would bound their cost; ask with `in`",
            ),
            Expr::Map(_) | Expr::Struct(_) => {
                self.refuse(expr, "a rule makes no maps and no messages: compare fields one by one")
            }
            Expr::List(_) | Expr::Unspecified => self.refuse(expr, "this can't be understood"),
        }
    }

    fn literal(&mut self, expr: &IdedExpr, literal: &LiteralValue) -> Option<Checked> {
        let (value, kind) = match literal {
            LiteralValue::Boolean(truth) => {
                return Some(Checked::Truth(Condition::Constant(*truth.inner())));
            }
            LiteralValue::Int(number) => (Value::I64(*number.inner()), Type::Int),
            LiteralValue::UInt(number) => (Value::U64(*number.inner()), Type::Uint),
            LiteralValue::Double(number) => (Value::F64(*number.inner()), Type::Double),
            LiteralValue::String(text) => (Value::Str(text.inner().to_owned().into()), Type::Text),
            LiteralValue::Bytes(bytes) => {
                (Value::Bytes(bytes.inner().to_owned().into()), Type::Bytes)
            }
            LiteralValue::Null => {
                return self.refuse(
                    expr,
                    "nothing is null here, an absent field has its default; ask with has(request.field) whether it is set",
                );
            }
        };
        Some(Checked::value(Operand::Literal(value), kind))
    }

    fn list(&mut self, expr: &IdedExpr, elements: &[IdedExpr]) -> Option<Checked> {
        let checked: Vec<_> = elements.iter().map(|element| self.part(element)).collect();
        let checked: Vec<Checked> = checked.into_iter().collect::<Option<_>>()?;
        let Some(first) = checked.first() else {
            return Some(Checked::value(Operand::List(Vec::new()), Type::EmptyList));
        };
        let kind = first.kind().clone();
        if matches!(kind, Type::List(_) | Type::EmptyList | Type::Map(_)) {
            return self.refuse(expr, "a list within a list can't be compared with anything");
        }
        if let Some(other) = checked.iter().find(|other| *other.kind() != kind) {
            let message = format!("a list has one type, and here {kind} meets {}", other.kind());
            return self.refuse(expr, message);
        }
        let parts = checked.into_iter().map(Checked::operand).collect();
        Some(Checked::value(Operand::List(parts), Type::List(Box::new(kind))))
    }
}

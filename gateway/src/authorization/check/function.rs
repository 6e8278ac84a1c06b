//! The functions that a rule may call: a short list, each of which costs no more than its values are long.

use cel::common::ast::{CallExpr, IdedExpr};

use super::{Checked, Checker};
use crate::authorization::expression::{Condition, Operand, TextTest, Type};
use crate::message::nearest;

/// Every function there is.
const FUNCTIONS: [&str; 6] = ["size", "startsWith", "endsWith", "contains", "string", "has"];

impl Checker<'_> {
    /// A call of a function, in either of its forms: `size(x)` and `x.size()`.
    pub(super) fn function(&mut self, expr: &IdedExpr, call: &CallExpr) -> Option<Checked> {
        let name = call.func_name.as_str();
        match (name, call.target.as_deref(), call.args.as_slice()) {
            ("size", Some(part), []) | ("size", None, [part]) => self.size(part),
            ("string", None, [part]) => self.spelled(part),
            ("startsWith", Some(text), [part]) => self.test(TextTest::StartsWith, text, part),
            ("endsWith", Some(text), [part]) => self.test(TextTest::EndsWith, text, part),
            ("contains", Some(text), [part]) => self.test(TextTest::Contains, text, part),
            ("size", ..) => self.refuse(expr, "size takes one value: size(request.field)"),
            ("string", ..) => self.refuse(expr, "string takes one value: string(request.field)"),
            ("has", ..) => self.refuse(expr, "has asks for a field: has(request.a.b)"),
            ("startsWith" | "endsWith" | "contains", ..) => {
                self.refuse(expr, format!("write request.field.{name}('…')"))
            }
            _ => {
                let message = match nearest(name, FUNCTIONS.into_iter()) {
                    Some(meant) => format!("there is no function `{name}`; did you mean {meant}?"),
                    None => format!(
                        "there is no function `{name}`; a rule may call {}",
                        FUNCTIONS.join(", ")
                    ),
                };
                self.refuse(expr, message)
            }
        }
    }

    fn size(&mut self, part: &IdedExpr) -> Option<Checked> {
        let checked = self.part(part)?;
        match checked.kind() {
            Type::Text | Type::Bytes | Type::List(_) | Type::EmptyList | Type::Map(_) => {
                Some(Checked::value(Operand::Size(Box::new(checked.operand())), Type::Int))
            }
            other => {
                let message =
                    format!("size measures texts, bytes, lists and maps, and this is {other}");
                self.refuse(part, message)
            }
        }
    }

    fn spelled(&mut self, part: &IdedExpr) -> Option<Checked> {
        let checked = self.part(part)?;
        match checked.kind() {
            Type::Int | Type::Uint | Type::Bool | Type::Text => {
                Some(Checked::value(Operand::Spelled(Box::new(checked.operand())), Type::Text))
            }
            other => {
                let message =
                    format!("string spells whole numbers and truths, and this is {other}");
                self.refuse(part, message)
            }
        }
    }

    fn test(&mut self, test: TextTest, text: &IdedExpr, part: &IdedExpr) -> Option<Checked> {
        let (checked_text, checked_part) = (self.part(text), self.part(part));
        let (checked_text, checked_part) = (checked_text?, checked_part?);
        for (expr, checked) in [(text, &checked_text), (part, &checked_part)] {
            if *checked.kind() != Type::Text {
                let message =
                    format!("this is {}, and only texts begin, end and contain", checked.kind());
                return self.refuse(expr, message);
            }
        }
        let (text, part) = (checked_text.operand(), checked_part.operand());
        Some(Checked::Truth(Condition::Text(test, text, part)))
    }
}

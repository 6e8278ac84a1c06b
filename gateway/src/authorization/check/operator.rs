//! The operators of a rule, and what each asks of its parts.

use cel::common::ast::{CallExpr, Expr, IdedExpr, operators};

use super::fault::Fit;
use super::{Checked, Checker};
use crate::authorization::expression::{Comparison, Condition, Operand, Type};

impl Checker<'_> {
    /// An operator with its parts; whatever else is called is a function.
    pub(super) fn call(&mut self, expr: &IdedExpr, call: &CallExpr) -> Option<Checked> {
        let arguments: Vec<&IdedExpr> =
            call.target.as_deref().into_iter().chain(&call.args).collect();
        match (call.func_name.as_str(), arguments.as_slice()) {
            (operators::LOGICAL_AND, parts) => {
                let parts = flat(operators::LOGICAL_AND, parts);
                self.conditions(&parts, "each part of `&&`").map(Condition::All).map(Checked::Truth)
            }
            (operators::LOGICAL_OR, parts) => {
                let parts = flat(operators::LOGICAL_OR, parts);
                self.conditions(&parts, "each part of `||`").map(Condition::Any).map(Checked::Truth)
            }
            (operators::LOGICAL_NOT, [part]) => {
                let part = self.condition(part, "what `!` turns around")?;
                Some(Checked::Truth(Condition::Not(Box::new(part))))
            }
            (operators::CONDITIONAL, [asked, yes, no]) => self.choice(asked, yes, no),
            (operators::IN, [wanted, place]) => self.membership(expr, wanted, place),
            (operators::ADD, parts) => self.join(expr, &flat(operators::ADD, parts)),
            (
                operators::SUBSTRACT
                | operators::MULTIPLY
                | operators::DIVIDE
                | operators::MODULO
                | operators::NEGATE,
                _,
            ) => self.refuse(expr, "a rule does not calculate: compare fields as they are"),
            (operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT, _) => self.refuse(
                expr,
                "an element can't be picked: ask with `in` whether a list holds a value or a map a key",
            ),
            (name, [left, right]) => match comparison(name) {
                Some(comparison) => self.compare(expr, comparison, left, right),
                None => self.function(expr, call),
            },
            _ => self.function(expr, call),
        }
    }

    fn choice(&mut self, asked: &IdedExpr, yes: &IdedExpr, no: &IdedExpr) -> Option<Checked> {
        let condition = self.condition(asked, "what stands before `?`");
        let (first, second) = (self.part(yes), self.part(no));
        let (condition, first, second) = (condition?, first?, second?);
        match (first, second) {
            (Checked::Truth(first), Checked::Truth(second)) => {
                Some(Checked::Truth(Condition::Choice(Box::new([condition, first, second]))))
            }
            (first, second) if first.kind() == second.kind() => {
                let kind = first.kind().clone();
                let parts = (condition, first.operand(), second.operand());
                Some(Checked::value(Operand::Choice(Box::new(parts)), kind))
            }
            (first, second) => {
                let message = format!(
                    "both ways of `?` have one type, and here {} meets {}",
                    first.kind(),
                    second.kind()
                );
                self.refuse(yes, message)
            }
        }
    }

    fn compare(
        &mut self,
        expr: &IdedExpr,
        comparison: Comparison,
        left: &IdedExpr,
        right: &IdedExpr,
    ) -> Option<Checked> {
        let (left, right) = (self.part(left), self.part(right));
        let (left, right) = (left?, right?);
        let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        match Fit::of(&left, &right) {
            Fit::Same if equality || orders(left.kind()) => {}
            Fit::Same => {
                return self
                    .refuse(expr, format!("{} has no order: compare by == or !=", left.kind()));
            }
            Fit::Not(message) => return self.refuse(expr, message),
        }
        if let Type::Map(_) = left.kind() {
            return self
                .refuse(expr, "maps can't be compared: ask with `in` whether one has a key");
        }
        Some(Checked::Truth(Condition::Compare(comparison, left.operand(), right.operand())))
    }

    fn membership(
        &mut self,
        expr: &IdedExpr,
        wanted: &IdedExpr,
        place: &IdedExpr,
    ) -> Option<Checked> {
        let (wanted, place) = (self.part(wanted), self.part(place));
        let (wanted, place) = (wanted?, place?);
        let element = match place.kind() {
            Type::List(element) | Type::Map(element) => (**element).clone(),
            Type::EmptyList => wanted.kind().clone(),
            other => {
                let hint = if *other == Type::Text { "; a text has .contains(…)" } else { "" };
                return self.refuse(
                    expr,
                    format!(
                        "`in` looks into a list or the keys of a map, and this is {other}{hint}"
                    ),
                );
            }
        };
        if let Fit::Not(message) = Fit::within(&wanted, &place, &element) {
            return self.refuse(expr, message);
        }
        Some(Checked::Truth(Condition::In(wanted.operand(), place.operand())))
    }

    fn join(&mut self, expr: &IdedExpr, parts: &[&IdedExpr]) -> Option<Checked> {
        let checked: Vec<_> = parts.iter().map(|part| self.part(part)).collect();
        let checked: Vec<Checked> = checked.into_iter().collect::<Option<_>>()?;
        if checked.iter().any(|part| *part.kind() != Type::Text) {
            return self.refuse(
                expr,
                "`+` puts texts together and does not calculate; string(…) makes a text of a number",
            );
        }
        let parts = checked.into_iter().map(Checked::operand).collect();
        Some(Checked::value(Operand::Joined(parts), Type::Text))
    }
}

/// The parts of a chain of one operator, as deep as it nests to either side.
fn flat<'e>(operator: &str, parts: &[&'e IdedExpr]) -> Vec<&'e IdedExpr> {
    let mut waiting: Vec<&IdedExpr> = parts.iter().rev().copied().collect();
    let mut flat = Vec::new();
    while let Some(part) = waiting.pop() {
        match &part.expr {
            Expr::Call(call) if call.func_name == operator && call.target.is_none() => {
                waiting.extend(call.args.iter().rev());
            }
            _ => flat.push(part),
        }
    }
    flat
}

fn comparison(name: &str) -> Option<Comparison> {
    Some(match name {
        operators::EQUALS => Comparison::Equal,
        operators::NOT_EQUALS => Comparison::NotEqual,
        operators::LESS => Comparison::Less,
        operators::LESS_EQUALS => Comparison::LessOrEqual,
        operators::GREATER => Comparison::Greater,
        operators::GREATER_EQUALS => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn orders(kind: &Type) -> bool {
    matches!(kind, Type::Int | Type::Uint | Type::Double | Type::Text | Type::Bytes)
}

//! Names between dots: what the principal is, and the fields of messages.

use cel::common::ast::{Expr, IdedExpr};

use super::{Checked, Checker};
use crate::authorization::expression::{Condition, FieldRef, Operand, Side, Type};
use crate::message::{Field, FieldPath, Kind, Shape, Value, nearest};

/// What a rule can name.
const NAMES: [&str; 4] = ["claims", "request", "response", "method"];

impl Checker<'_> {
    /// A name, or names between dots.
    pub(super) fn chain(&mut self, expr: &IdedExpr) -> Option<Checked> {
        let Some((root, names)) = names(expr) else { return self.no_chain(expr) };
        match (root, names.as_slice()) {
            ("claims", ["sub"]) => {
                self.reads.claims = true;
                Some(Checked::value(Operand::Subject, Type::Text))
            }
            ("claims", ["roles"]) => {
                self.reads.claims = true;
                Some(Checked::value(Operand::Roles, Type::List(Box::new(Type::Text))))
            }
            ("claims", []) => {
                self.refuse(expr, "claims by itself is nothing: write claims.sub or claims.roles")
            }
            ("claims", [name, ..]) => {
                let message = format!(
                    "a rule sees no claim `{name}`: there are claims.sub, a text, and claims.roles, a list of texts"
                );
                self.refuse(expr, message)
            }
            ("method", []) => {
                let name = Value::Str(self.rpc.name().into());
                Some(Checked::value(Operand::Literal(name), Type::Text))
            }
            ("method", _) => self.refuse(expr, "method is a text, and nothing can follow it"),
            ("request", names) => self.field(expr, Side::Request, names),
            ("response", names) => self.field(expr, Side::Response, names),
            (other, _) => {
                let message = match nearest(other, NAMES.into_iter()) {
                    Some(meant) => format!("there is no `{other}`; did you mean {meant}?"),
                    None => format!(
                        "there is no `{other}`; a rule can name claims, request, response and method"
                    ),
                };
                self.refuse(expr, message)
            }
        }
    }

    fn no_chain(&mut self, expr: &IdedExpr) -> Option<Checked> {
        match &expr.expr {
            // Only has(…) makes such a selection.
            Expr::Select(select) if select.test => self.presence(expr),
            _ => self.refuse(expr, "a field is named from its message on: request.a.b"),
        }
    }

    /// `has(request.a.b)`.
    fn presence(&mut self, expr: &IdedExpr) -> Option<Checked> {
        let Expr::Select(select) = &expr.expr else { return None };
        let side = match names(&select.operand) {
            Some(("request", mut names)) => {
                names.push(&select.field);
                (Side::Request, names)
            }
            Some(("response", mut names)) => {
                names.push(&select.field);
                (Side::Response, names)
            }
            _ => return self.refuse(expr, "has asks for a field: has(request.a.b)"),
        };
        let (side, names) = side;
        let path = self.path(expr, side, &names)?;
        Some(Checked::Truth(Condition::Has(FieldRef { side, path })))
    }

    fn field(&mut self, expr: &IdedExpr, side: Side, names: &[&str]) -> Option<Checked> {
        let path = self.path(expr, side, names)?;
        let field = path.leaf().clone();
        let kind = match (field.shape(), scalar(field.kind())) {
            (Shape::Map { key, .. }, _) => Type::Map(Box::new(scalar(key)?)),
            (_, None) => return self.refuse(expr, whole(&field, side, path.as_str())),
            (Shape::Singular { .. }, Some(Type::Bool)) => {
                return Some(Checked::Truth(Condition::Field(FieldRef { side, path })));
            }
            (Shape::Singular { .. }, Some(kind)) => kind,
            (Shape::Repeated { .. }, Some(element)) => Type::List(Box::new(element)),
        };
        let operand = Operand::Field(FieldRef { side, path });
        Some(Checked::Value { operand, kind, field: Some(field) })
    }

    /// The field that the names lead to.
    fn path(&mut self, expr: &IdedExpr, side: Side, names: &[&str]) -> Option<FieldPath> {
        match side {
            Side::Request => self.reads.request = true,
            Side::Response => self.reads.response = true,
        }
        let message = match side {
            Side::Request => self.rpc.input(),
            Side::Response => self.rpc.output(),
        };
        if names.is_empty() {
            let message = format!(
                "{side} by itself is a whole {}: name one of its fields",
                message.full_name()
            );
            return self.refuse(expr, message);
        }
        let path = match FieldPath::parse(message, &names.join(".")) {
            Ok(path) => path,
            Err(error) => {
                return self
                    .refuse(expr, format!("{side}.{}: {}", names.join("."), error.reason()));
            }
        };
        let way = path.fields().len() - 1;
        let list = path.fields().iter().take(way).find(|field| field.shape() != SINGULAR_MESSAGE);
        if let Some(list) = list.map(|list| list.name().to_owned()) {
            let message = format!(
                "{side}.{path}: `{list}` is a list, and a rule does not look into each of its elements; let the service decide and name the RPC under authorization.ownership_upstream"
            );
            return self.refuse(expr, message);
        }
        Some(path)
    }
}

const SINGULAR_MESSAGE: Shape = Shape::Singular { presence: true };

/// The first name and those behind it.
fn names(expr: &IdedExpr) -> Option<(&str, Vec<&str>)> {
    let mut names = Vec::new();
    let mut expr = expr;
    loop {
        match &expr.expr {
            Expr::Ident(name) => {
                names.reverse();
                return Some((name, names));
            }
            Expr::Select(select) if !select.test => {
                names.push(select.field.as_str());
                expr = &select.operand;
            }
            _ => return None,
        }
    }
}

/// The type of one value; none for a message.
fn scalar(kind: Kind) -> Option<Type> {
    Some(match kind {
        Kind::Bool => Type::Bool,
        Kind::Int32
        | Kind::Int64
        | Kind::Sint32
        | Kind::Sint64
        | Kind::Sfixed32
        | Kind::Sfixed64
        | Kind::Enum(_) => Type::Int,
        Kind::Uint32 | Kind::Uint64 | Kind::Fixed32 | Kind::Fixed64 => Type::Uint,
        Kind::Float | Kind::Double => Type::Double,
        Kind::String => Type::Text,
        Kind::Bytes => Type::Bytes,
        Kind::Message(_) => return None,
    })
}

/// Why a field of messages has no value.
fn whole(field: &Field, side: Side, path: &str) -> String {
    let Some(message) = field.message_type() else { return String::new() };
    let name = message.full_name();
    if matches!(field.shape(), Shape::Repeated { .. }) {
        return format!(
            "{side}.{path} is a list of messages ({name}), and a rule does not look into each; ask has({side}.{path}) whether there are any"
        );
    }
    let fields: Vec<String> =
        message.fields().take(6).map(|field| format!("{path}.{}", field.name())).collect();
    let name_one = if fields.is_empty() {
        String::new()
    } else {
        format!("name one of its fields ({}), or ", fields.join(", "))
    };
    format!(
        "{side}.{path} is a whole message ({name}): {name_one}ask has({side}.{path}) whether it is set"
    )
}

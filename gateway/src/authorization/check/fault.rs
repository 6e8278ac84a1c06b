//! Which values can be compared, and what is said when two can't.

use super::Checked;
use crate::authorization::expression::{Operand, Type};
use crate::message::{Field, Value};

/// Whether two parts can be compared.
pub(super) enum Fit {
    Same,
    Not(String),
}

impl Fit {
    /// Two parts beside each other.
    pub(super) fn of(left: &Checked, right: &Checked) -> Self {
        let lists = |one: &Type, other: &Type| {
            matches!(one, Type::EmptyList) && matches!(other, Type::List(_) | Type::EmptyList)
        };
        let (one, other) = (left.kind(), right.kind());
        if one == other || lists(one, other) || lists(other, one) {
            return Self::Same;
        }
        let said = advice(left, one, right).or_else(|| advice(right, other, left));
        Self::Not(said.unwrap_or_else(|| format!("{one} can't be compared with {other}")))
    }

    /// A part, and another whose elements are of this type.
    pub(super) fn within(wanted: &Checked, place: &Checked, element: &Type) -> Self {
        if wanted.kind() == element {
            return Self::Same;
        }
        let said = advice(place, element, wanted).or_else(|| match place {
            Checked::Value { operand: Operand::List(_), .. } => literal_kind(wanted, element),
            _ => None,
        });
        let kind = wanted.kind();
        Self::Not(said.unwrap_or_else(|| {
            format!("this is {kind}, and what it is looked for in holds {element} each")
        }))
    }
}

/// What to write in the place of `given`, beside a field whose values are of the type `kind`.
fn advice(beside: &Checked, kind: &Type, given: &Checked) -> Option<String> {
    let Checked::Value { field, operand, .. } = beside else { return None };
    let name = match (field, operand) {
        (Some(field), _) => field.name(),
        (None, Operand::Subject) => "claims.sub",
        (None, Operand::Roles) => "claims.roles",
        _ => return None,
    };
    let field = field.as_ref();
    let is_enum = field.is_some_and(|field| field.enum_names().next().is_some());
    let given_literal = match given {
        Checked::Value { operand: Operand::Literal(literal), .. } => Some(literal),
        _ => None,
    };
    let write = match (kind, given.kind(), given_literal) {
        (Type::Int, Type::Text, literal) if is_enum => return Some(of_enum(name, field?, literal)),
        (Type::Bytes, Type::Text, Some(Value::Str(text))) => {
            return Some(format!("`{name}` holds bytes, which are no text: write b'{text}'"));
        }
        (Type::Bytes, Type::Text, _) => {
            return Some(format!(
                "`{name}` holds bytes, which are no text, and can't be compared with one"
            ));
        }
        (Type::Text, Type::Bytes, None) => return None,
        (Type::Text, Type::Bytes, Some(_)) => "a text without the b before it".to_owned(),
        (Type::Uint, Type::Int, Some(Value::I64(number))) if *number >= 0 => format!("{number}u"),
        (Type::Uint, Type::Int, Some(_)) => {
            return Some(format!("`{name}` is {kind}, and never negative"));
        }
        (Type::Int, Type::Uint, Some(Value::U64(number))) => format!("{number}"),
        (Type::Double, Type::Int, Some(Value::I64(number))) => format!("{number}.0"),
        (Type::Double, Type::Uint, Some(Value::U64(number))) => format!("{number}.0"),
        (Type::Text, Type::Int, Some(Value::I64(number))) => format!("'{number}'"),
        (Type::Text, Type::Uint, Some(Value::U64(number))) => format!("'{number}'"),
        (Type::Int | Type::Uint, Type::Text, Some(Value::Str(text)))
            if text.parse::<i64>().is_ok() =>
        {
            format!("{text}{}", if *kind == Type::Uint { "u" } else { "" })
        }
        (Type::Int | Type::Uint, Type::Text, None) => {
            return Some(format!(
                "`{name}` is {kind}, which is no text: write string({name}) with the whole path"
            ));
        }
        (kind, given, _) => {
            return Some(format!("`{name}` is {kind}, and can't be compared with {given}"));
        }
    };
    Some(format!("`{name}` is {kind}: write {write}"))
}

fn of_enum(name: &str, field: &Field, given: Option<&Value<'static>>) -> String {
    let meant = match given {
        Some(Value::Str(text)) => field.enum_number(text).map(|number| (number, text)),
        _ => None,
    };
    if let Some((number, text)) = meant {
        return format!("`{name}` is an enum, and an enum is a number: write {number} for {text}");
    }
    let values: Vec<String> = field
        .enum_names()
        .take(12)
        .filter_map(|value| Some(format!("{value} is {}", field.enum_number(value)?)))
        .collect();
    format!("`{name}` is an enum, and an enum is a number: {}", values.join(", "))
}

/// Beside a list of literals it is the field that says what should stand in it.
fn literal_kind(wanted: &Checked, element: &Type) -> Option<String> {
    let sample = Checked::value(Operand::List(Vec::new()), element.clone());
    advice(wanted, wanted.kind(), &sample)
}

//! A place in a message as services name it, in `google.rpc.BadRequest` above all: `items[0].product_id`.

use super::schema::{Field, MessageType};

/// Which of its two names a client gives a field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Names {
    /// Its key in JSON: `productId`.
    #[default]
    Json,
    /// Its name in the proto file: `product_id`.
    Contract,
}

impl Names {
    /// Both together: who uses names of the contract anywhere is at home in it.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if other == Self::Contract { other } else { self }
    }
}

/// Names between dots, each of a field and with what stands behind it in brackets.
#[derive(Debug)]
pub struct FieldPlace<'t> {
    /// At least one.
    steps: Vec<(Field, &'t str)>,
}

impl<'t> FieldPlace<'t> {
    /// Finds the fields by either of their names; `None` when the text is no place in the message.
    pub fn parse(root: &MessageType, text: &'t str) -> Option<Self> {
        let mut message = root.clone();
        let mut steps: Vec<(Field, &str)> = Vec::new();
        let mut rest = text;
        loop {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at_checked(end)?;
            let field = message.field(name)?;
            let (subscript, after) = after.split_at_checked(subscript(after)?)?;
            let inner = field.message_type();
            steps.push((field, subscript));
            match after.strip_prefix('.') {
                Some(more) => (message, rest) = (inner?, more),
                None if after.is_empty() => return Some(Self { steps }),
                None => return None,
            }
        }
    }

    /// The fields on the way, the named one last.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.steps.iter().map(|(field, _)| field)
    }

    /// The whole place, by these names.
    pub fn spell(&self, names: Names) -> String {
        spell(&self.steps, names)
    }

    /// The place within its first field, by these names; `None` when it is that field itself.
    pub fn spell_within_first(&self, names: Names) -> Option<String> {
        let ((_, subscript), rest) = self.steps.split_first()?;
        let within = spell(rest, names);
        let dot = if subscript.is_empty() || within.is_empty() { "" } else { "." };
        Some(format!("{subscript}{dot}{within}")).filter(|place| !place.is_empty())
    }
}

fn spell(steps: &[(Field, &str)], names: Names) -> String {
    let steps: Vec<String> = steps
        .iter()
        .map(|(field, subscript)| {
            let name = match names {
                Names::Json => field.json_name(),
                Names::Contract => field.name(),
            };
            format!("{name}{subscript}")
        })
        .collect();
    steps.join(".")
}

/// How many bytes of brackets there are at the beginning: `[0]`, `["key"]`, `[0][1]`. A quoted key may hold anything.
fn subscript(text: &str) -> Option<usize> {
    let mut length = 0;
    while let Some(inner) = text.get(length..)?.strip_prefix('[') {
        let close = match inner.strip_prefix('"') {
            Some(quoted) => quoted.find("\"]")? + 2,
            None => inner.find(']')?,
        };
        length += close + 2;
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::kitchen_sink::message;

    #[track_caller]
    fn check(text: &str, json: &str, contract: &str, within: Option<&str>) {
        let root = message("sink.v1.All");
        let place = FieldPlace::parse(&root, text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(place.spell(Names::Json), json);
        assert_eq!(place.spell(Names::Contract), contract);
        assert_eq!(place.spell_within_first(Names::Json).as_deref(), within);
    }

    #[test]
    fn spells_a_place_by_either_name() {
        check("tree", "tree", "tree", None);
        check(
            "well_known.field_mask",
            "wellKnown.fieldMask",
            "well_known.field_mask",
            Some("fieldMask"),
        );
        check(
            "wellKnown.field_mask",
            "wellKnown.fieldMask",
            "well_known.field_mask",
            Some("fieldMask"),
        );
        check("choices[3]", "choices[3]", "choices[3]", Some("[3]"));
        check(
            "choices[3].an_int32",
            "choices[3].anInt32",
            "choices[3].an_int32",
            Some("[3].anInt32"),
        );
        check(
            r#"maps.by_sint64["a.b]c"].a_string"#,
            r#"maps.bySint64["a.b]c"].aString"#,
            r#"maps.by_sint64["a.b]c"].a_string"#,
            Some(r#"bySint64["a.b]c"].aString"#),
        );
    }

    #[test]
    fn what_is_no_place_is_none() {
        let root = message("sink.v1.All");
        for text in [
            "",
            ".",
            "nix",
            "tree.",
            "tree..name",
            "tree.nix",
            "tree[",
            "tree[0",
            "tree[0]x",
            "tree.name.x",
            "[0]",
            "é",
            "tree[\"a]",
        ] {
            assert!(FieldPlace::parse(&root, text).is_none(), "{text}");
        }
    }
}

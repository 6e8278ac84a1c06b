//! How a client would name a field of the message: as it spelled the path, the query or the body.

use super::{RequestBody, RestBinding};
use crate::message::{Field, FieldPlace, Names, TextPath};

impl RestBinding {
    /// Translates a place in the message, `user.email`, into what the client sees: with `body: "user"` its body has a
    /// field `email`. What the path and the query hold keeps its dots. `None` when the text is no place in the message.
    pub(in crate::transcoding) fn spell(&self, place: &str, names: Names) -> Option<String> {
        let place = FieldPlace::parse(&self.input, place)?;
        let numbers = || place.fields().map(Field::number);
        let variable = self
            .variables
            .iter()
            .map(TextPath::path)
            .find(|variable| variable.fields().iter().map(Field::number).eq(numbers()));
        if let Some(variable) = variable {
            return Some(variable.to_string());
        }
        match &self.body {
            RequestBody::Field(field) if numbers().next() == Some(field.number()) => {
                place.spell_within_first(names).or_else(|| Some(place.spell(names)))
            }
            _ => Some(place.spell(names)),
        }
    }
}

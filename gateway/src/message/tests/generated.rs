//! Messages of types that nobody wrote.

use proptest::collection::vec;
use proptest::prelude::*;
use prost_reflect::DynamicMessage;

use super::cases;
use super::mutated::{broken, rearranged, rewritten};
use super::oracle::{compare, compare_in, compare_out, compare_read, descriptor, paths};
use super::strange::{self, Made};
use crate::message::kitchen_sink::messy::{Entropy, messy_wire};
use crate::message::kitchen_sink::sink;
use crate::message::{JsonIn, JsonOut, MessageType};

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..most)
}

fn strange_type(decisions: &[u8], made: Made) -> MessageType {
    strange::schema(&mut Entropy(decisions), made).message("strange.M0").unwrap()
}

/// Wire and JSON, and some fields of it.
fn compare_all(
    message: &MessageType,
    wire: &[u8],
    choices: &[prop::sample::Index],
) -> Result<(), TestCaseError> {
    compare_out(message, wire)?;
    if DynamicMessage::decode(descriptor(message), wire).is_ok() {
        let paths = paths(message, 3);
        for choice in choices {
            compare_read(message, choice.get(&paths), wire)?;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn messages_of_any_type_go_both_ways(types in bytes(400), content in bytes(300)) {
        let message = strange_type(&types, Made::OfAll);
        let mut entropy = Entropy(&content);
        for _ in 0..4 {
            compare(&message, &messy_wire(&descriptor(&message), &mut entropy, 3))?;
        }
    }

    #[test]
    fn rearranged_wire_of_any_type_is_read_as_the_oracle_reads_it(
        types in bytes(400),
        content in bytes(300),
        changes in bytes(60),
        choices in vec(any::<prop::sample::Index>(), 30),
    ) {
        let message = strange_type(&types, Made::OfAll);
        let wire = messy_wire(&descriptor(&message), &mut Entropy(&content), 3);
        let wire = rearranged(&descriptor(&message), &wire, &mut Entropy(&changes), 3);
        compare_all(&message, &wire, &choices)?;
    }

    #[test]
    fn broken_wire_of_any_type_that_the_oracle_takes_is_the_same_message(
        types in bytes(400),
        content in bytes(300),
        changes in bytes(20),
        choices in vec(any::<prop::sample::Index>(), 30),
    ) {
        let message = strange_type(&types, Made::ToBeBroken);
        let mut changes = Entropy(&changes);
        let wire = messy_wire(&descriptor(&message), &mut Entropy(&content), 3);
        for _ in 0..4 {
            compare_all(&message, &broken(wire.clone(), &mut changes), &choices)?;
        }
    }

    #[test]
    fn a_text_of_any_type_is_taken_by_both_or_by_neither(
        types in bytes(400),
        content in bytes(300),
        changes in bytes(60),
    ) {
        let message = strange_type(&types, Made::OfAll);
        compare_rewritten(&message, &content, &changes)?;
    }

    #[test]
    fn a_text_of_the_known_types_is_taken_by_both_or_by_neither(
        name in prop::sample::select(vec!["All", "WellKnown", "Maps", "Scalars", "Choice", "Lists"]),
        content in bytes(200),
        changes in bytes(60),
    ) {
        compare_rewritten(&sink().message(&format!("sink.v1.{name}")).unwrap(), &content, &changes)?;
    }

    #[test]
    fn nothing_that_is_sent_makes_any_type_panic(types in bytes(400), content in bytes(300)) {
        let message = strange_type(&types, Made::OfAll);
        let options = JsonOut { defaults: true, enum_numbers: true };
        let _ = message.wire_to_json(&content, &options, &mut Vec::new());
        let _ = message.json_to_wire(&content, &JsonIn { ignore_unknown: true, ..JsonIn::default() }, &mut Vec::new());
        for path in paths(&message, 2) {
            let _ = path.read(&content);
        }
    }
}

fn compare_rewritten(
    message: &MessageType,
    content: &[u8],
    changes: &[u8],
) -> Result<(), TestCaseError> {
    let wire = messy_wire(&descriptor(message), &mut Entropy(content), 4);
    let mut text = Vec::new();
    message.wire_to_json(&wire, &JsonOut::default(), &mut text).unwrap();
    let mut changes = Entropy(changes);
    for _ in 0..6 {
        compare_in(message, &rewritten(&text, &mut changes))?;
    }
    Ok(())
}

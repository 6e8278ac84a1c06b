//! Generated messages of the messages beside this folder and of the shop, split, reordered and repeated on the wire as no
//! encoder would write them.

use std::sync::{Arc, LazyLock};

use proptest::collection::vec;
use proptest::prelude::*;

use super::cases;
use super::oracle::{compare, compare_read, descriptor, paths};
use crate::message::kitchen_sink::messy::{Entropy, messy_wire};
use crate::message::kitchen_sink::{compile, sink};
use crate::message::{FieldPath, JsonIn, JsonOut, MessageType, Schema};

fn broken(mut wire: Vec<u8>, hits: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    for (place, byte) in hits {
        if !wire.is_empty() {
            let place = place.index(wire.len());
            wire[place] = *byte;
        }
    }
    wire
}

/// The shop's own messages, from the proto files that the services are built from.
fn shop() -> Arc<Schema> {
    static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| {
        let files = [
            "user/v1/user.proto",
            "product/v1/product.proto",
            "order/v1/order.proto",
            "payment/v1/payment.proto",
        ];
        Schema::load(&compile(&files, "../proto")).unwrap()
    });
    Arc::clone(&SCHEMA)
}

fn all() -> MessageType {
    sink().message("sink.v1.All").unwrap()
}

fn all_paths() -> &'static [FieldPath] {
    static PATHS: LazyLock<Vec<FieldPath>> = LazyLock::new(|| paths(&all(), 4));
    &PATHS
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn messy_messages_are_read_as_the_oracle_reads_them(decisions in vec(any::<u8>(), 0..300)) {
        let wire = messy_wire(&descriptor(&all()), &mut Entropy(&decisions), 6);
        compare(&all(), &wire)?;
    }

    #[test]
    fn the_shops_messages_go_both_ways(decisions in vec(any::<u8>(), 0..200), choice in any::<prop::sample::Index>()) {
        let rpcs: Vec<_> = shop().methods().collect();
        let rpc = choice.get(&rpcs);
        for message in [rpc.input(), rpc.output()] {
            let wire = messy_wire(&descriptor(message), &mut Entropy(&decisions), 4);
            compare(message, &wire)?;
        }
    }

    #[test]
    fn fields_of_messy_messages_are_read_as_the_oracle_reads_them(
        decisions in vec(any::<u8>(), 0..300),
        choices in vec(any::<prop::sample::Index>(), 30),
    ) {
        let wire = messy_wire(&descriptor(&all()), &mut Entropy(&decisions), 6);
        for choice in choices {
            compare_read(&all(), choice.get(all_paths()), &wire)?;
        }
    }

    #[test]
    fn broken_wire_never_panics_and_all_readers_agree_on_it(
        decisions in vec(any::<u8>(), 0..200),
        hits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        choice in any::<prop::sample::Index>(),
    ) {
        let wire = broken(messy_wire(&descriptor(&all()), &mut Entropy(&decisions), 6), &hits);
        let mut text = Vec::new();
        let read = all().wire_to_json(&wire, &JsonOut::default(), &mut text);
        let field = choice.get(all_paths()).read(&wire);
        if read.is_ok() {
            prop_assert!(field.is_ok(), "{:?}", field);
            serde_json::from_slice::<serde_json::Value>(&text).unwrap();
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200), choice in any::<prop::sample::Index>()) {
        for name in ["All", "Tree", "WellKnown", "Maps", "Choice", "Lists"] {
            let message = sink().message(&format!("sink.v1.{name}")).unwrap();
            let _ = message.wire_to_json(&bytes, &JsonOut { defaults: true, enum_numbers: true }, &mut Vec::new());
            let _ = message.json_to_wire(&bytes, &JsonIn { ignore_unknown: true, ..JsonIn::default() }, &mut Vec::new());
        }
        let _ = choice.get(all_paths()).read(&bytes);
    }
}

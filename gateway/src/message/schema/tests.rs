use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use prost::Message as _;
use prost_types::field_descriptor_proto::Type;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MessageOptions,
    OneofDescriptorProto,
};

use super::{Idempotency, Kind, Schema, SchemaError, Shape};
use crate::message::kitchen_sink::{compile, message, sink};
use crate::message::tests::cases;
use crate::message::{JsonIn, JsonOut};

#[test]
fn knows_messages_fields_and_rpcs() {
    let schema = sink();
    assert_eq!(schema.services(), ["sink.v1.Sink"]);
    let read = schema.method("sink.v1.Sink/Read").unwrap();
    assert_eq!(
        (read.service(), read.method(), &*read.name()),
        ("sink.v1.Sink", "Read", "sink.v1.Sink/Read")
    );
    assert_eq!(read.idempotency(), Idempotency::NoSideEffects);
    assert_eq!(read.input(), &message("sink.v1.All"));
    assert!(!read.server_streaming());
    let watch = schema.method("sink.v1.Sink/Watch").unwrap();
    assert!(watch.server_streaming() && !watch.client_streaming());
    assert_eq!(watch.output().full_name(), "sink.v1.Tree");
    assert_eq!(watch.idempotency(), Idempotency::Unknown);
    assert_eq!(schema.methods().count(), 2);
    assert!(schema.method("sink.v1.Sink/Write").is_none());
    assert!(schema.method("sink.v1.Sink").is_none());

    let names = message("sink.v1.Names");
    let renamed = names.field("renamed").unwrap();
    assert_eq!(renamed, names.field("other \"name\"").unwrap());
    assert_eq!(names.field("snakeCaseName"), names.field("snake_case_name"));
    assert!(names.field("secret").unwrap().is_redacted() && !renamed.is_redacted());
    assert!(names.field("nothing").is_none());
    let color = message("sink.v1.Scalars").field("a_color").unwrap();
    assert_eq!(color.enum_number("COLOR_RED"), Some(1));
    assert_eq!(color.enum_name(-1), Some("COLOR_NEGATIVE"));
    assert_eq!(color.enum_names().count(), 4);
    let tree = message("sink.v1.Tree");
    assert_eq!(tree.field("left").unwrap().message_type(), Some(tree));
    let by_bool = message("sink.v1.Maps").field("byBool").unwrap();
    assert_eq!(by_bool.kind(), Kind::String);
    assert!(matches!(by_bool.shape(), Shape::Map { key: Kind::Bool, .. }));
    let choice = message("sink.v1.Choice");
    assert_eq!(choice.field("scalars").unwrap().oneof(), Some("method"));
    assert_eq!(message("sink.v1.Optionals").field("a_bool").unwrap().oneof(), None);
    assert_eq!(choice.fields().map(|field| field.number()).max(), Some(301));
}

#[test]
fn the_messages_of_errors_are_always_known() {
    let file = FileDescriptorProto {
        name: Some("empty.proto".to_owned()),
        syntax: Some("proto3".to_owned()),
        ..Default::default()
    };
    let schema = Schema::load(&FileDescriptorSet { file: vec![file] }.encode_to_vec()).unwrap();
    for name in [
        "google.rpc.Status",
        "google.rpc.BadRequest",
        "google.rpc.ErrorInfo",
        "google.rpc.RetryInfo",
        "google.protobuf.Any",
        "google.protobuf.Timestamp",
        "google.protobuf.StringValue",
    ] {
        assert!(schema.message(name).is_some(), "{name}");
    }
}

#[test]
fn a_set_without_googles_own_files_is_completed() {
    let bytes = compile(&["sink.proto"], "src/message/kitchen_sink");
    let mut set = FileDescriptorSet::decode(&*bytes).unwrap();
    set.file.retain(|file| file.name() == "sink.proto");
    let schema = Schema::load(&set.encode_to_vec()).unwrap();
    assert!(schema.message("sink.v1.WellKnown").is_some());
}

#[test]
fn refuses_what_it_can_not_serve_with_a_sentence() {
    #[track_caller]
    fn check(change: impl FnOnce(&mut FileDescriptorProto), expected: &str) {
        let mut file = FileDescriptorProto {
            name: Some("bad.proto".to_owned()),
            package: Some("bad".to_owned()),
            syntax: Some("proto2".to_owned()),
            message_type: vec![DescriptorProto {
                name: Some("Bad".to_owned()),
                ..Default::default()
            }],
            ..Default::default()
        };
        change(&mut file);
        let error =
            Schema::load(&FileDescriptorSet { file: vec![file] }.encode_to_vec()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    check(
        |file| file.syntax = Some("editions".to_owned()),
        "bad.proto is written in `editions`, and only proto2 and proto3 are supported: declare `syntax = \"proto3\"` in it",
    );
    check(
        |file| {
            file.message_type[0].field.push(FieldDescriptorProto {
                name: Some("group".to_owned()),
                number: Some(1),
                r#type: Some(Type::Group.into()),
                ..Default::default()
            });
        },
        "field bad.Bad.group in bad.proto is a group, and groups are not supported: make it a message field",
    );
    check(
        |file| {
            let entry = &mut file.message_type[0];
            entry.options = Some(MessageOptions { map_entry: Some(true), ..Default::default() });
        },
        "bad.Bad in bad.proto is the entry of a map, but does not hold just a key and a value",
    );
    check(
        |file| file.dependency.push("google/api/annotations.proto".to_owned()),
        "bad.proto imports google/api/annotations.proto, which is not in the set: write the set with its imports \
         (`protoc --include_imports`, `buf build`)",
    );
    check(
        |file| {
            file.message_type[0].field.push(FieldDescriptorProto {
                name: Some("other".to_owned()),
                number: Some(1),
                r#type: Some(Type::Message.into()),
                type_name: Some(".bad.Missing".to_owned()),
                ..Default::default()
            });
        },
        "the descriptor set is inconsistent",
    );
    assert!(matches!(Schema::load(b"\xff\xff"), Err(SchemaError::Decode(_))));
    assert!(matches!(Schema::load(b""), Err(SchemaError::Empty)));
}

#[test]
fn a_message_may_have_hundreds_of_fields() {
    let fields = (1..=300).map(|number| FieldDescriptorProto {
        name: Some(format!("f{number}")),
        number: Some(number * 3),
        r#type: Some(Type::Int32.into()),
        oneof_index: (number > 298).then_some(0),
        ..Default::default()
    });
    let file = FileDescriptorProto {
        name: Some("wide.proto".to_owned()),
        syntax: Some("proto3".to_owned()),
        message_type: vec![DescriptorProto {
            name: Some("Wide".to_owned()),
            field: fields.collect(),
            oneof_decl: vec![OneofDescriptorProto {
                name: Some("last".to_owned()),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let schema = Schema::load(&FileDescriptorSet { file: vec![file] }.encode_to_vec()).unwrap();
    let wide = schema.message("Wide").unwrap();
    let read = |json: &str| {
        let mut wire = Vec::new();
        let mut again = Vec::new();
        wide.json_to_wire(json.as_bytes(), &JsonIn::default(), &mut wire)
            .map_err(|error| error.reason())?;
        wide.wire_to_json(&wire, &JsonOut::default(), &mut again).unwrap();
        Ok::<_, String>(String::from_utf8(again).unwrap())
    };
    let members: Vec<String> = (1..=299).map(|number| format!("\"f{number}\":{number}")).collect();
    let all = format!("{{{}}}", members.join(","));
    assert_eq!(read(&all), Ok(all.clone()));
    let reversed = members.iter().rev().cloned().collect::<Vec<_>>().join(" , ");
    assert_eq!(read(&format!("{{{reversed}}}")), Ok(all));
    for number in [1, 127, 128, 129, 192, 250, 298] {
        let twice = format!("{{\"f{number}\":1,\"f2\":1,\"f{number}\":1}}");
        assert!(read(&twice).unwrap_err().contains("a second time"), "{twice}");
    }
    assert!(read(r#"{"f299":1,"f300":1}"#).unwrap_err().contains("oneof last"));
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_broken_descriptor_set_never_panics(hits in vec((any::<Index>(), any::<u8>()), 1..4)) {
        let mut bytes = ENCODED.clone();
        for (place, byte) in hits {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = Schema::load(&bytes);
    }
}

static ENCODED: LazyLock<Vec<u8>> =
    LazyLock::new(|| compile(&["sink.proto", "old.proto"], "src/message/kitchen_sink"));

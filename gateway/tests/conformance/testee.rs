//! What protobuf's conformance suite tests: `message/`, from JSON to wire bytes and back.
//!
//! `make conformance` starts the suite's runner, which starts this program and sends one request after the other: a
//! message in one form, and the form it wants back. `$PROTOS` is the folder of the suite's proto files. The protocol
//! itself is spoken by `prost-reflect`, so that what is tested has no part in judging it.

use std::error::Error;
use std::io::{self, ErrorKind, Read, Write};

use gateway::message::{JsonIn, JsonOut, MessageType, Schema};
use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor, Value};

const TESTED: &str = "protobuf_test_messages.proto3.TestAllTypesProto3";
/// What the runner asks for first: the failures that it should expect. They are in its own list.
const FAILURES: &str = "conformance.FailureSet";

// conformance.proto
const JSON: i32 = 2;
const PROTOBUF: i32 = 1;
const IGNORE_UNKNOWN: i32 = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let folder =
        std::env::var_os("PROTOS").ok_or("PROTOS must name the folder of the suite's protos")?;
    let mut compiler = protox::Compiler::new([folder])?;
    compiler.include_imports(true).open_files([
        "conformance/conformance.proto",
        "conformance/messages/test_messages_proto3.proto",
    ])?;
    let schema = Schema::load(&compiler.encode_file_descriptor_set())?;
    let known = |name: &str| schema.descriptors().get_message_by_name(name);
    let request = known("conformance.ConformanceRequest").ok_or("no ConformanceRequest")?;
    let response = known("conformance.ConformanceResponse").ok_or("no ConformanceResponse")?;
    let tested = schema.message(TESTED).ok_or("no TestAllTypesProto3")?;

    let (mut from, mut to) = (io::stdin().lock(), io::stdout().lock());
    while let Some(asked) = read_block(&mut from)? {
        let asked = DynamicMessage::decode(request.clone(), &*asked)?;
        let (field, value) = answer(&tested, &asked);
        let answer = encode(&response, field, value);
        to.write_all(&u32::try_from(answer.len())?.to_le_bytes())?;
        to.write_all(&answer)?;
        to.flush()?;
    }
    Ok(())
}

/// A block with its length before it; nothing at the end.
fn read_block(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut len = [0; 4];
    match from.read_exact(&mut len) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        outcome => outcome?,
    }
    let mut block = Vec::new();
    from.take(u32::from_le_bytes(len).into()).read_to_end(&mut block)?;
    Ok(Some(block))
}

fn encode(response: &MessageDescriptor, field: &str, value: Value) -> Vec<u8> {
    let mut message = DynamicMessage::new(response.clone());
    message.set_field_by_name(field, value);
    message.encode_to_vec()
}

/// The field of the response that tells the outcome, and its content.
fn answer(tested: &MessageType, asked: &DynamicMessage) -> (&'static str, Value) {
    let skipped = |why: &str| ("skipped", Value::String(why.to_owned()));
    let field = |name| asked.get_field_by_name(name).map(std::borrow::Cow::into_owned);
    let number = |name| field(name).and_then(|value| value.as_enum_number()).unwrap_or_default();
    match field("message_type").as_ref().and_then(Value::as_str) {
        Some(TESTED) => {}
        Some(FAILURES) => return ("protobuf_payload", Value::Bytes(Vec::new().into())),
        _ => return skipped("only messages of proto3 have a JSON form that a specification fixes"),
    }
    let given = |name| field(name).filter(|_| asked.has_field_by_name(name));
    let wanted = number("requested_output_format");
    if let Some(Value::String(json)) = given("json_payload") {
        let options = JsonIn {
            ignore_unknown: number("test_category") == IGNORE_UNKNOWN,
            ..JsonIn::default()
        };
        let mut wire = Vec::new();
        return match (tested.json_to_wire(json.as_bytes(), &options, &mut wire), wanted) {
            (Err(error), _) => ("parse_error", Value::String(error.to_string())),
            (Ok(_), PROTOBUF) => ("protobuf_payload", Value::Bytes(wire.into())),
            // There is no shorter way from JSON to JSON: the message in between is its wire bytes.
            (Ok(_), JSON) => to_json(tested, &wire),
            (Ok(_), _) => skipped("neither JSON nor protobuf is wanted"),
        };
    }
    match (given("protobuf_payload"), wanted) {
        (Some(Value::Bytes(wire)), JSON) => to_json(tested, &wire),
        _ => skipped("only what goes through JSON is translated; protobuf passes untouched"),
    }
}

/// The suite asks for JSON of well-formed wire only: what fails then is the writing.
fn to_json(tested: &MessageType, wire: &[u8]) -> (&'static str, Value) {
    let mut json = Vec::new();
    match tested.wire_to_json(wire, &JsonOut::default(), &mut json) {
        Ok(()) => match String::from_utf8(json) {
            Ok(json) => ("json_payload", Value::String(json)),
            Err(error) => ("runtime_error", Value::String(error.to_string())),
        },
        Err(error) => ("serialize_error", Value::String(error.to_string())),
    }
}

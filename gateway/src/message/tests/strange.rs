//! Message types that nobody wrote: every kind in every shape, under names that invite mistakes.

use std::sync::Arc;

use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumOptions, EnumValueDescriptorProto,
    FieldDescriptorProto, FieldOptions, FileDescriptorProto, FileDescriptorSet, MessageOptions,
    OneofDescriptorProto,
};

use crate::message::Schema;
use crate::message::kitchen_sink::messy::Entropy;

/// What the types may be made of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Made {
    /// proto3 or proto2, everything in it.
    OfAll,
    /// What the oracle reads by the rules even where the wire is broken: it takes maps in any wire type (also that of
    /// a `Struct`), and knows nothing of closed enums.
    ToBeBroken,
}

const WELL_KNOWN: [&str; 16] = [
    "Timestamp",
    "Duration",
    "FieldMask",
    "Empty",
    "DoubleValue",
    "FloatValue",
    "Int64Value",
    "UInt64Value",
    "Int32Value",
    "BoolValue",
    "StringValue",
    "BytesValue",
    // These hold maps, or may hold what does.
    "Any",
    "Struct",
    "Value",
    "ListValue",
];

/// Where each of them is declared, and the file of `NullValue`.
const IMPORTS: [&str; 7] =
    ["timestamp", "duration", "field_mask", "empty", "any", "struct", "wrappers"];

const SCALARS: [Type; 15] = [
    Type::Bool,
    Type::Int32,
    Type::Int64,
    Type::Uint32,
    Type::Uint64,
    Type::Sint32,
    Type::Sint64,
    Type::Fixed32,
    Type::Fixed64,
    Type::Sfixed32,
    Type::Sfixed64,
    Type::Float,
    Type::Double,
    Type::String,
    Type::Bytes,
];

/// `strange.M0` and what it needs.
pub(super) fn schema(entropy: &mut Entropy<'_>, made: Made) -> Arc<Schema> {
    let proto2 = made == Made::OfAll && entropy.byte() % 3 == 1;
    let messages = 1 + entropy.byte() % 3;
    let mut maker = Maker { entropy, proto2, maps: made == Made::OfAll, messages };
    let file = FileDescriptorProto {
        name: Some("strange.proto".to_owned()),
        package: Some("strange".to_owned()),
        syntax: Some(if proto2 { "proto2" } else { "proto3" }.to_owned()),
        dependency: IMPORTS.iter().map(|name| format!("google/protobuf/{name}.proto")).collect(),
        message_type: (0..messages).map(|index| maker.message(index)).collect(),
        enum_type: (0..2).map(|index| maker.declared_enum(index)).collect(),
        ..Default::default()
    };
    let set = FileDescriptorSet { file: vec![file] };
    Schema::load(&set.encode_to_vec()).unwrap_or_else(|error| panic!("{error}: {set:#?}"))
}

struct Maker<'e, 'b> {
    entropy: &'e mut Entropy<'b>,
    proto2: bool,
    maps: bool,
    messages: u8,
}

impl Maker<'_, '_> {
    fn declared_enum(&mut self, index: u8) -> EnumDescriptorProto {
        let first = if self.proto2 { self.entropy.pick(&[0, 3, -1]) } else { 0 };
        let numbers = [first, 1, 2, i32::MAX, i32::MIN, first];
        // The last one gives a number a second name.
        let count = 2 + usize::from(self.entropy.byte()) % 5;
        EnumDescriptorProto {
            name: Some(format!("E{index}")),
            value: numbers[..count]
                .iter()
                .zip(0..)
                .map(|(number, value)| EnumValueDescriptorProto {
                    name: Some(format!("E{index}_{value}")),
                    number: Some(*number),
                    ..Default::default()
                })
                .collect(),
            options: Some(EnumOptions {
                allow_alias: (count == 6).then_some(true),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn message(&mut self, index: u8) -> DescriptorProto {
        let mut message = DescriptorProto { name: Some(format!("M{index}")), ..Default::default() };
        let oneofs = self.entropy.byte() % 3;
        let mut members = vec![Vec::new(); usize::from(oneofs)];
        for place in 0..=self.entropy.byte() % 14 {
            let (mut field, entry) = self.field(index, place);
            message.nested_type.extend(entry);
            if let Some(previous) = message.field.last()
                && previous.json_name.is_some()
                && self.entropy.byte() % 4 == 1
            {
                // What is the name of one field in the contract is the name of the next in JSON.
                field.json_name.clone_from(&previous.name);
            }
            let single = field.label() == Label::Optional
                && field.default_value.is_none()
                && !field.proto3_optional();
            if single && oneofs > 0 && self.entropy.byte() % 2 == 1 {
                let oneof = self.entropy.byte() % oneofs;
                members[usize::from(oneof)].push(message.field.len());
            }
            message.field.push(field);
        }
        for members in members.iter().filter(|members| !members.is_empty()) {
            let oneof = declare_oneof(&mut message, "choice");
            for member in members {
                message.field[*member].oneof_index = Some(oneof);
            }
        }
        for place in 0..message.field.len() {
            if message.field[place].proto3_optional() {
                message.field[place].oneof_index = Some(declare_oneof(&mut message, "_optional"));
            }
        }
        message
    }

    fn field(&mut self, message: u8, place: u8) -> (FieldDescriptorProto, Option<DescriptorProto>) {
        let number = self.number(place);
        let name = self.name(place);
        let json_name = match self.entropy.byte() % 8 {
            1 => Some(format!("weird \"{place}\\")),
            2 => Some(format!("é\n{place}")),
            3 => Some(format!("@{place}")),
            _ => None,
        };
        let mut field = FieldDescriptorProto {
            name: Some(name),
            number: Some(number),
            json_name,
            label: Some(Label::Optional.into()),
            ..Default::default()
        };
        let shape = self.entropy.byte() % 6;
        if shape == 5 && self.maps {
            let entry = self.entry(place);
            field.label = Some(Label::Repeated.into());
            field.r#type = Some(Type::Message.into());
            field.type_name = Some(format!(".strange.M{message}.{}", entry.name()));
            return (field, Some(entry));
        }
        self.set_type(&mut field);
        match shape {
            3 | 4 => {
                field.label = Some(Label::Repeated.into());
                let packable =
                    !matches!(field.r#type(), Type::String | Type::Bytes | Type::Message);
                if let (true, choice @ 0..=1) = (packable, self.entropy.byte() % 3) {
                    field.options =
                        Some(FieldOptions { packed: Some(choice == 1), ..Default::default() });
                }
            }
            1 if self.proto2 => field.label = Some(Label::Required.into()),
            2 if self.proto2 => field.default_value = default(&field),
            1 => field.proto3_optional = Some(true),
            _ => {}
        }
        (field, None)
    }

    /// Small and large, of one byte to five, in no order.
    fn number(&mut self, place: u8) -> i32 {
        let place = i32::from(place);
        match self.entropy.byte() % 6 {
            0..3 => 20 - place,
            3 => 250 + place,
            4 => 16_380 + place,
            _ => 536_870_911 - place,
        }
    }

    fn name(&mut self, place: u8) -> String {
        let form =
            self.entropy.pick(&["f", "snake_case_", "camelCase", "_x", "UPPER_", "a__b", "a_1_"]);
        format!("{form}{place}")
    }

    fn set_type(&mut self, field: &mut FieldDescriptorProto) {
        let choice = self.entropy.byte();
        let (kind, name) = match choice % 24 {
            scalar @ 0..15 => (SCALARS[usize::from(scalar)], None),
            15 | 16 => (Type::Enum, Some(format!(".strange.E{}", choice / 24 % 2))),
            17 => (Type::Enum, Some(".google.protobuf.NullValue".to_owned())),
            18..21 => (Type::Message, Some(format!(".strange.M{}", choice / 24 % self.messages))),
            _ => {
                let known = if self.maps { &WELL_KNOWN[..] } else { &WELL_KNOWN[..12] };
                let name = self.entropy.pick(known);
                (Type::Message, Some(format!(".google.protobuf.{name}")))
            }
        };
        field.r#type = Some(kind.into());
        field.type_name = name;
    }

    fn entry(&mut self, place: u8) -> DescriptorProto {
        let key = loop {
            let key = self.entropy.pick(&SCALARS);
            if !matches!(key, Type::Float | Type::Double | Type::Bytes) {
                break key;
            }
        };
        let field = |name: &str, number| FieldDescriptorProto {
            name: Some(name.to_owned()),
            number: Some(number),
            label: Some(Label::Optional.into()),
            ..Default::default()
        };
        let mut key_field = field("key", 1);
        key_field.r#type = Some(key.into());
        let mut value_field = field("value", 2);
        self.set_type(&mut value_field);
        DescriptorProto {
            name: Some(format!("Map{place}Entry")),
            field: vec![key_field, value_field],
            options: Some(MessageOptions { map_entry: Some(true), ..Default::default() }),
            ..Default::default()
        }
    }
}

fn declare_oneof(message: &mut DescriptorProto, name: &str) -> i32 {
    let index = i32::try_from(message.oneof_decl.len()).unwrap();
    message
        .oneof_decl
        .push(OneofDescriptorProto { name: Some(format!("{name}{index}")), ..Default::default() });
    index
}

/// A default that is not the zero of the kind. Messages have none, and of the enums not all have two names.
fn default(field: &FieldDescriptorProto) -> Option<String> {
    let text = match field.r#type() {
        Type::Message | Type::Group | Type::Enum => return None,
        Type::Bool => "true",
        Type::String => "h\"é",
        Type::Bytes => "a\\000\\377",
        Type::Float => "0.1",
        Type::Double => "-inf",
        Type::Uint32 | Type::Uint64 | Type::Fixed32 | Type::Fixed64 => "4294967295",
        _ => "-2147483648",
    };
    Some(text.to_owned())
}

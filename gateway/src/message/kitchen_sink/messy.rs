//! Messages that every parser accepts, in an order and in parts that no encoder writes.

use prost_reflect::{Kind as Declared, MessageDescriptor, Syntax};

use crate::message::wire::push_varint;

/// Decisions for a generator; all zero when there are none left, which ends it.
pub(in crate::message) struct Entropy<'a>(pub(in crate::message) &'a [u8]);

impl Entropy<'_> {
    pub(in crate::message) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(in crate::message) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    /// A place among so many.
    pub(in crate::message) fn index(&mut self, count: usize) -> usize {
        (usize::from(self.byte()) << 8 | usize::from(self.byte())) % count
    }
}

/// A message that every parser accepts, in an order and in parts that no encoder writes.
pub(in crate::message) fn messy_wire(
    message: &MessageDescriptor,
    entropy: &mut Entropy<'_>,
    depth: u32,
) -> Vec<u8> {
    let mut out = Vec::new();
    let special = messy_well_known(message.full_name(), entropy, depth, &mut out, message);
    let fields: Vec<_> = message.fields().collect();
    if special || fields.is_empty() {
        return out;
    }
    for _ in 0..entropy.byte() % 12 {
        let field = &fields[usize::from(entropy.byte()) % fields.len()];
        let packable = field.is_list()
            && !matches!(field.kind(), Declared::Message(_) | Declared::String | Declared::Bytes);
        if packable && entropy.byte().is_multiple_of(2) {
            let mut block = Vec::new();
            for _ in 0..entropy.byte() % 4 {
                messy_value(&field.kind(), entropy, depth, &mut block);
            }
            push_tag(&mut out, field.number(), 2);
            push_block(&mut out, &block);
        } else {
            push_tag(&mut out, field.number(), wire_type(&field.kind()));
            messy_value(&field.kind(), entropy, depth, &mut out);
        }
        if entropy.byte() % 16 == 1 {
            // Unknown fields: a varint, and a group that holds the number of a known one.
            out.extend_from_slice(b"\xf8\xff\x03\x01\xfb\xff\x03\x0a\x01a\xfc\xff\x03");
        }
    }
    out
}

/// What has to be sound in itself, as an upstream would send it.
fn messy_well_known(
    name: &str,
    entropy: &mut Entropy<'_>,
    depth: u32,
    out: &mut Vec<u8>,
    message: &MessageDescriptor,
) -> bool {
    match name {
        "google.protobuf.Timestamp" | "google.protobuf.Duration" => {
            push_tag(out, 2, 0);
            push_varint(out, entropy.pick(&[0, 1, 500_000_000, 999_999_999, 120_000, 7_000]));
            push_tag(out, 1, 0);
            push_varint(
                out,
                entropy.pick(&[0, 1, 86_399, 1_709_209_845, 253_402_300_799, 951_782_400]),
            );
        }
        // The oracle writes what is not finite as `null` here.
        "google.protobuf.DoubleValue" => {
            push_tag(out, 1, 1);
            out.extend_from_slice(&entropy.pick(&[0.0_f64, 0.1, -1.5]).to_le_bytes());
        }
        "google.protobuf.FloatValue" => {
            push_tag(out, 1, 5);
            out.extend_from_slice(&entropy.pick(&[0.0_f32, 0.1, -1.5]).to_le_bytes());
        }
        "google.protobuf.FieldMask" => {
            for _ in 0..entropy.byte() % 3 {
                push_tag(out, 1, 2);
                push_block(out, entropy.pick(&["a", "foo_bar", "a.b_c.d"]).as_bytes());
            }
        }
        "google.protobuf.Any" => {
            let held = entropy.pick(&[
                "sink.v1.Tree",
                "sink.v1.Scalars",
                "google.protobuf.Duration",
                "google.protobuf.Value",
                "strange.M0",
            ]);
            let pool = message.parent_pool();
            let held = pool
                .get_message_by_name(held)
                .or_else(|| pool.get_message_by_name("google.protobuf.Duration"));
            let held = held.unwrap();
            push_tag(out, 1, 2);
            push_block(out, format!("type.googleapis.com/{}", held.full_name()).as_bytes());
            push_tag(out, 2, 2);
            push_block(
                out,
                &if depth == 0 { Vec::new() } else { messy_wire(&held, entropy, depth - 1) },
            );
            if held.full_name() == "google.protobuf.Value" && depth == 0 {
                out.truncate(out.len() - 1);
                push_block(out, b"\x20\x01");
            }
        }
        "google.protobuf.Value" => {
            for _ in 0..=entropy.byte() % 3 {
                let fields: Vec<_> =
                    message.fields().filter(|field| depth > 0 || field.number() < 5).collect();
                let field = &fields[usize::from(entropy.byte()) % fields.len()];
                push_tag(out, field.number(), wire_type(&field.kind()));
                match field.number() {
                    1 => out.push(0),
                    2 => out.extend_from_slice(&entropy.pick(&[0.0_f64, 1.5, -2e30]).to_le_bytes()),
                    _ => messy_value(&field.kind(), entropy, depth, out),
                }
            }
        }
        _ => return false,
    }
    true
}

fn messy_value(kind: &Declared, entropy: &mut Entropy<'_>, depth: u32, out: &mut Vec<u8>) {
    const STRINGS: [&str; 6] =
        ["", "a", "é\"\\\n\u{1}", "😀 and more than eight", "snake_case", "0123456701234567"];
    match kind {
        Declared::Message(message) if depth == 0 => match message.full_name() {
            "google.protobuf.Value" | "google.protobuf.Any" => {
                push_block(out, &messy_wire(message, entropy, 0));
            }
            _ => out.push(0),
        },
        Declared::Message(message) => push_block(out, &messy_wire(message, entropy, depth - 1)),
        Declared::String => push_block(out, entropy.pick(&STRINGS).as_bytes()),
        Declared::Bytes => {
            push_block(out, entropy.pick(&[&b""[..], b"\x00", b"\xff\xfe", b"abc", b"abcd"]));
        }
        Declared::Float => {
            out.extend_from_slice(
                &entropy
                    .pick(&[0.0, 0.1, -1.5, f32::MAX, f32::NAN, f32::INFINITY, 1e-40])
                    .to_le_bytes(),
            );
        }
        Declared::Double => {
            out.extend_from_slice(
                &entropy
                    .pick(&[0.0, 0.1, -1.5, f64::MAX, f64::NAN, f64::NEG_INFINITY, 1e21])
                    .to_le_bytes(),
            );
        }
        Declared::Fixed32 | Declared::Sfixed32 => {
            out.extend_from_slice(&entropy.pick(&[0_u32, 1, 1 << 31, u32::MAX]).to_le_bytes());
        }
        Declared::Fixed64 | Declared::Sfixed64 => {
            out.extend_from_slice(
                &entropy.pick(&[0_u64, 1, 1 << 63, u64::MAX, 9_007_199_254_740_993]).to_le_bytes(),
            );
        }
        Declared::Enum(declared) if declared.full_name() == "google.protobuf.NullValue" => {
            out.push(0);
        }
        // The oracle does not know that proto2's enums are closed.
        Declared::Enum(declared) if declared.parent_file().syntax() == Syntax::Proto2 => {
            let numbers: Vec<i32> = declared.values().map(|value| value.number()).collect();
            push_varint(out, i64::from(entropy.pick(&numbers)).cast_unsigned());
        }
        Declared::Enum(_) => push_varint(out, entropy.pick(&[0, 1, 2, 3, 99, u64::MAX])),
        _ => push_varint(
            out,
            entropy.pick(&[
                0,
                1,
                127,
                128,
                1 << 31,
                u64::from(u32::MAX),
                1 << 40,
                9_007_199_254_740_993,
                u64::MAX,
            ]),
        ),
    }
}

fn wire_type(kind: &Declared) -> u64 {
    kind.wire_type() as u64
}

fn push_tag(out: &mut Vec<u8>, number: u32, wire_type: u64) {
    push_varint(out, u64::from(number) << 3 | wire_type);
}

fn push_block(out: &mut Vec<u8>, content: &[u8]) {
    push_varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

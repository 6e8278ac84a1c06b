//! The six messages that both benchmarks read and write, each in the two ways that are compared: by the gateway's
//! tables, and through prost-reflect's `DynamicMessage` with `serde_json`.
//!
//! A new shape is a line in [`NAMES`] and one in [`Shape::of`].

use std::path::PathBuf;
use std::sync::Arc;

use gateway::message::{JsonIn, JsonOut, MessageType, Schema};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::{Value, json};

/// What the shapes are called.
pub(crate) const NAMES: [&str; 6] = ["small", "order", "list", "bytes", "numbers", "escapes"];

/// A message of one shape, and everything needed to translate it.
pub(crate) struct Shape {
    /// Its canonical JSON.
    pub(crate) json: Vec<u8>,
    /// Its wire bytes.
    pub(crate) wire: Vec<u8>,
    ours: MessageType,
    theirs: MessageDescriptor,
}

impl Shape {
    /// The shape of that name. Panics when there is none, or when the two ways do not agree about it: then there is
    /// nothing to compare.
    pub(crate) fn of(name: &str) -> Self {
        match name {
            "small" => Self::of_the_shop("product.v1.Product", &product()),
            "order" => Self::of_the_shop("order.v1.Order", &order()),
            "list" => Self::of_the_shop("order.v1.ListOrdersResponse", &list()),
            "bytes" => Self::of_this_folder("shapes.v1.Parcel", &parcel()),
            "numbers" => Self::of_this_folder("shapes.v1.Readings", &readings()),
            "escapes" => Self::of_this_folder("shapes.v1.Letter", &letter()),
            _ => panic!("no shape is called {name}: there are {NAMES:?}"),
        }
    }

    /// Wire to JSON, by the gateway.
    pub(crate) fn wire_to_json(&self) -> Vec<u8> {
        let mut json = Vec::new();
        self.ours.wire_to_json(&self.wire, &JsonOut::default(), &mut json).unwrap();
        json
    }

    /// JSON to wire, by the gateway.
    pub(crate) fn json_to_wire(&self) -> Vec<u8> {
        let mut wire = Vec::new();
        self.ours.json_to_wire(&self.json, &JsonIn::default(), &mut wire).unwrap();
        wire
    }

    /// Wire to JSON, through a dynamic message.
    pub(crate) fn wire_to_json_by_reflection(&self) -> Vec<u8> {
        let message = DynamicMessage::decode(self.theirs.clone(), self.wire.as_slice()).unwrap();
        serde_json::to_vec(&message).unwrap()
    }

    /// JSON to wire, through a dynamic message.
    pub(crate) fn json_to_wire_by_reflection(&self) -> Vec<u8> {
        let mut json = serde_json::Deserializer::from_slice(&self.json);
        let message = DynamicMessage::deserialize(self.theirs.clone(), &mut json).unwrap();
        json.end().unwrap();
        message.encode_to_vec()
    }

    fn of_the_shop(message: &str, value: &Value) -> Self {
        Self::new(proto::DESCRIPTORS, message, value)
    }

    fn of_this_folder(message: &str, value: &Value) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/shapes");
        let mut compiler = protox::Compiler::new([folder]).unwrap();
        compiler.open_file("shapes.proto").unwrap();
        Self::new(&compiler.encode_file_descriptor_set(), message, value)
    }

    fn new(descriptors: &[u8], message: &str, value: &Value) -> Self {
        let schema: Arc<Schema> = Schema::load(descriptors).unwrap();
        let pool = DescriptorPool::decode(descriptors).unwrap();
        let theirs = pool.get_message_by_name(message).unwrap();
        let whole = DynamicMessage::deserialize(theirs.clone(), value).unwrap();
        let shape = Self {
            json: serde_json::to_vec(&whole).unwrap(),
            wire: whole.encode_to_vec(),
            ours: schema.message(message).unwrap(),
            theirs,
        };
        // Once before anything is counted, so that the allocator has its memory.
        assert!(shape.wire_to_json() == shape.json, "{message}: two ways, two texts");
        assert!(shape.json_to_wire() == shape.wire, "{message}: two ways, two messages");
        assert!(
            shape.wire_to_json_by_reflection() == shape.json,
            "{message}: reflection is unsure"
        );
        assert!(
            shape.json_to_wire_by_reflection() == shape.wire,
            "{message}: reflection is unsure"
        );
        shape
    }
}

/// About 200 bytes of JSON.
fn product() -> Value {
    serde_json::from_str(include_str!("product.json")).unwrap()
}

/// 1.4 kB of JSON, 8 items.
fn order() -> Value {
    serde_json::from_str(include_str!("order.json")).unwrap()
}

/// 100 kB of JSON: a page of orders.
fn list() -> Value {
    json!({"orders": vec![order(); 72], "nextPageToken": "MDFhMjBiZTEtZGRjMi03NjI2"})
}

/// 64 kB of JSON, nearly all of it base64.
fn parcel() -> Value {
    use base64::Engine as _;
    let base64 = |bytes: Vec<u8>| base64::engine::general_purpose::STANDARD.encode(bytes);
    let digests: Vec<String> = (0..64).map(|seed| base64(noise(seed).take(32).collect())).collect();
    json!({"name": "parcel", "content": base64(noise(0).take(46_000).collect()), "digests": digests})
}

/// 20 kB of JSON, hardly a letter in it.
fn readings() -> Value {
    let bytes: Vec<u8> = noise(7).take(8 * 256).collect();
    let numbers: Vec<u64> = bytes
        .chunks_exact(8)
        .map(|chunk| chunk.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
        .collect();
    let of = |value: fn(u64) -> Value| numbers.iter().copied().map(value).collect::<Vec<_>>();
    json!({
        // Prices are short, measurements are not; no longer, because serde_json reads more digits less exactly.
        "values": of(|n| json!(if n % 2 == 0 { price(n) } else { measurement(n) })),
        "weights": of(|n| json!(f32::from(u16::try_from(n % 1000).unwrap()) / 8.0)),
        "sequences": of(|n| json!((n >> (n % 60)).cast_signed().to_string())),
        "deltas": of(|n| json!(i32::try_from(n >> (33 + n % 30)).unwrap() - 1000)),
        "marks": of(|n| json!(n.to_string())),
    })
}

/// A number with two decimals.
fn price(n: u64) -> f64 {
    f64::from(u32::try_from(n % 100_000).unwrap()) / 100.0
}

/// A number of ten digits.
fn measurement(n: u64) -> f64 {
    f64::from(u32::try_from(n >> 32).unwrap()) / 1e9
}

/// 12 kB of JSON, every few characters something that is not plain.
fn letter() -> Value {
    let line =
        "She said \"no\".\n\tThe path is C:\\temp\\ada; naïve, 漢字, 😀, \u{1}\u{7f}</script>\r\n";
    json!({"lines": (1..=12).cycle().take(72).map(|times| line.repeat(times / 4 + 1)).collect::<Vec<_>>()})
}

/// Bytes without a pattern, the same each time.
fn noise(seed: u64) -> impl Iterator<Item = u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::from_fn(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes().first().copied()
    })
}

//! Descriptors that are compiled in the test, and messages as people write them.

use std::sync::LazyLock;

use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use protox::Compiler;
use protox::file::{
    ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver,
};
use serde_json::Value;

static KITCHEN: LazyLock<Vec<u8>> =
    LazyLock::new(|| compile(include_str!("../proto/kitchen.proto")));

static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(KITCHEN.as_slice()).unwrap());

/// The kitchen as an encoded descriptor set.
pub(crate) fn kitchen_set() -> &'static [u8] {
    &KITCHEN
}

/// An encoded descriptor set of one file and all that it imports.
pub(crate) fn compile(source: &str) -> Vec<u8> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(OneFile(source.to_owned()));
    resolver.add(GoogleFileResolver::new());
    resolver.add(IncludeFileResolver::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../proto").into()));
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true);
    compiler.open_file("test.proto").unwrap_or_else(|error| panic!("{error:?}"));
    compiler.encode_file_descriptor_set()
}

/// A message of the kitchen as wire bytes.
pub(crate) fn encode(message: &str, json: &Value) -> Vec<u8> {
    DynamicMessage::deserialize(descriptor(message), json).unwrap().encode_to_vec()
}

/// Wire bytes as a message of the kitchen; fields with their default are left out.
pub(crate) fn decode(message: &str, wire: &[u8]) -> Value {
    let dynamic = DynamicMessage::decode(descriptor(message), wire).unwrap();
    let options = SerializeOptions::new().stringify_64_bit_integers(true);
    dynamic.serialize_with_options(serde_json::value::Serializer, &options).unwrap()
}

fn descriptor(message: &str) -> MessageDescriptor {
    let name =
        if message.contains('.') { message.to_owned() } else { format!("kitchen.v1.{message}") };
    POOL.get_message_by_name(&name).unwrap_or_else(|| panic!("the kitchen has no {name}"))
}

struct OneFile(String);

impl FileResolver for OneFile {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == "test.proto" {
            return File::from_source(name, &self.0);
        }
        Err(protox::Error::file_not_found(name))
    }
}

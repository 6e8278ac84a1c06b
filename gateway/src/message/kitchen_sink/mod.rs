//! The messages that the tests of this room read and write: every kind in every place.

pub(super) mod messy;

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use super::{JsonIn, JsonOut, MessageType, Schema};

/// The proto files beside this one, compiled.
pub(crate) fn sink() -> Arc<Schema> {
    static SCHEMA: LazyLock<Arc<Schema>> = LazyLock::new(|| {
        Schema::load(&compile(&["sink.proto", "old.proto"], "src/message/kitchen_sink")).unwrap()
    });
    Arc::clone(&SCHEMA)
}

/// An encoded descriptor set of `files`, which are found under `folder` of this package.
pub(super) fn compile(files: &[&str], folder: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut compiler = protox::Compiler::new([folder]).unwrap();
    compiler.include_imports(true).open_files(files).unwrap();
    compiler.encode_file_descriptor_set()
}

pub(super) fn message(name: &str) -> MessageType {
    sink().message(name).unwrap()
}

/// The wire bytes of a JSON text that is right.
#[track_caller]
pub(crate) fn wire(name: &str, json: &str) -> Vec<u8> {
    let mut out = Vec::new();
    if let Err(error) = message(name).json_to_wire(json.as_bytes(), &JsonIn::default(), &mut out) {
        panic!("{error}\n{json}");
    }
    out
}

/// The JSON of wire bytes that are right.
#[track_caller]
pub(super) fn json(name: &str, wire: &[u8]) -> String {
    let mut out = Vec::new();
    message(name).wire_to_json(wire, &JsonOut::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Why a descriptor set can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The bytes are something else.
    #[error(
        "not an encoded FileDescriptorSet (write one with `protoc --include_imports --descriptor_set_out`, `buf build -o` or protox)"
    )]
    Decode(#[source] prost::DecodeError),
    /// Nothing in it.
    #[error("the descriptor set holds no file")]
    Empty,
    /// Neither proto2 nor proto3.
    #[error(
        "{file} is written in `{syntax}`, and only proto2 and proto3 are supported: declare `syntax = \"proto3\"` in it"
    )]
    Syntax {
        /// The file's name in the set.
        file: String,
        /// What it declares.
        syntax: String,
    },
    /// A file needs one that is not there.
    #[error(
        "{file} imports {import}, which is not in the set: write the set with its imports (`protoc --include_imports`, `buf build`)"
    )]
    Import {
        /// The file's name in the set.
        file: String,
        /// The file it names.
        import: String,
    },
    /// proto2's `group`.
    #[error(
        "field {field} in {file} is a group, and groups are not supported: make it a message field"
    )]
    Group {
        /// The file's name in the set.
        file: String,
        /// The field with its message.
        field: String,
    },
    /// A map's entry that is not made of a key and a value.
    #[error("{message} in {file} is the entry of a map, but does not hold just a key and a value")]
    MapEntry {
        /// The file's name in the set.
        file: String,
        /// The entry's message.
        message: String,
    },
    /// More fields or values than fit the tables.
    #[error("{name} has more than 32767 members")]
    TooLarge {
        /// The message or enum.
        name: String,
    },
    /// The files contradict each other.
    #[error("the descriptor set is inconsistent")]
    Link(#[source] prost_reflect::DescriptorError),
}

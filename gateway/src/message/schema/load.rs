//! From bytes to a pool of descriptors that the tables can be compiled from.

use std::collections::HashSet;

use prost::Message as _;
use prost_reflect::DescriptorPool;
use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FileDescriptorProto, FileDescriptorSet};

use super::SchemaError;

/// The set's files, and those that every gateway needs: google.protobuf for what an `Any` may hold,
/// google.rpc for the details of errors.
pub(super) fn load(bytes: &[u8]) -> Result<DescriptorPool, SchemaError> {
    let set = FileDescriptorSet::decode(bytes).map_err(SchemaError::Decode)?;
    if set.file.is_empty() {
        return Err(SchemaError::Empty);
    }
    for file in &set.file {
        check(file)?;
    }

    let mut present: HashSet<&str> = set.file.iter().map(FileDescriptorProto::name).collect();
    let built_in = built_in()?;
    let mut pool = DescriptorPool::new();
    let missing = missing_imports(&set, &built_in, &present)?;
    for file in built_in.iter().filter(|file| missing.contains(file.name())) {
        pool.add_file_descriptor_proto(file.clone()).map_err(SchemaError::Link)?;
        present.insert(file.name());
    }

    // The encoded bytes, because the typed set has lost the extensions in the options.
    pool.decode_file_descriptor_set(bytes).map_err(SchemaError::Link)?;

    for file in &built_in {
        if !present.contains(file.name()) && !defines_one_of(&pool, file) {
            pool.add_file_descriptor_proto(file.clone()).map_err(SchemaError::Link)?;
            present.insert(file.name());
        }
    }
    Ok(pool)
}

/// Finds what the descriptor library would panic on, and what the tables have no word for.
fn check(file: &FileDescriptorProto) -> Result<(), SchemaError> {
    if !matches!(file.syntax(), "" | "proto2" | "proto3") {
        return Err(SchemaError::Syntax {
            file: file.name().to_owned(),
            syntax: file.syntax().to_owned(),
        });
    }
    let prefix = file.package().to_owned();
    file.message_type.iter().try_for_each(|message| check_message(file, &prefix, message))
}

fn check_message(
    file: &FileDescriptorProto,
    prefix: &str,
    message: &DescriptorProto,
) -> Result<(), SchemaError> {
    let name = format!("{prefix}.{}", message.name());
    if let Some(field) = message.field.iter().find(|field| field.r#type() == Type::Group) {
        return Err(SchemaError::Group {
            file: file.name().to_owned(),
            field: format!("{}.{}", name.trim_start_matches('.'), field.name()),
        });
    }
    let is_entry = message.options.as_ref().is_some_and(prost_types::MessageOptions::map_entry);
    let has = |number| message.field.iter().any(|field| field.number() == number);
    if is_entry && !(has(1) && has(2) && message.field.len() == 2) {
        return Err(SchemaError::MapEntry {
            file: file.name().to_owned(),
            message: name.trim_start_matches('.').to_owned(),
        });
    }
    message.nested_type.iter().try_for_each(|nested| check_message(file, &name, nested))
}

/// google.protobuf and google.rpc, imports before those who import them.
fn built_in() -> Result<Vec<FileDescriptorProto>, SchemaError> {
    let mut files: Vec<FileDescriptorProto> =
        DescriptorPool::global().files().map(|file| file.file_descriptor_proto().clone()).collect();
    let rpc = FileDescriptorSet::decode(tonic_types::pb::FILE_DESCRIPTOR_SET)
        .map_err(SchemaError::Decode)?;
    for file in rpc.file {
        if !files.iter().any(|known| known.name() == file.name()) {
            files.push(file);
        }
    }
    let mut placed: HashSet<String> = HashSet::new();
    let mut ordered = Vec::with_capacity(files.len());
    while !files.is_empty() {
        let (ready, waiting): (Vec<_>, Vec<_>) = files
            .into_iter()
            .partition(|file| file.dependency.iter().all(|name| placed.contains(name)));
        if ready.is_empty() {
            break;
        }
        placed.extend(ready.iter().map(|file| file.name().to_owned()));
        ordered.extend(ready);
        files = waiting;
    }
    Ok(ordered)
}

/// The built-in files that the set imports without holding them.
fn missing_imports(
    set: &FileDescriptorSet,
    built_in: &[FileDescriptorProto],
    present: &HashSet<&str>,
) -> Result<HashSet<String>, SchemaError> {
    let mut missing = HashSet::new();
    let mut open: Vec<&FileDescriptorProto> = set.file.iter().collect();
    while let Some(file) = open.pop() {
        for import in &file.dependency {
            if present.contains(import.as_str()) || missing.contains(import) {
                continue;
            }
            let found = built_in.iter().find(|known| known.name() == import).ok_or_else(|| {
                SchemaError::Import { file: file.name().to_owned(), import: import.clone() }
            })?;
            missing.insert(import.clone());
            open.push(found);
        }
    }
    Ok(missing)
}

/// Whether the pool knows a message of the file already, from a file of another name.
fn defines_one_of(pool: &DescriptorPool, file: &FileDescriptorProto) -> bool {
    file.message_type.iter().any(|message| {
        pool.get_message_by_name(&format!("{}.{}", file.package(), message.name())).is_some()
    })
}

//! The descriptors carry all that the gateway works from, and the contracts explain themselves.
#![expect(clippy::unwrap_used, reason = "a test that can't go on should stop")]

use std::{
    collections::HashSet,
    fs,
    process::{Command, Output},
};

use prost_reflect::{DescriptorPool, FileDescriptor, Value};

fn pool() -> DescriptorPool {
    DescriptorPool::decode(proto::DESCRIPTORS).unwrap()
}

fn is_ours(file: &FileDescriptor) -> bool {
    !file.package_name().starts_with("google.")
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_proto")).args(arguments).output().unwrap()
}

#[test]
fn http_rules_survive() {
    let pool = pool();
    let http = pool.get_extension_by_name("google.api.http").unwrap();
    let service = pool.get_service_by_name("user.v1.UserService").unwrap();
    let method = service.methods().find(|method| method.name() == "GetUser").unwrap();
    let options = method.options();
    let Value::Message(rule) = options.get_extension(&http).into_owned() else { panic!("no rule") };
    assert_eq!(rule.get_field_by_name("get").unwrap().as_str(), Some("/api/users/{id}"));
}

#[test]
fn error_details_are_known_by_name() {
    let pool = pool();
    for name in
        ["Status", "ErrorInfo", "BadRequest", "RetryInfo", "PreconditionFailure", "QuotaFailure"]
    {
        assert!(pool.get_message_by_name(&format!("google.rpc.{name}")).is_some(), "{name}");
    }
}

#[test]
fn everything_in_our_contracts_is_explained() {
    let mut unexplained = Vec::new();
    for file in pool().files().filter(is_ours) {
        let proto = file.file_descriptor_proto();
        let explained: HashSet<&[i32]> = proto
            .source_code_info
            .iter()
            .flat_map(|info| &info.location)
            .filter(|location| location.leading_comments.is_some())
            .map(|location| location.path.as_slice())
            .collect();
        let messages = file.messages().flat_map(|message| {
            let fields: Vec<_> = message
                .fields()
                .map(|field| (field.full_name().to_owned(), field.path().to_vec()))
                .collect();
            [(message.full_name().to_owned(), message.path().to_vec())].into_iter().chain(fields)
        });
        let enums = file.enums().flat_map(|one| {
            let values: Vec<_> = one
                .values()
                .map(|value| (value.full_name().to_owned(), value.path().to_vec()))
                .collect();
            [(one.full_name().to_owned(), one.path().to_vec())].into_iter().chain(values)
        });
        let services = file.services().flat_map(|service| {
            let methods: Vec<_> = service
                .methods()
                .map(|method| (method.full_name().to_owned(), method.path().to_vec()))
                .collect();
            [(service.full_name().to_owned(), service.path().to_vec())].into_iter().chain(methods)
        });
        let all = messages.chain(enums).chain(services);
        unexplained.extend(
            all.filter(|(_, path)| !explained.contains(path.as_slice())).map(|(name, _)| name),
        );
    }
    assert!(unexplained.is_empty(), "{unexplained:?}");
}

#[test]
fn the_set_is_written_where_it_is_asked_for() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("shop.binpb");
    assert_eq!(run(&[file.to_str().unwrap()]).status.code(), Some(0));
    assert_eq!(fs::read(file).unwrap(), proto::DESCRIPTORS);

    let nowhere = run(&["/no/such/folder/shop.binpb"]);
    let said = String::from_utf8(nowhere.stderr).unwrap();
    assert_eq!((nowhere.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    for arguments in [&[][..], &["a", "b"]] {
        assert_eq!(run(arguments).status.code(), Some(64));
    }
}

//! What all parts have in common: how they are asked for their health and how they end.

use std::process::{Command, Output};
use std::time::Duration;

use e2e::bed::Bed;
use e2e::role::Role;

use crate::stand::setup;

/// Runs a part with other arguments than the bed gives it, and answers what came of it.
fn run(bed: &Bed, role: Role, arguments: &[&str]) -> Output {
    let program = if role == Role::Product2 { "product" } else { role.name() };
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command.args(["part", program]).args(arguments);
    command.envs(bed.ports().environment(&bed.folder().join("shop.binpb")));
    command.output().unwrap()
}

fn probe(bed: &Bed, role: Role) -> Option<i32> {
    let (config, address) =
        (bed.folder().join("gateway.yaml"), bed.ports().address(role).to_string());
    let arguments = match role {
        Role::Gateway => ["--probe", "--config", config.to_str().unwrap()],
        _ => ["--probe", "--address", address.as_str()],
    };
    run(bed, role, &arguments).status.code()
}

#[tokio::test]
async fn every_part_can_be_asked_whether_it_is_well_and_ends_in_peace() {
    let bed = setup().start().await;
    for role in Role::ALL {
        assert_eq!(probe(&bed, role), Some(0), "{role} is well");
    }
    for role in Role::ALL.into_iter().rev() {
        let status = bed.part(role).stop(Duration::from_secs(20)).await;
        assert_eq!(status.and_then(|status| status.code()), Some(0), "{role} ends when asked to");
        assert_eq!(probe(&bed, role), Some(1), "{role} is gone");
    }
}

#[tokio::test]
async fn a_frozen_part_is_not_well() {
    let bed = setup().start().await;
    for role in [Role::Payment, Role::Gateway] {
        bed.part(role).pause();
        assert_eq!(probe(&bed, role), Some(1), "{role} does not answer");
        bed.part(role).resume();
    }
}

#[tokio::test]
async fn a_taken_port_and_a_bad_command_line_are_one_plain_line() {
    let bed = setup().start().await;
    for role in Role::ALL {
        let config = bed.folder().join("gateway.yaml");
        let address = bed.ports().address(role).to_string();
        let database = bed.folder().join("other.db");
        let taken = match role {
            Role::Gateway => run(&bed, role, &["--config", config.to_str().unwrap()]),
            _ => {
                run(&bed, role, &["--address", &address, "--database", database.to_str().unwrap()])
            }
        };
        let said = String::from_utf8([taken.stdout, taken.stderr].concat()).unwrap();
        assert_eq!(taken.status.code(), Some(1), "{role}: {said}");
        assert!(said.contains(&address) && !said.contains("panicked"), "{role}: {said}");

        let bad = run(&bed, role, &["--no-such-flag"]);
        assert_eq!(bad.status.code(), Some(64), "{role}");
    }
}

#[test]
fn the_gateway_says_its_version_and_what_is_wrong_with_its_file() {
    let gateway = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
        command.args(["part", "gateway"]).args(arguments).output().unwrap()
    };
    let version = gateway(&["--version"]);
    assert!(version.status.success());
    assert!(String::from_utf8(version.stdout).unwrap().contains(env!("CARGO_PKG_VERSION")));
    let missing = gateway(&["--check", "--config", "/nowhere/gateway.yaml"]);
    assert_eq!(missing.status.code(), Some(78));
    assert!(
        String::from_utf8([missing.stdout, missing.stderr].concat())
            .unwrap()
            .contains("/nowhere/gateway.yaml")
    );
}

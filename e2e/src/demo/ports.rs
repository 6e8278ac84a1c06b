//! Whether the shop can have the ports it was given, and which others it could have.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, TcpListener};

use crate::role::Ports;

/// A port that is taken is the commonest reason why nothing works, and a part that fails would say so only in its log.
/// The error has a line for each thing that is wrong.
pub(super) fn check(ports: &Ports) -> Result<(), String> {
    judge(ports, |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map(drop))
}

fn judge(ports: &Ports, listen: impl Fn(u16) -> io::Result<()>) -> Result<(), String> {
    let mut by_port: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for (variable, port) in ports.variables() {
        by_port.entry(port).or_default().push(variable);
    }
    let mut wrong = Vec::new();
    for (port, variables) in &by_port {
        let names = variables.join(" and ");
        if *port == 0 {
            wrong.push(format!("{names}=0 is no port: choose one from 1 to 65535"));
        } else if variables.len() > 1 {
            wrong.push(format!("{names} are the same, {port}: give each part a port of its own"));
        }
    }
    if !wrong.is_empty() {
        return Err(wrong.join("\n"));
    }

    let mut taken: BTreeSet<u16> = by_port.keys().copied().collect();
    let mut instead = Vec::new();
    for (variable, port) in ports.variables() {
        let Err(error) = listen(port) else { continue };
        wrong.push(match error.kind() {
            io::ErrorKind::AddrInUse => format!("port {port} is in use"),
            _ => format!("can't listen on port {port}: {error}"),
        });
        let mut others = (port..=u16::MAX).chain(1024..port);
        if let Some(free) = others.find(|other| !taken.contains(other) && listen(*other).is_ok()) {
            taken.insert(free);
            instead.push(format!("{variable}={free}"));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}: stop what listens there, or choose other ports; these are free: {}",
        wrong.join(", "),
        instead.join(" ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Role;

    fn said(ports: &Ports, in_use: &[u16]) -> String {
        let listen = |port: u16| {
            let refusal = if port < 1024 {
                io::ErrorKind::PermissionDenied
            } else if in_use.contains(&port) {
                io::ErrorKind::AddrInUse
            } else {
                return Ok(());
            };
            Err(io::Error::from(refusal))
        };
        judge(ports, listen).err().unwrap_or_default()
    }

    #[test]
    fn names_every_port_that_is_taken_and_free_ones_that_are_not_ours() {
        assert_eq!(said(&Ports::usual(), &[]), "");
        assert_eq!(
            said(&Ports::usual(), &[8080, 8081, 50052, 50053]),
            "port 50052 is in use, port 50053 is in use, port 8080 is in use: \
             stop what listens there, or choose other ports; these are free: \
             PRODUCT_PORT=50055 ORDER_PORT=50056 GATEWAY_PORT=8082"
        );
    }

    #[test]
    fn what_it_proposes_can_be_had() {
        let taken = [8080, 9900, 50051, 50052, 50053, 50054, 50055, 50062];
        let text = said(&Ports::usual(), &taken);
        let (_, proposals) = text.split_once("these are free: ").unwrap();
        let mut chosen: Vec<u16> = proposals
            .split(' ')
            .map(|one| one.split_once('=').unwrap().1.parse().unwrap())
            .collect();
        assert_eq!(chosen.len(), 7, "{text}");
        assert!(chosen.iter().all(|port| !taken.contains(port)), "{text}");
        chosen.sort_unstable();
        chosen.dedup();
        assert_eq!(chosen.len(), 7, "{text}");
    }

    #[test]
    fn refuses_none_and_the_same_twice_in_a_plain_sentence() {
        let ports = Ports::usual().with(Role::Product, 50053).with(Role::User, 0);
        assert_eq!(
            said(&ports, &[50053]),
            "USER_PORT=0 is no port: choose one from 1 to 65535\n\
             PRODUCT_PORT and ORDER_PORT are the same, 50053: give each part a port of its own"
        );
    }

    #[test]
    fn a_port_that_is_not_for_us_is_told_from_one_in_use() {
        let text = said(&Ports::usual().with(Role::Gateway, 80), &[]);
        assert!(text.starts_with("can't listen on port 80: "), "{text}");
        assert!(text.ends_with("these are free: GATEWAY_PORT=1024"), "{text}");
    }
}

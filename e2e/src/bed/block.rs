//! Ports that nobody else takes.
//!
//! A port that the system just gave us and we closed again may be given to another test or to any outgoing
//! connection. So ports come in blocks below the range of outgoing connections (Linux: 32768 and up), and the
//! listener on a block's first port says that the block is taken, for as long as the bed lives: a part that is
//! killed finds its port free when it comes back.

use std::net::{Ipv4Addr, TcpListener};

use crate::role::Ports;

/// Where blocks begin, and where they end.
const FIRST: u16 = 20_000;
const LAST: u16 = 32_000;

/// The guard's port, one for each part and a third product service, one for operators.
const SIZE: u16 = 9;

/// Holds a block of ports.
#[derive(Debug)]
pub struct Block {
    _guard: TcpListener,
}

/// Takes a block that is free, for as long as what is answered lives. Panics when there is none.
pub fn take() -> (Block, Ports) {
    let blocks = (LAST - FIRST) / SIZE;
    // Beginning at the process's own place keeps parallel tests from trying the same blocks.
    let start = u16::try_from(std::process::id() % u32::from(blocks)).unwrap_or_default();
    for step in 0..blocks {
        let base = FIRST + (start + step) % blocks * SIZE;
        let Ok(guard) = listen(base) else { continue };
        let ports: [u16; 8] =
            std::array::from_fn(|index| base + 1 + u16::try_from(index).unwrap_or_default());
        if ports.iter().all(|port| listen(*port).is_ok()) {
            return (Block { _guard: guard }, Ports::of(ports));
        }
    }
    panic!("every port from {FIRST} to {LAST} is taken");
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}

//! The test bed, the scenes and the `demo` program: the whole shop as real processes on real sockets.
//!
//! Read it in this order: [`role`] names the parts of the shop and how each is started, [`part`] is one running part,
//! [`bed`] a whole shop of its own for a test, [`doors`] two gateways that count together, [`shop`] the client that tests speak through, [`scripted`] a gRPC server
//! that a test writes itself, [`road`] the way to a service, which can be bad, [`pace`] clients who come whether those before were served or not, [`browser`] a real browser, [`scene`] the lessons, [`demo`] the commands for people,
//! [`bench`](mod@bench) the measurements.

pub mod bed;
pub mod bench;
pub mod browser;
pub mod demo;
pub mod doors;
pub mod dynamic;
pub mod fleet;
pub mod log;
pub mod open;
pub mod pace;
pub mod part;
pub mod ready;
pub mod redis;
pub mod road;
pub mod role;
pub mod scene;
pub mod scripted;
pub mod shop;
pub mod wait;

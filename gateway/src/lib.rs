//! One door for gRPC services: an API gateway, its modules in the order in which a request meets them.
//!
//! [`main`] starts it. Everything else is private: what the gateway does can be seen only through its two listeners
//! and its log, by tests too. Only [`message`] and [`steps`] are open, to benchmarks and to the conformance suite.

// The program: arguments, load, compile, serve, drain.
mod cli;

// Where requests come in, and who else does.
mod server;

mod admin;

// The three lives: of a client request, of an RPC, of an upstream call.
mod pipeline;

mod target;

mod call;

mod upstream;

// The rooms, one for each responsibility.
mod routing;

mod authentication;

mod authorization;

mod rate_limiting;

mod load_balancing;
mod resilience;

mod transcoding;

mod monitoring;

// What was written, and how it becomes what runs.
mod config;

mod compile;

// What of it is measured alone.
pub mod steps;

// What a failure means.
mod error;

// What everyone speaks of.
mod context;
pub mod message;
mod setting;

pub use cli::main;

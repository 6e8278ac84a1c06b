//! The gateway over scripted upstreams: the real program on real sockets, seen from both sides.
//!
//! Each test starts the program with a configuration and services that it wrote itself, and asserts what the client
//! got and what the services saw.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod access_log;
mod api_keys;
mod authorization;
mod bodies;
mod command_line;
mod failures;
mod framing;
mod grpc;
mod http2;
mod http_rule;
mod load_balancing;
mod metadata;
mod mistakes;
mod paths;
mod queries;
mod rate_limiting;
mod ready;
mod reload;
mod resilience;
mod rules;
mod schemas;
mod service_errors;
mod settings;
mod slow;
mod spelling;
mod stand;
mod stop;
mod streams;
mod tokens;
mod transcoding;
mod uploads;
mod verdicts;

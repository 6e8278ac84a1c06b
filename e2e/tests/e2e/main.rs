//! The gateway as its clients and its services see it: real processes, real sockets. One file per responsibility.
//!
//! Tests in a module `any_shop` look from outside only. `E2E_TARGET=http://… cargo nextest run -p e2e --test e2e any_shop`
//! runs exactly these against a shop that is already up. All others start, freeze or kill parts of a shop of their own,
//! and fail when `E2E_TARGET` is set, because they would not test what was asked for.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod authentication;
mod authorization;
mod bench;
mod book;
mod books;
mod browser;
mod cancelled;
mod crash;
mod door;
mod failover;
mod flow;
mod framing;
mod grpc;
mod idempotency;
mod issuer;
mod load_balancing;
mod monitoring;
// The name service that the gateway is tested with within its own crate.
#[path = "../../../gateway/tests/it/stand/names.rs"]
mod names;
mod new_service;
mod ownership;
mod pages;
mod parts;
mod paths;
mod rate_limiting;
mod raw;
mod reload;
mod resilience;
mod routing;
mod scenes;
mod shop;
mod stand;
mod storm;
mod streaming;
mod transcoding;

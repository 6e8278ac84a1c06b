//! One door for gRPC services: an API gateway, module by module in the order in which a request meets them.

pub mod authentication;
pub mod authorization;
pub mod context;
pub mod setting;

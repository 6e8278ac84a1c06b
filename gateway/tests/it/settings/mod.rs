//! Every key of `gateway.yaml` does something: each test changes one key and sees another behaviour.

mod balancing;
mod limits;
mod place;
mod resilience;
mod rooms;
mod streams;
mod transcoding;

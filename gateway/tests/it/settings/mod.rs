//! Every key of `gateway.yaml` does something: each test changes one key and sees another behaviour.

mod limits;
mod place;
mod resilience;
mod rooms;
mod streams;
mod transcoding;

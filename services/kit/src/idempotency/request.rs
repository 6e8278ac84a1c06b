//! A request as its key sees it: who, which RPC, which key, and a fingerprint of what is asked.

use aws_lc_rs::digest;
use prost::Message;
use tonic::Status;

use crate::{Caller, Violations};

const LONGEST_KEY: usize = 255;

/// The identity of a request with a key. Keys of different principals, and of different RPCs, never meet.
#[derive(Clone, Debug)]
pub struct Request {
    pub(super) principal: String,
    pub(super) rpc: String,
    pub(super) key: String,
    pub(super) fingerprint: Vec<u8>,
}

impl Request {
    /// Reads the caller's key. `rpc` is the full name, `order.v1.OrderService/CreateOrder`.
    ///
    /// UNAUTHENTICATED without a principal; `INVALID_ARGUMENT` unless the key is 1 to 255 visible ASCII characters.
    pub fn of(caller: &Caller, rpc: &str, message: &impl Message) -> Result<Self, Status> {
        let principal = caller.require_id()?.to_owned();
        let key = caller.idempotency_key().unwrap_or_default();
        if key.is_empty() {
            return Err(Violations::one(
                "idempotency-key",
                "is required: send a new key with each new request",
            ));
        }
        if key.len() > LONGEST_KEY || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Violations::one(
                "idempotency-key",
                "must be 1 to 255 visible ASCII characters",
            ));
        }
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(rpc.as_bytes());
        context.update(&[0]);
        context.update(&message.encode_to_vec());
        let fingerprint = context.finish().as_ref().to_vec();
        Ok(Self { principal, rpc: rpc.to_owned(), key: key.to_owned(), fingerprint })
    }
}

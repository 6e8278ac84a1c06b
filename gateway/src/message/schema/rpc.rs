//! The RPCs a schema declares.

use std::sync::Arc;

use prost_reflect::MethodDescriptor;
use prost_types::method_options::IdempotencyLevel;

use super::{MessageType, Schema};

/// What a method promises about being called again (`idempotency_level`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Idempotency {
    /// Nothing is promised.
    Unknown,
    /// Reading only: calling it changes nothing.
    NoSideEffects,
    /// Calling it again has the effect of calling it once.
    Idempotent,
}

/// One method of one service.
#[derive(Debug, Clone)]
pub struct RpcType {
    service: Arc<str>,
    method: MethodDescriptor,
    input: MessageType,
    output: MessageType,
}

impl RpcType {
    pub(super) fn new(schema: &Arc<Schema>, method: MethodDescriptor) -> Option<Self> {
        Some(Self {
            service: method.parent_service().full_name().into(),
            input: schema.message(method.input().full_name())?,
            output: schema.message(method.output().full_name())?,
            method,
        })
    }

    /// The service with its package: `order.v1.OrderService`.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The method alone: `GetOrder`.
    pub fn method(&self) -> &str {
        self.method.name()
    }

    /// `order.v1.OrderService/GetOrder`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.service, self.method.name())
    }

    /// The type of its request messages.
    pub fn input(&self) -> &MessageType {
        &self.input
    }

    /// The type of its answers.
    pub fn output(&self) -> &MessageType {
        &self.output
    }

    /// Whether the client sends a stream.
    pub fn client_streaming(&self) -> bool {
        self.method.is_client_streaming()
    }

    /// Whether the service sends a stream.
    pub fn server_streaming(&self) -> bool {
        self.method.is_server_streaming()
    }

    /// What it declares about repetition.
    pub fn idempotency(&self) -> Idempotency {
        let options = self.method.method_descriptor_proto().options.as_ref();
        match options.map(prost_types::MethodOptions::idempotency_level) {
            Some(IdempotencyLevel::NoSideEffects) => Idempotency::NoSideEffects,
            Some(IdempotencyLevel::Idempotent) => Idempotency::Idempotent,
            Some(IdempotencyLevel::IdempotencyUnknown) | None => Idempotency::Unknown,
        }
    }

    /// The descriptor, for options such as `google.api.http`.
    pub fn descriptor(&self) -> &MethodDescriptor {
        &self.method
    }
}

//! What the descriptors say, compiled once into tables.
//!
//! Every message and enum of the set gets a place in one arena and is named by its index, so that
//! recursive types cost nothing special. Descriptors are parsed by `prost-reflect`; nothing that
//! reads or writes a message ever looks at one.

mod compile;
mod error;
mod handle;
mod load;
mod name_index;
mod rpc;
mod table;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use prost_reflect::DescriptorPool;

pub use self::error::SchemaError;
pub use self::handle::{Field, MessageType};
pub use self::rpc::{Idempotency, RpcType};
pub use self::table::{EnumId, Kind, MessageId, Shape};
pub(crate) use self::table::{EnumTable, FieldTable, MessageTable, Special, Tag};

/// Every message, enum and RPC of a descriptor set.
pub struct Schema {
    pool: DescriptorPool,
    messages: Vec<MessageTable>,
    enums: Vec<EnumTable>,
    by_name: HashMap<String, MessageId>,
}

impl Schema {
    /// Reads an encoded `FileDescriptorSet`. The messages of google.rpc and google.protobuf are
    /// always known afterwards, because errors and `Any` may carry them.
    pub fn load(bytes: &[u8]) -> Result<Arc<Self>, SchemaError> {
        let pool = load::load(bytes)?;
        let tables = compile::compile(&pool)?;
        Ok(Arc::new(Self {
            pool,
            messages: tables.messages,
            enums: tables.enums,
            by_name: tables.places.messages,
        }))
    }

    /// The message of that full name.
    pub fn message(self: &Arc<Self>, full_name: &str) -> Option<MessageType> {
        Some(MessageType::new(self, self.message_id(full_name)?))
    }

    /// The RPC called `package.Service/Method`.
    pub fn method(self: &Arc<Self>, name: &str) -> Option<RpcType> {
        let (service, method) = name.split_once('/')?;
        let service = self.pool.get_service_by_name(service)?;
        let method = service.methods().find(|declared| declared.name() == method)?;
        RpcType::new(self, method)
    }

    /// Every RPC, in the order of the files.
    pub fn methods(self: &Arc<Self>) -> impl Iterator<Item = RpcType> {
        let methods: Vec<_> = self
            .pool
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>())
            .collect();
        methods.into_iter().filter_map(|method| RpcType::new(self, method))
    }

    /// The full name of every service.
    pub fn services(&self) -> Vec<String> {
        self.pool.services().map(|service| service.full_name().to_owned()).collect()
    }

    /// The descriptors, for what only they know: options, comments.
    pub fn descriptors(&self) -> &DescriptorPool {
        &self.pool
    }

    pub(crate) fn message_id(&self, full_name: &str) -> Option<MessageId> {
        self.by_name.get(full_name).copied()
    }

    #[inline]
    pub(crate) fn message_table(&self, id: MessageId) -> &MessageTable {
        &self.messages[id.0 as usize]
    }

    #[inline]
    pub(crate) fn enum_table(&self, id: EnumId) -> &EnumTable {
        &self.enums[id.0 as usize]
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({} messages, {} enums)", self.messages.len(), self.enums.len())
    }
}

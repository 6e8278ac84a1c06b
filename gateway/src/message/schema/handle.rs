//! The handles that the rest of the gateway holds: a message's type, and one field of it.

use std::fmt;
use std::sync::Arc;

use super::{EnumTable, FieldTable, Kind, MessageId, MessageTable, Schema, Shape};

/// The type of a message. Cheap to clone.
#[derive(Clone)]
pub struct MessageType {
    schema: Arc<Schema>,
    id: MessageId,
}

impl MessageType {
    pub(super) fn new(schema: &Arc<Schema>, id: MessageId) -> Self {
        Self { schema: Arc::clone(schema), id }
    }

    /// `package.Message`.
    pub fn full_name(&self) -> &str {
        &self.table().full_name
    }

    /// The schema it belongs to.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The field of that name, which may be its JSON name or its name in the proto file.
    pub fn field(&self, name: &str) -> Option<Field> {
        let index = self.table().index_of_name(name.as_bytes())?;
        Some(Field { message: self.clone(), index })
    }

    /// Every field, in the order of their numbers.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        (0..self.table().fields.len())
            .filter_map(|index| u16::try_from(index).ok())
            .map(|index| Field { message: self.clone(), index })
    }

    pub(crate) fn id(&self) -> MessageId {
        self.id
    }

    pub(crate) fn table(&self) -> &MessageTable {
        self.schema.message_table(self.id)
    }
}

impl PartialEq for MessageType {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.schema, &other.schema) && self.id == other.id
    }
}

impl Eq for MessageType {}

impl fmt::Debug for MessageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageType({})", self.full_name())
    }
}

/// One field of a message. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Field {
    message: MessageType,
    index: u16,
}

impl Field {
    /// Its name in the proto file.
    pub fn name(&self) -> &str {
        &self.table().name
    }

    /// Its key in JSON.
    pub fn json_name(&self) -> &str {
        &self.table().json_name
    }

    /// Its number.
    pub fn number(&self) -> u32 {
        self.table().number
    }

    /// What it holds; of a list, what an element holds; of a map, what a value holds.
    pub fn kind(&self) -> Kind {
        self.table().kind
    }

    /// Single value, list or map.
    pub fn shape(&self) -> Shape {
        self.table().shape
    }

    /// The message it belongs to.
    pub fn parent(&self) -> &MessageType {
        &self.message
    }

    /// The oneof it is a member of.
    pub fn oneof(&self) -> Option<&str> {
        let index = self.table().oneof?;
        self.message.table().oneofs.get(usize::from(index)).map(|name| &**name)
    }

    /// The type of the messages it holds.
    pub fn message_type(&self) -> Option<MessageType> {
        match self.kind() {
            Kind::Message(id) => Some(MessageType::new(&self.message.schema, id)),
            _ => None,
        }
    }

    /// The number that its enum gives to a name.
    pub fn enum_number(&self, name: &str) -> Option<i32> {
        self.enum_table()?.number(name.as_bytes())
    }

    /// The name that its enum gives to a number.
    pub fn enum_name(&self, number: i32) -> Option<&str> {
        self.enum_table()?.name(number)
    }

    /// The names of its enum's values, in the order of their numbers.
    pub fn enum_names(&self) -> impl Iterator<Item = &str> {
        self.enum_table().into_iter().flat_map(EnumTable::names)
    }

    /// Whether its value is a secret (`debug_redact`).
    pub fn is_redacted(&self) -> bool {
        self.table().redacted
    }

    pub(crate) fn table(&self) -> &FieldTable {
        &self.message.table().fields[usize::from(self.index)]
    }

    pub(crate) fn index(&self) -> u16 {
        self.index
    }

    fn enum_table(&self) -> Option<&EnumTable> {
        match self.kind() {
            Kind::Enum(id) => Some(self.message.schema.enum_table(id)),
            _ => None,
        }
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Field({}.{})", self.message.full_name(), self.name())
    }
}

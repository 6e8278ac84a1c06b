//! A body that is no JSON: the request, or one field of it, is a `google.api.HttpBody` (google/api/httpbody.proto).

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint, key_len};

use super::output::OCTETS;
use crate::transcoding::Error;

/// The one content type of the body, if there is one.
pub(super) fn content_type(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => one.to_str().map(Some).map_err(|_| Error::SeveralTypes),
        (Some(_), Some(_)) => Err(Error::SeveralTypes),
    }
}

/// Appends the body as the message, or as its field of this number. Nothing at all, without a type, is no body.
pub(super) fn push(
    field: Option<u32>,
    headers: &HeaderMap,
    body: &[u8],
    wire: &mut Vec<u8>,
) -> Result<(), Error> {
    let content_type = content_type(headers)?;
    if content_type.is_none() && body.is_empty() {
        return Ok(());
    }
    let content_type = content_type.unwrap_or(OCTETS).as_bytes();
    let parts = [(1, content_type), (2, body)];
    if let Some(field) = field {
        let length = |(tag, bytes): &(u32, &[u8])| {
            key_len(*tag) + encoded_len_varint(bytes.len() as u64) + bytes.len()
        };
        encode_key(field, WireType::LengthDelimited, wire);
        encode_varint(parts.iter().map(length).sum::<usize>() as u64, wire);
    }
    for (tag, bytes) in parts {
        encode_key(tag, WireType::LengthDelimited, wire);
        encode_varint(bytes.len() as u64, wire);
        wire.extend_from_slice(bytes);
    }
    Ok(())
}

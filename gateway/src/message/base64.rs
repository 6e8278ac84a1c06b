//! Bytes as JSON writes them (RFC 4648), and both alphabets as it reads them.

use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{self, GeneralPurpose, GeneralPurposeConfig};

/// Appends the base64 of the bytes in quotes, padded.
pub(crate) fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // The room is exactly what the encoding takes.
    let _ = general_purpose::STANDARD.encode_slice(bytes, &mut out[start..]);
    out.push(b'"');
}

/// Appends the bytes of base64 in either alphabet, padded or not. False when it is none.
pub(crate) fn decode_base64(text: &[u8], out: &mut Vec<u8>) -> bool {
    const fn engine(alphabet: &Alphabet) -> GeneralPurpose {
        // The last character may carry bits that no byte takes, as other protobuf parsers allow.
        let config = GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true);
        GeneralPurpose::new(alphabet, config)
    }
    const STANDARD_ENGINE: GeneralPurpose = engine(&STANDARD);
    const URL_SAFE_ENGINE: GeneralPurpose = engine(&URL_SAFE);
    let is_url_safe = memchr::memchr2(b'-', b'_', text).is_some();
    let engine = if is_url_safe { &URL_SAFE_ENGINE } else { &STANDARD_ENGINE };
    let start = out.len();
    out.resize(start + text.len().div_ceil(4) * 3, 0);
    match engine.decode_slice(text, out.get_mut(start..).unwrap_or_default()) {
        Ok(len) => {
            out.truncate(start + len);
            true
        }
        Err(_) => false,
    }
}

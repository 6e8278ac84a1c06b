//! The contracts of the shop: Rust code generated from the `.proto` files beside this crate, and the encoded
//! descriptors that the gateway and server reflection work from.
//!
//! The modules follow the packages: `proto::user::v1::User`, `proto::google::r#type::Money`.

/// An encoded `google.protobuf.FileDescriptorSet`: the four services, the messages of `google.rpc` error details and
/// everything they import, with options, extensions and comments.
///
/// Decode it with a library that keeps unknown fields (`prost-reflect` does, `prost-types` does not): the
/// `google.api.http` rules are extensions.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/shop.binpb"));

pub use contracts::*;

mod contracts {
    #![expect(
        missing_docs,
        rustdoc::invalid_html_tags,
        unused_qualifications,
        clippy::allow_attributes,
        clippy::clone_on_ref_ptr,
        clippy::default_trait_access,
        clippy::doc_markdown,
        clippy::too_many_lines,
        clippy::use_self,
        reason = "generated code"
    )]
    include!(concat!(env!("OUT_DIR"), "/contracts.rs"));
}

mod redact;

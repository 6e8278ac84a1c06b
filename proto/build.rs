//! Compiles the contracts without `protoc`: one encoded descriptor set for whoever reads descriptors, and Rust
//! code for whoever speaks the contracts.

use std::{error::Error, fs, path::PathBuf};

/// What the shop speaks, and what its error details are made of. Imports come with them.
const FILES: [&str; 7] = [
    "user/v1/user.proto",
    "product/v1/product.proto",
    "order/v1/order.proto",
    "payment/v1/payment.proto",
    "kit/v1/fault.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    // The folder of each package, so that a new file in it is seen too.
    for folder in ["user", "product", "order", "payment", "kit", "google"] {
        println!("cargo::rerun-if-changed={folder}");
    }
    println!("cargo::rerun-if-changed=build.rs");

    let mut compiler = protox::Compiler::new(["."])?;
    compiler.include_imports(true).include_source_info(true).open_files(FILES)?;

    // The typed set below has no room for extensions: `google.api.http` lives in the encoded bytes only.
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    fs::write(out.join("shop.binpb"), compiler.encode_file_descriptor_set())?;

    tonic_prost_build::configure()
        .include_file("contracts.rs")
        .emit_rerun_if_changed(false)
        .skip_debug(["user.v1.LoginRequest", "user.v1.LoginResponse", "user.v1.CreateUserRequest"])
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

//! Compiles `proto/` without `protoc`, and passes the target triple to the tests.

use prost::Message;
use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    println!("cargo:rustc-env=TARGET={}", env::var("TARGET")?);
    let descriptors = protox::compile(["proto/echo.proto"], ["proto"])?;
    // For the reflection service.
    let file = Path::new(&env::var("OUT_DIR")?).join("descriptors.bin");
    fs::write(file, descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}

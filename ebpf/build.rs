//! Lets the linker's code generator load words from wherever they stand in a packet: its headers are aligned to
//! nothing, and a load a byte costs a nanosecond a packet.

fn main() {
    println!("cargo:rustc-link-arg-bins=--cpu-features=+allows-misaligned-mem-access");
}

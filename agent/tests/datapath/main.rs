//! The datapath against the kernel: publish, take over, grow, attach, remove. Needs root and a BPF file system;
//! every test has a pin root and a network namespace of its own.

#![expect(clippy::unwrap_used, reason = "a test that panics says where")]

mod attach;
mod gate;
mod life;
mod pins;

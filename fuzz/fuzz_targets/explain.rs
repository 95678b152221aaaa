//! `explain --batch`; see `cmgate_tests::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| cmgate_tests::fuzz::run("explain", input));

//! Empty: it exists so that `agent` can name this crate as a build-dependency and be rebuilt with it.
#![no_std]

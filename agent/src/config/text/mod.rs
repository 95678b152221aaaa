//! The operator's text: where things stand in it, how it is read, and how what is wrong with it is told.

pub mod diagnostics;
pub(crate) mod document;
pub mod render;
pub mod source;
pub(crate) mod suggest;

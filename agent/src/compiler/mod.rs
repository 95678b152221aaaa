//! (catalogue, site, host) -> policy -> tables. Pure: no I/O, no clock; the same input gives the same bytes.

pub mod choices;
pub mod image;
pub mod lines;
pub mod policy;
pub mod reference;
pub mod warnings;

#[cfg(test)]
mod tests;

//! The catalogue against the documents: what they print in tables, and what they say in their text.

mod cell;
mod numbers;
mod page;
mod tables;
mod text;

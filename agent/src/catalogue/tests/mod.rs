//! The built-in data, its faults, and what is printed of it.

mod consistency;
mod documents;
mod faults;
mod output;

use super::*;

fn catalogue() -> &'static Catalogue {
    Catalogue::embedded()
}

fn flow(edition: Edition, id: &str) -> &'static Flow {
    catalogue().flows(edition).find(|flow| flow.id() == id).expect(id)
}

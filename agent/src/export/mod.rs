//! A host's policy for other tools: a ruleset of the kernel's own firewall, and the lines as CSV and JSON.

mod csv;
mod json;
pub mod nft;
mod rows;

pub use self::csv::to_csv;
pub use self::json::to_json;

#[cfg(test)]
mod tests;

//! The decision engine: one code over any [`Frame`](crate::frame::Frame) and any [`Tables`](crate::tables::Tables).
//!
//! [`ingress`] judges what comes in, in the order of the design: link layer and IP were settled by the parser;
//! then addresses, fragments, what a host cannot live without, policy, known flows, ICMP errors, and the closest
//! reason to drop. [`egress`] remembers what this host opens and, where asked, judges it.

mod address;
mod always;
mod audit;
mod egress;
pub mod flows;
mod fragments;
mod ingress;
mod plain;
pub mod policy;
pub mod related;

pub use address::{classify, in_runs, of_runs};
pub use egress::egress;
pub use flows::Flows;
pub use ingress::ingress;
pub use policy::verdict;

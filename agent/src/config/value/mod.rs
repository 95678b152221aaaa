//! Single values of the files: addresses, ports, services, names, spans of time.

pub mod address;
pub(crate) mod boundaries;
pub mod duration;
pub mod icmp;
pub(crate) mod name;
pub(crate) mod port;
pub(crate) mod prefix;
pub mod service;

//! What traffic which role needs: Microsoft's published port lists as data, and the types that hold them.
//!
//! The data lies in `config/catalogue/` and is built into the binary. A new edition is a new data file.

mod edition;
mod flow;
mod load;
mod ports;
mod role;

pub use edition::{Document, Edition, UnknownDocument, UnknownEdition};
pub use flow::{Answers, Condition, Flow, Protocol, Scope, UnknownProtocol};
pub use load::{Catalogue, LoadError};
pub use ports::{BadPorts, Feature, PortKey, PortRange, Ports, Takes};
pub use role::{Place, Role, UnknownRole, nearest};

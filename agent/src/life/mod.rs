//! The agent's life.
pub mod bundle;
pub mod notify;
pub mod parameters;
pub mod sources;
pub mod surroundings;
pub mod watch;

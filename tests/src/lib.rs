//! Rig for tests against the real kernel: network namespaces, real servers and clients, and the agent among them.
//!
//! Everything the rig makes in the kernel or on disk carries the id of the process that made it ([`ownership`]), so
//! that a signal, a panic or a killed run leaves nothing that the next run does not remove.

pub mod agent;
pub mod bench;
pub mod binary;
pub mod client;
pub mod demo;
pub mod dice;
pub mod evidence;
pub mod explain;
pub mod frames;
pub mod fuzz;
pub mod gate;
pub mod install;
pub mod interrupted;
pub mod kernel;
pub mod large;
pub mod lines;
pub mod link;
pub mod metrics;
pub mod needs;
pub mod netns;
pub mod notify;
pub mod ownership;
pub mod process;
pub mod prometheus;
pub mod raw;
pub mod scene;
pub mod server;
pub mod soak;
pub mod ssh;
pub mod stream;
pub mod suite;
pub mod tftp;
pub mod topology;
pub mod transfer;
pub mod wire;
pub mod world;

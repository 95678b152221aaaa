//! The agent's rooms, in the order data flows through them: config, catalogue, compiler, datapath, observation.

pub mod catalogue;
pub mod cli;
pub mod compiler;
pub mod config;
pub mod datapath;
pub mod explain;
pub mod life;
pub mod observation;

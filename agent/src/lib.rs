//! The agent's rooms, in the order data flows through them: config, catalogue, compiler, datapath, observation. The
//! agent's life moves it along; `explain` asks the compiler's work without a gate; the command line is the way in.

pub mod catalogue;
pub mod cli;
pub mod compiler;
pub mod config;
pub mod datapath;
pub mod doctor;
pub mod explain;
pub mod export;
pub mod guard;
pub mod life;
pub mod observation;
pub mod plan;
pub mod suggest;
pub mod top;

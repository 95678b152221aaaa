//! What the gate and its agent say about themselves: status, flows, drops, metrics, and the two doors they are asked
//! at. The last room data reaches: nothing here changes what is enforced.

pub mod adviser;
pub mod agent;
pub mod aggregate;
pub mod capture;
mod change;
pub mod client;
pub mod control;
pub mod drops;
pub mod filter;
pub mod flows;
mod foresight;
pub mod hex;
pub mod history;
pub mod kept;
pub mod log;
pub mod metrics;
mod overview;
pub mod page;
mod patience;
mod peer;
pub mod request;
pub mod sample;
mod sampled;
pub mod shadow;
pub mod status;
pub mod time;

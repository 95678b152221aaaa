//! `cmgate top`: what the gate does at this moment, on a screen that is drawn anew every second. All of it comes from the
//! agent's control socket, so that members of its group can look, too.

pub mod draw;
pub mod rates;
pub mod run;
pub mod state;

pub use run::run;

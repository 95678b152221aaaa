//! Why a packet would be admitted or dropped: a real frame is built for the question and judged by the engine that
//! judges packets, over the compiled files in memory or in the kernel.

pub mod answer;
pub mod desk;
pub mod frame;
pub mod judge;
pub mod nearest;
pub mod question;
pub mod remembered;
pub mod trace;
pub mod tuple;
pub mod view;
pub mod who;

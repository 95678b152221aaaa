//! What the kernel and the host share: the frame parser, the decision engine, and the layout of the maps.
//!
//! One packet's way: [`packet::parse`] reads a [`frame::Frame`]; [`engine::ingress`] (or [`engine::egress`])
//! judges it over [`tables::Tables`] and returns a [`reason::Decision`]; [`reason::settle`] turns that into an
//! action and a counter. The XDP and TC programs run this over maps, everything else over memory.
#![cfg_attr(not(feature = "std"), no_std)]

pub mod address;
pub mod draw;
pub mod engine;
pub mod frame;
pub mod layout;
#[cfg(feature = "std")]
pub mod memory;
pub mod opaque;
pub mod packet;
pub mod reason;
pub mod tables;
#[cfg(feature = "std")]
pub mod walk;

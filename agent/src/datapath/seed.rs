//! Flows that were open before the gate was: they are made known to it as if it had seen them being opened.

use std::net::SocketAddr;

use cmgate_common::address::Address;
use cmgate_common::engine::flows::stored;

use super::lines::Lines;
use super::{Datapath, Error, maps};

/// A flow that this host has opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeededFlow {
    /// TCP or UDP, as its protocol number.
    pub protocol: u8,
    /// This host's end.
    pub own: SocketAddr,
    /// The other end: the one that answers.
    pub other: SocketAddr,
}

impl Datapath {
    /// Makes flows known. Those that are known already, and those with a younger one in each of their places, stay as they
    /// are; whether a flow may go on, the generation that rules says when its next packet comes.
    ///
    /// # Errors
    ///
    /// [`Error::Map`], [`Error::Clock`].
    pub fn seed(&mut self, flows: &[SeededFlow]) -> Result<(), Error> {
        if flows.is_empty() {
            return Ok(());
        }
        let table = Lines::open(&maps::ANSWERED, &self.pins)?;
        let slot = self.control.slot(self.control.enforced());
        let now = self.now()?.ticks;
        for flow in flows {
            let end = |address: SocketAddr| (Address::from(address.ip()), address.port());
            let line = stored::seeded(flow.protocol, end(flow.own), end(flow.other), now);
            table.insert(&line, self.control.seed(), now);
            let (place, longest) = stored::port(flow.protocol, flow.own.port(), &slot.timeouts);
            self.control.keep_port(place, now + u64::from(longest));
        }
        Ok(())
    }
}

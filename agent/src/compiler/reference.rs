//! The policy read line by line: slow, and plain enough to be believed. What the tables say must be this.

use std::net::IpAddr;

use cmgate_common::layout::image::Bank;

use super::policy::{Line, Policy, SetId};

impl Policy {
    /// The flow by which `source` may ask `destination` for a service, as its place in [`Policy::flows`]. `port` is the
    /// destination port, `type << 8 | code`, or the protocol number, as `bank` has it.
    #[must_use]
    pub fn admits(&self, source: IpAddr, destination: IpAddr, bank: Bank, port: u16) -> Option<u32> {
        let mut lines = self.fitting(source, destination, bank, port);
        lines.find(|line| !self.is_audited(line)).map(|line| line.flow)
    }

    /// The audited allow by which it might, if that is all there is.
    #[must_use]
    pub fn lets_pass(&self, source: IpAddr, destination: IpAddr, bank: Bank, port: u16) -> Option<u32> {
        let first = self.fitting(source, destination, bank, port).next();
        if self.admits(source, destination, bank, port).is_some() {
            None
        } else {
            first.map(|line| line.flow)
        }
    }

    /// Whether what is between the two passes whatever is found of it: one of them is in an audited system.
    #[must_use]
    pub fn audits(&self, source: IpAddr, destination: IpAddr) -> bool {
        let audited = |address| self.audited.is_some_and(|set| self.has(set, address));
        audited(source) || audited(destination)
    }

    /// Every flow that admits it, in order of precedence, each once: the first is the one that counts.
    #[must_use]
    pub fn all_admitting(&self, source: IpAddr, destination: IpAddr, bank: Bank, port: u16) -> Vec<u32> {
        let mut flows = Vec::new();
        for line in self.fitting(source, destination, bank, port) {
            if !flows.contains(&line.flow) && !self.is_audited(line) {
                flows.push(line.flow);
            }
        }
        flows
    }

    /// Whether the files name the address.
    #[must_use]
    pub fn knows(&self, address: IpAddr) -> bool {
        self.has(self.known, address)
    }

    /// Whether anything passes by audit.
    #[must_use]
    pub fn audits_anything(&self) -> bool {
        self.audited.is_some() || self.lines.iter().any(|line| self.is_audited(line))
    }

    /// Whether a line is of an allow that admits nothing.
    #[must_use]
    pub fn is_audited(&self, line: &Line) -> bool {
        self.flows[line.flow as usize].audited
    }

    fn fitting(
        &self,
        source: IpAddr,
        destination: IpAddr,
        bank: Bank,
        port: u16,
    ) -> impl Iterator<Item = &Line> {
        let offers = move |line: &&Line| {
            line.services.iter().any(|range| range.bank == bank && (range.first..=range.last).contains(&port))
        };
        // No flow runs from an address to itself.
        let lines = if source == destination { &[] } else { self.lines.as_slice() };
        lines
            .iter()
            .filter(offers)
            .filter(move |line| self.has(line.sources, source) && self.has(line.destinations, destination))
    }

    /// Whether an address is in one of its sets.
    #[must_use]
    pub fn has(&self, set: SetId, address: IpAddr) -> bool {
        self.sets[set.0 as usize].contains(address)
    }
}

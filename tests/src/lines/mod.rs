//! The engine against the policy walked line by line, and against the closest reason as the design words it: random
//! packets in transit through random sites.
//!
//! Dice rather than proptest make the packets, because a packet worth judging is drawn from the borders of the policy
//! that its site compiled to: proptest would draw another one for each smaller site. Here the packet is kept, and the
//! site is made smaller around it.

mod borders;
mod packet;
mod site;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use cmgate::compiler::policy::Policy;
use cmgate::datapath::Hook;
use cmgate_common::layout::image::Bank;
use cmgate_common::reason::Reason;

use crate::dice::Dice;
use crate::gate::{Backend, Compiled, InMemory, Written};

use packet::Packet;
use site::Site;

pub use borders::{addresses, is_somebodys, near, near_a_line, services, special};

/// Packets through one site.
const PACKETS: usize = 1_000;

/// What was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Sites.
    pub sites: u64,
    /// Packets judged twice.
    pub packets: u64,
    /// Of these, how many were admitted.
    pub admitted: u64,
    /// How many would be dropped, and pass.
    pub audited: u64,
}

impl Compared {
    /// Judges a site's packets twice: the site of this seed, and its successors under the numbers that follow.
    ///
    /// # Errors
    /// The packet on which engine and lines disagree, in the smallest site found in which they do.
    pub fn site(&mut self, seed: u64) -> Result<()> {
        let mut dice = Dice::new(seed);
        let site = Site::random(&mut dice);
        let mut bench = Bench::new(&site).with_context(|| format!("seed {seed}, the site\n{site}"))?;
        let Pools { v4, v6, services } = Pools::of(bench.policy());
        for _ in 0..PACKETS {
            let near = if dice.chance(60) { near_a_line(bench.policy(), &mut dice) } else { None };
            let (source, destination, bank, service) = near.unwrap_or_else(|| {
                let pool = if dice.chance(60) { &v4 } else { &v6 };
                let (bank, service) = *dice.of(&services);
                (*dice.of(pool), *dice.of(pool), bank, service)
            });
            let (_, from) = *dice.of(&services);
            let packet = Packet { source, destination, bank, service, from }.plain(&mut dice);
            if !is_judged_by_policy(bench.policy(), &packet) {
                continue;
            }
            self.packets += 1;
            match bench.judge(&packet)? {
                Agreement::On(reason, audited) => {
                    self.admitted += u64::from(reason.admits());
                    self.audited += u64::from(audited);
                }
                Agreement::None(said) => {
                    let smallest = smallest(site, &packet)?;
                    bail!(
                        "seed {seed}: {said}\nof {packet:?}\nThe smallest site found in which they do:\n{smallest}"
                    );
                }
            }
        }
        self.sites += 1;
        Ok(())
    }

    /// Whether enough was admitted for the comparison to mean something.
    ///
    /// # Errors
    /// If it was not.
    pub fn is_telling(&self) -> Result<()> {
        let Self { packets, admitted, audited, .. } = *self;
        anyhow::ensure!(
            audited * 50 > packets,
            "only {audited} of {packets} pass by audit: little is compared"
        );
        anyhow::ensure!(
            admitted * 20 > packets,
            "only {admitted} of {packets} are admitted: little is compared"
        );
        Ok(())
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sites, packets, admitted, audited } = self;
        write!(
            formatter,
            "{packets} packets through {sites} sites, {admitted} of them admitted, {audited} let through by audit"
        )
    }
}

/// Where packets of a site come from and go to.
struct Pools {
    v4: Vec<IpAddr>,
    v6: Vec<IpAddr>,
    services: Vec<(Bank, u16)>,
}

impl Pools {
    fn of(policy: &Policy) -> Self {
        let (v4, v6) =
            addresses(policy).into_iter().filter(|address| is_somebodys(*address)).partition(IpAddr::is_ipv4);
        let mut services = services(policy);
        services.extend([(Bank::Tcp, 1), (Bank::Udp, 53), (Bank::Icmp, 0x0d00), (Bank::Ip, 103)]);
        Self { v4, v6, services }
    }
}

/// Both judges of one site.
struct Bench {
    compiled: Compiled,
    engine: InMemory,
}

/// What came of asking both.
enum Agreement {
    /// They said the same.
    On(Reason, bool),
    /// They did not: what each of them said.
    None(String),
}

impl Bench {
    fn new(site: &Site) -> Result<Self> {
        let compiled = Written { site: &site.to_string(), host: site::RELAY, own: site::OWN }.compile()?;
        let mut engine = InMemory::with_capacity(4);
        engine.publish(&compiled)?;
        Ok(Self { compiled, engine })
    }

    const fn policy(&self) -> &Policy {
        &self.compiled.policy
    }

    fn judge(&mut self, packet: &Packet) -> Result<Agreement> {
        // Whatever was known is long forgotten.
        self.engine.pass(Duration::from_secs(100_000));
        let frame = packet.frame().bytes();
        let decision = self.engine.decide(Hook::Ingress, 1, &frame).context("it judges all that comes")?;
        let said = (decision.reason(), self.engine.flow(decision), decision.audited());
        let meant = packet.meant(self.policy());
        if said == meant {
            Ok(Agreement::On(said.0, said.2))
        } else {
            Ok(Agreement::None(format!("the engine says {said:?}, the lines {meant:?}")))
        }
    }
}

/// The smallest site found in which engine and lines disagree about the packet: part after part is left out, as long as
/// they do.
fn smallest(mut site: Site, packet: &Packet) -> Result<Site> {
    let disagree = |site: &Site| -> Result<bool> {
        // Without some of its parts a site may mean nothing any more.
        let Ok(mut bench) = Bench::new(site) else { return Ok(false) };
        let judged = is_judged_by_policy(bench.policy(), packet);
        Ok(judged && matches!(bench.judge(packet)?, Agreement::None(_)))
    };
    'smaller: loop {
        for smaller in site.with_a_part_left_out() {
            if disagree(&smaller)? {
                site = smaller;
                continue 'smaller;
            }
        }
        return Ok(site);
    }
}

/// Whether policy alone says what becomes of a packet: its ends can be what they are.
fn is_judged_by_policy(policy: &Policy, packet: &Packet) -> bool {
    let Packet { source, destination, .. } = *packet;
    let impossible =
        source == destination || policy.own.contains(source) || policy.broadcasts.contains(source);
    !impossible && is_somebodys(source) && is_reachable(policy, destination)
}

/// Whether a packet may go there: to somebody, or to all and to groups, which are this host among others.
fn is_reachable(policy: &Policy, address: IpAddr) -> bool {
    is_somebodys(address) || address.is_multicast() || policy.broadcasts.contains(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_made_as_small_as_its_disagreement_allows() {
        let mut dice = Dice::new(7);
        let site = Site::random(&mut dice);
        let parts = site.with_a_part_left_out().len();
        assert!(parts > 10, "there is little to leave out of\n{site}");
        for smaller in site.with_a_part_left_out() {
            assert!(
                smaller.to_string().len() < site.to_string().len(),
                "{smaller}\nis not smaller than\n{site}"
            );
        }
    }
}

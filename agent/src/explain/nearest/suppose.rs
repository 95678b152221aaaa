//! What the policy would say if the site said something else: the compiler's own answer, for two addresses.
//!
//! Whether a packet between two addresses is admitted depends on which systems and allows name these two and on nothing
//! else that is long. So the site is cut to them first, and compiling it again takes no time however large it was.

use std::net::IpAddr;

use crate::catalogue::{Catalogue, Edition, Role};
use crate::compiler::lines::{self, Machine};
use crate::compiler::policy::{FlowInfo, Policy};
use crate::config::{AddressSet, Allow, Endpoint, Host, Mode, Site, System};
use crate::explain::tuple::Tuple;

/// A site cut to the addresses of one packet, and the machine that judges it.
pub struct Supposition<'a> {
    catalogue: &'a Catalogue,
    site: Site,
    host: Host,
    machine: &'a Machine,
    packet: Tuple,
}

impl<'a> Supposition<'a> {
    /// Of what holds.
    #[must_use]
    pub fn new(
        catalogue: &'a Catalogue,
        site: &Site,
        host: &Host,
        machine: &'a Machine,
        packet: Tuple,
    ) -> Self {
        let ends = [packet.source, packet.destination];
        Self { catalogue, site: cut(site, ends), host: host.clone(), machine, packet }
    }

    /// The flow by which the packet is admitted, if the address is in one more system, which has these roles.
    #[must_use]
    pub fn with_roles(&self, address: IpAddr, roles: &[Role]) -> Vec<FlowInfo> {
        let mut site = self.site.clone();
        site.systems.push(stranger(address, roles));
        self.admitting(&site, &self.host)
    }

    /// The same if these features are on beside those that are.
    #[must_use]
    pub fn with_features<'f>(&self, features: impl IntoIterator<Item = &'f str>) -> Vec<FlowInfo> {
        let mut site = self.site.clone();
        site.features.extend(features.into_iter().map(str::to_owned));
        self.admitting(&site, &self.host)
    }

    /// The same if this host relays.
    #[must_use]
    pub fn in_transit(&self) -> Vec<FlowInfo> {
        let host = Host { transit: true, ..self.host.clone() };
        self.admitting(&self.site, &host)
    }

    /// The edition the site follows.
    #[must_use]
    pub const fn edition(&self) -> Edition {
        self.site.edition
    }

    /// The features of the edition that are off.
    pub fn features_off(&self) -> impl Iterator<Item = &'a str> {
        let edition = self.site.edition;
        let known = self.catalogue.features().filter(move |feature| feature.editions.contains(&edition));
        known.map(|feature| feature.name.as_str()).filter(|name| !self.site.features.contains(*name))
    }

    fn admitting(&self, site: &Site, host: &Host) -> Vec<FlowInfo> {
        let policy = lines::compile(self.catalogue, site, host, self.machine).policy;
        admitting(&policy, &self.packet)
    }
}

/// The flows that admit a packet, in order of precedence.
pub(super) fn admitting(policy: &Policy, packet: &Tuple) -> Vec<FlowInfo> {
    let flows = policy.all_admitting(packet.source, packet.destination, packet.bank, packet.port);
    flows.into_iter().map(|flow| policy.flows[flow as usize].clone()).collect()
}

/// A system that says nothing of itself but its roles. No site's can have this name, which has a blank.
fn stranger(address: IpAddr, roles: &[Role]) -> System {
    System {
        name: "one more".to_owned(),
        roles: roles.to_vec(),
        addresses: AddressSet::from_iter([address]),
        internet: false,
        any: false,
        site_code: None,
        ports: Default::default(),
        connections: None,
        client_kind: None,
        proxy: None,
        multicast_groups: AddressSet::default(),
        cmg: None,
        site_server_initiates: false,
        mode: Mode::Enforce,
    }
}

/// The site with no addresses but these, each where it is.
fn cut(site: &Site, ends: [IpAddr; 2]) -> Site {
    // Whole prefixes: a single address of this machine's own system would be taken for its own.
    let kept = |set: &AddressSet| -> AddressSet {
        ends.into_iter().filter_map(|address| set.overlapping(address.into())).collect()
    };
    let end = |end: &Endpoint| match end {
        Endpoint::Addresses(set) => Endpoint::Addresses(kept(set)),
        other => other.clone(),
    };
    let system = |system: &System| System {
        name: system.name.clone(),
        roles: system.roles.clone(),
        addresses: kept(&system.addresses),
        internet: system.internet,
        any: system.any,
        site_code: system.site_code.clone(),
        ports: system.ports.clone(),
        connections: system.connections,
        client_kind: system.client_kind,
        proxy: system.proxy,
        multicast_groups: kept(&system.multicast_groups),
        cmg: system.cmg,
        site_server_initiates: system.site_server_initiates,
        mode: system.mode,
    };
    let allow = |allow: &Allow| Allow {
        name: allow.name.clone(),
        from: allow.from.iter().map(end).collect(),
        to: allow.to.iter().map(end).collect(),
        services: allow.services.clone(),
        mode: allow.mode,
    };
    Site {
        edition: site.edition,
        connections: site.connections,
        rpc: site.rpc,
        ports: site.ports.clone(),
        features: site.features.clone(),
        proxy: site.proxy,
        sites: site.sites.clone(),
        systems: site.systems.iter().map(system).collect(),
        allows: site.allows.iter().map(allow).collect(),
    }
}

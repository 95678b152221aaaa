//! The catalogue's flows between the members of their roles.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use cmgate_common::layout::image::{Bank, Origin};

use super::draft::{Draft, Drafts, Reach};
use super::gateways;
use super::members::{Answer, Cell, Members, Question};
use super::own::Own;
use super::services;
use super::sets::Sets;
use super::site_codes::SiteCodes;
use crate::catalogue::{Answers, Catalogue, Condition, Flow, PortRange, Role};
use crate::compiler::policy::{FlowInfo, ServiceRange, SetId, Written};
use crate::config::{AddressSet, ClientKind, Connections, Site};

/// Ports of DHCP servers and clients, DHCPv6's second (RFC 2131, 4.1; RFC 8415, 7.2).
const DHCP: [(u16, u16); 2] = [(67, 68), (547, 546)];

/// What became of a flow of the catalogue: for warnings.
pub(super) struct Outcome<'c> {
    pub(super) flow: &'c Flow,
    /// Whether anybody has the role at either end.
    pub(super) initiators: bool,
    pub(super) responders: bool,
    /// The systems that open it, and those that answer it; empty where it runs between none.
    pub(super) opening: BTreeSet<usize>,
    pub(super) answering: BTreeSet<usize>,
    /// Its lines, by their places.
    pub(super) lines: BTreeSet<usize>,
}

impl Outcome<'_> {
    /// Whether it runs between anybody.
    pub(super) fn runs(&self) -> bool {
        !self.lines.is_empty()
    }
}

/// What is the same for every flow of a site.
pub(super) struct FlowCompiler<'a, 'c> {
    pub(super) catalogue: &'c Catalogue,
    pub(super) site: &'c Site,
    pub(super) codes: &'a SiteCodes<'c>,
    pub(super) own: &'a Own,
    pub(super) members: &'a mut Members<'c>,
    pub(super) sets: &'a mut Sets,
    pub(super) drafts: &'a mut Drafts,
}

/// Who may ask whom for what: initiators and responders by their cells.
struct Between {
    services: Vec<ServiceRange>,
    initiators: Vec<usize>,
    responders: Vec<usize>,
}

impl<'c> FlowCompiler<'_, 'c> {
    /// Adds the flow's lines; none where the site does not have it.
    pub(super) fn compile(&mut self, flow: &'c Flow) -> Option<Outcome<'c>> {
        let in_use = flow.feature.as_ref().is_none_or(|feature| self.site.features.contains(feature));
        if !flow.opens || !in_use || never_opens(flow) {
            return None;
        }
        let initiators = self.members.cells(flow.initiator, &initiator_questions(flow), self.sets);
        let responders = self.members.cells(flow.responder, &responder_questions(flow), self.sets);
        let mut outcome = Outcome {
            flow,
            initiators: !initiators.is_empty(),
            responders: !responders.is_empty(),
            opening: BTreeSet::new(),
            answering: BTreeSet::new(),
            lines: BTreeSet::new(),
        };
        for between in self.pairs(flow, &initiators, &responders) {
            let lines = self.draft(flow, &between, &initiators, &responders);
            if !lines.is_empty() {
                let systems = |places: &[usize], cells: &[Cell]| -> Vec<usize> {
                    places.iter().flat_map(|place| &cells[*place].systems).copied().collect()
                };
                outcome.opening.extend(systems(&between.initiators, &initiators));
                outcome.answering.extend(systems(&between.responders, &responders));
                outcome.lines.extend(lines);
            }
        }
        Some(outcome)
    }

    /// Which cells the flow runs between, those alike joined: the number of lines grows with differences alone.
    fn pairs(&self, flow: &Flow, initiators: &[Cell], responders: &[Cell]) -> Vec<Between> {
        let mut found: Vec<Between> = Vec::new();
        for (place, responder) in responders.iter().enumerate() {
            if !self.talks(flow, responder) {
                continue;
            }
            let fits = |from: &usize| self.fits(flow, &initiators[*from], responder);
            let from: Vec<usize> = (0..initiators.len()).filter(fits).collect();
            let services = self.services(flow, responder);
            match found.iter_mut().find(|known| known.initiators == from && known.services == services) {
                Some(known) => known.responders.push(place),
                None => found.push(Between { services, initiators: from, responders: vec![place] }),
            }
        }
        found
    }

    /// Whether the responder offers it at all.
    fn talks(&self, flow: &Flow, responder: &Cell) -> bool {
        let said = responder.answers.iter().flatten().find_map(|answer| match answer {
            Answer::Connections(said) => Some(*said),
            _ => None,
        });
        let connections = said.or(self.site.connections).unwrap_or_default();
        match flow.condition {
            Some(Condition::Http) => connections != Connections::Https,
            Some(Condition::Https) => connections != Connections::Http,
            Some(Condition::OneVm | Condition::SeveralVms | Condition::DomainClient) | None => true,
        }
    }

    /// Whether it runs between these two.
    fn fits(&self, flow: &Flow, initiator: &Cell, responder: &Cell) -> bool {
        if !self.codes.admit(flow.scope, initiator.code, responder.code) {
            return false;
        }
        let said = |answer: Answer| initiator.answers.contains(&Some(answer));
        if said(Answer::SiteServerInitiates) {
            return false;
        }
        // A gateway speaks for itself, and a connection point for one that is no system.
        let of_internet = responder.systems.is_empty() && gateways::is_kind(flow.responder);
        if of_internet && self.members.gateways().kind(initiator.gateway()) != flow.responder {
            return false;
        }
        let gateway = responder.gateway().or_else(|| initiator.gateway());
        let several = gateway.is_some_and(|cmg| cmg.vms > 1);
        match flow.condition {
            Some(Condition::OneVm) => !several,
            Some(Condition::SeveralVms) => several,
            Some(Condition::DomainClient) => {
                !said(Answer::ClientKind(ClientKind::Workgroup))
                    && !said(Answer::ClientKind(ClientKind::Internet))
            }
            Some(Condition::Http | Condition::Https) | None => true,
        }
    }

    /// The services the responder offers: its own ports, else the site's, else the edition's.
    fn services(&self, flow: &Flow, responder: &Cell) -> Vec<ServiceRange> {
        let said = responder.answers.iter().flatten().find_map(|answer| match answer {
            Answer::Ports(ports) => Some(ports.as_slice()),
            _ => None,
        });
        let of_site = || flow.port_key.as_ref().and_then(|key| self.site.ports.get(key)).map(Vec::as_slice);
        let ports: &[PortRange] = match said.or_else(of_site) {
            Some(changed) => changed,
            None => services::numbered(self.catalogue.default_ports(flow)),
        };
        services::of_catalogue(flow.protocol, ports)
    }

    /// Adds the lines between some cells. Tells their places.
    fn draft(
        &mut self,
        flow: &Flow,
        between: &Between,
        initiators: &[Cell],
        responders: &[Cell],
    ) -> Vec<usize> {
        let responders: Vec<&Cell> = between.responders.iter().map(|place| &responders[*place]).collect();
        let initiators: Vec<&Cell> = between.initiators.iter().map(|place| &initiators[*place]).collect();
        let destinations = self.sets.union(responders.iter().map(|cell| cell.addresses));
        if initiators.is_empty() || destinations == Sets::EMPTY || between.services.is_empty() {
            return Vec::new();
        }
        let number = self.drafts.flow(flow.id(), |id| info(flow, id));
        let known = &mut self.drafts.flows[number];
        known.tftp |= flow.answers == Answers::FreshPort;
        known.broadcast |= flow.broadcast;
        let mut line = Draft {
            flow: number,
            sources: Sets::EMPTY,
            destinations,
            shared: Sets::EMPTY,
            services: between.services.clone(),
            reach: Reach::Machines,
        };
        if flow.proxied {
            return self.draft_proxied(&initiators, &line);
        }
        line.sources = self.sets.union(initiators.iter().map(|cell| cell.addresses));
        let to_server = if flow.broadcast { self.shared(flow, &responders) } else { Sets::EMPTY };
        if flow.answers == Answers::Dhcp {
            return self.draft_dhcp(&line, to_server);
        }
        self.push(Draft { shared: to_server, ..line }).into_iter().collect()
    }

    /// A destination that stands for several machines has a role only for the rows the catalogue marks so. Nobody asks
    /// himself.
    fn push(&mut self, mut line: Draft) -> Option<usize> {
        if line.sources == line.destinations
            && line.shared == Sets::EMPTY
            && self.is_one_machine(line.sources)
        {
            return None;
        }
        if line.shared == Sets::EMPTY {
            line.destinations = self.sets.difference(line.destinations, self.own.broadcasts);
        }
        self.drafts.push(line)
    }

    /// Whether it is at most one address of each family.
    fn is_one_machine(&self, set: SetId) -> bool {
        let addresses = self.sets.get(set);
        let single = addresses.iter().all(|net| net.prefix_len() == net.max_prefix_len());
        single && addresses.v4().len() <= 1 && addresses.v6().len() <= 1
    }

    /// Initiators with a proxy go to it, and no longer to where it takes them.
    fn draft_proxied(&mut self, initiators: &[&Cell], direct: &Draft) -> Vec<usize> {
        let mut by_proxy: Vec<(Option<SocketAddr>, Vec<SetId>)> = Vec::new();
        for cell in initiators {
            let said = cell.answers.iter().flatten().find_map(|answer| match answer {
                Answer::Proxy(proxy) => Some(*proxy),
                _ => None,
            });
            let proxy = said.or(self.site.proxy);
            match by_proxy.iter_mut().find(|(known, _)| *known == proxy) {
                Some((_, cells)) => cells.push(cell.addresses),
                None => by_proxy.push((proxy, vec![cell.addresses])),
            }
        }
        let mut lines = Vec::new();
        for (proxy, cells) in by_proxy {
            let mut line = Draft { sources: self.sets.union(cells), ..direct.clone() };
            if let Some(proxy) = proxy {
                line.destinations = self.sets.add(AddressSet::from_iter([proxy.ip()]));
                line.services = services::port(Bank::Tcp, proxy.port());
            }
            lines.extend(self.push(line));
        }
        lines
    }

    /// DHCP is asked on one port and answers to another: the way back is a line of its own.
    fn draft_dhcp(&mut self, line: &Draft, to_server: SetId) -> Vec<usize> {
        let asked = |port: u16| line.services.iter().any(|range| (range.first..=range.last).contains(&port));
        let mut lines = Vec::new();
        for (server, client) in DHCP.into_iter().filter(|(server, _)| asked(*server)) {
            lines.extend(self.push(Draft {
                services: services::port(Bank::Udp, server),
                shared: to_server,
                ..line.clone()
            }));
            // A client that has no address yet is answered by broadcast; DHCPv6 clients have one.
            let to_client = if server == DHCP[0].0 { self.own.broadcasts } else { Sets::EMPTY };
            lines.extend(self.push(Draft {
                sources: line.destinations,
                destinations: line.sources,
                services: services::port(Bank::Udp, client),
                shared: to_client,
                ..line.clone()
            }));
        }
        lines
    }

    /// The broadcast addresses and groups that count as the responders.
    fn shared(&mut self, flow: &Flow, responders: &[&Cell]) -> SetId {
        if flow.answers == Answers::Dhcp && flow.ports.mention(DHCP[1].0) {
            return self.own.dhcpv6_servers;
        }
        let mut groups = vec![self.own.broadcasts];
        if flow.responder == Role::named("distribution-point-multicast") {
            for place in responders.iter().flat_map(|cell| &cell.systems) {
                groups.push(self.sets.add(self.site.systems[*place].multicast_groups.clone()));
            }
        }
        self.sets.union(groups)
    }
}

/// Whether it is the half of a two-way arrow that its initiator never opens: "Reporting service points and distribution
/// points don't send status information" ("Ports used in Configuration Manager", note 5).
fn never_opens(flow: &Flow) -> bool {
    let silent = ["distribution-point", "reporting-point", "reporting-services-point"].map(Role::named);
    let is = |role: &Role| silent.contains(role);
    is_status(flow) && (is(&flow.initiator) || flow.initiator.implies().iter().any(is))
}

/// Whether it is the half of a two-way arrow by which a site system reports to the site server. What `ibcm-site-system`
/// opens is none: it runs while one is installed or repaired, and the setting is made "after the site system has been
/// installed" (note 5).
pub(super) fn is_status(flow: &Flow) -> bool {
    let installed = flow.initiator.implies().contains(&Role::named("site-system"));
    flow.two_way && flow.responder == Role::named("site-server") && installed
}

fn initiator_questions(flow: &Flow) -> Vec<Question<'_>> {
    let mut questions = Vec::new();
    match flow.condition {
        Some(Condition::DomainClient) => questions.push(Question::ClientKind),
        Some(Condition::OneVm | Condition::SeveralVms | Condition::Http | Condition::Https) | None => {}
    }
    if gateways::is_kind(flow.responder) {
        questions.push(Question::Gateway);
    }
    if flow.proxied {
        questions.push(Question::Proxy);
    }
    if is_status(flow) {
        questions.push(Question::SiteServerInitiates);
    }
    questions
}

fn responder_questions(flow: &Flow) -> Vec<Question<'_>> {
    let mut questions: Vec<_> = flow.port_key.as_deref().map(Question::Ports).into_iter().collect();
    match flow.condition {
        Some(Condition::Http | Condition::Https) => questions.push(Question::Connections),
        Some(Condition::OneVm | Condition::SeveralVms) => questions.push(Question::Gateway),
        Some(Condition::DomainClient) | None => {}
    }
    questions
}

fn info(flow: &Flow, id: String) -> FlowInfo {
    FlowInfo {
        id,
        origin: Origin::Policy,
        initiator: flow.initiator.to_string(),
        responder: flow.responder.to_string(),
        service: flow.service.clone(),
        written: Some(Written {
            edition: flow.edition.to_string(),
            document: flow.document.to_string(),
            section: flow.section.clone(),
        }),
        tftp: false,
        audited: false,
        broadcast: false,
    }
}

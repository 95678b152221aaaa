//! The policy's lines as rules: a map from the service to a chain, and in each chain the lines that offer it, in order.

use cmgate_common::layout::image::{Bank, Origin};

use super::script::{Chain, Family, Match, Script, comment};
use super::services::{BANKS, Class, classes, keys};
use crate::compiler::policy::{FlowInfo, Line, Policy};
use crate::config::AddressSet;

/// An echo request as the service table has it, which an echo reply answers.
const ECHO: [(Bank, u16, &str); 2] =
    [(Bank::Icmp, 8 << 8, "icmp type echo-reply"), (Bank::Icmpv6, 128 << 8, "icmpv6 type echo-reply")];

/// What of a packet a line's ends are compared with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Source with sources, destination with destinations.
    Asking,
    /// The destination alone: somebody who may do what all sources may.
    StandIn,
    /// The other way round: the packet answers what the line admits.
    Answering,
}

/// Rules of lines.
pub(super) struct Lines<'p, 's> {
    pub(super) policy: &'p Policy,
    pub(super) script: &'s mut Script,
    pub(super) refuse: &'static str,
}

impl<'p> Lines<'p, '_> {
    /// Writes the chains of these lines, and gives the rules that lead there. `prefix` begins the names.
    pub(super) fn dispatch(&mut self, lines: &[&'p Line], way: Way, prefix: &str) -> Vec<String> {
        let mut rules = Vec::new();
        for (bank, naming) in BANKS {
            let field = if way == Way::Answering { naming.answered } else { Some(naming.asked) };
            let mut elements = Vec::new();
            for class in classes(lines, bank) {
                let Some(chain) = self.chain(&class, bank, way, &format!("{prefix}{}", naming.word)) else {
                    continue;
                };
                if field.is_some() {
                    let keys = class.ranges.iter().flat_map(|range| keys(bank, *range));
                    elements.extend(keys.map(|key| format!("{key} : jump {}", chain.name())));
                } else if let Some(rule) = answers_echo(&class, bank, chain.name()) {
                    rules.push(rule);
                } else {
                    continue;
                }
                self.script.chain(chain);
            }
            if let Some(field) = field
                && !elements.is_empty()
            {
                let name = format!("{prefix}{}-services", naming.word);
                self.script.verdicts(&name, naming.kind, &elements);
                rules.push(format!("{field} vmap @{name}"));
            }
        }
        rules
    }

    /// The rules of a class; none where no packet can fit any.
    fn chain(&mut self, class: &Class<'p>, bank: Bank, way: Way, word: &str) -> Option<Chain> {
        let first = class.ranges.first()?.0;
        let name = match bank {
            Bank::Icmp | Bank::Icmpv6 => format!("{word}-{}-{}", first >> 8, first & 0xff),
            Bank::Tcp | Bank::Udp | Bank::Ip => format!("{word}-{first}"),
        };
        let about = match way {
            Way::Asking => "Who may ask whom for it; the first that fits counts.",
            Way::StandIn => "Whom a client without an address of its own may ask for it.",
            Way::Answering => "Who may be answered from it.",
        };
        let mut chain = Chain::new(name, about);
        for line in &class.lines {
            for family in Family::BOTH {
                if carries(bank, first, family)
                    && let Some(rule) = self.rule(line, family, way)
                {
                    chain.rule(rule);
                }
            }
        }
        (!chain.is_empty()).then_some(chain)
    }

    fn rule(&mut self, line: &Line, family: Family, way: Way) -> Option<String> {
        let policy = self.policy;
        let flow = &policy.flows[line.flow as usize];
        let (sources, destinations) =
            (&policy.sets[line.sources.0 as usize], &policy.sets[line.destinations.0 as usize]);
        let (from, to) = ends(flow);
        let (initiator, responder) = match way {
            Way::Asking | Way::StandIn => ("saddr", "daddr"),
            Way::Answering => ("daddr", "saddr"),
        };
        let mut parts = Vec::new();
        if way != Way::StandIn {
            parts.extend(self.end(family, initiator, sources, &from)?);
        }
        if flow.origin == Origin::Failsafe {
            // Whatever addresses this host has by then: nobody is locked out by a new one.
            if way != Way::Answering {
                parts.push("fib daddr type local".to_owned());
            }
        } else {
            parts.extend(self.end(family, responder, destinations, &to)?);
        }
        if !parts.iter().any(|part| part.starts_with(family.header())) {
            parts.insert(0, family.alone().to_owned());
        }
        if flow.tftp && way != Way::Answering {
            parts.push("ct helper set \"tftp\"".to_owned());
        }
        parts.push(self.script.count(&counter(&flow.id), &flow.id));
        let said = if flow.audited { format!("{}, in audit", flow.id) } else { flow.id.clone() };
        Some(format!("{} accept comment \"{}\"", parts.join(" "), comment(&said)))
    }

    /// One end's condition: `None` where nothing fits, an empty one where everything does.
    pub(super) fn end(
        &mut self,
        family: Family,
        end: &str,
        set: &AddressSet,
        wanted: &str,
    ) -> Option<Option<String>> {
        match self.script.addresses(family, set, wanted) {
            Match::Nothing => None,
            Match::Everything => Some(None),
            Match::Set(name) => Some(Some(format!("{} {end} @{name}", family.header()))),
        }
    }

    /// Counts and refuses, by a reason of docs/reasons.md or one that stands for several.
    pub(super) fn refused(&mut self, reason: &str) -> String {
        format!("{} {}", self.script.count(&format!("refused/{reason}"), reason), self.refuse)
    }

    /// The same whoever is at its ends: the gate does not read the addresses of such a packet.
    pub(super) fn refused_of_anybody(&mut self, reason: &str) -> String {
        let refuse = if self.refuse == "accept" { "accept" } else { "drop" };
        format!("{} {refuse}", self.script.count(&format!("refused/{reason}"), reason))
    }

    /// The chain of what is refused unless an audited system is at one of its ends.
    pub(super) fn audited_systems(&mut self) {
        let policy = self.policy;
        let Some(audited) = policy.audited.filter(|_| self.refuse != "accept") else { return };
        let mut chain = Chain::new("refused", "Counted by its reason before; an audited system's passes.");
        let passes = self.script.count("audited", "let through by a system's mode");
        for family in Family::BOTH {
            for end in ["saddr", "daddr"] {
                let found = self.end(family, end, &policy.sets[audited.0 as usize], "audited");
                if let Some(condition) = found {
                    let condition = condition.unwrap_or_else(|| family.alone().to_owned());
                    chain.rule(format!("{condition} {passes} accept"));
                }
            }
        }
        chain.rule("drop");
        self.script.chain(chain);
    }

    /// Counts and admits, beside the flows.
    pub(super) fn admitted(&mut self, reason: &str) -> String {
        format!("{} accept", self.script.count(&format!("admitted/{reason}"), reason))
    }
}

/// The name of a flow's counter: `nft` takes no colon in it.
pub(super) fn counter(flow: &str) -> String {
    flow.replace(':', "/")
}

/// Names for the addresses at a flow's ends.
pub(super) fn ends(flow: &FlowInfo) -> (String, String) {
    if flow.initiator.is_empty() {
        let id = flow.id.replace('/', "-");
        (format!("{id}-from"), format!("{id}-to"))
    } else {
        (flow.initiator.clone(), flow.responder.clone())
    }
}

fn answers_echo(class: &Class<'_>, bank: Bank, chain: &str) -> Option<String> {
    let (_, request, reply) = ECHO.iter().find(|(of, ..)| *of == bank)?;
    let is_asked = class.ranges.iter().any(|(first, last)| (*first..=*last).contains(request));
    is_asked.then(|| format!("{reply} jump {chain}"))
}

/// Whether a packet of this family can ask for a service: each has its own ICMP, and TCP and UDP have ports.
fn carries(bank: Bank, service: u16, family: Family) -> bool {
    match (bank, service) {
        (Bank::Icmp, _) | (Bank::Ip, 58) => family == Family::V4,
        (Bank::Icmpv6, _) | (Bank::Ip, 1) => family == Family::V6,
        (Bank::Ip, 6 | 17) => false,
        (Bank::Tcp | Bank::Udp | Bank::Ip, _) => true,
    }
}

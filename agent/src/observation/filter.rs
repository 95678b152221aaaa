//! Which drops somebody wants to see. The agent applies it, so that a slow terminal does not lose what it was opened for.

use std::net::IpAddr;

use cmgate_common::layout::image::Bank;
use cmgate_common::reason::Reason;
use ipnet::IpNet;

use crate::config::{Mistake, Service, Transport};
use crate::explain::tuple::Tuple;

use super::drops::Drop;

/// What a drop must be. Of several values of one kind it must have one; of no value it may have any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Source or destination lies in it.
    pub addresses: Vec<IpNet>,
    /// Why.
    pub reasons: Vec<Reason>,
    /// Where.
    pub interfaces: Vec<String>,
    /// To what.
    pub services: Vec<Service>,
}

/// The keys of a query that are a filter's.
pub const KEYS: [&str; 4] = ["address", "reason", "interface", "service"];

impl Filter {
    /// Takes a value of one of [`KEYS`].
    ///
    /// # Errors
    /// Where the value means nothing.
    pub fn take(&mut self, key: &str, value: &str) -> Result<(), Mistake> {
        match key {
            "address" => self.addresses.push(address(value)?),
            "reason" => self.reasons.push(reason(value)?),
            "interface" => self.interfaces.push(value.to_owned()),
            "service" => self.services.push(Service::parse(value)?),
            _ => {
                let known = format!("the keys are {}", KEYS.join(", "));
                return Err(Mistake::new(format!("unknown key \"{key}\""), known));
            }
        }
        Ok(())
    }

    /// The query that says the same.
    pub fn query(&self) -> Vec<(&'static str, String)> {
        let mut pairs: Vec<(&'static str, String)> = Vec::new();
        pairs.extend(self.addresses.iter().map(|net| ("address", net.to_string())));
        pairs.extend(self.reasons.iter().map(|reason| ("reason", reason.name().to_owned())));
        pairs.extend(self.interfaces.iter().map(|name| ("interface", name.clone())));
        pairs.extend(self.services.iter().map(|service| ("service", service.to_string())));
        pairs
    }

    /// Whether a drop is wanted.
    #[must_use]
    pub fn wants(&self, drop: &Drop) -> bool {
        let ends = [drop.source, drop.destination];
        let inside = |net: &IpNet| ends.iter().flatten().any(|address| net.contains(address));
        let tuple = (!self.services.is_empty()).then(|| drop.tuple()).flatten();
        let to = |service: &Service| tuple.as_ref().is_some_and(|tuple| is_to(tuple, *service));
        any(&self.addresses, inside)
            && any(&self.reasons, |reason| reason.name() == drop.reason)
            && any(&self.interfaces, |name| *name == drop.interface)
            && any(&self.services, to)
    }
}

impl Filter {
    /// Whether every drop is wanted.
    #[must_use]
    pub fn wants_all(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it asks for more than the counters know.
    #[must_use]
    pub fn tells_packets_apart(&self) -> bool {
        !self.addresses.is_empty() || !self.services.is_empty()
    }

    /// Whether the counters of a reason on an interface are of what is wanted; addresses and services they do not know.
    #[must_use]
    pub fn counts(&self, reason: &str, interface: &str) -> bool {
        any(&self.reasons, |wanted| wanted.name() == reason)
            && any(&self.interfaces, |name| name == interface)
    }
}

fn any<T>(wanted: &[T], is: impl FnMut(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(is)
}

fn is_to(tuple: &Tuple, service: Service) -> bool {
    match service {
        Service::Transport { transport, first, last } => {
            let bank = match transport {
                Transport::Tcp => Bank::Tcp,
                Transport::Udp => Bank::Udp,
            };
            tuple.bank == bank && (first..=last).contains(&tuple.port)
        }
        Service::Icmp(icmp) => {
            let message = match tuple.bank {
                Bank::Icmp => icmp.v4,
                Bank::Icmpv6 => icmp.v6,
                _ => None,
            };
            let [kind, code] = tuple.port.to_be_bytes();
            message.is_some_and(|message| {
                message.kind == kind && message.code.is_none_or(|wanted| wanted == code)
            })
        }
        Service::Ip(number) => tuple.bank == Bank::Ip && tuple.port == u16::from(number),
    }
}

fn address(text: &str) -> Result<IpNet, Mistake> {
    let net = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    net.map(|net| net.trunc()).ok_or_else(|| {
        Mistake::new(
            format!("\"{text}\" is no address and no network"),
            "write 10.20.3.4, 10.20.0.0/16 or 2001:db8::/32",
        )
    })
}

fn reason(text: &str) -> Result<Reason, Mistake> {
    let drops = || Reason::ALL.into_iter().filter(|reason| !reason.admits());
    drops().find(|reason| reason.name() == text).ok_or_else(|| {
        let names: Vec<_> = drops().map(Reason::name).collect();
        Mistake::new(
            format!("\"{text}\" is no reason to drop"),
            match crate::catalogue::nearest(text, names.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("the reasons are {}", names.join(", ")),
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(pairs: &[(&str, &str)]) -> Filter {
        let mut filter = Filter::default();
        pairs.iter().for_each(|(key, value)| filter.take(key, value).unwrap());
        filter
    }

    fn dropped(source: &str, destination: &str, protocol: &str, port: &str) -> Drop {
        serde_json::from_value(serde_json::json!({
            "time": "T", "interface": "eth1", "hook": "ingress", "verdict": "drop", "reason": "service",
            "source": source, "destination": destination, "protocol": protocol, "port": port,
            "length": 60, "generation": 1,
        }))
        .unwrap()
    }

    #[test]
    fn a_drop_must_have_one_value_of_each_kind() {
        let tcp = dropped("10.20.3.4", "10.1.1.20", "tcp", "445");
        let wanted: [&[(&str, &str)]; 8] = [
            &[],
            &[("address", "10.20.0.0/16")],
            &[("address", "10.1.1.20")],
            &[("address", "192.0.2.1"), ("address", "10.0.0.0/8")],
            &[("reason", "service"), ("interface", "eth1")],
            &[("service", "tcp/445")],
            &[("service", "udp/1"), ("service", "tcp/440-450")],
            &[("address", "10.20.3.4"), ("service", "tcp/445"), ("reason", "service")],
        ];
        for pairs in wanted {
            assert!(filter(pairs).wants(&tcp), "{pairs:?}");
            assert_eq!(
                filter(&filter(pairs).query().iter().map(|(k, v)| (*k, v.as_str())).collect::<Vec<_>>()),
                filter(pairs)
            );
        }
        let unwanted: [&[(&str, &str)]; 6] = [
            &[("address", "2001:db8::/32")],
            &[("reason", "no-state")],
            &[("interface", "eth2")],
            &[("service", "udp/445")],
            &[("service", "icmp/echo-request")],
            &[("address", "10.20.3.4"), ("service", "tcp/443")],
        ];
        for pairs in unwanted {
            assert!(!filter(pairs).wants(&tcp), "{pairs:?}");
        }
    }

    #[test]
    fn messages_and_protocols_are_services_too() {
        let echo = filter(&[("service", "icmp/echo-request")]);
        assert!(echo.wants(&dropped("10.0.0.1", "10.0.0.2", "icmp", "8/0")));
        assert!(echo.wants(&dropped("fd00::1", "fd00::2", "icmpv6", "128/0")));
        assert!(!echo.wants(&dropped("10.0.0.1", "10.0.0.2", "icmp", "0/0")));
        let mut vrrp = dropped("10.0.0.1", "224.0.0.18", "ip/112", "");
        vrrp.port = None;
        assert!(filter(&[("service", "ip/vrrp")]).wants(&vrrp));
        assert!(!filter(&[("service", "ip/gre")]).wants(&vrrp));
    }

    #[test]
    fn what_means_nothing_is_said() {
        let mut filter = Filter::default();
        let errors = [
            filter.take("address", "mp01"),
            filter.take("reason", "no-stat"),
            filter.take("reason", "policy"),
            filter.take("service", "443"),
            filter.take("colour", "red"),
        ];
        let said: Vec<_> = errors.into_iter().map(|error| error.unwrap_err().to_string()).collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        "mp01" is no address and no network (write 10.20.3.4, 10.20.0.0/16 or 2001:db8::/32)
        "no-stat" is no reason to drop (did you mean "no-state"?)
        "policy" is no reason to drop (the reasons are malformed, ethertype, ip-options, ipv6-chain, bogon, spoofed, protocol, fragment, no-state, direction, unknown-source, unknown-destination, service, not-local, redirect, unrelated)
        "443" is no service (write "tcp/443" or "udp/443")
        unknown key "colour" (the keys are address, reason, interface, service)
        "#);
        assert_eq!(filter, Filter::default());
    }
}

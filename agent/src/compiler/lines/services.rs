//! Services as words of the service table: ports of the catalogue and of the site, ICMP of both families.

use cmgate_common::layout::image::Bank;

use crate::catalogue::{PortRange, Ports, Protocol};
use crate::compiler::policy::ServiceRange;
use crate::config::{IcmpMessage, Service, Transport};

/// Echo requests: type 8 of ICMP (RFC 792), type 128 of ICMPv6 (RFC 4443, 4.1), code 0 of both.
const ECHO_REQUESTS: [ServiceRange; 2] = [
    ServiceRange { bank: Bank::Icmp, first: 8 << 8, last: 8 << 8 },
    ServiceRange { bank: Bank::Icmpv6, first: 128 << 8, last: 128 << 8 },
];

/// The services of a row, by its protocol and what its ports come to.
pub(super) fn of_catalogue(protocol: Protocol, ports: &[PortRange]) -> Vec<ServiceRange> {
    let bank = match protocol {
        Protocol::Tcp => Bank::Tcp,
        Protocol::Udp => Bank::Udp,
        // The catalogue knows no other ICMP, and its loader refuses it.
        Protocol::Icmp => return ECHO_REQUESTS.to_vec(),
    };
    ports.iter().map(|range| ServiceRange { bank, first: range.first, last: range.last }).collect()
}

/// The numbered ports of a column; none where it names no number.
pub(super) fn numbered(ports: &Ports) -> &[PortRange] {
    match ports {
        Ports::All(ranges) => ranges,
        Ports::Either(_) | Ports::Dynamic | Ports::EchoRequest => &[],
    }
}

/// One port of TCP or UDP.
pub(super) fn port(bank: Bank, port: u16) -> Vec<ServiceRange> {
    vec![ServiceRange { bank, first: port, last: port }]
}

/// The services an operator wrote, in both families, sorted.
pub(super) fn of_site(services: &[Service]) -> Vec<ServiceRange> {
    let mut ranges: Vec<ServiceRange> = services.iter().flat_map(|service| one(*service)).collect();
    ranges.sort_unstable();
    ranges.dedup();
    ranges
}

fn one(service: Service) -> Vec<ServiceRange> {
    match service {
        Service::Transport { transport, first, last } => {
            let bank = match transport {
                Transport::Tcp => Bank::Tcp,
                Transport::Udp => Bank::Udp,
            };
            vec![ServiceRange { bank, first, last }]
        }
        Service::Icmp(icmp) => {
            let v4 = icmp.v4.map(|message| icmp_range(Bank::Icmp, message));
            let v6 = icmp.v6.map(|message| icmp_range(Bank::Icmpv6, message));
            v4.into_iter().chain(v6).collect()
        }
        Service::Ip(number) => {
            vec![ServiceRange { bank: Bank::Ip, first: number.into(), last: number.into() }]
        }
    }
}

fn icmp_range(bank: Bank, message: IcmpMessage) -> ServiceRange {
    let first = u16::from(message.kind) << 8;
    match message.code {
        Some(code) => ServiceRange { bank, first: first | u16::from(code), last: first | u16::from(code) },
        None => ServiceRange { bank, first, last: first | 0xff },
    }
}

/// The services as an operator would write them, for the policy's lists.
pub(super) fn shown(services: &[Service]) -> String {
    services.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_cover_both_families() {
        let of = |words: &[&str]| {
            of_site(&words.iter().map(|word| Service::parse(word).expect("a service")).collect::<Vec<_>>())
        };
        let range = |bank, first, last| ServiceRange { bank, first, last };
        assert_eq!(
            of(&["udp/5000-5010", "tcp/9100", "tcp/9100"]),
            [range(Bank::Tcp, 9100, 9100), range(Bank::Udp, 5000, 5010)]
        );
        assert_eq!(
            of(&["icmp/echo-request"]),
            [range(Bank::Icmp, 0x0800, 0x08ff), range(Bank::Icmpv6, 0x8000, 0x80ff)]
        );
        assert_eq!(
            of(&["icmp/packet-too-big"]),
            [range(Bank::Icmp, 0x0304, 0x0304), range(Bank::Icmpv6, 0x0200, 0x02ff)]
        );
        assert_eq!(of(&["icmp/timestamp-request"]), [range(Bank::Icmp, 0x0d00, 0x0dff)]);
        assert_eq!(of(&["ip/vrrp"]), [range(Bank::Ip, 112, 112)]);
    }
}

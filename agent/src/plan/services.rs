//! Places of the service table as services are written.

use cmgate_common::layout::image::Bank;

use crate::config::{Icmp, Service};

use super::joint::{self, Places};

/// Each run of places as text: `tcp/443`, `udp/5000-5010`, `icmp/echo-request`, `ip/vrrp`.
#[must_use]
pub fn words(places: &[Places]) -> Vec<String> {
    places.iter().map(|run| word(*run)).collect()
}

fn word((first, last): Places) -> String {
    let bank = joint::bank(first);
    let (from, to) = (first - bank as u32, last - bank as u32);
    let range = |protocol: &str| {
        if from == to { format!("{protocol}/{from}") } else { format!("{protocol}/{from}-{to}") }
    };
    match bank {
        Bank::Tcp => range("tcp"),
        Bank::Udp => range("udp"),
        Bank::Ip if from == to => Service::Ip(from as u8).to_string(),
        Bank::Ip => range("ip"),
        Bank::Icmp => format!("icmp/{}", messages(true, from, to)),
        Bank::Icmpv6 => format!("icmp/{}", messages(false, from, to)),
    }
}

/// Messages from one type and code to another.
fn messages(v4: bool, from: u32, to: u32) -> String {
    let (kinds, codes) = ((from >> 8, to >> 8), (from & 0xff, to & 0xff));
    match (kinds, codes) {
        ((one, other), (0, 0xff)) if one == other => {
            Icmp::type_name(v4, one as u8).map_or_else(|| one.to_string(), str::to_owned)
        }
        ((one, other), (0, 0xff)) => format!("{one}-{other}"),
        ((one, other), (code, last)) if one == other && code == last => format!("{one}/{code}"),
        ((one, other), (code, last)) if one == other => format!("{one}/{code}-{last}"),
        ((one, other), (code, last)) => format!("{one}/{code}-{other}/{last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_read_as_they_are_written() {
        let at = |bank: Bank, first: u32, last: u32| (bank as u32 + first, bank as u32 + last);
        let places = [
            at(Bank::Tcp, 443, 443),
            at(Bank::Udp, 5000, 5010),
            at(Bank::Icmp, 8 << 8, 8 << 8 | 255),
            at(Bank::Icmpv6, 128 << 8, 128 << 8 | 255),
            at(Bank::Icmp, 3 << 8 | 4, 3 << 8 | 4),
            at(Bank::Icmp, 200 << 8, 201 << 8 | 255),
            at(Bank::Ip, 112, 112),
            at(Bank::Ip, 98, 99),
        ];
        let told = words(&places).join(" ");
        assert_eq!(
            told,
            "tcp/443 udp/5000-5010 icmp/echo-request icmp/echo-request icmp/3/4 icmp/200-201 ip/vrrp ip/98-99"
        );
    }
}

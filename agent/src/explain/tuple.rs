//! A packet by what the policy asks of it: both ends, the protocol, the port.

use std::net::IpAddr;

use cmgate_common::layout::image::Bank;
use cmgate_common::packet::protocol;

use super::frame::CLIENT_PORT;
use super::question::{Asked, Question};

/// A packet, as far as policy lines can tell packets apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tuple {
    /// Who sends it.
    pub source: IpAddr,
    /// To whom.
    pub destination: IpAddr,
    /// The bank of the service table its protocol belongs to.
    pub bank: Bank,
    /// The destination port, `type << 8 | code` of ICMP, or the protocol's number.
    pub port: u16,
    /// The port it comes from, of TCP and UDP.
    pub source_port: Option<u16>,
}

impl Tuple {
    /// Of what was asked. Where no source port was, it is the one that `explain` sends from.
    #[must_use]
    pub fn of(question: &Question) -> Self {
        let from = question.source_port.unwrap_or(CLIENT_PORT);
        let (bank, port, source_port) = match question.asked {
            Asked::Tcp(port) => (Bank::Tcp, port, Some(from)),
            Asked::Udp(port) => (Bank::Udp, port, Some(from)),
            Asked::Icmp { kind, code } => {
                (icmp(question.source.is_ipv4()), u16::from(kind) << 8 | u16::from(code), None)
            }
            Asked::Ip(number) => (Bank::Ip, u16::from(number), None),
        };
        Self { source: question.source, destination: question.destination, bank, port, source_port }
    }

    /// The service its answer would have been asked for by: an answer's source port, an echo reply's request.
    #[must_use]
    pub fn answered(&self) -> Option<(Bank, u16)> {
        const ECHO_REPLIES: [(Bank, u16, u16); 2] =
            [(Bank::Icmp, 0, 8 << 8), (Bank::Icmpv6, 129 << 8, 128 << 8)];
        let echo = |(bank, reply, request): (Bank, u16, u16)| {
            (bank == self.bank && reply == self.port).then_some((bank, request))
        };
        match self.source_port {
            Some(port) => Some((self.bank, port)),
            None => ECHO_REPLIES.into_iter().find_map(echo),
        }
    }

    /// The protocol's number.
    #[must_use]
    pub fn protocol(&self) -> u8 {
        match self.bank {
            Bank::Tcp => protocol::TCP,
            Bank::Udp => protocol::UDP,
            Bank::Icmp => protocol::ICMP,
            Bank::Icmpv6 => protocol::ICMPV6,
            Bank::Ip => u8::try_from(self.port).unwrap_or(u8::MAX),
        }
    }

    /// The service as an operator writes it.
    #[must_use]
    pub fn service(&self) -> String {
        written(self.bank, self.port, self.port)
    }
}

/// Consecutive services of one bank as an operator writes them: `tcp/443`, `udp/5000-5010`, `icmp/8/0`, `ip/112`.
#[must_use]
pub fn written(bank: Bank, first: u16, last: u16) -> String {
    match bank {
        Bank::Tcp | Bank::Udp => {
            let name = if bank == Bank::Tcp { "tcp" } else { "udp" };
            if first == last { format!("{name}/{first}") } else { format!("{name}/{first}-{last}") }
        }
        Bank::Icmp | Bank::Icmpv6 => match (bank, first) {
            (Bank::Icmp, 0x0800) | (Bank::Icmpv6, 0x8000) => "icmp/echo-request".to_owned(),
            (Bank::Icmp, 0) | (Bank::Icmpv6, 0x8100) => "icmp/echo-reply".to_owned(),
            _ => format!("icmp/{}/{}", first >> 8, first & 0xff),
        },
        Bank::Ip => format!("ip/{first}"),
    }
}

fn icmp(v4: bool) -> Bank {
    if v4 { Bank::Icmp } else { Bank::Icmpv6 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str, destination: &str, service: &str) -> Tuple {
        Tuple::of(&Question::new(source, destination, service).unwrap())
    }

    #[test]
    fn an_echo_reply_answers_an_echo_request_and_other_messages_answer_nothing() {
        assert_eq!(of("10.0.0.1", "10.0.0.2", "icmp/echo-reply").answered(), Some((Bank::Icmp, 0x0800)));
        assert_eq!(of("fd00::1", "fd00::2", "icmp/echo-reply").answered(), Some((Bank::Icmpv6, 0x8000)));
        assert_eq!(of("10.0.0.1", "10.0.0.2", "icmp/echo-request").answered(), None);
        assert_eq!(of("10.0.0.1", "10.0.0.2", "ip/vrrp").answered(), None);
        assert_eq!(of("10.0.0.1", "10.0.0.2", "udp/5").answered(), Some((Bank::Udp, CLIENT_PORT)));
    }

    #[test]
    fn services_read_as_they_are_written() {
        for service in ["tcp/443", "udp/67", "icmp/echo-request", "icmp/echo-reply", "ip/112"] {
            assert_eq!(of("10.0.0.1", "10.0.0.2", service).service(), service);
            assert_eq!(of("fd00::1", "fd00::2", service).service(), service);
        }
        assert_eq!(written(Bank::Tcp, 49152, 65535), "tcp/49152-65535");
        assert_eq!(of("10.0.0.1", "10.0.0.2", "icmp/3/4").service(), "icmp/3/4");
    }
}

//! Services as the operator writes them: `tcp/443`, `udp/5000-5010`, `icmp/echo-request`, `ip/vrrp`.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::icmp::Icmp;
use crate::config::text::diagnostics::Mistake;
use crate::config::text::suggest::nearest;

/// What a packet can be addressed to.
#[derive(Copy, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Service {
    /// TCP or UDP, to the ports from `first` to `last`, both included.
    Transport {
        /// TCP or UDP.
        transport: Transport,
        /// First destination port, from 1.
        first: u16,
        /// Last destination port, not below the first.
        last: u16,
    },
    /// ICMP for IPv4 and ICMPv6.
    Icmp(Icmp),
    /// Another IP protocol by its number.
    Ip(u8),
}

/// A transport protocol with ports.
#[derive(Copy, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// Names of IP protocols, after IANA's "Assigned Internet Protocol Numbers".
const IP_NAMES: [(&str, u8); 13] = [
    ("esp", 50),
    ("ah", 51),
    ("gre", 47),
    ("vrrp", 112),
    ("ospf", 89),
    ("igmp", 2),
    ("ipip", 4),
    ("ipv6", 41),
    ("eigrp", 88),
    ("pim", 103),
    ("l2tp", 115),
    ("sctp", 132),
    ("udplite", 136),
];

/// IPv6 extension headers (IANA's "IPv6 Extension Header Types"): never what a packet carries in the end. ESP and AH
/// are in that list too, and are protocols a site may admit all the same.
const EXTENSION_HEADERS: [u8; 8] = [0, 43, 44, 59, 60, 135, 139, 140];

impl Service {
    /// Reads a service: `tcp/n`, `udp/n` or `n-m`, `icmp/<name or type/code>`, `ip/<number or name>`. An ICMP type
    /// given by number stands for that number in both families.
    ///
    /// # Errors
    /// Where the text is no service.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let Some((protocol, rest)) = text.split_once('/') else {
            return Err(without_protocol(text));
        };
        match protocol {
            "tcp" => transport(Transport::Tcp, rest),
            "udp" => transport(Transport::Udp, rest),
            "icmp" => Icmp::parse(rest).map(Self::Icmp),
            "ip" => ip(rest),
            _ => Err(Mistake::new(
                format!("\"{protocol}\" is no protocol of a service"),
                match nearest(protocol, &["tcp", "udp", "icmp", "ip"]) {
                    _ if protocol == "icmpv6" || protocol == "icmp6" => {
                        format!("write \"icmp/{rest}\": it covers both families")
                    }
                    Some(near) => format!("did you mean \"{near}/{rest}\"?"),
                    None => "write tcp/443, udp/5000-5010, icmp/echo-request or ip/vrrp".to_owned(),
                },
            )),
        }
    }
}

fn without_protocol(text: &str) -> Mistake {
    let instead = match text {
        _ if port_range(text).is_ok() => format!("write \"tcp/{text}\" or \"udp/{text}\""),
        _ if Icmp::is_name(text) => format!("write \"icmp/{text}\""),
        _ if IP_NAMES.iter().any(|(name, _)| *name == text) => format!("write \"ip/{text}\""),
        _ => "write tcp/443, udp/5000-5010, icmp/echo-request or ip/vrrp".to_owned(),
    };
    Mistake::new(format!("\"{text}\" is no service"), instead)
}

fn transport(transport: Transport, ports: &str) -> Result<Service, Mistake> {
    let (first, last) = port_range(ports)?;
    Ok(Service::Transport { transport, first, last })
}

/// Reads `n` or `n-m`, each from 1 to 65535, the first not above the last.
///
/// # Errors
/// Where the text is neither.
pub(crate) fn port_range(text: &str) -> Result<(u16, u16), Mistake> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (port(first)?, port(last)?);
    if first > last {
        return Err(Mistake::new(
            format!("the port range {text} ends before it starts"),
            format!("write \"{last}-{first}\""),
        ));
    }
    Ok((first, last))
}

fn port(text: &str) -> Result<u16, Mistake> {
    // `parse` alone would take a sign.
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0).ok_or_else(|| no_port(text))
}

/// What to say of a text that is no port.
pub(crate) fn no_port(text: &str) -> Mistake {
    Mistake::new(
        format!("\"{text}\" is no port"),
        "write a number from 1 to 65535, or a range like 5000-5010",
    )
}

fn ip(text: &str) -> Result<Service, Mistake> {
    let number = match IP_NAMES.iter().find(|(name, _)| *name == text) {
        Some((_, number)) => *number,
        None => number(text).ok_or_else(|| {
            let names = IP_NAMES.map(|(name, _)| name);
            Mistake::new(
                format!("\"{text}\" is no IP protocol"),
                match nearest(text, &names) {
                    Some(near) => format!("did you mean \"ip/{near}\"?"),
                    None => format!("write a number from 1 to 255 or one of {}", names.join(", ")),
                },
            )
        })?,
    };
    let instead = match number {
        1 | 58 => "write \"icmp/\" with a name, or with type and code, like \"icmp/echo-request\"",
        6 => "write \"tcp/\" with a port, like \"tcp/443\"",
        17 => "write \"udp/\" with a port, like \"udp/53\"",
        255 => "255 is reserved and on no wire",
        _ if EXTENSION_HEADERS.contains(&number) => {
            "it is an IPv6 extension header, not a protocol: leave it out, such headers are looked through"
        }
        _ => return Ok(Service::Ip(number)),
    };
    Err(Mistake::new(format!("ip/{text} is no service of its own"), instead))
}

/// A number from 0 to 255, digits alone.
pub(crate) fn number(text: &str) -> Option<u8> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

impl FromStr for Service {
    type Err = Mistake;

    fn from_str(text: &str) -> Result<Self, Mistake> {
        Self::parse(text)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// As it would be written.
impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport { transport, first, last } if first == last => write!(f, "{transport}/{first}"),
            Self::Transport { transport, first, last } => write!(f, "{transport}/{first}-{last}"),
            Self::Icmp(icmp) => write!(f, "icmp/{icmp}"),
            Self::Ip(number) => match IP_NAMES.iter().find(|(_, known)| known == number) {
                Some((name, _)) => write!(f, "ip/{name}"),
                None => write!(f, "ip/{number}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_read_and_print_as_written() {
        let written = [
            "tcp/443",
            "udp/5000-5010",
            "tcp/1-65535",
            "icmp/echo-request",
            "icmp/packet-too-big",
            "icmp/neighbour-solicitation",
            "icmp/8/0",
            "icmp/13/1",
            "icmp/200",
            "ip/vrrp",
            "ip/99",
        ];
        for text in written {
            let service = Service::parse(text).unwrap_or_else(|mistake| panic!("{text}: {mistake}"));
            assert_eq!(service.to_string(), text);
        }
        assert_eq!(Service::parse("ip/112"), Service::parse("ip/vrrp"));
    }

    #[test]
    fn mistakes_say_what_to_write() {
        let instead = |text| Service::parse(text).expect_err(text).to_string();
        insta::assert_snapshot!(
            [
                "443",
                "vrrp",
                "echo-request",
                "https",
                "tpc/443",
                "icmpv6/echo-request",
                "tcp/0",
                "tcp/65536",
                "tcp/+5",
                "tcp/",
                "tcp/10-5",
                "tcp/https",
                "icmp/echo-requst",
                "icmp/256",
                "icmp/8/0/1",
                "ip/6",
                "ip/17",
                "ip/58",
                "ip/44",
                "ip/255",
                "ip/ops",
                "ip/ospv",
                "ip/256",
                "",
            ]
            .map(|text| format!("{text:20} {}", instead(text)))
            .join("\n")
        );
    }
}

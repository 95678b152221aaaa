//! ICMP messages by name or by type and code, in both families.

use std::fmt;

use super::service::number;
use crate::config::text::diagnostics::Mistake;
use crate::config::text::suggest::nearest;

/// An ICMP message in each family. At least one family has it.
#[derive(Copy, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Icmp {
    /// The message in ICMP for IPv4, if it exists there.
    pub v4: Option<IcmpMessage>,
    /// The message in ICMPv6, if it exists there.
    pub v6: Option<IcmpMessage>,
}

/// Type and code of an ICMP message; no code means every code.
#[derive(Copy, Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct IcmpMessage {
    /// The type.
    pub kind: u8,
    /// The code.
    pub code: Option<u8>,
}

/// Names of ICMP messages and their types for IPv4 and IPv6, after IANA's registries "ICMP Type Numbers" and
/// "ICMPv6 type Numbers". Redirects are not among them: they drop whatever a site says.
const ICMP_NAMES: [(&str, Option<IcmpMessage>, Option<IcmpMessage>); 14] = [
    ("echo-request", every(8), every(128)),
    ("echo-reply", every(0), every(129)),
    ("destination-unreachable", every(3), every(1)),
    // IPv4 says it as a code of "destination unreachable".
    ("packet-too-big", only(3, 4), every(2)),
    ("time-exceeded", every(11), every(3)),
    ("parameter-problem", every(12), every(4)),
    ("router-advertisement", every(9), every(134)),
    ("router-solicitation", every(10), every(133)),
    ("timestamp-request", every(13), None),
    ("timestamp-reply", every(14), None),
    ("neighbour-solicitation", None, every(135)),
    ("neighbour-advertisement", None, every(136)),
    ("extended-echo-request", every(42), every(160)),
    ("extended-echo-reply", every(43), every(161)),
];

const fn every(kind: u8) -> Option<IcmpMessage> {
    Some(IcmpMessage { kind, code: None })
}

const fn only(kind: u8, code: u8) -> Option<IcmpMessage> {
    Some(IcmpMessage { kind, code: Some(code) })
}

impl Icmp {
    /// The name of every message of a type, in one family; `None` where the type has none.
    #[must_use]
    pub fn type_name(ipv4: bool, kind: u8) -> Option<&'static str> {
        let named = |(_, v4, v6): &&(&str, Option<IcmpMessage>, Option<IcmpMessage>)| {
            let message = if ipv4 { v4 } else { v6 };
            *message == every(kind)
        };
        ICMP_NAMES.iter().find(named).map(|(name, ..)| *name)
    }

    /// Reads a name, a type, or `type/code`.
    ///
    /// # Errors
    /// Where the text is no such message.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        if let Some((_, v4, v6)) = ICMP_NAMES.iter().find(|(name, ..)| *name == text) {
            return Ok(Self { v4: *v4, v6: *v6 });
        }
        let message = match text.split_once('/') {
            Some((kind, code)) => {
                number(kind).zip(number(code)).map(|(kind, code)| IcmpMessage { kind, code: Some(code) })
            }
            None => number(text).map(|kind| IcmpMessage { kind, code: None }),
        };
        if message.is_some() {
            return Ok(Self { v4: message, v6: message });
        }
        let names = ICMP_NAMES.map(|(name, ..)| name);
        Err(Mistake::new(
            format!("\"{text}\" is no ICMP message"),
            match nearest(text, &names) {
                Some(near) => format!("did you mean \"icmp/{near}\"?"),
                None => format!("write type and code like \"icmp/8/0\", or one of {}", names.join(", ")),
            },
        ))
    }

    fn name(self) -> Option<&'static str> {
        ICMP_NAMES.iter().find(|(_, v4, v6)| (*v4, *v6) == (self.v4, self.v6)).map(|(name, ..)| *name)
    }

    /// Whether a text names a message.
    pub(crate) fn is_name(text: &str) -> bool {
        ICMP_NAMES.iter().any(|(name, ..)| *name == text)
    }
}

/// The message's name, or type and code.
impl fmt::Display for Icmp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name(), self.v4.or(self.v6)) {
            (Some(name), _) => f.write_str(name),
            (None, Some(IcmpMessage { kind, code: Some(code) })) => write!(f, "{kind}/{code}"),
            (None, Some(IcmpMessage { kind, code: None })) => write!(f, "{kind}"),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_the_type_of_each_family() {
        let echo = Icmp::parse("echo-request").unwrap();
        assert_eq!((echo.v4, echo.v6), (every(8), every(128)));
        let big = Icmp::parse("packet-too-big").unwrap();
        assert_eq!((big.v4, big.v6), (only(3, 4), every(2)));
    }
}

//! Ports as the documents print them, and the keys with which a site changes them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

use super::edition::Edition;

/// The port column of a row. Displays as, and parses from, the canonical form given with each variant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum Ports {
    /// All of these: `443`, `67,68`, `63000-64000`.
    All(Vec<PortRange>),
    /// One of these; the row's port key says which: `80|8530`.
    Either(Vec<u16>),
    /// What the endpoint mapper hands out, a range that depends on edition and site: `dynamic`.
    Dynamic,
    /// The ICMP echo request of either family: `echo-request`.
    EchoRequest,
}

/// Ports from `first` to `last`, both included, in 1..=65535.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    /// The lowest port.
    pub first: u16,
    /// The highest port, never below `first`.
    pub last: u16,
}

/// A text that is no port column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no port list: write a port in 1..65535, a range \"a-b\", several as \"a,b\", a choice as \"a|b\", \
     \"dynamic\" or \"echo-request\""
)]
pub struct BadPorts(pub String);

/// A key of `[ports]`: what the site may change, and what holds where it does not.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PortKey {
    /// As the operator writes it.
    pub name: String,
    /// What listens on it, in a sentence.
    pub description: String,
    /// What the operator may set it to.
    #[serde(default)]
    pub takes: Takes,
    /// By edition; the key is known to the editions named here.
    default: BTreeMap<Edition, Ports>,
    /// By edition, why it cannot be changed there.
    #[serde(default)]
    fixed: BTreeMap<Edition, String>,
}

/// What a port key may be set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Takes {
    /// One port.
    Port,
    /// A port, a range, or a list of them.
    #[default]
    Ports,
    /// A port, or a list of them, one for each instance: a range would say that it may be any.
    Instances,
    /// One of the ports between which the rows leave a choice.
    Printed,
}

/// A key of `[features]`: traffic that exists only where the feature is in use.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// As the operator writes it.
    pub name: String,
    /// What turning it on opens, in a sentence.
    pub description: String,
    /// The editions that have it, oldest first.
    pub editions: Vec<Edition>,
    /// Why no flow has it, where the documents name the traffic and none of its ports.
    pub unlisted: Option<String>,
}

impl PortRange {
    /// One port.
    pub fn single(port: u16) -> Self {
        Self { first: port, last: port }
    }

    /// Whether the port is one of these.
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl Ports {
    /// Whether the number stands in the column, as one of several or as a choice. `dynamic` names no number.
    pub fn mention(&self, port: u16) -> bool {
        match self {
            Ports::All(ranges) => ranges.iter().any(|range| range.contains(port)),
            Ports::Either(choices) => choices.contains(&port),
            Ports::Dynamic | Ports::EchoRequest => false,
        }
    }
}

impl PortKey {
    /// What holds in this edition where the site sets nothing; none where the edition does not know the key.
    pub fn default_in(&self, edition: Edition) -> Option<&Ports> {
        self.default.get(&edition)
    }

    /// Why the key cannot be changed in this edition, where it cannot.
    pub fn fixed_in(&self, edition: Edition) -> Option<&str> {
        self.fixed.get(&edition).map(String::as_str)
    }

    /// The editions in which the key may be set, oldest first.
    pub fn editions(&self) -> impl Iterator<Item = Edition> {
        self.default.keys().copied()
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ports::All(ranges) => f.write_str(&join(ranges, ",")),
            Ports::Either(choices) => f.write_str(&join(choices, "|")),
            Ports::Dynamic => f.write_str("dynamic"),
            Ports::EchoRequest => f.write_str("echo-request"),
        }
    }
}

fn join(items: &[impl fmt::Display], separator: &str) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(separator)
}

impl FromStr for PortRange {
    type Err = BadPorts;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadPorts(text.to_owned());
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (port(first).ok_or_else(bad)?, port(last).ok_or_else(bad)?);
        if first > last {
            return Err(bad());
        }
        Ok(Self { first, last })
    }
}

/// Digits alone: `u16::from_str` would let a sign and leading zeroes through, and a form must have one spelling.
fn port(text: &str) -> Option<u16> {
    let port: u16 = text.parse().ok().filter(|port| *port != 0)?;
    (port.to_string() == text).then_some(port)
}

impl FromStr for Ports {
    type Err = BadPorts;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadPorts(text.to_owned());
        match text {
            "dynamic" => Ok(Ports::Dynamic),
            "echo-request" => Ok(Ports::EchoRequest),
            _ if text.contains('|') => {
                let choices = text.split('|').map(port).collect::<Option<_>>().ok_or_else(bad)?;
                Ok(Ports::Either(choices))
            }
            _ => {
                let ranges = text.split(',').map(str::parse).collect::<Result<_, _>>().map_err(|_| bad())?;
                Ok(Ports::All(ranges))
            }
        }
    }
}

impl TryFrom<String> for Ports {
    type Error = BadPorts;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl Serialize for Ports {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_forms_round_trip() {
        for form in
            ["443", "67,68", "63000-64000", "80|8530", "dynamic", "echo-request", "1024-5000,49152-65535"]
        {
            assert_eq!(form.parse::<Ports>().expect(form).to_string(), form);
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in ["", "0", "65536", "080", "+80", "5-4", "80,", "80|", "80 or 8530", "80|81-82", "DYNAMIC"]
        {
            assert_eq!(text.parse::<Ports>(), Err(BadPorts(text.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn a_port_is_found_in_lists_ranges_and_choices() {
        let mentions = |form: &str, port| form.parse::<Ports>().expect(form).mention(port);
        assert!(mentions("67,68", 68));
        assert!(mentions("63000-64000", 63000));
        assert!(mentions("63000-64000", 64000));
        assert!(!mentions("63000-64000", 64001));
        assert!(mentions("80|8530", 8530));
        assert!(!mentions("dynamic", 49152));
    }
}

//! Hints in sentences.

use super::{By, End, Nearest};

/// How a hint calls the ends of the packet.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// Who sends it.
    pub source: &'a str,
    /// Whom it is for.
    pub destination: &'a str,
    /// The service, as an operator writes it.
    pub service: &'a str,
}

impl Names<'_> {
    const fn of(&self, end: End) -> &str {
        match end {
            End::Source => self.source,
            End::Destination => self.destination,
        }
    }
}

impl Nearest {
    /// In a sentence, without a stop.
    #[must_use]
    pub fn words(&self, names: &Names<'_>) -> String {
        let Names { source, destination, service } = *names;
        match self {
            Self::Role { end: End::Source, role, by } => {
                format!("as {} it would be admitted to {destination} by {}", article(role), by.words())
            }
            Self::Role { end: End::Destination, role, by } => {
                format!("if {destination} were {} it would be admitted by {}", article(role), by.words())
            }
            Self::Allow { end, by } => {
                let key = if *end == End::Source { "from" } else { "to" };
                let whom = names.of(*end);
                let name = by.flow.strip_prefix("allow/").unwrap_or(&by.flow);
                format!("with {whom} in `{key}` of the allow \"{name}\" it would be admitted by {}", by.flow)
            }
            Self::Feature { feature, by } => {
                format!("with `{feature} = true` in [features] it would be admitted by {}", by.words())
            }
            Self::Services { services, from } if from.is_empty() => {
                format!("{destination} admits {source} on {}, not on {service}", services.join(", "))
            }
            Self::Services { services, from } => {
                format!(
                    "{destination} admits {} on {}, not on {service}",
                    from.join(", "),
                    services.join(", ")
                )
            }
            Self::OtherWay { by } => format!("the other way round it is admitted by {}", by.words()),
            Self::Answer { by } => {
                format!("it would be admitted as the answer to {}, which nobody asked in time", by.words())
            }
            Self::Transit { by } => {
                format!("with `transit = true` it would be admitted by {}", by.words())
            }
            Self::Behind { interface } => format!("{source} belongs behind {interface}"),
        }
    }
}

impl By {
    /// The id, and where it is written.
    #[must_use]
    pub fn words(&self) -> String {
        match (&self.document, &self.section) {
            (Some(document), Some(section)) => format!("{} ({document}: {section})", self.flow),
            _ => self.flow.clone(),
        }
    }
}

fn article(role: &str) -> String {
    // Letters are spelt.
    let spelt = ["sms-provider", "ndes-policy-module"];
    let an = role.starts_with(['a', 'e', 'i', 'o']) || spelt.contains(&role);
    format!("{} {role}", if an { "an" } else { "a" })
}

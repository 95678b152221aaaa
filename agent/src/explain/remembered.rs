//! The entries of the live flow table that would make a packet an answer to something.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use cmgate_common::address::Address;
use cmgate_common::layout::entry::{Origin, State, Table};
use cmgate_common::packet::{Packet, Traits};
use serde::{Deserialize, Serialize};

use crate::datapath::{self, FlowEntry, Sought};

/// A place of the flow table that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// What was looked for: `answered`, `unanswered`, `announced` or `announced-by-broadcast`.
    pub sought: String,
    /// The entry; none where nobody has opened such a flow, or its time was up and its place was taken.
    pub entry: Option<Known>,
}

/// A live entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// `unanswered`, `half`, `open` or `closing`.
    pub state: String,
    /// `own`, `transit`, `expected` or `seeded`.
    pub origin: String,
    /// Which end of the packet opened the flow: `source` or `destination`.
    pub opened_by: String,
    /// The generation that judged it last.
    pub generation: u32,
    /// Milliseconds since its last packet.
    pub idle_ms: u64,
    /// Milliseconds without a packet after which it is forgotten.
    pub lifetime_ms: u64,
    /// The flow it belongs to.
    pub flow: Option<String>,
}

impl Remembered {
    /// What the gate pinned at `pins` remembers that this packet could belong to; `None` where nothing is pinned.
    pub(super) fn of(pins: &Path, packet: &Packet) -> Result<Option<Vec<Self>>> {
        let sought = sought(packet);
        let wanted: Vec<Sought> = sought.iter().map(|(_, sought)| *sought).collect();
        let Some(found) = datapath::entries(pins, &wanted)? else { return Ok(None) };
        let told = sought.iter().zip(found);
        Ok(Some(told.map(|((name, _), entry)| Self::told(name, entry)).collect()))
    }

    fn told(sought: &str, entry: Option<FlowEntry>) -> Self {
        Self { sought: sought.to_owned(), entry: entry.map(Known::of) }
    }

    /// In a line.
    #[must_use]
    pub fn words(&self) -> String {
        let Some(known) = &self.entry else { return format!("{}: no entry", self.sought) };
        let seconds = |ms: u64| Duration::from_millis(ms).as_secs_f32();
        let expired = if known.idle_ms > known.lifetime_ms { ", expired" } else { "" };
        let flow = known.flow.as_deref().unwrap_or("no flow of the policy");
        format!(
            "{}: {}, {}, opened by the {}, idle {:.1} s of {:.0} s{expired}, generation {}, {flow}",
            self.sought,
            known.state,
            known.origin,
            known.opened_by,
            seconds(known.idle_ms),
            seconds(known.lifetime_ms),
            known.generation
        )
    }
}

impl Known {
    fn of(entry: FlowEntry) -> Self {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            state: match entry.state {
                State::Unanswered => "unanswered",
                State::Open => "open",
                State::Closing => "closing",
                State::Half => "half",
            }
            .to_owned(),
            origin: match entry.origin {
                Origin::Own => "own",
                Origin::Transit => "transit",
                Origin::Expected => "expected",
                Origin::Seeded => "seeded",
            }
            .to_owned(),
            opened_by: if entry.opened_by_source { "source" } else { "destination" }.to_owned(),
            generation: entry.generation,
            idle_ms: millis(entry.idle),
            lifetime_ms: millis(entry.lifetime),
            flow: entry.flow,
        }
    }
}

/// Where the engine looks for the flow of a packet, in its order.
fn sought(packet: &Packet) -> Vec<(&'static str, Sought)> {
    if packet.is(Traits(Traits::ONE_WAY.0 | Traits::ECHO_REQUEST.0))
        || !packet.is(Traits(Traits::TCP.0 | Traits::UDP.0 | Traits::ICMP.0))
    {
        return Vec::new();
    }
    let (from, to) = (u32::from(packet.source_port()), u32::from(packet.destination_port()));
    // Both ends of an echo have its identifier.
    let to = if packet.is(Traits::ICMP) { from } else { to };
    let between =
        |table, source, destination| Sought { table, protocol: packet.protocol(), source, destination };
    let (source, destination) = ((packet.source, from), (packet.destination, to));
    let mut sought = vec![
        ("answered", between(Table::Answered, source, destination)),
        ("unanswered", between(Table::Pending, source, destination)),
    ];
    if packet.is(Traits::UDP) {
        let any_port = (packet.source, 0);
        let anybody = (Address::UNSPECIFIED, 0);
        sought.push(("announced", between(Table::Pending, any_port, destination)));
        sought.push(("announced-by-broadcast", between(Table::Pending, anybody, destination)));
    }
    sought
}

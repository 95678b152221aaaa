//! One generation's way into force: written beside the others, proved, and flipped by one store.

use std::time::Duration;

use cmgate_common::layout::control::Flags;
use cmgate_common::layout::image::Directory;

/// A compiled policy, as the datapath takes it.
#[derive(Clone, Debug)]
pub struct Generation<'a> {
    /// The image.
    pub words: &'a [u32],
    /// Where its tables start.
    pub directory: Directory,
    /// The flow ids, by the number the image's verdicts have for them.
    pub flows: Vec<&'a str>,
    /// How it is carried out.
    pub parameters: Parameters,
}

/// How a generation's decisions are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Audit, transit, egress.
    pub flags: Flags,
    /// How long entries live.
    pub idle: IdleTimes,
    /// Drop events a CPU may send in a second; 0 sends none.
    pub events_per_second: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { flags: Flags::NONE, idle: IdleTimes::default(), events_per_second: 100 }
    }
}

/// How long entries live without a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleTimes {
    /// TCP, answered (RFC 5382, REQ-5: not less than 2 h 4 min).
    pub tcp_established: Duration,
    /// TCP after FIN or RST.
    pub tcp_closing: Duration,
    /// UDP and ICMP echo, answered.
    pub udp: Duration,
    /// Whatever nobody has answered yet.
    pub unanswered: Duration,
    /// A first fragment's verdict.
    pub fragment: Duration,
    /// A TFTP request's answer from a fresh port.
    pub expectation: Duration,
    /// Answers from any address to a broadcast or multicast request.
    pub broadcast: Duration,
}

impl Default for IdleTimes {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            tcp_established: seconds(2 * 3600 + 4 * 60),
            tcp_closing: seconds(60),
            udp: seconds(180),
            unanswered: seconds(30),
            fragment: seconds(30),
            expectation: seconds(30),
            broadcast: seconds(10),
        }
    }
}

/// A generation that rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its number, one more than the former's.
    pub generation: u32,
    /// Its slot, below [`cmgate_common::layout::SLOTS`].
    pub slot: u32,
    /// Whether the tables had to grow, and the programs to be replaced, for it.
    pub grew: bool,
    /// From the first word written to the store that made it rule, the proof included.
    pub took: Duration,
}

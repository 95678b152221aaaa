//! Dropped packets one by one, decoded for people, and what is counted of them.

use std::fmt;
use std::net::IpAddr;

use cmgate_common::frame::{Frame, Header};
use cmgate_common::layout::image::Bank;
use cmgate_common::opaque::Opaque;
use cmgate_common::packet::{self, Packet, Parsed, protocol};
use comfy_table::{ContentArrangement, Table, presets};
use serde::{Deserialize, Serialize};

use crate::datapath::{DropEvent, Hook, Live};
use crate::explain::tuple::Tuple;

use super::filter::Filter;
use super::{hex, time};

/// A dropped packet: a line of the stable JSON of `cmgate drops`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drop {
    /// When.
    pub time: String,
    /// Where it was judged; the index where the name is not known.
    pub interface: String,
    /// `ingress` or `egress`.
    pub hook: String,
    /// `drop`, or `would-drop` in audit mode.
    pub verdict: String,
    /// Why.
    pub reason: String,
    /// From; `None` where the frame carries no IP, or could not be read so far.
    pub source: Option<IpAddr>,
    /// To.
    pub destination: Option<IpAddr>,
    /// `tcp`, `udp`, `icmp`, `icmpv6`, or the number of another protocol.
    pub protocol: Option<String>,
    /// Of TCP and UDP.
    pub source_port: Option<u16>,
    /// Of TCP and UDP; `type/code` of ICMP.
    pub port: Option<String>,
    /// Bytes of the whole frame.
    pub length: u32,
    /// The generation that judged.
    pub generation: u32,
    /// What it seems to be, and the nearest thing that would have been admitted; drawn only for what is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The frame's first bytes in hexadecimal digits, from the Ethernet header on; told only where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<String>,
    /// The flow id of the audited allow that would have admitted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
}

impl Drop {
    /// Of an event on the interface of that name.
    #[must_use]
    pub fn of(event: &DropEvent, interface: Option<&str>) -> Self {
        let packet = packet(event);
        let whole = packet.filter(|packet| !packet.fragment.follows());
        let ported = whole.filter(|packet| matches!(packet.protocol(), protocol::TCP | protocol::UDP));
        let icmp = whole.filter(|packet| matches!(packet.protocol(), protocol::ICMP | protocol::ICMPV6));
        let port = ported.map(|packet| packet.destination_port().to_string());
        let kind = icmp.map(|packet| {
            let [kind, code] = packet.destination_port().to_be_bytes();
            format!("{kind}/{code}")
        });
        Self {
            time: time::text(event.at),
            interface: interface.map_or_else(|| event.ifindex.to_string(), str::to_owned),
            hook: hook(event.hook).to_owned(),
            verdict: event.outcome.verdict().to_owned(),
            reason: event.outcome.reason().name().to_owned(),
            source: packet.map(|packet| packet.source.into()),
            destination: packet.map(|packet| packet.destination.into()),
            protocol: packet.map(|packet| protocol_name(packet.protocol())),
            source_port: ported.map(|packet| packet.source_port()),
            port: port.or(kind),
            length: event.length,
            generation: event.generation,
            hint: None,
            frame: Some(hex::text(&event.head)),
            flow: event.flow.clone(),
        }
    }

    /// What it was addressed to: `tcp/443`, `icmp/8/0`, `ip/112`; nothing where it carries no IP.
    #[must_use]
    pub fn service(&self) -> String {
        match (&self.protocol, &self.port) {
            (Some(protocol), Some(port)) => format!("{protocol}/{port}"),
            (Some(protocol), None) => protocol.clone(),
            (None, _) => String::new(),
        }
    }

    /// Without the frame's bytes, which few want.
    #[must_use]
    pub fn without_frame(self) -> Self {
        Self { frame: None, ..self }
    }

    /// The packet as policy lines tell packets apart; `None` of a frame that is none, or a part of one without ports.
    #[must_use]
    pub fn tuple(&self) -> Option<Tuple> {
        let (source, destination) = (self.source?, self.destination?);
        let port = || self.port.as_ref()?.parse::<u16>().ok();
        let message = || {
            let (kind, code) = self.port.as_ref()?.split_once('/')?;
            Some(u16::from(kind.parse::<u8>().ok()?) << 8 | u16::from(code.parse::<u8>().ok()?))
        };
        let (bank, port) = match self.protocol.as_deref()? {
            "tcp" => (Bank::Tcp, port()?),
            "udp" => (Bank::Udp, port()?),
            "icmp" if source.is_ipv4() => (Bank::Icmp, message()?),
            "icmpv6" if source.is_ipv6() => (Bank::Icmpv6, message()?),
            "icmp" => (Bank::Ip, protocol::ICMP.into()),
            "icmpv6" => (Bank::Ip, protocol::ICMPV6.into()),
            other => (Bank::Ip, other.strip_prefix("ip/")?.parse::<u8>().ok()?.into()),
        };
        Some(Tuple { source, destination, bank, port, source_port: self.source_port })
    }
}

/// The packet of an event; `None` where the frame carries no IP, or could not be read so far.
pub(crate) fn packet(event: &DropEvent) -> Option<Packet> {
    let mut frame = Captured { head: &event.head, length: event.length };
    match packet::parse(&mut frame) {
        Parsed::Ip(packet) => Some(packet),
        Parsed::Settled(_) => None,
    }
}

/// A line for people.
impl fmt::Display for Drop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {} {}", self.time, self.interface, self.hook, self.verdict, self.reason)?;
        let (Some(source), Some(destination), Some(protocol)) =
            (self.source, self.destination, &self.protocol)
        else {
            return write!(f, " {} bytes that are no IP", self.length);
        };
        write!(f, " {source}")?;
        if let Some(port) = self.source_port {
            write!(f, " port {port}")?;
        }
        let said = |before: &str, part: &Option<String>, after: &str| {
            part.as_ref().map(|part| format!("{before}{part}{after}")).unwrap_or_default()
        };
        let (port, flow) = (said("/", &self.port, ""), said(", but for ", &self.flow, ""));
        write!(f, " -> {destination} {protocol}{port}{flow}{}", said(" (", &self.hint, ")"))
    }
}

/// The first bytes of a frame that was longer.
struct Captured<'a> {
    head: &'a [u8],
    length: u32,
}

impl Opaque for Captured<'_> {}

impl Frame for Captured<'_> {
    fn length(&self) -> u64 {
        self.length.into()
    }

    fn holds(&mut self, end: u64) -> bool {
        end <= self.length()
    }

    fn near<H: Header>(&self, offset: u64) -> Option<&H> {
        let (header, _) = H::ref_from_prefix(self.head.get(offset as usize..)?).ok()?;
        Some(header)
    }
}

fn hook(hook: Hook) -> &'static str {
    match hook {
        Hook::Ingress => "ingress",
        Hook::Egress => "egress",
    }
}

fn protocol_name(number: u8) -> String {
    match number {
        protocol::ICMP => "icmp".to_owned(),
        protocol::TCP => "tcp".to_owned(),
        protocol::UDP => "udp".to_owned(),
        protocol::ICMPV6 => "icmpv6".to_owned(),
        other => format!("ip/{other}"),
    }
}

/// Drops counted, and some of them: the stable JSON of `cmgate drops`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drops {
    /// Every drop since the maps were made.
    pub counted: Vec<Counted>,
    /// The last ones sampled, oldest first.
    pub recent: Vec<Drop>,
    /// Drops that were counted and could not be sampled.
    pub not_sampled: u64,
}

/// Drops of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Where; empty for an interface without a row.
    pub interface: String,
    /// `ingress` or `egress`.
    pub hook: String,
    /// `drop`, or `would-drop` in audit mode.
    pub verdict: String,
    /// Why.
    pub reason: String,
    /// Frames.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Drops {
    /// What is counted, and what was heard.
    #[must_use]
    pub fn of(live: &Live, recent: Vec<Drop>) -> Self {
        let counted = live
            .outcomes
            .iter()
            .filter(|counted| !counted.outcome.reason().admits())
            .map(|counted| Counted {
                interface: counted.interface.clone().unwrap_or_default(),
                hook: hook(counted.hook).to_owned(),
                verdict: counted.outcome.verdict().to_owned(),
                reason: counted.outcome.reason().name().to_owned(),
                packets: counted.count.packets,
                bytes: counted.count.bytes,
            })
            .collect();
        let not_sampled = live.stats[cmgate_common::layout::counters::Stat::EventsLost as usize];
        Self { counted, recent, not_sampled }
    }

    /// What of it a filter wants. The counters know neither addresses nor services.
    #[must_use]
    pub fn wanted_by(mut self, filter: &Filter) -> Self {
        self.counted.retain(|counted| filter.counts(&counted.reason, &counted.interface));
        self.recent.retain(|drop| filter.wants(drop));
        self
    }

    /// For people.
    #[must_use]
    pub fn table(&self, filter: &Filter) -> String {
        if self.counted.is_empty() {
            let what = if filter.wants_all() { "nothing" } else { "nothing of that" };
            return format!("{what} was dropped\n");
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(["interface", "hook", "verdict", "reason", "packets", "bytes"]);
        for counted in &self.counted {
            table.add_row([
                counted.interface.clone(),
                counted.hook.clone(),
                counted.verdict.clone(),
                counted.reason.clone(),
                counted.packets.to_string(),
                counted.bytes.to_string(),
            ]);
        }
        let mut page = table.trim_fmt() + "\n";
        if filter.tells_packets_apart() {
            page.push_str("(counted whatever the address or service)\n");
        }
        if !self.recent.is_empty() {
            page.push('\n');
        }
        for drop in &self.recent {
            page.push_str(&format!("{drop}\n"));
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use cmgate_common::layout::control::Flags;
    use cmgate_common::layout::counters::EVENT_HEAD;
    use cmgate_common::reason::{Decision, Outcome, Reason, settle};
    use etherparse::PacketBuilder;

    use super::*;

    fn event(frame: &[u8], reason: Reason) -> DropEvent {
        let outcome: Outcome = settle(Decision::of(reason), Flags::NONE).1;
        DropEvent {
            at: UNIX_EPOCH,
            ifindex: 3,
            length: u32::try_from(frame.len()).unwrap(),
            generation: 4,
            outcome,
            hook: Hook::Ingress,
            shadow: false,
            flow: None,
            head: frame[..frame.len().min(EVENT_HEAD)].to_vec(),
        }
    }

    fn tcp(payload: usize) -> Vec<u8> {
        let mut frame = Vec::new();
        PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4([10, 66, 0, 10], [10, 1, 1, 20], 64)
            .tcp(51234, 445, 1, 1024)
            .write(&mut frame, &vec![0; payload])
            .unwrap();
        frame
    }

    #[test]
    fn a_drop_is_told_with_its_addresses_even_where_only_the_head_was_kept() {
        for payload in [0, 1400] {
            let told = Drop::of(&event(&tcp(payload), Reason::UnknownSource), Some("eth1"));
            assert_eq!(
                told.to_string(),
                "1970-01-01T00:00:00.000Z eth1 ingress drop unknown-source 10.66.0.10 port 51234 -> 10.1.1.20 tcp/445"
            );
        }
        let by_allow = DropEvent { flow: Some("allow/backup".to_owned()), ..event(&tcp(0), Reason::Service) };
        assert!(Drop::of(&by_allow, None).to_string().ends_with(" tcp/445, but for allow/backup"));
        let icmp = built_icmp();
        let told = Drop::of(&event(&icmp, Reason::Service), None);
        assert_eq!(
            told.to_string(),
            "1970-01-01T00:00:00.000Z 3 ingress drop service 2001:db8::1 -> 2001:db8::2 icmpv6/128/0"
        );
        let told = Drop::of(&event(&[0; 60], Reason::Ethertype), Some("eth1"));
        assert_eq!(told.source, None);
    }

    fn built_icmp() -> Vec<u8> {
        let mut frame = Vec::new();
        let from = "2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets();
        let to = "2001:db8::2".parse::<std::net::Ipv6Addr>().unwrap().octets();
        PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv6(from, to, 64)
            .icmpv6_echo_request(1, 1)
            .write(&mut frame, &[])
            .unwrap();
        frame
    }

    #[test]
    fn the_json_is_the_documented_one() {
        let told = Drop::of(&event(&tcp(0), Reason::UnknownSource), Some("eth1")).without_frame();
        insta::assert_snapshot!(serde_json::to_string(&told).unwrap(), @r#"{"time":"1970-01-01T00:00:00.000Z","interface":"eth1","hook":"ingress","verdict":"drop","reason":"unknown-source","source":"10.66.0.10","destination":"10.1.1.20","protocol":"tcp","source_port":51234,"port":"445","length":54,"generation":4}"#);
    }
}

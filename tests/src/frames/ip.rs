//! The IP header of both families, IPv4's options and IPv6's extension headers.

use std::net::IpAddr;

use etherparse::{IpNumber, Ipv4Header, Ipv4Options, Ipv6FlowLabel, Ipv6Header};

use super::pieces::Piece;
use super::transport::Transport;
use super::{Ends, Frame};

/// An IP packet in the making.
#[derive(Clone, Debug)]
pub(super) struct Ip {
    pub(super) ends: Ends,
    pub(super) transport: Transport,
    pub(super) payload: Vec<u8>,
    pub(super) piece: Option<Piece>,
    hop_limit: u8,
    options: Vec<u8>,
    extensions: Vec<Extension>,
    claimed: Option<u16>,
}

/// An IPv6 extension header (RFC 8200, 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// Options for every router on the way.
    HopByHop,
    /// Options for the destination.
    Destination,
    /// A way to go, of this type.
    Routing(u8),
    /// A fragment header that says nothing is cut (RFC 6946).
    AtomicFragment,
    /// An authentication header of this many bytes (RFC 4302).
    Authentication(u8),
    /// Nothing follows.
    NoNext,
}

impl Extension {
    const fn number(self) -> u8 {
        match self {
            Self::HopByHop => 0,
            Self::Destination => 60,
            Self::Routing(_) => 43,
            Self::AtomicFragment => FRAGMENT,
            Self::Authentication(_) => 51,
            Self::NoNext => 59,
        }
    }

    /// The header's bytes, the first of which names what follows.
    fn bytes(self, next: u8) -> Vec<u8> {
        match self {
            // One option of padding fills the rest of eight bytes.
            Self::HopByHop | Self::Destination => vec![next, 0, 1, 4, 0, 0, 0, 0],
            Self::Routing(kind) => vec![next, 0, kind, 0, 0, 0, 0, 0],
            Self::AtomicFragment => vec![next, 0, 0, 0, 0, 0, 0, 7],
            Self::Authentication(length) => {
                let mut bytes = vec![0; length.into()];
                bytes[0] = next;
                bytes[1] = length / 4 - 2;
                bytes
            }
            Self::NoNext => Vec::new(),
        }
    }
}

/// The fragment header's number.
pub(super) const FRAGMENT: u8 = 44;

impl Ip {
    pub(super) const fn new(ends: Ends, transport: Transport) -> Self {
        Self {
            ends,
            transport,
            payload: Vec::new(),
            piece: None,
            hop_limit: 64,
            options: Vec::new(),
            extensions: Vec::new(),
            claimed: None,
        }
    }

    pub(super) const fn is_v4(&self) -> bool {
        self.ends.source.is_ipv4()
    }

    /// What stands behind the IP header and its extensions: the transport header and the payload, or a piece of them.
    fn body(&self) -> Vec<u8> {
        let whole = self.transport.bytes(self.ends, &self.payload);
        match &self.piece {
            Some(piece) => whole[piece.range(whole.len())].to_vec(),
            None => whole,
        }
    }

    /// The packet, from its IP header on.
    pub(super) fn bytes(&self) -> Vec<u8> {
        match (self.ends.source.ip(), self.ends.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => self.v4(source.octets(), destination.octets()),
            (IpAddr::V6(source), IpAddr::V6(destination)) => self.v6(source.octets(), destination.octets()),
            ends => unreachable!("{ends:?} were checked to be of one family"),
        }
    }

    fn v4(&self, source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
        let body = self.body();
        let number = IpNumber(self.transport.number(true));
        let mut header = Ipv4Header::new(0, self.hop_limit, number, source, destination)
            .expect("an empty packet is not too long");
        header.options = Ipv4Options::try_from(self.options.as_slice())
            .unwrap_or_else(|error| panic!("the options of a test's packet: {error}"));
        header
            .set_payload_len(body.len())
            .unwrap_or_else(|error| panic!("the payload of a test's packet: {error}"));
        if let Some(piece) = &self.piece {
            piece.mark(&mut header, self.transport.bytes(self.ends, &self.payload).len());
        }
        header.total_len = self.claimed.unwrap_or(header.total_len);
        header.header_checksum = header.calc_header_checksum();
        [&header.to_bytes(), body.as_slice()].concat()
    }

    fn v6(&self, source: [u8; 16], destination: [u8; 16]) -> Vec<u8> {
        let whole = self.transport.bytes(self.ends, &self.payload).len();
        let piece = self.piece.as_ref().map(|piece| piece.header(self.transport.number(false), whole));
        let behind = if piece.is_some() { FRAGMENT } else { self.transport.number(false) };
        let mut chain = Vec::new();
        for (place, extension) in self.extensions.iter().enumerate() {
            let next = self.extensions.get(place + 1).map_or(behind, |next| next.number());
            chain.extend(extension.bytes(next));
        }
        let body = [chain, piece.unwrap_or_default(), self.body()].concat();
        let length = u16::try_from(body.len()).expect("a test's payload fits a packet");
        let header = Ipv6Header {
            traffic_class: 0,
            flow_label: Ipv6FlowLabel::ZERO,
            payload_length: self.claimed.unwrap_or(length),
            next_header: IpNumber(self.extensions.first().map_or(behind, |first| first.number())),
            hop_limit: self.hop_limit,
            source,
            destination,
        };
        [&header.to_bytes(), body.as_slice()].concat()
    }
}

/// A packet of a protocol without ports.
pub fn protocol(ends: &str, number: u8) -> Frame {
    Frame::of_packet(ends, Transport::Other(number)).payload(&[0; 16])
}

impl Frame {
    /// With these bytes behind the transport header.
    #[must_use]
    pub fn payload(self, payload: &[u8]) -> Self {
        self.changed(|ip| ip.payload = payload.to_vec())
    }

    /// With this time to live, or hop limit.
    #[must_use]
    pub fn hops(self, limit: u8) -> Self {
        self.changed(|ip| ip.hop_limit = limit)
    }

    /// With these IPv4 options: a multiple of four bytes, 40 at most.
    #[must_use]
    pub fn options(self, options: &[u8]) -> Self {
        self.changed(|ip| {
            assert!(ip.is_v4(), "IPv6 has extensions instead of options");
            ip.options = options.to_vec();
        })
    }

    /// With one more IPv6 extension header, behind those it has.
    #[must_use]
    pub fn extension(self, extension: Extension) -> Self {
        self.changed(|ip| {
            assert!(!ip.is_v4(), "IPv4 has options instead of extensions");
            ip.extensions.push(extension);
        })
    }

    /// With this in the length field: IPv4's total length, IPv6's payload length.
    #[must_use]
    pub fn claiming(self, length: u16) -> Self {
        self.changed(|ip| ip.claimed = Some(length))
    }

    /// Bytes before the transport header.
    pub fn header_length(&self) -> usize {
        let ip = self.ip();
        let whole = ip.transport.bytes(ip.ends, &ip.payload).len();
        let body = ip.piece.as_ref().map_or(whole, |piece| piece.range(whole).len());
        link_length(self) + ip.bytes().len() - body
    }
}

fn link_length(frame: &Frame) -> usize {
    14 + 4 * frame.tags.len()
}

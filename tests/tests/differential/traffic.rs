//! Random traffic that knows the policy: its addresses and services, answers to what was said before, errors about it,
//! pieces of it, and all of that broken.

use std::net::{IpAddr, SocketAddr};

use cmgate::compiler::policy::Policy;
use cmgate::datapath::Hook;
use cmgate_common::layout::image::Bank;
use cmgate_tests::dice::Dice;
use cmgate_tests::frames::{
    Extension, Frame, dhcp_answer, dhcp_request, echo_reply, echo_request, ethernet, icmp, membership,
    parameter_problem, protocol, redirect, solicitation, tcp, time_exceeded, too_big, udp, unreachable,
};

use cmgate_tests::lines as borders;

/// Ports that mean something to the engine beside what the policy names.
const PORTS: &[u16] = &[0, 53, 67, 68, 69, 546, 547, 1023, 1024, 2000, 40_000, 40_001];

/// Frames remembered for answers and errors.
const RECENT: usize = 64;

/// A source of frames.
pub struct Traffic {
    dice: Dice,
    v4: Vec<IpAddr>,
    v6: Vec<IpAddr>,
    ports: Vec<u16>,
    recent: Vec<Frame>,
    policies: Vec<Policy>,
}

impl Traffic {
    /// Traffic that meets these policies at their borders.
    pub fn about(policies: Vec<Policy>, dice: Dice) -> Self {
        let mut addresses: Vec<IpAddr> = borders::special().collect();
        let mut ports = PORTS.to_vec();
        for policy in &policies {
            addresses.extend(borders::addresses(policy));
            let named = borders::services(policy).into_iter();
            ports.extend(
                named.filter(|(bank, _)| matches!(bank, Bank::Tcp | Bank::Udp)).map(|(_, port)| port),
            );
        }
        ports.sort_unstable();
        ports.dedup();
        addresses.sort_unstable();
        addresses.dedup();
        let (v4, v6) = addresses.into_iter().partition(IpAddr::is_ipv4);
        Self { dice, v4, v6, ports, recent: Vec::new(), policies }
    }

    /// The next frame, and the hook it meets: mostly the one that is right for its source.
    pub fn frame(&mut self) -> (Hook, Vec<u8>) {
        let frame = match self.dice.below(100) {
            0..40 => self.plain(),
            40..60 => self.answer(),
            60..70 => self.error(),
            70..80 => self.piece(),
            80..93 => {
                let bytes = self.plain().bytes();
                return (self.any_hook(), self.broken(bytes));
            }
            93..97 => return (self.any_hook(), self.no_packet().bytes()),
            _ => {
                let length = self.dice.below(120);
                return (self.any_hook(), self.dice.bytes(length));
            }
        };
        let source = frame.ends().source.ip();
        let own = self.policies.iter().any(|policy| policy.own.contains(source));
        let hook = match own {
            _ if self.dice.chance(10) => self.any_hook(),
            true => Hook::Egress,
            false => Hook::Ingress,
        };
        (hook, frame.bytes())
    }

    fn any_hook(&mut self) -> Hook {
        *self.dice.of(&[Hook::Ingress, Hook::Ingress, Hook::Ingress, Hook::Egress])
    }

    fn plain(&mut self) -> Frame {
        let frame = self.packet();
        let frame = self.dressed(frame);
        if self.recent.len() == RECENT {
            let place = self.dice.below(RECENT);
            self.recent[place] = frame.clone();
        } else {
            self.recent.push(frame.clone());
        }
        frame
    }

    /// A packet of any transport between any ends, or one that a line is about.
    fn packet(&mut self) -> Frame {
        if self.dice.chance(65) {
            let policy = self.dice.below(self.policies.len());
            let near = borders::near_a_line(&self.policies[policy], &mut self.dice);
            let from = *self.dice.of(&self.ports);
            match near {
                Some((source, destination, bank @ (Bank::Tcp | Bank::Udp), port)) => {
                    let (source, destination) =
                        (SocketAddr::new(source, from), SocketAddr::new(destination, port));
                    let ends = format!("{source} > {destination}");
                    return if bank == Bank::Tcp { self.segment(tcp(&ends)) } else { udp(&ends) };
                }
                Some((source, destination, Bank::Ip, number)) => {
                    return protocol(&format!("{source} > {destination}"), number as u8);
                }
                Some((source, destination, ..)) => {
                    return echo_request(&format!("{source} > {destination}"), from & 3);
                }
                None => {}
            }
        }
        let pool = if self.dice.chance(50) { &self.v4 } else { &self.v6 };
        let (source, destination) = (*self.dice.of(pool), *self.dice.of(pool));
        let (from, to) = (*self.dice.of(&self.ports), *self.dice.of(&self.ports));
        let ports = format!("{} > {}", SocketAddr::new(source, from), SocketAddr::new(destination, to));
        let plain = format!("{source} > {destination}");
        match self.dice.below(100) {
            0..42 => self.segment(tcp(&ports)),
            42..72 => udp(&ports),
            72..78 => echo_request(&plain, u16::from(self.dice.byte() & 3)),
            78..82 => echo_reply(&plain, u16::from(self.dice.byte() & 3)),
            82..86 => icmp(&plain, *self.dice.of(&KINDS), self.dice.byte() & 1),
            86..88 => dhcp_request(&plain),
            88..90 => dhcp_answer(&plain),
            90..92 => solicitation(&plain),
            92..94 => membership(&plain),
            _ => protocol(&plain, *self.dice.of(&PROTOCOLS)),
        }
    }

    fn segment(&mut self, frame: Frame) -> Frame {
        match self.dice.below(8) {
            0 | 1 => frame.syn(),
            2 => frame.syn_ack(),
            3 => frame.fin(),
            4 => frame.rst(),
            _ => frame,
        }
    }

    /// A packet with what may stand around it.
    fn dressed(&mut self, mut frame: Frame) -> Frame {
        if self.dice.chance(15) {
            for _ in 0..=self.dice.below(3) {
                frame = if self.dice.chance(50) { frame.vlan(7) } else { frame.service_tag(9) };
            }
        }
        if self.dice.chance(15) {
            frame = frame.hops(*self.dice.of(&[0, 1, 2, 254, 255]));
        }
        if self.dice.chance(10) {
            let most = if self.dice.chance(5) { 1400 } else { 64 };
            let length = self.dice.below(most);
            frame = frame.payload(&self.dice.bytes(length));
        }
        if self.dice.chance(12) {
            if frame.ends().source.is_ipv4() {
                let length = 4 * (1 + self.dice.below(10));
                let options = (0..length).map(|_| *self.dice.of(&OPTIONS)).collect::<Vec<u8>>();
                frame = frame.options(&options);
            } else {
                for _ in 0..=self.dice.below(8) {
                    frame = frame.extension(*self.dice.of(&EXTENSIONS));
                }
            }
        }
        frame
    }

    fn remembered(&mut self) -> Frame {
        if self.recent.is_empty() { self.plain() } else { self.dice.of(&self.recent).clone() }
    }

    /// Says something back, or the same again.
    fn answer(&mut self) -> Frame {
        let asked = self.remembered();
        let answer = if self.dice.chance(70) && asked.has_answer() { asked.answer() } else { asked };
        if answer.is_tcp() { self.segment(answer) } else { answer }
    }

    fn error(&mut self) -> Frame {
        let about = self.answer();
        let ends = about.ends();
        let pool = if ends.source.is_ipv4() { &self.v4 } else { &self.v6 };
        let router = *self.dice.of(pool);
        let to = if self.dice.chance(85) { ends.source.ip() } else { *self.dice.of(pool) };
        let make = *self.dice.of(&[unreachable, too_big, time_exceeded, parameter_problem, redirect]);
        let error = make(&format!("{router} > {to}"));
        let mut quoted = about.packet();
        let kept = if self.dice.chance(30) { self.dice.below(80) } else { 128 };
        quoted.truncate(kept);
        if self.dice.chance(10) && !quoted.is_empty() {
            let place = self.dice.below(quoted.len());
            quoted[place] ^= 1 << self.dice.below(8);
        }
        error.quoting(&quoted)
    }

    fn piece(&mut self) -> Frame {
        let whole = self.answer().payload(&[7; 96]);
        let start = 8 * *self.dice.of(&[0, 0, 0, 1, 2, 3, 5]);
        let end = if self.dice.chance(60) { Some(start + 8 * (1 + self.dice.below(5))) } else { None };
        whole.piece(self.dice.below(3) as u32, start, end)
    }

    /// A frame with something wrong in it.
    fn broken(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        for _ in 0..=self.dice.below(3) {
            let near = bytes.len().min(80);
            if near == 0 {
                break;
            }
            let place = self.dice.below(near);
            match self.dice.below(5) {
                0 => bytes[place] = self.dice.byte(),
                1 => bytes[place] ^= 1 << self.dice.below(8),
                2 => bytes.truncate(place),
                3 => bytes.extend(self.dice.bytes(place)),
                // IPv4's total length and IPv6's payload length end here.
                _ => {
                    if let Some(low) = bytes.get_mut(if self.dice.chance(50) { 17 } else { 19 }) {
                        *low = self.dice.byte();
                    }
                }
            }
        }
        bytes
    }

    fn no_packet(&mut self) -> Frame {
        let ether_type = if self.dice.chance(70) {
            *self
                .dice
                .of(&[0x0806, 0x8809, 0x888e, 0x88cc, 0x88f7, 0x0800, 0x86dd, 0x8100, 0x002e, 0x05ff, 0x0600])
        } else {
            self.dice.next() as u16
        };
        let mut payload = self.dice.bytes(46);
        if self.dice.chance(30) {
            payload[..2].copy_from_slice(&[0xaa, 0xaa]);
        }
        ethernet(ether_type, &payload)
    }
}

/// ICMP types of both families that mean something, and some that do not.
const KINDS: [u8; 20] = [0, 3, 4, 5, 8, 11, 12, 13, 1, 2, 128, 129, 130, 133, 134, 135, 136, 137, 143, 200];

/// Protocols with and without a line, and IPv6's extension headers.
const PROTOCOLS: [u8; 14] = [0, 1, 2, 6, 17, 41, 43, 44, 47, 50, 58, 59, 60, 112];

/// Option types, and small numbers for their lengths.
const OPTIONS: [u8; 12] = [0, 1, 1, 1, 2, 3, 4, 7, 68, 131, 137, 148];

const EXTENSIONS: [Extension; 8] = [
    Extension::HopByHop,
    Extension::Destination,
    Extension::Destination,
    Extension::Routing(0),
    Extension::AtomicFragment,
    Extension::Authentication(12),
    Extension::Authentication(24),
    Extension::NoNext,
];

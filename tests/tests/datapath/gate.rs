//! What the tests stand on: a pin root and a network namespace of their own, a small policy, frames.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use cmgate::datapath::{
    Datapath, Generation, Live, Nic, Parameters, Probe, Published, Sizes, inspect, remove,
};
use cmgate_common::layout::counters::INTERFACES;
use cmgate_common::layout::image::{
    Bank, Directory, GroupOrder, HOST_BUCKET, InterfaceRule, Kind, Leaf, NAMED, NODES, Origin, PAGE, ROOT4,
    ROOT6, SERVICE_CLASSES, Stem, Verdict,
};
use nix::sched::{CloneFlags, unshare};

/// Room for the smallest image and little else.
pub const SMALL: Sizes = Sizes { pages_per_slot: 2048, flow_capacity: 64, fragments: 16 };

/// The flow that admits UDP to [`PORT`] of this host.
pub const FLOW: &str = "client:management-point/test/udp";
pub const PORT: u16 = 5000;

/// The last byte of the peer's address.
const PEER: u8 = 2;

/// A pin root, removed at the end of its test.
pub struct Root(PathBuf);

impl Root {
    /// The root of the test of this name.
    pub fn new(test: &str) -> Self {
        Self(PathBuf::from(format!("/sys/fs/bpf/cmgate-test-{}-{test}", std::process::id())))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn open(&self) -> Datapath {
        Datapath::open(&self.0, SMALL).unwrap()
    }

    pub fn live(&self) -> Live {
        inspect(&self.0).unwrap().expect("something is pinned")
    }

    pub fn probe(&self) -> Probe {
        Probe::open(&self.0).unwrap().expect("something is pinned")
    }

    /// Frames and bytes of a flow; 0 for one that is not known.
    pub fn packets(&self, flow: &str) -> u64 {
        self.live().flows.iter().find(|counters| counters.id == flow).map_or(0, |flow| flow.count.packets)
    }

    /// Waits until the flow has counted this many packets.
    pub fn await_packets(&self, flow: &str, packets: u64) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.packets(flow) < packets {
            assert!(Instant::now() < deadline, "{} of {packets} packets of {flow}", self.packets(flow));
            std::thread::yield_now();
        }
        assert_eq!(self.packets(flow), packets);
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.0)
            && !std::thread::panicking()
        {
            panic!("{error}");
        }
    }
}

/// An image under which 10.9.0.0/16 is this host, and everybody may send it UDP to [`PORT`].
pub struct Policy {
    words: Vec<u32>,
    directory: Directory,
    flows: Vec<String>,
}

impl Policy {
    pub fn new() -> Self {
        let mut words = vec![0; (NODES + PAGE) as usize];
        let mut table = |length: u32| {
            let start = words.len() as u32;
            words.resize(words.len() + length as usize, 0);
            start
        };
        let everybody = GroupOrder { known: 1, audited: 2 };
        let directory = Directory {
            stem: Stem::NONE,
            hosts6: table(HOST_BUCKET),
            hosts6_mask: 0,
            hosts6_seed: 0,
            pairs: table(2),
            pairs_width: 2,
            sources: everybody,
            destinations: everybody,
            verdicts: table(4),
            verdicts_width: 2,
            audited_services: 0,
            audited: 0,
            fresh_ports: 0,
            interfaces: table(INTERFACES * InterfaceRule::WORDS),
            bound: 0,
            main4: 0,
            main4_leaf: 0,
            main6: [[0; 2]; 2],
            main6_leaf: 0,
        };
        // Group 0 is in no line.
        words[ROOT4 as usize..ROOT6 as usize].fill(Leaf::new(1, 0, 0, Kind::Unicast).0);
        let mut set = |table: u32, index: u32, word: u32| words[(table + index) as usize] = word;
        set(ROOT4, 0x0a09, Leaf::new(1, 1, 0, Kind::Own).0);
        let service = Bank::Udp as u32 + u32::from(PORT);
        set(SERVICE_CLASSES, service / 2, 1 << (16 * (service % 2)));
        set(NAMED, service / u32::BITS, 1 << (service % u32::BITS));
        set(directory.pairs, 1, 1 << 16);
        set(directory.verdicts, 3, Verdict::new(0, Origin::Policy, 0).0);
        for row in 0..INTERFACES {
            set(directory.interfaces, row * InterfaceRule::WORDS, 1);
        }
        Self { words, directory, flows: vec![FLOW.to_owned()] }
    }

    /// The same in an image of this many pages.
    pub fn padded(mut self, pages: u32) -> Self {
        self.words.resize((pages * PAGE) as usize, 0);
        self
    }

    /// The same with other flows known, and the one that admits named so.
    pub fn named(mut self, flows: &[&str]) -> Self {
        self.flows = flows.iter().map(|flow| (*flow).to_owned()).collect();
        self
    }

    pub fn generation(&self) -> Generation<'_> {
        Generation {
            words: &self.words,
            directory: self.directory,
            flows: self.flows.iter().map(String::as_str).collect(),
            parameters: Parameters::default(),
        }
    }

    pub fn publish(&self, datapath: &mut Datapath) -> Published {
        datapath.publish(&self.generation(), |_, _| Ok(())).unwrap()
    }
}

/// A frame from [`Cable::send`], or like one of it.
pub fn frame(port: u16) -> Vec<u8> {
    let builder = etherparse::PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
        .ipv4([10, 8, 0, PEER], [10, 9, 0, 1], 64)
        .udp(40_000, port);
    let mut frame = Vec::new();
    builder.write(&mut frame, b"payload").unwrap();
    frame
}

/// A pair of interfaces in a network namespace of this thread: what is sent from `peer` comes in on `nic`.
pub struct Cable {
    pub nic: Nic,
    peer: UdpSocket,
}

impl Cable {
    pub fn new(name: &str, row: u32) -> Self {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        Self::in_this_namespace(name, row)
    }

    pub fn in_this_namespace(name: &str, row: u32) -> Self {
        ip(&format!("link add {name} address 02:00:00:00:00:02 type veth peer name peer"));
        for end in [name, "peer"] {
            // Without IPv6 addresses the ends send nothing of their own.
            ip(&format!("link set {end} addrgenmode none"));
        }
        ip(&format!("link set {name} up"));
        ip("link set peer up");
        ip(&format!("addr add 10.8.0.{PEER}/16 dev peer"));
        ip(&format!("route replace 10.9.0.0/16 dev peer src 10.8.0.{PEER}"));
        ip("neigh replace 10.9.0.1 lladdr 02:00:00:00:00:02 dev peer");
        let peer = UdpSocket::bind((Ipv4Addr::new(10, 8, 0, PEER), 0)).unwrap();
        Self { nic: Nic { name: name.to_owned(), index: index(name), row }, peer }
    }

    /// The same cable, for another thread.
    pub fn again(&self) -> Self {
        Self { nic: self.nic.clone(), peer: self.peer.try_clone().unwrap() }
    }

    pub fn send(&self, port: u16, packets: u64) {
        for _ in 0..packets {
            self.peer.send_to(b"payload", (Ipv4Addr::new(10, 9, 0, 1), port)).unwrap();
        }
    }
}

pub fn index(interface: &str) -> u32 {
    nix::net::if_::if_nametoindex(interface).unwrap()
}

/// Runs `ip` in this thread's network namespace.
pub fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Frames an interface was given and did not deliver.
pub fn lost_by(interface: &str) -> u64 {
    let output = Command::new("ip").args(["-s", "-j", "link", "show", "dev", interface]).output().unwrap();
    let links: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    links[0]["stats64"]["tx"]["dropped"].as_u64().expect("`ip` tells what was dropped")
}

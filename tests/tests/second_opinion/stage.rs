//! Two namespaces with the same addresses, one gate in each: the agent's, and the ruleset it exports.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use cmgate_tests::agent::Agent;
use cmgate_tests::frames::udp;
use cmgate_tests::install::{Install, SITE_FILE};
use cmgate_tests::metrics::{Page, count};
use cmgate_tests::netns::Netns;
use cmgate_tests::raw::Raw;
use cmgate_tests::wire::{Capture, Wire};

use crate::step::{Step, Way};
use crate::witness;
use crate::worlds::{MARKER_FROM, MARKER_PORT, Nic, World};

const LIMIT: Duration = Duration::from_secs(10);

/// Where the agent tells what it counted.
const METRICS: &str = "[metrics]\nlisten = \"127.0.0.1:9464\"\n";

/// The metric of judged frames.
const PACKETS: &str = "cmgate_packets_total";

/// What a marker carries.
const MARKER: &[u8] = b"judged up to here";

/// A machine with a gate, and the other ends of its interfaces.
pub struct Stage {
    pub here: Netns,
    outside: Netns,
    wires: Vec<Wire>,
    devices: Vec<&'static str>,
    raw: Raw,
    marker: Vec<u8>,
    markers: UdpSocket,
    own_marker: Vec<u8>,
    back: Capture,
}

/// Both gates on the same machine.
pub struct Pair {
    pub agents: Stage,
    pub nft: Stage,
    // Dropped before its files.
    agent: Agent,
    pub install: Install,
}

impl Pair {
    /// Two machines of this world, one with the agent, one with what it exports.
    ///
    /// # Errors
    /// When either gate does not come to stand.
    pub fn new(world: &World, liberal: bool) -> Result<Self> {
        let install = Install::new(&format!("site = \"site.toml\"\n{}\n{METRICS}", world.host), world.site)?;
        Self::of(world, install, liberal)
    }

    /// The same with files of the caller's. Conntrack judges sequence numbers unless it is `liberal`; the gate does not.
    ///
    /// # Errors
    /// As [`Pair::new`].
    pub fn of(world: &World, install: Install, liberal: bool) -> Result<Self> {
        let (agents, nft) = (Stage::new("agent", world)?, Stage::new("nft", world)?);
        nft.enforce_export(&install)?;
        if liberal {
            nft.here.sysctl("net/netfilter/nf_conntrack_tcp_be_liberal", "1")?;
        }
        let agent = install.run(&agents.here)?;
        Ok(Self { agents, nft, agent, install })
    }

    /// Puts another site in force on both.
    ///
    /// # Errors
    /// When either does not take it.
    pub fn reload(&self, site: &str) -> Result<()> {
        // The agent watches the file, so that writing it is what makes it reload.
        self.agent.after(|| self.install.write(SITE_FILE, site))?;
        self.nft.enforce_export(&self.install)
    }

    /// How many frames of these packets, and of the markers about them, the agent's programs judge.
    fn judged_of(&self, steps: &[Step]) -> Result<u64> {
        let leaving_is_judged =
            self.install.json(&self.agents.here, "status")?["gate"]["egress"] == "enforce";
        let of = |step: &Step| match step.way {
            Way::Arrives(_) => step.frames.len() + 1,
            Way::Leaves if leaving_is_judged => step.frames.len(),
            Way::Leaves => 0,
        };
        let flush = usize::from(leaving_is_judged);
        Ok((steps.iter().map(of).sum::<usize>() + flush).try_into()?)
    }

    /// The reasons by which the agent's gate judged anything.
    ///
    /// # Errors
    /// When it does not tell.
    pub fn reasons(&self) -> Result<BTreeSet<String>> {
        let page = Page::read(&self.agents.here)?;
        let reasons = page.values_of("reason", PACKETS, &[]).into_iter();
        Ok(reasons
            .filter(|reason| page.sum(PACKETS, &[("reason", reason)]) > 0.0)
            .map(str::to_owned)
            .collect())
    }

    /// Sends the same packets past both, and compares what came through.
    ///
    /// # Errors
    /// Each packet on which they do not agree.
    pub fn compare(&self, steps: &mut [Step]) -> Result<Agreed> {
        for (number, step) in (1..).zip(steps.iter_mut()) {
            step.number(number)?;
        }
        let before = Page::read(&self.agents.here)?;
        let by_agent = self.agents.play(steps)?;
        let judged = Page::read(&self.agents.here)?.since(&before, PACKETS, &[]);
        let sent = self.judged_of(steps)?;
        ensure!(judged == count(sent), "of {sent} frames {judged} reached the agent's programs");
        let by_nft = self.nft.play(steps)?;
        let mut differences = String::new();
        let mut differing = 0;
        let mut agreed = Agreed::default();
        for (number, step) in (1..).zip(&*steps) {
            let (agent, nft) = (by_agent.contains(&number), by_nft.contains(&number));
            if agent == nft {
                *if agent { &mut agreed.admitted } else { &mut agreed.dropped } += 1;
                continue;
            }
            differing += 1;
            if differing <= 10 {
                let word = |passed| if passed { "admits" } else { "drops" };
                differences += &format!(
                    "packet {number}: cmgate {} it, nftables {} it; {}",
                    word(agent),
                    word(nft),
                    step.shown()
                );
            }
        }
        ensure!(differing == 0, "they differ on {differing} of {} packets:\n{differences}", steps.len());
        Ok(agreed)
    }
}

/// How many packets both judged alike.
#[derive(Clone, Copy, Debug, Default)]
pub struct Agreed {
    pub admitted: usize,
    pub dropped: usize,
}

impl Stage {
    /// The machine, with no gate yet, under a name for people.
    ///
    /// # Errors
    /// When the kernel refuses any of it.
    pub fn new(label: &str, world: &World) -> Result<Self> {
        let here = Netns::new(label)?;
        let outside = Netns::new("outside")?;
        outside.sysctl("net/ipv6/conf/default/disable_ipv6", "1")?;
        for family in ["all", "default"] {
            here.sysctl(&format!("net/ipv4/conf/{family}/rp_filter"), "0")?;
        }
        if world.transit {
            here.forward()?;
        }
        for nic in world.nics {
            connect(&here, &outside, nic)?;
        }
        witness::watch_inside(&here)?;
        let devices: Vec<_> = world.nics.iter().map(|nic| nic.name).collect();
        let mut wires = Vec::new();
        for device in &devices {
            witness::watch_outside(&outside, device)?;
            wires.push(Wire::open(&outside, device)?);
        }
        // Of several interfaces the routes choose; of one, what is for the link needs no route.
        let only = if devices.len() == 1 { Some(devices[0]) } else { None };
        let raw = Raw::marked(&here, only, witness::MARK)?;
        let to = format!("{}:{MARKER_PORT}", world.address());
        let markers = here.run(|| UdpSocket::bind(&to))?.context("cannot receive markers")?;
        markers.set_read_timeout(Some(LIMIT))?;
        let marker = udp(&format!("{MARKER_FROM} > {to}")).payload(MARKER);
        let back = Capture::open(&outside, devices[devices.len() - 1])?;
        let own_marker = marker.clone().answer().packet();
        Ok(Self { here, outside, wires, devices, raw, marker: marker.bytes(), markers, own_marker, back })
    }

    /// Loads what `cmgate export` writes of these files here.
    ///
    /// # Errors
    /// When it writes nothing, or `nft` does not take it.
    pub fn enforce_export(&self, install: &Install) -> Result<()> {
        let output = install.command(&self.here, "export")?.output()?;
        ensure!(output.status.success(), "cmgate export: {}", String::from_utf8_lossy(&output.stderr));
        witness::load(&self.here, &String::from_utf8(output.stdout)?).context("the exported ruleset")
    }

    /// Sends the packets one after the other, each when the one before it was judged. Gives the numbers of those that
    /// passed, by which they are known ([`Step::number`]).
    ///
    /// # Errors
    /// When one cannot be sent, or is never judged.
    pub fn play(&self, steps: &[Step]) -> Result<BTreeSet<u16>> {
        witness::forget(&self.here, &["inet", "witness"])?;
        for device in &self.devices {
            witness::forget(&self.outside, &["netdev", &format!("witness-{device}")])?;
        }
        for step in steps {
            match step.way {
                Way::Arrives(row) => self.arrive(row, step)?,
                Way::Leaves => {
                    for packet in step.packets() {
                        let sent = self.raw.packet(packet);
                        // What the gate's own hook refuses, the sender is told (EPERM).
                        if let Err(error) = sent
                            && error.downcast_ref() != Some(&nix::Error::EPERM)
                        {
                            return Err(error.context(step.shown()));
                        }
                    }
                }
            }
        }
        self.flush()?;
        let passed_in = witness::came_in(&self.here)?;
        let mut passed_out = BTreeSet::new();
        for device in &self.devices {
            passed_out.extend(witness::went_out(&self.outside, device)?);
        }
        let numbered = (1..).zip(steps);
        let passed = numbered.filter(|(number, step)| match step.way {
            Way::Arrives(_) => passed_in.contains(number),
            Way::Leaves => passed_out.contains(number),
        });
        Ok(passed.map(|(number, _)| number).collect())
    }

    fn arrive(&self, row: u32, step: &Step) -> Result<()> {
        let wire = &self.wires[row as usize - 1];
        for frame in &step.frames {
            wire.send(frame)?;
        }
        // It follows the frames through the same queue.
        wire.send(&self.marker)?;
        // Random packets may be for that port, too.
        let mut got = [0; MARKER.len()];
        while got != MARKER {
            self.markers.recv(&mut got).with_context(|| format!("no marker came after {}", step.shown()))?;
        }
        Ok(())
    }

    /// Waits until what left has arrived at the other end.
    fn flush(&self) -> Result<()> {
        self.raw.packet(&self.own_marker)?;
        while let Some(seen) = self.back.next(LIMIT)? {
            if !seen.leaves && seen.bytes.ends_with(MARKER) {
                return Ok(());
            }
        }
        bail!("what {} sent does not arrive", self.here.label())
    }
}

/// A link without ARP and neighbour discovery: nothing is on it but what a test sends.
fn connect(here: &Netns, outside: &Netns, nic: &Nic) -> Result<()> {
    let Nic { name, own, routes } = nic;
    here.ip(&format!("link add {name} type veth peer name {name} netns {}", outside.name()))?;
    outside.ip(&format!("link set {name} address 02:00:00:00:00:01 arp off\nlink set {name} up"))?;
    let mut lines =
        format!("link set {name} address 02:00:00:00:00:02 arp off addrgenmode none\nlink set {name} up\n");
    for address in *own {
        let detection = if address.contains(':') { " nodad" } else { "" };
        lines += &format!("address add {address} dev {name}{detection}\n");
    }
    for route in *routes {
        lines += &format!("route add {route} dev {name}\n");
    }
    here.ip(&lines)
}

//! An interface: what it is, what its driver does, what else is on it.

mod drivers;

use crate::datapath::Queues;

use super::facts::{Facts, Interface, Program, There};
use super::report::Finding;
use super::report::Level::{Note, Problem, Warning};

use self::drivers::Pause;

/// The longest packet that fits a page of 4 KiB with XDP's headroom and the kernel's own part, as ena counts it
/// (`ENA_XDP_MAX_MTU`). Other drivers say a little more or less, and some 1,500.
const ONE_BUFFER: u32 = 3_498;

/// Findings about an interface.
pub(super) fn examine(interface: &Interface, facts: &Facts) -> Vec<Finding> {
    let name = interface.name.as_str();
    let Some(there) = &interface.there else {
        let missing = Finding::new(
            Warning,
            "missing",
            "there is no such interface",
            "it is guarded as soon as it appears; until then nothing is",
            "check `interfaces` in cmgate.toml (ip link)",
        );
        return vec![missing.on(name)];
    };
    let mut found = Vec::new();
    if !there.up {
        found.push(Finding::new(
            Note,
            "down",
            "it is down",
            "the gate is put on it all the same",
            format!("ip link set {name} up"),
        ));
    }
    found.extend(ethernet(there));
    found.extend(place(there));
    found.push(xdp(there));
    found.extend(queues(name, there, facts));
    found.extend(offloads(name, there));
    found.extend(mtu(name, there));
    found.extend(others(name, there));
    found.extend(flap(there));
    found.into_iter().map(|finding| finding.on(name)).collect()
}

/// What the gate reads are Ethernet frames.
fn ethernet(there: &There) -> Option<Finding> {
    (!there.ethernet).then(|| {
        Finding::new(
            Problem,
            "no-ethernet",
            "its packets have no Ethernet header (a tunnel, or another point-to-point link)",
            "the gate takes their first bytes for one: everything that comes in is dropped as ethertype or malformed",
            "do not name it; guard the interface that its packets come in on",
        )
    })
}

/// Where in a stack of interfaces it stands.
fn place(there: &There) -> Option<Finding> {
    if let Some((master, kind)) = &there.part_of {
        return Some(match kind.as_str() {
            "bond" | "team" => Finding::new(
                Problem,
                "bond-member",
                format!("it is a member of the {kind} {master}"),
                "a program on one member sees a part of the traffic, and many drivers refuse it there",
                format!("name {master} under `interfaces` instead, and none of its members"),
            ),
            "bridge" => Finding::new(
                Warning,
                "bridge-port",
                format!("it is a port of the bridge {master}"),
                "what is for machines behind the bridge is judged as not-local, unless transit = true; what the bridge itself \
                 sends is followed on the port alone",
                format!(
                    "to guard this machine alone, name {master}; to guard those behind it, set transit = true"
                ),
            ),
            other => Finding::new(
                Warning,
                "part-of",
                format!("it is a part of {master} ({other})"),
                "frames may be taken by that one before or behind the gate",
                format!("see whether {master} is the interface to guard"),
            ),
        });
    }
    match there.kind.as_deref()? {
        "vlan" => Some(Finding::new(
            Warning,
            "vlan-device",
            "it is a VLAN device",
            "XDP runs on it in the stack only, behind the NIC below; other VLANs of that NIC are not judged",
            "name the NIC below: tags are looked through there, as long as the NIC leaves them on (rx-vlan-offload)",
        )),
        "bond" | "team" => Some(Finding::new(
            Note,
            "bond",
            "it is a bond",
            "XDP runs in the drivers of its members, through the bond, where all of them can; else in the stack",
            "name the bond alone; with xdp = \"auto\" the agent finds out",
        )),
        "bridge" => Some(Finding::new(
            Note,
            "bridge",
            "it is a bridge",
            "XDP runs in the stack, on what is for this machine; what passes from port to port is not judged",
            "to judge that, name the ports and set transit = true",
        )),
        kind @ ("macvlan" | "macvtap" | "ipvlan") => Some(Finding::new(
            Warning,
            "on-another",
            format!("it is a {kind}, on top of another interface"),
            "XDP runs on it in the stack only; what else comes in by the interface below is not judged",
            "name the interface below where all of it is to be guarded",
        )),
        "veth" => Some(Finding::new(
            Note,
            "veth",
            "it is one end of a veth pair",
            "XDP in the driver takes frames that the other end sends; large ones are split or copied for it",
            "nothing; switch generic segmentation off on the other end if many are copied (ethtool -K ... gso off)",
        )),
        _ => None,
    }
}

fn xdp(there: &There) -> Finding {
    let driver = there.hardware.driver.as_deref().unwrap_or("unknown");
    let said = there.hardware.xdp.map(|xdp| xdp.native);
    let native = said.unwrap_or_else(|| drivers::known(driver).is_some());
    if native && driver == drivers::XEN {
        return Finding::new(
            Warning,
            "xdp",
            "it is a Xen network front end",
            "its driver takes a program and runs none where the other end has no `feature-xdp-headroom` (xennet_xdp_set): the \
             gate would stand open there, and nothing here could tell",
            "xdp = \"generic\" in cmgate.toml; or see that `cmgate status` counts packets before relying on it",
        );
    }
    if native {
        let source = if said.is_some() { "the kernel says so" } else { "read in Linux 6.1" };
        return Finding::ok("xdp", format!("the driver {driver} runs XDP itself ({source})"));
    }
    if let Some(kind) = &there.kind {
        return Finding::new(
            Note,
            "xdp",
            format!("a {kind} runs no XDP of its own"),
            "the gate runs in the stack (generic), with xdp = \"auto\": as strict, and a packet costs more",
            "nothing; it is no NIC",
        );
    }
    Finding::new(
        Warning,
        "xdp",
        format!("the driver {driver} does not run XDP"),
        "with xdp = \"auto\" the gate runs in the stack (generic): as strict, and a packet costs more; with \"native\" it is \
         not attached",
        "use a NIC whose driver does, if the rate asks for it; see docs/performance.md",
    )
}

fn queues(name: &str, there: &There, facts: &Facts) -> Option<Finding> {
    let Queues { now, most, combined } = there.hardware.queues?;
    if now == 0 || now >= facts.cpus {
        return None;
    }
    let driver = there.hardware.driver.as_deref().unwrap_or_default();
    // virtio wants a transmit queue for each CPU beside those it has; without them it takes no program (5.0 to 5.12), or
    // sends under a lock.
    let virtio = driver == "virtio_net";
    let (level, happens) = if virtio {
        (
            Warning,
            "XDP wants a queue more for each CPU: the driver shares queues under a lock, and some kernels refuse",
        )
    } else {
        (Note, "packets are judged by as many CPUs as there are queues, and by no more")
    };
    let remedy = if most > now {
        let kind = if combined { "combined" } else { "rx" };
        format!("ethtool -L {name} {kind} {}", most.min(facts.cpus))
    } else {
        "give the machine more queues (of a virtual one: queues= in the hypervisor), or leave it".to_owned()
    };
    Some(Finding::new(
        level,
        "queues",
        format!("{now} receive {} for {} CPUs", if now == 1 { "queue" } else { "queues" }, facts.cpus),
        happens,
        remedy,
    ))
}

fn offloads(name: &str, there: &There) -> Vec<Finding> {
    let mut found = Vec::new();
    if there.hardware.lro == Some(true) {
        found.push(Finding::new(
            Warning,
            "lro",
            "large receive offload is on",
            "drivers refuse XDP with it, or switch it off when the gate is attached",
            format!("ethtool -K {name} lro off"),
        ));
    }
    if there.hardware.gro_hw == Some(true) {
        found.push(Finding::new(
            Warning,
            "gro-hw",
            "the NIC joins segments (GRO-HW)",
            "drivers refuse XDP with it, or switch it off; else several packets are judged and counted as one",
            format!("ethtool -K {name} rx-gro-hw off"),
        ));
    }
    if there.hardware.rx_vlan == Some(true) {
        found.push(Finding::new(
            Note,
            "rx-vlan-offload",
            "the NIC takes VLAN tags off",
            "such a frame is judged as an untagged one: the policy does not tell VLANs apart, so that nothing else changes",
            format!("ethtool -K {name} rxvlan off, if drops should show the tags"),
        ));
    }
    found
}

fn mtu(name: &str, there: &There) -> Option<Finding> {
    let known = there.hardware.driver.as_deref().and_then(drivers::known);
    // A driver that does not run XDP has it run in the stack, which takes packets of any length.
    let several = match there.hardware.xdp {
        Some(xdp) => xdp.several_buffers || !xdp.native || known.is_some_and(|driver| driver.several_buffers),
        None => known.is_none_or(|driver| driver.several_buffers),
    };
    (there.mtu > ONE_BUFFER && !several).then(|| {
        Finding::new(
            Problem,
            "mtu",
            format!("its MTU is {}, and its driver runs XDP on frames of one buffer alone", there.mtu),
            "the driver refuses the program: with xdp = \"auto\" the gate runs in the stack, with \"native\" it is not attached",
            format!(
                "ip link set {name} mtu {ONE_BUFFER} (some drivers take no more than 1500), or xdp = \"generic\""
            ),
        )
    })
}

/// What others have put there.
fn others(name: &str, there: &There) -> Vec<Finding> {
    let mut found = Vec::new();
    match &there.program {
        Program::Ours => {}
        Program::Others(program, called) => {
            let called = called.as_ref().map(|called| format!("{called}, ")).unwrap_or_default();
            found.push(Finding::new(
                Problem,
                "other-xdp",
                format!("another XDP program is on it: {called}number {program}"),
                "the agent does not push it out: the interface stays unguarded",
                format!(
                    "see whose it is (bpftool prog show id {program}); ip link set {name} xdp off removes it, unless a link \
                     holds it (bpftool link)"
                ),
            ));
        }
        Program::Unknown(program) => found.push(Finding::new(
            Note,
            "xdp-there",
            format!("an XDP program is on it, number {program}"),
            "it is this gate's own, or somebody else's, which the agent would not push out",
            "sudo cmgate doctor tells them apart",
        )),
    }
    if there.clsact {
        found.push(Finding::new(
            Note,
            "tc",
            "somebody's tc filters may be on it (clsact or ingress queueing discipline)",
            "the gate judges before them what comes in; what leaves is followed behind other tcx programs, before 6.6 in front \
             of other filters. A filter that changes addresses makes the gate see the changed ones",
            format!("tc filter show dev {name} ingress; tc filter show dev {name} egress"),
        ));
    }
    found
}

fn flap(there: &There) -> Option<Finding> {
    let driver = drivers::known(there.hardware.driver.as_deref()?)?;
    let (when, then) = match driver.pause {
        Pause::Never => return None,
        Pause::FirstAndLast => (
            "when the first program comes and the last goes",
            "at the first start and at `cmgate detach`; not at a reload or a restart of the agent",
        ),
        Pause::Always => (
            "whenever a program comes, goes or takes another's place",
            "at each start of the agent and at `cmgate detach`; not at a reload, unless the tables have to grow for it",
        ),
    };
    Some(Finding::new(
        Warning,
        "link-flap",
        format!("the driver {} stops for a moment {when} ({}, Linux 6.1)", driver.name, driver.setup),
        format!("packets are lost, for a second or more where the link is negotiated anew: {then}"),
        "start the agent for the first time when that does not hurt; the unit starts it before the network is up",
    ))
}

#[cfg(test)]
mod tests;

//! An interface: what it is, what its driver does, what else is on it.

use super::facts::{Facts, Interface, There};
use super::report::Finding;
use super::report::Level::{Note, Problem, Warning};

/// Drivers that run XDP themselves, for kernels that do not say so (before 6.3): those with `ndo_bpf` and `XDP_SETUP_PROG` in
/// the kernel's drivers/net of 6.1.
const NATIVE: [&str; 25] = [
    "bnxt_en",
    "cxgb4",
    "dpaa2-eth",
    "ena",
    "enetc",
    "fsl_dpa",
    "fsl_enetc",
    "gve",
    "hv_netvsc",
    "i40e",
    "ice",
    "igb",
    "igc",
    "ixgbe",
    "ixgbevf",
    "mlx4_en",
    "mlx5_core",
    "mvneta",
    "mvpp2",
    "nfp",
    "qede",
    "sfc",
    "tun",
    "veth",
    "virtio_net",
];

/// Drivers that stop and start the link, or reset their rings, when a program comes or goes, as far as it is known. Each
/// with the function of the driver that takes a program.
const FLAPS: [(&str, &str); 8] = [
    ("i40e", "i40e_xdp_setup resets the interface (i40e_reset_and_rebuild) where XDP goes on or off"),
    ("ixgbe", "ixgbe_xdp_setup closes and opens the interface where XDP goes on or off"),
    ("ixgbevf", "ixgbevf_xdp_setup closes and opens the interface"),
    ("igb", "igb_xdp_setup closes and opens the interface"),
    ("ice", "ice_xdp_setup_prog takes the interface down and up"),
    ("ena", "ena_xdp_set takes the interface down and up"),
    ("bnxt_en", "bnxt_xdp_set closes and opens the NIC"),
    ("mlx5_core", "mlx5e_xdp_set opens the channels anew"),
];

/// The longest packet that fits a page with XDP's headroom, in one buffer: about 3,500 bytes.
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
    found.extend(place(there));
    found.push(xdp(there));
    found.extend(queues(there, facts));
    found.extend(offloads(name, there));
    found.extend(mtu(name, there));
    found.extend(others(name, there));
    found.extend(flap(there));
    found.into_iter().map(|finding| finding.on(name)).collect()
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
    let native = there.hardware.xdp.map_or_else(|| NATIVE.contains(&driver), |xdp| xdp.native);
    if native {
        let known = if there.hardware.xdp.is_some() { "says so" } else { "is known to" };
        return Finding::ok("xdp", format!("the driver {driver} runs XDP itself ({known})"));
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

fn queues(there: &There, facts: &Facts) -> Option<Finding> {
    let (queues, most) = there.hardware.queues?;
    if queues == 0 || queues >= facts.cpus {
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
    let remedy = if most > queues {
        format!("ethtool -L ... combined {}", most.min(facts.cpus))
    } else {
        "give the machine more queues (of a virtual one: queues= in the hypervisor), or leave it".to_owned()
    };
    Some(Finding::new(
        level,
        "queues",
        format!("{queues} receive queues for {} CPUs", facts.cpus),
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
    let several = there.hardware.xdp.is_none_or(|xdp| xdp.several_buffers);
    (there.mtu > ONE_BUFFER && !several).then(|| {
        Finding::new(
            Problem,
            "mtu",
            format!("its MTU is {}, and its driver runs XDP on frames of one buffer alone", there.mtu),
            "the driver refuses the program, and with xdp = \"auto\" the gate runs in the stack",
            format!("ip link set {name} mtu {ONE_BUFFER} or less, or xdp = \"generic\""),
        )
    })
}

/// What others have put there.
fn others(name: &str, there: &There) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(program) = there.other_xdp {
        found.push(Finding::new(
            Problem,
            "other-xdp",
            format!("another XDP program is on it, number {program}"),
            "the agent does not push it out: the interface stays unguarded",
            format!(
                "see whose it is (bpftool prog show id {program}); ip link set {name} xdp off removes it"
            ),
        ));
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
    let driver = there.hardware.driver.as_deref()?;
    let (_, why) = FLAPS.iter().find(|(known, _)| *known == driver)?;
    Some(Finding::new(
        Warning,
        "link-flap",
        format!("the driver {driver} interrupts the link when the first program comes and the last goes"),
        format!(
            "{why}: a second or more without packets at the first start and at `cmgate detach`; not at reload or restart"
        ),
        "start the agent for the first time when that does not hurt; the unit starts it before the network is up",
    ))
}

#[cfg(test)]
mod tests;

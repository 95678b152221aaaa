//! The machine: kernel, limits, mounts, other rules.

use super::facts::Facts;
use super::report::Finding;
use super::report::Level::{Note, Problem, Warning};

/// Findings about the machine.
pub(super) fn examine(facts: &Facts) -> Vec<Finding> {
    let mut found = vec![kernel(facts)];
    if (6, 0) <= facts.kernel && facts.kernel < (6, 6) {
        found.push(Finding::new(
            Note,
            "no-tcx",
            format!("Linux {} has no tcx, which came with 6.6", facts.release),
            "what leaves is followed by a filter of the clsact queueing discipline, in front of all others",
            "nothing; leave that filter where it is (tc filter show dev ... egress)",
        ));
    }
    found.extend(jit(facts));
    found.extend(bpffs(facts));
    if !facts.btf {
        found.push(Finding::new(
            Warning,
            "no-btf",
            "the kernel has no BTF (/sys/kernel/btf/vmlinux)",
            "maps and programs carry no types then, and some kernels refuse the programs' functions",
            "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y, as those of the distributions are",
        ));
    }
    if facts.kernel < (5, 11)
        && let Some(limit) = facts.memlock
    {
        found.push(Finding::new(
            Warning,
            "memlock",
            format!("{} KiB may be locked in memory", limit / 1024),
            "before 5.11 maps count against that limit, and are refused above it",
            "set LimitMEMLOCK=infinity in the unit",
        ));
    }
    found.extend(lockdown(facts));
    if facts.transit && facts.dnat == Some(true) {
        found.push(Finding::new(
            Problem,
            "dnat",
            "there are rules for destination NAT, and transit = true",
            "XDP sees addresses before they are translated: the policy is asked about others than the packet ends at",
            "translate on another machine, or leave transit to the kernel's own firewall (cmgate export --format nft)",
        ));
    }
    found
}

fn kernel(facts: &Facts) -> Finding {
    if facts.kernel >= (6, 0) {
        return Finding::ok(
            "kernel",
            format!("Linux {}: ring buffers, XDP on several buffers, long map values", facts.release),
        );
    }
    let lacks = [
        ((5, 8), "ring buffers (5.8)"),
        ((5, 12), "compare-and-exchange in BPF (5.12)"),
        ((5, 18), "XDP on several buffers and bpf_xdp_load_bytes (5.18)"),
        ((6, 0), "map values of more than 4 MiB (6.0)"),
    ];
    let lacks: Vec<_> =
        lacks.iter().filter(|(since, _)| facts.kernel < *since).map(|(_, what)| *what).collect();
    Finding::new(
        Problem,
        "kernel",
        format!("Linux {} is older than 6.0", facts.release),
        format!("it lacks {}: `cmgate run` ends and says so", lacks.join(", ")),
        "boot a newer one, such as Debian 12's or Ubuntu 24.04's",
    )
}

fn jit(facts: &Facts) -> Option<Finding> {
    match facts.jit? {
        true => Some(Finding::ok("jit", "BPF programs are compiled")),
        false => Some(Finding::new(
            Warning,
            "jit",
            "BPF programs are interpreted (net.core.bpf_jit_enable is 0)",
            "each packet costs many times as much, and kernels without an interpreter for functions refuse the programs",
            "sysctl -w net.core.bpf_jit_enable=1",
        )),
    }
}

fn bpffs(facts: &Facts) -> Option<Finding> {
    match facts.bpffs? {
        true => Some(Finding::ok("bpffs", "a bpffs is mounted where the gate is pinned")),
        false => Some(Finding::new(
            Note,
            "bpffs",
            "no bpffs is mounted where the gate is pinned",
            "the agent mounts /sys/fs/bpf when it starts as root; in a container it cannot",
            "mount -t bpf bpf /sys/fs/bpf, or mount the host's into the container",
        )),
    }
}

fn lockdown(facts: &Facts) -> Option<Finding> {
    let mode = facts.lockdown.as_deref()?;
    (mode == "confidentiality").then(|| {
        Finding::new(
            Warning,
            "lockdown",
            "the kernel is locked down for confidentiality",
            "BPF may read no kernel memory; this gate's programs do not, and others' (bpftrace) fail",
            "nothing, unless the agent says that a program was refused; then boot with lockdown=integrity",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Level::{self, Ok};

    fn sound() -> Facts {
        Facts {
            kernel: (6, 12),
            release: "6.12.1".to_owned(),
            jit: Some(true),
            bpffs: Some(true),
            btf: true,
            cpus: 4,
            ..Facts::default()
        }
    }

    fn level(facts: &Facts, name: &str) -> Option<Level> {
        examine(facts).iter().find(|finding| finding.name == name).map(|finding| finding.level)
    }

    #[test]
    fn a_sound_machine_is_all_ok() {
        assert!(examine(&sound()).iter().all(|finding| finding.level == Ok), "{:?}", examine(&sound()));
    }

    #[test]
    fn each_thing_that_hurts_is_found() {
        let with = |change: fn(&mut Facts)| {
            let mut facts = sound();
            change(&mut facts);
            facts
        };
        let cases: [(&str, Level, Facts); 9] = [
            ("kernel", Problem, with(|facts| facts.kernel = (5, 19))),
            ("no-tcx", Note, with(|facts| facts.kernel = (6, 1))),
            ("jit", Warning, with(|facts| facts.jit = Some(false))),
            ("bpffs", Note, with(|facts| facts.bpffs = Some(false))),
            ("no-btf", Warning, with(|facts| facts.btf = false)),
            ("lockdown", Warning, with(|facts| facts.lockdown = Some("confidentiality".to_owned()))),
            (
                "memlock",
                Warning,
                with(|facts| {
                    facts.kernel = (5, 10);
                    facts.memlock = Some(65_536);
                }),
            ),
            ("kernel", Problem, with(|facts| facts.kernel = (5, 10))),
            (
                "dnat",
                Problem,
                with(|facts| {
                    facts.transit = true;
                    facts.dnat = Some(true);
                }),
            ),
        ];
        for (name, expected, facts) in cases {
            assert_eq!(level(&facts, name), Some(expected), "{name} of {facts:?}");
        }
        assert_eq!(level(&with(|facts| facts.dnat = Some(true)), "dnat"), None, "a host translates nothing");
        assert_eq!(
            level(&with(|facts| facts.memlock = Some(65_536)), "memlock"),
            None,
            "since 5.11 nothing counts"
        );
    }
}

//! What a test needs of the machine, and how to say that it is not there.

use std::{env, path::Path};

use nix::unistd::Uid;

/// One thing a test cannot do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Root: network namespaces, BPF.
    Root,
    /// bpffs on `/sys/fs/bpf`.
    Bpffs,
    /// A kernel of this version, or newer.
    Kernel(u32, u32),
    /// So many processors to run on.
    Processors(usize),
    /// A program of the table in this file.
    Program(&'static str),
    /// Each of these.
    Each(&'static [Need]),
}

/// Everything that makes and fills namespaces with nginx and curl.
pub const LAB: &[Need] = &[
    Need::Root,
    Need::Program("ip"),
    Need::Program("nsenter"),
    Need::Program("setpriv"),
    Need::Program("nginx"),
    Need::Program("openssl"),
    Need::Program("curl"),
    Need::Program("ping"),
];

/// The lab, with the agent in it.
pub const LAB_WITH_AGENT: &[Need] = &[Need::Each(LAB), Need::Bpffs];

/// The same, with a look at the kernel's BPF objects from outside.
pub const LAB_WITH_BPFTOOL: &[Need] = &[Need::Each(LAB_WITH_AGENT), Need::Program("bpftool")];

/// The same, with TFTP.
pub const LAB_WITH_TFTP: &[Need] =
    &[Need::Each(LAB_WITH_AGENT), Need::Program("in.tftpd"), Need::Program("tftp")];

/// The same, with sessions of an operator's.
pub const LAB_WITH_SSH: &[Need] =
    &[Need::Each(LAB_WITH_AGENT), Need::Program("sshd"), Need::Program("ssh"), Need::Program("ssh-keygen")];

/// The same, with somebody who reads the metrics.
pub const LAB_WITH_PROMETHEUS: &[Need] = &[Need::Each(LAB_WITH_AGENT), Need::Program("prometheus")];

/// The same, with somebody else's reader of captures.
pub const LAB_WITH_TSHARK: &[Need] =
    &[Need::Each(LAB_WITH_AGENT), Need::Program("tshark"), Need::Program("capinfos")];

/// The same, with a terminal to look at.
pub const LAB_WITH_TERMINAL: &[Need] = &[Need::Each(LAB_WITH_AGENT), Need::Program("script")];

/// The agent beside the kernel's own firewall.
pub const SECOND_OPINION: &[Need] = &[
    Need::Root,
    Need::Bpffs,
    Need::Program("ip"),
    Need::Program("nsenter"),
    Need::Program("setpriv"),
    Need::Program("nft"),
];

/// The same, with real programs to listen to.
pub const SECOND_OPINION_OF_PROGRAMS: &[Need] = &[
    Need::Each(LAB_WITH_TFTP),
    Need::Each(SECOND_OPINION),
    Need::Program("ethtool"),
    Need::Program("dnsmasq"),
    Need::Program("dig"),
    Need::Program("slapd"),
    Need::Program("ldapsearch"),
    Need::Program("smbd"),
    Need::Program("smbclient"),
    Need::Program("udhcpc"),
    Need::Program("dhclient"),
];

/// Debian's package for each program the rig runs.
const PACKAGES: &[(&str, &str)] = &[
    ("bpftool", "bpftool"),
    ("capinfos", "tshark"),
    ("chrt", "util-linux"),
    ("curl", "curl"),
    ("dhclient", "isc-dhcp-client"),
    ("dig", "bind9-dnsutils"),
    ("dnsmasq", "dnsmasq-base"),
    ("ethtool", "ethtool"),
    ("in.tftpd", "tftpd-hpa"),
    ("ip", "iproute2"),
    ("ipset", "ipset"),
    ("iptables-restore", "iptables"),
    ("ldapsearch", "ldap-utils"),
    ("nft", "nftables"),
    ("nginx", "nginx-light"),
    ("nsenter", "util-linux"),
    ("openssl", "openssl"),
    ("ping", "iputils-ping"),
    ("prometheus", "prometheus"),
    ("script", "bsdutils"),
    ("setpriv", "util-linux"),
    ("slapd", "slapd"),
    ("smbclient", "smbclient"),
    ("smbd", "samba"),
    ("ssh", "openssh-client"),
    ("ssh-keygen", "openssh-client"),
    ("sshd", "openssh-server"),
    ("tftp", "tftp-hpa"),
    ("tshark", "tshark"),
    ("udhcpc", "udhcpc"),
];

/// The first need this machine does not meet, in words that say what to do.
pub fn unmet(needs: &[Need]) -> Option<String> {
    needs.iter().find_map(|need| need.unmet())
}

impl Need {
    fn unmet(self) -> Option<String> {
        match self {
            Self::Root => (!Uid::effective().is_root()).then(|| "needs root".to_owned()),
            // The magic number of the file system would tell too; the mount table also tells which one is missing.
            Self::Bpffs => {
                let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
                let mounted = mounts.lines().any(|line| line.contains(" /sys/fs/bpf bpf "));
                (!mounted).then(|| "needs bpffs: mount -t bpf bpf /sys/fs/bpf".to_owned())
            }
            Self::Kernel(major, minor) => {
                let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
                (version(&release) < (major, minor))
                    .then(|| format!("needs Linux {major}.{minor}; this is {}", release.trim()))
            }
            Self::Processors(wanted) => {
                let available = std::thread::available_parallelism().map_or(1, usize::from);
                (available < wanted).then(|| format!("needs {wanted} processors; there are {available}"))
            }
            Self::Program(program) => {
                let package = PACKAGES
                    .iter()
                    .find(|(name, _)| *name == program)
                    .map_or(program, |(_, package)| package);
                (!is_installed(program)).then(|| format!("needs {program}: apt-get install {package}"))
            }
            Self::Each(needs) => unmet(needs),
        }
    }
}

/// Major and minor of a kernel's release; (0, 0) where there are none to read.
fn version(release: &str) -> (u32, u32) {
    let mut parts = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|dir| Path::new(&dir).join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_names_its_package() {
        assert_eq!(Need::Program("sh").unmet(), None);
        let words = Need::Program("no-such-program").unmet();
        assert_eq!(words.as_deref(), Some("needs no-such-program: apt-get install no-such-program"));
    }

    fn programs(needs: &[Need]) -> Vec<&'static str> {
        let of = |need: &Need| match need {
            Need::Program(program) => vec![*program],
            Need::Each(needs) => programs(needs),
            Need::Root | Need::Bpffs | Need::Kernel(..) | Need::Processors(_) => Vec::new(),
        };
        needs.iter().flat_map(of).collect()
    }

    #[test]
    fn every_program_needed_has_a_package() {
        let needed = [
            LAB_WITH_TFTP,
            LAB_WITH_BPFTOOL,
            LAB_WITH_TSHARK,
            LAB_WITH_TERMINAL,
            LAB_WITH_SSH,
            LAB_WITH_PROMETHEUS,
            SECOND_OPINION_OF_PROGRAMS,
        ];
        let needed = programs(&needed.concat());
        assert!(needed.contains(&"curl") && needed.contains(&"tftp") && needed.contains(&"bpftool"));
        for program in needed {
            assert!(PACKAGES.iter().any(|(name, _)| *name == program), "{program} has no package");
        }
    }

    #[test]
    fn kernels_are_told_by_major_and_minor() {
        assert_eq!(version("6.18.44-cloud"), (6, 18));
        assert_eq!(version("6.1.0-31-amd64\n"), (6, 1));
        assert_eq!(version("6.12+deb13-amd64"), (6, 12));
        assert_eq!(version(""), (0, 0));
        assert!(Need::Kernel(2, 6).unmet().is_none() && Need::Kernel(99, 0).unmet().is_some());
    }

    #[test]
    fn needs_within_needs_are_looked_at() {
        const INNER: &[Need] = &[Need::Program("no-such-program")];
        assert_eq!(Need::Each(INNER).unmet(), INNER[0].unmet());
    }
}

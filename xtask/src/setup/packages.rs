//! The Debian packages, each with what it is for.

/// A package whose program tests or demo start.
pub struct Package {
    /// Debian's name.
    pub name: &'static str,
    /// The program it is wanted for; where another package brought it, nothing is installed.
    pub program: &'static str,
    /// What uses it.
    pub reason: &'static str,
}

/// What tests and demo start, besides cmgate itself.
pub const RUN: &[Package] = &[
    Package { name: "nginx-light", program: "nginx", reason: "answers as management and distribution point" },
    Package { name: "curl", program: "curl", reason: "asks as a client, and as a stranger" },
    Package { name: "openssl", program: "openssl", reason: "makes the certificate of HTTPS" },
    Package { name: "iproute2", program: "ip", reason: "makes namespaces, links, addresses and routes" },
    Package { name: "iputils-ping", program: "ping", reason: "asks by ICMP" },
    Package { name: "ethtool", program: "ethtool", reason: "sets the offloads of links" },
    Package { name: "tftp-hpa", program: "tftp", reason: "fetches by TFTP, as a machine that boots does" },
    Package { name: "tftpd-hpa", program: "in.tftpd", reason: "answers it from a fresh port" },
    Package { name: "procps", program: "sysctl", reason: "switches forwarding on" },
    Package { name: "nftables", program: "nft", reason: "gives a second opinion on a policy" },
    Package { name: "ipset", program: "ipset", reason: "is measured beside the gate" },
    Package { name: "iptables", program: "iptables-restore", reason: "filters by its sets" },
    Package {
        name: "dnsmasq-base",
        program: "dnsmasq",
        reason: "answers names and leases addresses, to be captured",
    },
    Package { name: "bind9-dnsutils", program: "dig", reason: "asks for names" },
    Package { name: "slapd", program: "slapd", reason: "answers as a directory" },
    Package { name: "ldap-utils", program: "ldapsearch", reason: "asks it" },
    Package { name: "samba", program: "smbd", reason: "shares files" },
    Package { name: "smbclient", program: "smbclient", reason: "lists them" },
    Package { name: "udhcpc", program: "udhcpc", reason: "asks for an address by broadcast" },
    Package { name: "isc-dhcp-client", program: "dhclient", reason: "asks for the host's own address" },
    Package {
        name: "openssh-server",
        program: "sshd",
        reason: "lets an operator in whom a change could cut off",
    },
    Package { name: "openssh-client", program: "ssh", reason: "is that operator" },
    Package { name: "prometheus", program: "prometheus", reason: "reads the metrics through every change" },
    Package { name: "bpftool", program: "bpftool", reason: "looks at loaded programs from outside" },
    Package { name: "tshark", program: "tshark", reason: "opens captures of drops, as Wireshark does" },
    Package { name: "tcpdump", program: "tcpdump", reason: "shows frames, in the demo left running" },
];

/// What boots other kernels, besides.
pub const KERNELS: &[Package] = &[
    Package { name: "qemu-system-x86", program: "qemu-system-x86_64", reason: "boots other kernels" },
    Package { name: "busybox-static", program: "busybox", reason: "is the system inside" },
    Package { name: "xz-utils", program: "xz", reason: "unpacks their modules" },
    Package { name: "binutils", program: "strip", reason: "makes the tests inside smaller" },
];

/// The compiler for BPF, with `core` built for it. The security suite carries the version Firefox needs, a recent one.
pub const COMPILER: &[&str] = &["rustc-web", "cargo-web", "libstd-rust-web-dev-bpf"];

/// Clippy for that compiler.
pub const CLIPPY: &[&str] = &["rust-web-clippy"];

/// What building the linker takes: LLVM, and the libraries LLVM is linked with.
pub const LINKER: &[&str] = &["llvm-22-dev", "libpolly-22-dev", "libzstd-dev", "zlib1g-dev"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::version::LLVM_MAJOR;

    #[test]
    fn llvm_packages_are_of_the_pinned_version() {
        let pinned = format!("-{LLVM_MAJOR}-");
        let llvm = LINKER.iter().filter(|name| name.starts_with("llvm") || name.starts_with("libpolly"));
        assert!(llvm.clone().count() > 0 && llvm.clone().all(|name| name.contains(&pinned)));
    }
}

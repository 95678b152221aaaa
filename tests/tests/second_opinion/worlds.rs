//! The machines that both gates stand on: those single frames travel in, with their addresses on real interfaces.

use cmgate_tests::gate::Written;
use cmgate_tests::world::{SITE, SITE_IN_AUDIT};

/// An interface and its addresses.
pub struct Nic {
    pub name: &'static str,
    pub own: &'static [&'static str],
    /// Prefixes behind it, beside those of its addresses.
    pub routes: &'static [&'static str],
}

/// A machine.
pub struct World {
    pub name: &'static str,
    /// `site.toml`.
    pub site: &'static str,
    /// `cmgate.toml`, without the lines that say where its state is.
    pub host: &'static str,
    pub nics: &'static [Nic],
    pub transit: bool,
}

/// Who may send the frames that say that all frames before them were judged.
pub const MARKER_FROM: &str = "10.0.0.2:9";

/// Where they go.
pub const MARKER_PORT: u16 = 9999;

impl World {
    /// What an operator writes.
    pub fn written<'a>(&self, own: &'a [&'a str]) -> Written<'a>
    where
        Self: 'a,
    {
        Written { site: self.site, host: self.host, own }
    }

    /// The addresses of all interfaces.
    pub fn own(&self) -> Vec<&'static str> {
        self.nics.iter().flat_map(|nic| nic.own).copied().collect()
    }

    /// The first IPv4 address.
    pub fn address(&self) -> &'static str {
        let own = self.nics[0].own[0];
        own.split_once('/').map_or(own, |(address, _)| address)
    }
}

const MP: &[Nic] = &[Nic {
    name: "eth0",
    own: &["10.1.1.20/24", "2001:db8:1::20/64", "fe80::20/64"],
    routes: &["default", "::/0"],
}];

const PXE: &[Nic] = &[Nic {
    name: "eth0",
    own: &["10.1.1.30/24", "2001:db8:1::30/64", "fe80::30/64"],
    routes: &["default", "::/0"],
}];

const CLIENT: &[Nic] =
    &[Nic { name: "eth0", own: &["10.20.0.10/16", "2001:db8:20::10/64"], routes: &["default", "::/0"] }];

const RELAY: &[Nic] = &[
    Nic { name: "eth1", own: &["10.20.0.1/16", "2001:db8:20::1/48"], routes: &[] },
    Nic { name: "eth2", own: &["10.1.1.1/24", "2001:db8:1::1/64", "fe80::1/64"], routes: &[] },
    Nic { name: "eth3", own: &["10.9.9.1/24"], routes: &["default", "::/0"] },
];

/// All of them.
pub const WORLDS: [World; 8] = [
    World {
        name: "a host",
        site: SITE,
        host: r#"
            host = "mp01"
            interfaces = ["eth0"]
            [failsafe]
            services = ["tcp/22", "udp/9999"]
            from = ["10.0.0.0/24", "2001:db8::/64"]
        "#,
        nics: MP,
        transit: false,
    },
    World {
        name: "a host in audit mode",
        site: SITE,
        host: r#"
            host = "mp01"
            interfaces = ["eth0"]
            mode = "audit"
        "#,
        nics: MP,
        transit: false,
    },
    World {
        name: "a host that lets out its own alone",
        site: SITE,
        host: r#"
            host = "mp01"
            interfaces = ["eth0"]
            egress = "enforce"
            [failsafe]
            services = ["tcp/22", "udp/9999"]
            from = ["10.0.0.0/24", "2001:db8::/64"]
        "#,
        nics: MP,
        transit: false,
    },
    World {
        name: "a PXE server before clients without an address",
        site: SITE,
        host: r#"
            host = "pxe01"
            [[interface]]
            name = "eth0"
            systems = ["clients"]
            [failsafe]
            services = ["tcp/22", "udp/9999"]
            from = ["10.0.0.0/24"]
        "#,
        nics: PXE,
        transit: false,
    },
    World {
        name: "a client",
        site: SITE,
        host: r#"
            host = "clients"
            interfaces = ["eth0"]
            [failsafe]
            services = ["tcp/22", "udp/9999"]
            from = ["10.0.0.0/24"]
        "#,
        nics: CLIENT,
        transit: false,
    },
    World {
        name: "a relay",
        site: SITE,
        host: r#"
            host = "relay"
            transit = true
            [[interface]]
            name = "eth1"
            systems = ["clients"]
            [[interface]]
            name = "eth2"
            systems = ["mp01", "pxe01", "dc01"]
            [[interface]]
            name = "eth3"
            systems = []
            [failsafe]
            services = ["tcp/22", "udp/9999"]
            from = ["10.0.0.0/24"]
        "#,
        nics: RELAY,
        transit: true,
    },
    World {
        name: "a relay that lets out its own alone, and relays DHCP",
        site: SITE,
        host: r#"
            host = "relay"
            transit = true
            egress = "enforce"
            interfaces = ["eth1", "eth2", "eth3"]
            [failsafe]
            services = ["tcp/22", "udp/9999"]
            from = ["10.0.0.0/24"]
            [dhcp-relay]
            servers = ["10.1.1.30", "2001:db8:1::30"]
        "#,
        nics: RELAY,
        transit: true,
    },
    World {
        name: "a relay before systems and allows in audit",
        site: SITE_IN_AUDIT,
        host: r#"
            host = "relay"
            transit = true
            [[interface]]
            name = "eth1"
            systems = ["clients"]
            [[interface]]
            name = "eth2"
            systems = ["mp01", "dc01"]
            [[interface]]
            name = "eth3"
            systems = []
            [failsafe]
            services = ["tcp/22", "udp/9999"]
            from = ["10.0.0.0/24"]
        "#,
        nics: RELAY,
        transit: true,
    },
];

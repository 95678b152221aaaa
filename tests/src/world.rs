//! The site that single frames travel in, and the machines in it that the gate stands on.

use crate::gate::Written;

/// Servers, clients, and a relay between them.
pub const SITE: &str = r#"
    edition = "current"

    [features]
    peer-cache = true
    wake-up-proxy = true

    [[system]]
    name = "mp01"
    roles = ["management-point", "distribution-point"]
    addresses = ["10.1.1.20", "2001:db8:1::20"]

    [[system]]
    name = "pxe01"
    roles = ["distribution-point-pxe"]
    addresses = ["10.1.1.30", "2001:db8:1::30"]

    [[system]]
    name = "dc01"
    roles = ["domain-controller"]
    addresses = ["10.1.1.40", "2001:db8:1::40"]

    [[system]]
    name = "clients"
    roles = ["client"]
    addresses = ["10.20.0.0/16", "2001:db8:20::/48"]

    [[system]]
    name = "relay"
    roles = []
    addresses = ["10.1.1.1", "2001:db8:1::1"]

    [[allow]]
    name = "monitoring"
    from = ["10.0.9.0/24", "2001:db8:9::/64"]
    to = ["mp01", "host"]
    services = ["tcp/9100", "udp/5000", "icmp/echo-request", "ip/vrrp"]
"#;

/// The site after mp01 has lost its roles.
pub const SITE_WITHOUT_MP: &str = r#"
    edition = "current"

    [features]
    peer-cache = true
    wake-up-proxy = true

    [[system]]
    name = "mp01"
    roles = []
    addresses = ["10.1.1.20", "2001:db8:1::20"]

    [[system]]
    name = "pxe01"
    roles = []
    addresses = ["10.1.1.30", "2001:db8:1::30"]

    [[system]]
    name = "dc01"
    roles = ["domain-controller"]
    addresses = ["10.1.1.40", "2001:db8:1::40"]

    [[system]]
    name = "clients"
    roles = ["client"]
    addresses = ["10.20.0.0/16", "2001:db8:20::/48"]

    [[system]]
    name = "relay"
    roles = []
    addresses = ["10.1.1.1", "2001:db8:1::1"]

    [[allow]]
    name = "monitoring"
    from = ["10.0.9.0/24", "2001:db8:9::/64"]
    to = ["mp01", "host"]
    services = ["tcp/9100"]
"#;

/// The site with a system in audit, the allow in audit, and another allow that admits some of the same.
pub const SITE_IN_AUDIT: &str = r#"
    edition = "current"

    [[system]]
    name = "mp01"
    roles = ["management-point", "distribution-point"]
    addresses = ["10.1.1.20", "2001:db8:1::20"]

    [[system]]
    name = "dc01"
    roles = ["domain-controller"]
    addresses = ["10.1.1.40", "2001:db8:1::40"]
    mode = "audit"

    [[system]]
    name = "clients"
    roles = ["client"]
    addresses = ["10.20.0.0/16", "2001:db8:20::/48"]
    mode = "enforce"

    [[system]]
    name = "relay"
    roles = []
    addresses = ["10.1.1.1", "2001:db8:1::1"]

    [[allow]]
    name = "monitoring"
    mode = "audit"
    from = ["10.0.9.0/24", "2001:db8:9::/64"]
    to = ["mp01", "host"]
    services = ["tcp/9100", "udp/5000", "icmp/echo-request", "ip/vrrp"]

    [[allow]]
    name = "backup"
    mode = "audit"
    from = ["mp01"]
    to = ["clients"]
    services = ["tcp/9200", "udp/69"]

    [[allow]]
    name = "scraper"
    from = ["10.0.9.9"]
    to = ["mp01"]
    services = ["tcp/9100"]
"#;

/// mp01 protects itself.
pub const HOST: Written<'static> = Written {
    site: SITE,
    host: r#"
        host = "mp01"
        interfaces = ["eth0"]
        [failsafe]
        services = ["tcp/22"]
        from = ["10.0.0.0/24", "2001:db8::/64"]
    "#,
    own: &["10.1.1.20/24", "2001:db8:1::20/64", "fe80::20/64"],
};

/// mp01 says what it would drop.
pub const AUDIT: Written<'static> = Written {
    host: r#"
        host = "mp01"
        interfaces = ["eth0"]
        mode = "audit"
    "#,
    ..HOST
};

/// mp01 lets out only what is its own to send.
pub const CLOSED: Written<'static> = Written {
    host: r#"
        host = "mp01"
        interfaces = ["eth0"]
        egress = "enforce"
        [failsafe]
        services = ["tcp/22"]
        from = ["10.0.0.0/24", "2001:db8::/64"]
    "#,
    ..HOST
};

const PXE_OWN: &[&str] = &["10.1.1.30/24", "2001:db8:1::30/64", "fe80::30/64"];

/// pxe01 protects itself; clients without an address are on its one interface.
pub const PXE: Written<'static> = Written {
    site: SITE,
    host: r#"
        host = "pxe01"
        [[interface]]
        name = "eth0"
        systems = ["clients"]
        [failsafe]
        services = ["tcp/22"]
        from = ["10.0.0.0/24"]
    "#,
    own: PXE_OWN,
};

/// pxe01 lets out only what is its own to send.
pub const PXE_CLOSED: Written<'static> = Written {
    site: SITE,
    host: r#"
        host = "pxe01"
        interfaces = ["eth0"]
        egress = "enforce"
        [failsafe]
        services = ["tcp/22"]
        from = ["10.0.0.0/24"]
    "#,
    own: PXE_OWN,
};

/// A client protects itself.
pub const CLIENT: Written<'static> = Written {
    site: SITE,
    host: r#"
        host = "clients"
        interfaces = ["eth0"]
        mode = "enforce"
        [failsafe]
        services = ["tcp/22"]
        from = ["10.0.0.0/24"]
    "#,
    own: &["10.20.0.10/16", "2001:db8:20::10/64"],
};

/// The relay between clients (row 1) and servers (row 2); everybody else is behind row 3.
pub const RELAY: Written<'static> = Written {
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
        services = ["tcp/22"]
        from = ["10.0.0.0/24"]
    "#,
    own: &["10.20.0.1/16", "10.1.1.1/24", "2001:db8:20::1/64", "2001:db8:1::1/64", "fe80::1/64"],
};

/// The relay where everybody may come by any interface.
pub const OPEN_RELAY: Written<'static> = Written {
    host: r#"
        host = "relay"
        transit = true
        interfaces = ["eth1", "eth2", "eth3"]
        [failsafe]
        services = ["tcp/22"]
        from = ["10.0.0.0/24"]
    "#,
    ..RELAY
};

/// The relay where parts of the site are in audit.
pub const RELAY_IN_AUDIT: Written<'static> = Written {
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
        services = ["tcp/22"]
        from = ["10.0.0.0/24"]
    "#,
    ..RELAY
};

/// The row of [`RELAY`] before the clients.
pub const CLIENTS: u32 = 1;
/// The row of [`RELAY`] before the servers.
pub const SERVERS: u32 = 2;
/// The row of [`RELAY`] before everybody else.
pub const OTHERS: u32 = 3;

/// What clients ask of mp01 on 443.
pub const HTTPS: &str = "client:distribution-point/https/tcp";
/// What clients ask of mp01 on 10123.
pub const NOTIFICATION: &str = "client:management-point/notification/tcp";
/// What mp01 asks of dc01 on 389.
pub const LDAP_TCP: &str = "management-point:domain-controller/ldap/tcp";
/// The same by UDP.
pub const LDAP_UDP: &str = "management-point:domain-controller/ldap/udp";
/// Between clients and pxe01.
pub const DHCP: &str = "client:distribution-point-pxe/dhcp/udp";
/// The same over IPv6.
pub const DHCPV6: &str = "client:distribution-point-pxe/dhcpv6/udp";
/// What clients ask of pxe01 on 69.
pub const TFTP: &str = "client:distribution-point-pxe/tftp/udp";
/// What clients ask of pxe01 on 4011.
pub const BINL: &str = "client:distribution-point-pxe/binl/udp";
/// What clients ask of all clients on 8004.
pub const PEER_CACHE: &str = "client:client/peer-cache-broadcast/udp";
/// What the site allows beyond the catalogue.
pub const MONITORING: &str = "allow/monitoring";
/// What keeps the door open.
pub const FAILSAFE: &str = "failsafe";

//! The usual scenes of end-to-end tests: networks, servers that answer whoever gets through, and a gate in between.

use std::os::unix::net::UnixStream;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{
    agent::Agent,
    evidence,
    install::Install,
    metrics::Page,
    netns::Netns,
    server::{Listeners, Nginx, Web},
    topology::{Hosted, Relayed},
};

/// A management and distribution point, a network of clients, and an allow between them. The stranger's network is in
/// no system.
pub const SITE: &str = r#"edition = "current"

[[system]]
name = "mp01"
roles = ["management-point", "distribution-point"]
addresses = ["10.1.1.20", "2001:db8:1::20"]

[[system]]
name = "clients"
roles = ["client"]
addresses = ["10.20.0.0/16", "2001:db8:20::/48"]

[[system]]
name = "relay"
roles = []
addresses = ["10.0.0.1", "2001:db8::1"]

[[allow]]
name = "probe"
from = ["client"]
to = ["mp01"]
services = ["udp/5000", "icmp/echo-request"]
"#;

/// The relay of [`Relayed`]; the administrators' network is the one towards the edge router.
pub const RELAY: &str = r#"site = "site.toml"
host = "relay"
interfaces = ["eth1", "eth2"]
transit = true

[failsafe]
services = ["tcp/22"]
from = ["10.0.0.0/24", "2001:db8::/64"]

[metrics]
listen = "127.0.0.1:9464"
"#;

/// The host of [`Hosted`], which is `mp01` itself; the administrators' network is its own.
pub const HOST: &str = r#"site = "site.toml"
host = "mp01"
interfaces = ["eth0"]

[failsafe]
services = ["tcp/22"]
from = ["10.1.1.0/24", "2001:db8:1::/64"]

[metrics]
listen = "127.0.0.1:9464"
"#;

/// The flow of the allow in [`SITE`].
pub const ALLOW: &str = "allow/probe";
/// Its UDP port.
pub const ALLOWED_UDP: u16 = 5000;
/// A management point's port for client notification; nothing else has it.
pub const NOTIFICATION: u16 = 10123;
/// The flow of that port.
pub const NOTIFICATION_FLOW: &str = "client:management-point/notification/tcp";
/// The flow of HTTPS from a client to `mp01` by its role as distribution point, which the catalogue names first.
pub const HTTPS_FLOW: &str = "client:distribution-point/https/tcp";
/// Where that flow is written.
pub const HTTPS_SECTION: &str = "Client --> Distribution point, both standard and pull";
/// What clients ask of `mp01` on port 69 in the site of [`with_pxe`].
pub const TFTP_FLOW: &str = "client:distribution-point-pxe/tftp/udp";
/// Bytes of `/content/large`.
pub const LARGE: u64 = 32 << 20;
/// Bytes per second of a download of it.
const RATE: u64 = 4 << 20;

/// The [`SITE`] with `mp01` as a PXE server, too.
pub fn with_pxe() -> String {
    SITE.replace(r#""distribution-point"]"#, r#""distribution-point-pxe"]"#)
}

/// A topology with a machine for the gate and one that serves; on a host both are the same.
pub trait Lab {
    /// Where the agent runs.
    fn gate(&self) -> &Netns;
    /// `mp01`.
    fn server(&self) -> &Netns;
    /// In the client network.
    fn client(&self) -> &Netns;
}

impl Lab for Relayed {
    fn gate(&self) -> &Netns {
        &self.relay
    }

    fn server(&self) -> &Netns {
        &self.server
    }

    fn client(&self) -> &Netns {
        &self.client
    }
}

impl Lab for Hosted {
    fn gate(&self) -> &Netns {
        &self.host
    }

    fn server(&self) -> &Netns {
        &self.host
    }

    fn client(&self) -> &Netns {
        &self.client
    }
}

/// Networks, servers and an installation. The agent is started by the test, and dropped before this.
pub struct Scene<L: Lab> {
    /// The agent's files and pins.
    pub install: Install,
    _web: Nginx,
    _ports: Listeners,
    /// The networks.
    pub lab: L,
}

impl Scene<Relayed> {
    /// A relay between clients, strangers and `mp01`, with these two files.
    ///
    /// # Errors
    /// When any of it cannot be made.
    pub fn relay(host: &str, site: &str) -> Result<Self> {
        Self::on(Relayed::new()?, host, site)
    }
}

impl Scene<Hosted> {
    /// `mp01`, reached by clients and strangers over a router, with these two files.
    ///
    /// # Errors
    /// When any of it cannot be made.
    pub fn host(host: &str, site: &str) -> Result<Self> {
        Self::on(Hosted::new()?, host, site)
    }
}

impl<L: Lab> Scene<L> {
    fn on(lab: L, host: &str, site: &str) -> Result<Self> {
        let web = Web { http: &[80, NOTIFICATION], https: &[443], large: LARGE, rate: RATE };
        let web = Nginx::start(lab.server(), &web)?;
        // Open to whoever gets through: a closed port would hide what the gate does.
        let ports = Listeners::open(lab.server(), &[22, 445])?;
        Ok(Self { install: Install::new(host, site)?, _web: web, _ports: ports, lab })
    }

    /// Starts the agent and waits until it says that it is ready: it enforces by then, and answers at its socket.
    ///
    /// # Errors
    /// When it does not.
    pub fn start(&self) -> Result<Agent> {
        let agent = self.install.run(self.lab.gate())?;
        UnixStream::connect(self.install.path("control.sock")).context("it is ready and does not answer")?;
        Ok(agent)
    }

    /// What the gate has counted until now, by the metrics page.
    ///
    /// # Errors
    /// When the agent does not serve it.
    pub fn page(&self) -> Result<Page> {
        Page::read(self.lab.gate())
    }

    /// What a command prints as JSON.
    ///
    /// # Errors
    /// When it fails.
    pub fn json(&self, subcommand: &str) -> Result<Value> {
        self.install.json(self.lab.gate(), subcommand)
    }

    /// The generation that rules.
    ///
    /// # Errors
    /// When nothing does.
    pub fn generation(&self) -> Result<u64> {
        self.json("status")?["gate"]["generation"].as_u64().context("no generation rules")
    }

    /// How the agent's last reload went, as `status` has it.
    ///
    /// # Errors
    /// When `status` fails.
    pub fn last_reload(&self) -> Result<Value> {
        Ok(self.json("status")?["agent"]["last_reload"].clone())
    }

    /// Frames a flow carried, as `flows` has it, which needs no agent.
    ///
    /// # Errors
    /// When the flow is not known.
    pub fn carried(&self, flow: &str) -> Result<u64> {
        let flows = self.json("flows")?;
        let line = flows.as_array().and_then(|lines| lines.iter().find(|line| line["flow"] == flow));
        line.and_then(|line| line["packets"].as_u64()).with_context(|| format!("no counter of {flow}"))
    }
}

impl<L: Lab> Drop for Scene<L> {
    fn drop(&mut self) {
        for subcommand in ["drops", "flows"] {
            // It fails where nothing is pinned any more, and then there is nothing to show.
            let shown = self
                .install
                .command(self.lab.gate(), subcommand)
                .and_then(|mut command| Ok(command.output()?));
            if let Ok(output) = shown {
                evidence::keep(
                    &format!("cmgate {subcommand}"),
                    String::from_utf8_lossy(&output.stdout).into_owned(),
                );
            }
        }
    }
}

//! The stage: networks, servers, and the agent on the relay with the example files.

use std::path::Path;

use anyhow::{Context, Result};

use crate::{
    agent::Agent,
    install::{HOST_FILE, Install, SITE_FILE},
    server::{Listeners, Nginx, Web},
    topology::Relayed,
};

/// What people see of it.
pub const PICTURE: &str = "
  client    10.20.0.10  2001:db8:20::10 ─┐              ┌───────────────┐
                                         ├─ edge ─ eth1 │ relay: cmgate │ eth2 ─ mp01  10.1.1.20  2001:db8:1::20
  stranger  10.66.0.10  2001:db8:66::10 ─┘              └───────────────┘        (nginx: HTTP, HTTPS)";

/// The port of client notification, which an `nginx` answers here: the gate judges ports, not what is spoken on them.
pub const NOTIFICATION: u16 = 10123;
/// The port of the numbered datagrams, opened by [`STREAM_ALLOW`].
pub const STREAM: u16 = 5000;
/// The flow they are counted under.
pub const STREAM_FLOW: &str = "allow/demo-stream";
/// Bytes of a transfer, and how fast one goes: it lasts longer than the reload and is over soon after.
pub const LARGE: u64 = 40 << 20;
const RATE: u64 = 5 << 20;

/// What the demo adds to the example site, so that a loss can be counted datagram by datagram.
const STREAM_ALLOW: &str = r#"
[[allow]]
name = "demo-stream"
from = ["client"]
to = ["mp01"]
services = ["udp/5000"]
"#;

/// Everything that runs. Dropping it removes all of it; the agent first.
pub struct Scene {
    /// Enforces on the relay.
    pub agent: Agent,
    /// Its files.
    pub install: Install,
    _web: Nginx,
    _listeners: [Listeners; 2],
    /// The networks.
    pub lab: Relayed,
}

impl Scene {
    /// Builds the networks, starts the servers and then the agent on copies of the files in `config`.
    ///
    /// # Errors
    /// When any of it fails.
    pub fn set_up(config: &Path) -> Result<Self> {
        let lab = Relayed::new()?;
        let web = Nginx::start(
            &lab.server,
            &Web { http: &[80, NOTIFICATION], https: &[443], large: LARGE, rate: RATE },
        )?;
        // Open to whoever gets through: a closed port would hide what the gate does.
        let listeners = [Listeners::open(&lab.server, &[22, 445])?, Listeners::open(&lab.relay, &[22])?];
        let install = Install::from_directory(config)?;
        let site = std::fs::read_to_string(install.path(SITE_FILE))?;
        install.write(SITE_FILE, &format!("{site}{STREAM_ALLOW}"))?;
        let agent = install.run(&lab.relay).with_context(|| {
            format!("the example files {HOST_FILE} and {SITE_FILE} of {}", config.display())
        })?;
        Ok(Self { agent, install, _web: web, _listeners: listeners, lab })
    }
}

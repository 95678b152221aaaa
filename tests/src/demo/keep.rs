//! Leaves the scene standing and says what to type in it.

use std::path::Path;

use super::{say, scene::Scene};
use crate::{binary, netns::Netns, topology::SERVER};

/// Prints what to play with, and waits for the signal that ends the process and removes everything.
pub fn wait(scene: &Scene) {
    say("kept running. In another terminal, as root:");
    let lab = &scene.lab;
    let hints = [
        ("ask as the client", inside(&lab.client, &format!("curl -m 2 http://{}/", SERVER.v4))),
        ("ask as the client, IPv6", inside(&lab.client, &format!("curl -m 2 -k 'https://[{}]/'", SERVER.v6))),
        ("ask as the stranger", inside(&lab.stranger, &format!("curl -m 2 http://{}/", SERVER.v4))),
        ("the gate's state", agent(scene, "status")),
        ("what it counts", agent(scene, "flows")),
        ("what it drops, as it drops it", agent(scene, "drops") + " --follow"),
        ("why", agent(scene, "explain") + &format!(" {} {} tcp/443", crate::topology::CLIENT.v4, SERVER.v4)),
        ("change the site; a saved file is enforced at once", editor(&scene.install.path("site.toml"))),
    ];
    for (what, line) in hints {
        println!("  # {what}\n  {line}");
    }
    say("Ctrl-C removes everything");
    loop {
        // The thread that waits for signals ends the process.
        std::thread::park();
    }
}

fn inside(netns: &Netns, line: &str) -> String {
    format!("nsenter --net=/run/netns/{} {line}", netns.name())
}

fn agent(scene: &Scene, subcommand: &str) -> String {
    let binary = binary::cmgate().map_or_else(|_| "cmgate".to_owned(), |path| path.display().to_string());
    let config = scene.install.path("cmgate.toml");
    let pins = scene.install.pins();
    inside(
        &scene.lab.relay,
        &format!("{binary} {subcommand} --config {} --pin-root {}", config.display(), pins.display()),
    )
}

fn editor(path: &Path) -> String {
    format!("${{EDITOR:-nano}} {}", path.display())
}

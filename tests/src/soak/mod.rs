//! A gate under admitted, forbidden and random traffic, while its policy is reloaded and its agent killed, and the account
//! that must come out even in the end.
//!
//! What reaches the program is what the other end of its cable handed over, by the kernel's own count. Every such frame
//! must stand in the gate's counters, once.

mod account;
mod memory;
mod raw;
mod streams;
mod witness;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::{
    client,
    install::SITE_FILE,
    scene::{self, Scene},
    topology::{Hosted, SERVER},
};

pub use account::Account;
use account::{Balance, Events};
use memory::Memory;
use raw::RawTraffic;
use streams::Streams;
use witness::Witness;

const LIMIT: Duration = Duration::from_secs(60);
const SILENCE: Duration = Duration::from_millis(200);

/// Reloads of an agent before it is killed.
const RELOADS_OF_A_LIFE: u64 = 12;

/// The site of the scenes, with room for hand-made datagrams beside the streams.
fn site() -> String {
    scene::SITE.replacen("udp/5000\"", &format!("udp/5000\", \"udp/{}\"", raw::ADMITTED_PORT), 1)
}

/// The same with more around it, which gives addresses and services other classes, and flows other numbers.
fn another_site() -> String {
    let features = "edition = \"current\"\n[features]\npeer-cache = true\nwake-up-proxy = true\n";
    let more = "\n[[system]]\nname = \"sup01\"\nroles = [\"software-update-point\", \"fallback-status-point\"]\n\
                addresses = [\"10.1.1.30\", \"10.20.128.0/24\", \"2001:db8:1::30\", \"2001:db8:20:8000::/52\"]\n";
    site().replacen("edition = \"current\"\n", features, 1) + more
}

/// Keeps a gate busy for this long, random traffic thrown with this seed.
///
/// # Errors
/// When the scene cannot be made, the agent does not do what it is told, or a client's question goes wrong. What the
/// traffic shows is in the account.
pub fn run(duration: Duration, seed: u64) -> Result<Account> {
    let scene = Scene::host(scene::HOST, &site())?;
    let Hosted { client, stranger, edge, host } = &scene.lab;
    let mut agent = scene.start()?;
    let before = Balance::draw(&scene)?;
    let witness = Witness::open(host)?;
    let streams = Streams::start(&scene.lab)?;
    let raw = RawTraffic::start(edge, seed)?;

    let sites = [another_site(), site()];
    let begun = Instant::now();
    let (mut reloads, mut kills, mut memory) = (0, 0, Memory::default());
    for site in sites.iter().cycle() {
        if begun.elapsed() >= duration {
            break;
        }
        scene.install.write(SITE_FILE, site)?;
        agent.reload()?;
        reloads += 1;
        for own in SERVER.each() {
            let url = format!("https://{}/", client::url_host(own));
            client::curl(client, &url, LIMIT)?.must_answer("a client")?;
            client::connect(stranger, (own, 443).into(), SILENCE)?.must_be_silent("the stranger")?;
        }
        memory.look(agent.pid())?;
        if reloads % RELOADS_OF_A_LIFE == 0 {
            memory.end_of_life();
            agent.kill()?;
            kills += 1;
            streams.go_on(LIMIT)?;
            agent = scene.start()?;
        }
        streams.go_on(LIMIT)?;
    }
    ensure!(reloads > 0, "{duration:?} is too short for a reload");
    memory.end_of_life();

    let sent = raw.stop()?;
    let reports = streams.stop()?;
    let seen = witness.stop()?;
    let after = Balance::draw(&scene)?;
    let events = Events { duration: begun.elapsed(), reloads, kills };
    Ok(Account::settle(&events, (&before, &after), (&sent, &reports, &seen), &memory))
}

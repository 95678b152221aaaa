//! The main job, played through: a relay between clients, strangers and a site's servers enforces the example site.
//!
//! First every attempt is held against what the site says; then a role is taken out of the site while transfers run.

mod attempts;
mod keep;
mod reload;
mod scene;
mod summary;

use std::{io::Write as _, path::Path};

use anyhow::Result;

use self::scene::Scene;
use crate::{install::SITE_FILE, metrics::Page};

/// Lines of the metrics page that are shown.
const METRICS_LINES: usize = 24;

/// Plays the demo on the example files in `config`. Gives whether everything agreed.
///
/// With `keep`, the scene stays until the process gets a signal.
///
/// # Errors
/// When the scene cannot be set up or breaks down.
pub fn play(config: &Path, keep: bool) -> Result<bool> {
    say("building the networks, starting nginx and cmgate ...");
    let scene = Scene::set_up(config)?;
    println!("{}", scene::PICTURE);
    say(&format!("the relay enforces {}", scene.install.path(SITE_FILE).display()));

    say("who may reach whom: what the site says, and what really happens ...");
    let attempts = attempts::make_all(&scene)?;
    println!("{}", attempts::table(&attempts));
    let agreed = attempts::verdict(&attempts)?;
    say(&agreed.words);

    let reload = reload::play(&scene)?;
    println!("{}", reload.table());
    let swapped = reload.verdict();
    say(&swapped.words);

    say("the first lines of the metrics page:");
    let page = Page::read(&scene.lab.relay)?;
    for line in page.text().lines().take(METRICS_LINES) {
        println!("  {line}");
    }
    let good = agreed.good && swapped.good;
    say(if good { "everything agrees" } else { "NOT everything agrees: see above" });
    if keep {
        keep::wait(&scene);
    }
    Ok(good)
}

/// One line of what is going on.
fn say(line: &str) {
    println!("\n==> {line}");
    // Progress that stays in a buffer is none. A closed standard output shows at the next `println`.
    let _ = std::io::stdout().flush();
}

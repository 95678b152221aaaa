//! What of a site would have admitted what was dropped, or would have been: text to read and to paste, never applied.

pub mod asked;
mod draft;
mod guess;
mod kept;
pub mod report;
pub mod seen;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Result, bail};

use crate::catalogue::Catalogue;
use crate::compiler::lines::{self, Machine};
use crate::compiler::policy::Policy;
use crate::config::{Loaded, Site};
use crate::life::bundle::Bundle;
use crate::life::parameters;
use crate::life::sources;
use crate::life::surroundings::Surroundings;
use crate::observation::time;

use self::draft::Draft;
use self::report::Suggestion;
use self::seen::{Row, Sums};

/// Suggests what to write for what was seen since a moment, or ever. `not_sampled`: drops that nobody saw.
///
/// # Errors
/// If the files are bad: what they admit already is not known then.
pub fn suggest(
    config: &Path,
    sums: &Sums,
    since: Option<SystemTime>,
    not_sampled: u64,
    here: &Surroundings,
) -> Result<Suggestion> {
    let reading = sources::read(config);
    let loaded = match reading.outcome {
        Ok(loaded) => *loaded,
        Err(report) => bail!("the files are bad, and nothing can be added to them:\n{report}"),
    };
    suggest_for(&Files { bundle: reading.bundle, loaded, here }, sums, since, not_sampled)
}

/// Files that text can be appended to.
struct Files<'h> {
    bundle: Bundle,
    loaded: Loaded,
    here: &'h Surroundings,
}

impl Files<'_> {
    fn site_path(&self) -> PathBuf {
        self.loaded.host.site_path.clone()
    }

    /// What the files come to with these blocks at the site's end; `None` where that is no site.
    fn with(&self, drafts: &[Draft]) -> Option<Checked> {
        let text: String = drafts.iter().map(|draft| format!("\n{}", draft.toml())).collect();
        let loaded = self.bundle.with_appended(&self.site_path(), &text)?.load().ok()?;
        Some(Checked::of(&loaded, self.here))
    }

    /// Those of the blocks that a site can have after what is in `before`: all of them, or else one by one.
    fn good(&self, before: &[Draft], drafts: Vec<Draft>) -> Vec<Draft> {
        let all = [before, &drafts].concat();
        if self.with(&all).is_some() {
            return drafts;
        }
        let mut good: Vec<Draft> = Vec::new();
        for draft in drafts {
            let tried = [before, &good, std::slice::from_ref(&draft)].concat();
            if self.with(&tried).is_some() {
                good.push(draft);
            }
        }
        good
    }
}

/// A site and what it admits on this host.
struct Checked {
    site: Site,
    policy: Policy,
}

impl Checked {
    fn of(loaded: &Loaded, here: &Surroundings) -> Self {
        let names = loaded.host.interfaces.iter().map(|interface| interface.name.as_str());
        let machine = Machine { own: here.addresses.clone(), interfaces: parameters::rows(names, &[]) };
        let compiled = lines::compile(Catalogue::embedded(), &loaded.site, &loaded.host, &machine);
        Self { site: loaded.site.clone(), policy: compiled.policy }
    }

    /// Whether all of a row would be admitted: of a network both ends.
    fn admits(&self, row: &Row) -> bool {
        let (bank, port) = row.asked.place();
        let admitted = |source| self.policy.admits(source, row.destination, bank, port).is_some();
        admitted(row.source.network()) && admitted(row.source.broadcast())
    }
}

fn suggest_for(
    files: &Files<'_>,
    sums: &Sums,
    since: Option<SystemTime>,
    not_sampled: u64,
) -> Result<Suggestion> {
    let now = Checked::of(&files.loaded, files.here);
    let recent = sums.rows.iter().filter(|(_, seen)| since.is_none_or(|since| seen.last >= since));
    let (done, rows): (Vec<Row>, Vec<Row>) = recent.map(|(row, _)| *row).partition(|row| now.admits(row));

    let guessed = files.good(&[], draft::systems(&now.site, &rows));
    let with_systems = files.with(&guessed).unwrap_or(now);
    // A system that explains nothing says nothing.
    let explains = |draft: &Draft| draft.rows.iter().any(|row| with_systems.admits(row));
    let mut drafts: Vec<Draft> = guessed.into_iter().filter(explains).collect();
    for draft in &mut drafts {
        draft.rows.retain(|row| with_systems.admits(row));
    }
    let rest: Vec<Row> = rows.iter().filter(|row| !with_systems.admits(row)).copied().collect();
    let site = files.with(&drafts).map_or(with_systems.site, |checked| checked.site);
    let allows = files.good(&drafts, draft::allows(&site, &rest));
    drafts.extend(allows);

    let uncovered: Vec<Row> = match files.with(&drafts) {
        Some(checked) => rows.iter().filter(|row| !checked.admits(row)).copied().collect(),
        None => bail!("what was put together is no site: this is a mistake of cmgate's, please report it"),
    };
    let mut suggestion = Suggestion::of(sums, since, &drafts, &uncovered);
    suggestion.admitted_already = done.len() as u64;
    suggestion.not_sampled = not_sampled;
    suggestion.at = time::now();
    suggestion.write();
    Ok(suggestion)
}

//! What is to be enforced, and where it came from: the operator's files, else the last good ones, else failsafe alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::catalogue::Catalogue;
use crate::compiler::image::{self, Image, TooLarge};
use crate::compiler::lines::{self, Machine};
use crate::compiler::policy::Policy;
use crate::config::{Host, Loaded, Site};
use crate::datapath::Parameters;
use crate::observation::agent::PolicySource;

use super::bundle::{Bundle, Which};
use super::parameters;
use super::sources::Reading;
use super::surroundings::Surroundings;

/// Where the last good policy is kept while the file that could say otherwise cannot be read.
pub const STATE_DIR: &str = "/var/lib/cmgate";

/// What is to be enforced.
pub struct Orders {
    /// Where it came from.
    pub source: PolicySource,
    /// This machine; `None` where its own file is bad: every interface is guarded then.
    pub host: Option<Host>,
    /// The site; `None` for failsafe alone.
    pub site: Option<Arc<Site>>,
    /// Of the files, where they are good.
    pub fingerprint: Option<u128>,
    /// What the operator should look at in them.
    pub warnings: Vec<String>,
    /// The files' texts, to be kept for another agent.
    pub bundle: Option<Bundle>,
}

/// A policy as people and as programs read it.
#[derive(Debug)]
pub struct Tables {
    /// Its lines.
    pub policy: Policy,
    /// Its words.
    pub image: Image,
    /// Prefixes behind each role that the site uses.
    pub matches: BTreeMap<String, u64>,
    /// What the operator should look at.
    pub warnings: Vec<String>,
}

impl Orders {
    /// Of files that are good, now or the last time.
    #[must_use]
    pub fn of(source: PolicySource, loaded: Loaded) -> Self {
        let Loaded { host, site, fingerprint, warnings, .. } = loaded;
        let warnings = warnings.iter().map(ToString::to_string).collect();
        let (host, site, fingerprint) = (Some(host), Some(Arc::new(site)), Some(fingerprint));
        Self { source, host, site, fingerprint, warnings, bundle: None }
    }

    /// The same with the texts they were read from.
    #[must_use]
    pub fn with(self, bundle: Bundle) -> Self {
        Self { bundle: Some(bundle), ..self }
    }

    /// What could be enforced after this reading, in order of preference. The last of it always compiles. `stays` says
    /// why good files are not to be enforced by themselves.
    #[must_use]
    pub fn choice(reading: &Reading, state_dir: &Path, config: &Path, stays: Option<&str>) -> Vec<Self> {
        let (files, host) = match &reading.outcome {
            Ok(loaded) => {
                let files = Self::of(PolicySource::Files, (**loaded).clone()).with(reading.bundle.clone());
                (Some(files).filter(|_| stays.is_none()), Some(loaded.host.clone()))
            }
            Err(report) => (None, report.host.as_deref().cloned()),
        };
        // Good files that stay out are no bad ones.
        let source = if reading.outcome.is_ok() { PolicySource::Former } else { PolicySource::LastGood };
        let failsafe = Self {
            source: PolicySource::Failsafe,
            host,
            site: None,
            fingerprint: None,
            warnings: Vec::new(),
            bundle: None,
        };
        let last_good = Self::kept(state_dir, config, Which::LastGood, source);
        files.into_iter().chain(last_good).chain([failsafe]).collect()
    }

    /// What is kept in the state directory; `None` where nothing is, or nothing that can be read.
    #[must_use]
    pub fn kept(state_dir: &Path, config: &Path, which: Which, source: PolicySource) -> Option<Self> {
        let bundle = Bundle::kept(state_dir, config, which).unwrap_or_else(|error| {
            tracing::error!("{error:#}");
            None
        })?;
        match bundle.load() {
            Ok(loaded) => Some(Self::of(source, loaded).with(bundle)),
            Err(report) => {
                tracing::error!("what was good for an older release is not for this one:\n{report}");
                None
            }
        }
    }

    /// The files' fingerprint as the ledger and the status have it.
    #[must_use]
    pub fn print(&self) -> Option<String> {
        self.fingerprint.map(super::ledger::hex)
    }

    /// The names of the interfaces to guard.
    #[must_use]
    pub fn interfaces(&self, here: &Surroundings) -> Vec<String> {
        match &self.host {
            Some(host) => host.interfaces.iter().map(|interface| interface.name.clone()).collect(),
            None => here.links.iter().map(|link| link.name.clone()).collect(),
        }
    }

    /// Compiles it for this machine, whose interfaces have these rows.
    ///
    /// # Errors
    /// If the tables would be larger than they may.
    pub fn compile(&self, here: &Surroundings, rows: Vec<(u32, String)>) -> Result<Tables, TooLarge> {
        let machine = Machine { own: here.addresses.clone(), interfaces: rows };
        let lines::Compiled { policy, matches, warnings, .. } = match (&self.site, &self.host) {
            (Some(site), Some(host)) => lines::compile(Catalogue::embedded(), site, host, &machine),
            (_, host) => lines::Compiled {
                policy: lines::failsafe_only(host.as_ref(), &machine),
                matches: BTreeMap::new(),
                warnings: Vec::new(),
                features: Vec::new(),
            },
        };
        let matches = matches.iter().map(|(role, prefixes)| (role.to_string(), *prefixes as u64)).collect();
        let warnings =
            self.warnings.iter().cloned().chain(warnings.iter().map(ToString::to_string)).collect();
        let image = image::build(&policy)?;
        Ok(Tables { policy, image, matches, warnings })
    }

    /// How decisions are carried out. Without a word from the operator they are enforced.
    #[must_use]
    pub fn parameters(&self) -> Parameters {
        self.host.as_ref().map(parameters::of).unwrap_or_default()
    }
}

/// Where the state is kept, as far as this reading tells.
#[must_use]
pub fn state_dir(reading: &Reading, config: &Path) -> PathBuf {
    let host = match &reading.outcome {
        Ok(loaded) => Some(&loaded.host),
        Err(report) => report.host.as_deref(),
    };
    let said = host.map(|host| host.state_dir.clone());
    said.or_else(|| written_state_dir(config)).unwrap_or_else(|| STATE_DIR.into())
}

/// The `state-dir` that a bad file still says.
fn written_state_dir(config: &Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(config).ok()?;
    let (table, _) = toml::de::DeTable::parse_recoverable(&text);
    let written = table.get_ref().get("state-dir")?.get_ref().as_str()?.to_owned();
    Some(config.parent().unwrap_or(Path::new("")).join(written))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::life::sources;

    const SITE: &str = r#"
edition = "current"
[[system]]
name = "mp01"
roles = ["management-point"]
addresses = ["10.1.1.20"]
[[system]]
name = "clients"
roles = ["client"]
addresses = ["10.20.0.0/16", "2001:db8:20::/48"]
"#;

    fn host(state: &Path) -> String {
        format!(
            "site = \"site.toml\"\nhost = \"mp01\"\ninterfaces = [\"eth0\"]\nstate-dir = \"{}\"\n\
             [failsafe]\nservices = [\"tcp/22\"]\nfrom = [\"10.0.0.0/24\"]\n",
            state.display()
        )
    }

    struct Files {
        directory: tempfile::TempDir,
    }

    impl Files {
        fn new() -> Self {
            let files = Self { directory: tempfile::tempdir().unwrap() };
            files.write("site.toml", SITE);
            files.write("cmgate.toml", &host(&files.path("state")));
            files
        }

        fn path(&self, name: &str) -> PathBuf {
            self.directory.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.path(name), text).unwrap();
        }

        fn choice(&self) -> Vec<Orders> {
            let config = self.path("cmgate.toml");
            let reading = sources::read(&config);
            Orders::choice(&reading, &state_dir(&reading, &config), &config, None)
        }

        fn keep(&self) {
            sources::read(&self.path("cmgate.toml"))
                .bundle
                .keep(&self.path("state"), Which::LastGood)
                .unwrap();
        }
    }

    fn sources_of(orders: &[Orders]) -> Vec<PolicySource> {
        orders.iter().map(|orders| orders.source).collect()
    }

    #[test]
    fn good_files_come_first() {
        let files = Files::new();
        assert_eq!(sources_of(&files.choice()), [PolicySource::Files, PolicySource::Failsafe]);
    }

    #[test]
    fn a_bad_site_is_replaced_by_the_last_good_one_and_then_by_failsafe() {
        let files = Files::new();
        files.keep();
        files.write("site.toml", "edition = \"2050\"");
        let choice = files.choice();
        assert_eq!(sources_of(&choice), [PolicySource::LastGood, PolicySource::Failsafe]);
        assert_eq!(choice[0].site.as_ref().unwrap().systems.len(), 2);
        let failsafe = choice[1].compile(&Surroundings::default(), vec![(1, "eth0".to_owned())]).unwrap();
        assert!(
            failsafe.policy.flows.iter().all(|flow| flow.id == "failsafe"),
            "{:?}",
            failsafe.policy.flows
        );
    }

    #[test]
    fn a_host_file_too_bad_to_be_read_still_says_where_the_state_is() {
        let files = Files::new();
        files.keep();
        files.write("cmgate.toml", &format!("{}\nmode = = \"enforce\"\n", host(&files.path("state"))));
        assert_eq!(sources_of(&files.choice()), [PolicySource::LastGood, PolicySource::Failsafe]);
    }

    #[test]
    fn without_a_host_file_every_interface_is_guarded_and_nothing_is_let_in() {
        let files = Files::new();
        files.write("cmgate.toml", "interfaces = 7");
        let choice = files.choice();
        assert_eq!(sources_of(&choice), [PolicySource::Failsafe]);
        let link =
            |name: &str| super::super::surroundings::Link { name: name.to_owned(), index: 2, up: true };
        let here =
            Surroundings { addresses: vec!["10.1.1.20/24".parse().unwrap()], links: vec![link("eth7")] };
        assert_eq!(choice[0].interfaces(&here), ["eth7"]);
        assert!(choice[0].compile(&here, Vec::new()).unwrap().policy.lines.is_empty());
        assert!(!choice[0].parameters().flags.audit());
    }
}

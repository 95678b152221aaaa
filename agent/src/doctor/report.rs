//! A finding, and how findings are shown.

use std::fmt;

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// It works, and less well or otherwise than one may think.
    Warning,
    /// It does not work, or not as the policy says.
    Problem,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Problem => "problem",
        })
    }
}

/// One finding: the stable JSON of `cmgate doctor` is an array of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// Its name in docs/doctor.md.
    pub name: &'static str,
    /// The interface it is about; null of the machine.
    pub interface: Option<String>,
    /// What was found.
    pub what: String,
    /// What comes of it; null where all is well.
    pub happens: Option<String>,
    /// What to do; null where there is nothing to do.
    pub remedy: Option<String>,
}

impl Finding {
    /// That something is as it should be.
    pub(super) fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self { level: Level::Ok, name, interface: None, what: what.into(), happens: None, remedy: None }
    }

    /// That something is not.
    pub(super) fn new(
        level: Level,
        name: &'static str,
        what: impl Into<String>,
        happens: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (happens, remedy) = (Some(happens.into()), Some(remedy.into()));
        Self { level, name, interface: None, what: what.into(), happens, remedy }
    }

    pub(super) fn on(mut self, interface: &str) -> Self {
        self.interface = Some(interface.to_owned());
        self
    }
}

/// A line of the log and of `status`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(interface) = &self.interface {
            write!(f, "{interface}: ")?;
        }
        write!(f, "{}", self.what)?;
        for more in self.happens.iter().chain(&self.remedy) {
            write!(f, "; {more}")?;
        }
        Ok(())
    }
}

/// The worst of them.
#[must_use]
pub fn worst(findings: &[Finding]) -> Level {
    findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
}

/// For people: a line each, and below it what happens and what to do.
#[must_use]
pub fn table(findings: &[Finding]) -> String {
    let mut page = String::new();
    for finding in findings {
        let place = finding.interface.as_deref().unwrap_or("machine");
        page.push_str(&format!("{:<8} {place}: {} [{}]\n", finding.level, finding.what, finding.name));
        for more in finding.happens.iter().chain(&finding.remedy) {
            page.push_str(&format!("         {more}\n"));
        }
    }
    page
}

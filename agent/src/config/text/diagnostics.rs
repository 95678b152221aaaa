//! What is wrong with the operator's files: one diagnostic each, and all of them together.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::source::Place;
use crate::config::host::Host;

/// Whether a diagnostic stops the files from being used.
#[derive(Copy, Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The files mean nothing safe: they are not used.
    Error,
    /// The files are used; the operator should look.
    Warning,
}

/// A mistake in one value: what is wrong, and what to write instead. The parsers of single values return it, and
/// whoever knows the place makes a [`Diagnostic`] of it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{what} ({instead})")]
pub struct Mistake {
    /// What is wrong, in a sentence without its full stop.
    pub what: String,
    /// What to write instead.
    pub instead: String,
}

impl Mistake {
    /// A mistake and its remedy.
    pub fn new(what: impl Into<String>, instead: impl Into<String>) -> Self {
        Self { what: what.into(), instead: instead.into() }
    }
}

/// One thing wrong in the operator's files.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// The file concerned.
    pub path: PathBuf,
    /// Where in the file; none where it could not be read.
    pub place: Option<Place>,
    /// Other places that belong to it, each with what it is.
    pub also: Vec<(Place, String)>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(place: &Place, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            help: None,
            path: place.source.path().to_owned(),
            place: Some(place.clone()),
            also: Vec::new(),
        }
    }

    /// A warning at a place.
    pub fn warning(place: &Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, message) }
    }

    /// An error about a file that has no text to point into.
    pub fn unreadable(path: &Path, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            help: None,
            path: path.to_owned(),
            place: None,
            also: Vec::new(),
        }
    }

    /// A mistake in the value at a place.
    pub fn mistake(place: &Place, mistake: Mistake) -> Self {
        Self::error(place, mistake.what).help(mistake.instead)
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds another place that belongs to it.
    #[must_use]
    pub fn also(mut self, place: &Place, label: impl Into<String>) -> Self {
        self.also.push((place.clone(), label.into()));
        self
    }

    /// The file and the line, if it points into one.
    fn line(&self) -> Option<(PathBuf, usize)> {
        let place = self.place.as_ref()?;
        Some((self.path.clone(), place.line_column().0))
    }

    fn cmp_position(&self, other: &Self) -> Ordering {
        match (&self.place, &other.place) {
            (Some(a), Some(b)) => a.cmp_position(b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        }
    }

    /// The stable JSON form, for `--format json` and the control socket.
    pub fn to_json(&self) -> serde_json::Value {
        let position = |place: &Place| {
            let (line, column) = place.line_column();
            serde_json::json!({ "path": place.source.path(), "line": line, "column": column })
        };
        let also: Vec<_> = self
            .also
            .iter()
            .map(|(place, label)| {
                let mut entry = position(place);
                entry["message"] = label.as_str().into();
                entry
            })
            .collect();
        let (line, column) = self.place.as_ref().map(Place::line_column).unzip();
        serde_json::json!({
            "severity": self.severity,
            "path": self.path,
            "line": line,
            "column": column,
            "text": line.zip(self.place.as_ref()).map(|(line, place)| place.source.line(line)),
            "message": self.message,
            "help": self.help,
            "also": also,
        })
    }
}

/// The compact form for logs and status, one line: `path:line:col: message (help)`.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: ")?,
            None => write!(f, "{}: ", self.path.display())?,
        }
        if self.severity == Severity::Warning {
            write!(f, "warning: ")?;
        }
        write!(f, "{}", self.message)?;
        for (place, label) in &self.also {
            write!(f, "; {label} at {place}")?;
        }
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

/// Collects diagnostics while the files are read. Shared by reference, so that readers of nested tables can all report.
#[derive(Default)]
pub(crate) struct Sink {
    found: RefCell<Vec<Diagnostic>>,
    /// Lines that are not TOML.
    broken: RefCell<Vec<(PathBuf, usize)>>,
}

impl Sink {
    /// Takes a diagnostic.
    pub(crate) fn report(&self, diagnostic: Diagnostic) {
        if !diagnostic.line().is_some_and(|line| self.broken.borrow().contains(&line)) {
            self.found.borrow_mut().push(diagnostic);
        }
    }

    /// Takes a result's mistake, if it is one, and hands on the value.
    pub(crate) fn check<T>(&self, place: &Place, result: Result<T, Mistake>) -> Option<T> {
        result.map_err(|mistake| self.report(Diagnostic::mistake(place, mistake))).ok()
    }

    /// Errors reported so far.
    pub(crate) fn errors(&self) -> usize {
        self.found.borrow().iter().filter(|found| found.severity == Severity::Error).count()
    }

    /// Takes a syntax error. Nothing else is told of its line then: what was made of it is not what was written.
    pub(crate) fn report_syntax(&self, diagnostic: Diagnostic) {
        let line = diagnostic.line();
        if let Some(line) = line.filter(|line| !self.broken.borrow().contains(line)) {
            self.broken.borrow_mut().push(line);
            self.found.borrow_mut().push(diagnostic);
        }
    }

    /// Everything reported, in the order of the text.
    pub(crate) fn into_sorted(self) -> Vec<Diagnostic> {
        let mut found = self.found.into_inner();
        found.sort_by(Diagnostic::cmp_position);
        found
    }
}

/// Why the files cannot be used: every error and warning found in them.
#[derive(Clone, Debug)]
pub struct Report {
    /// All diagnostics, in the order of the files and their text; at least one is an error.
    pub diagnostics: Vec<Diagnostic>,
    /// Every file read or tried: what to watch for the operator's correction.
    pub files: Vec<PathBuf>,
    /// This machine's own file, where that one is sound and only the site is not: interfaces and failsafe stay known.
    /// Its system is not checked against the site.
    pub host: Option<Box<Host>>,
}

impl Report {
    /// Errors in the report.
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|found| found.severity == Severity::Error).count()
    }

    /// All diagnostics as a JSON array.
    pub fn to_json(&self) -> serde_json::Value {
        self.diagnostics.iter().map(Diagnostic::to_json).collect()
    }
}

/// The compact form, one line a diagnostic.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, diagnostic) in self.diagnostics.iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}

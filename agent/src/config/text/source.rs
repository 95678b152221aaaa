//! Texts the operator wrote, and places in them.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One file as it was read.
pub struct Source {
    path: PathBuf,
    text: String,
    /// Position in the order of reading: diagnostics are reported in it.
    order: usize,
    /// Byte offset at which each line starts.
    lines: Vec<usize>,
}

impl Source {
    /// Takes a file's text; `order` is its position in the order of reading.
    pub fn new(path: PathBuf, text: String, order: usize) -> Arc<Self> {
        let starts = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(starts).collect();
        Arc::new(Self { path, text, order, lines })
    }

    /// The file's path as the agent opened it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte offset, both from 1; columns count characters, as editors do.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= offset) - 1;
        let start = self.lines[line];
        let before = self.text.get(start..offset).unwrap_or_default();
        (line + 1, before.chars().count() + 1)
    }

    /// The text of a line counted from 1, without its end.
    pub fn line(&self, line: usize) -> &str {
        &self.text[self.line_span(line)]
    }

    /// The byte range of a line counted from 1, without its end.
    pub(crate) fn line_span(&self, line: usize) -> Range<usize> {
        let start = self.lines[line - 1];
        let end = self.lines.get(line).copied().unwrap_or(self.text.len());
        let text = self.text[start..end].trim_end_matches(['\n', '\r']);
        start..start + text.len()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

/// A piece of a source: what a diagnostic points at.
#[derive(Clone)]
pub struct Place {
    /// The file.
    pub source: Arc<Source>,
    /// Byte range in its text.
    pub span: Range<usize>,
}

impl Place {
    /// The very start of a file: for what is wrong with the file as a whole.
    pub fn start_of(source: &Arc<Source>) -> Self {
        Self { source: Arc::clone(source), span: 0..0 }
    }

    /// Line and column of the first character, both from 1.
    pub fn line_column(&self) -> (usize, usize) {
        self.source.line_column(self.span.start)
    }

    /// The text pointed at.
    pub fn text(&self) -> &str {
        self.source.text.get(self.span.clone()).unwrap_or_default()
    }

    /// Order of reading, then of the text.
    pub fn cmp_position(&self, other: &Self) -> Ordering {
        (self.source.order, self.span.start).cmp(&(other.source.order, other.span.start))
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_column();
        write!(f, "{}:{line}:{column}", self.source.path.display())
    }
}

/// A value together with the place it was written at: `toml::Spanned` that also knows its file.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

impl<T> Located<T> {
    /// Pairs a value with its place.
    pub fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }

    /// The same place with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Located<U> {
        Located { value: change(self.value), place: self.place }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one_and_in_characters() {
        let source = Source::new("a.toml".into(), "ab\näö = 1\r\n".into(), 0);
        assert_eq!(source.line_column(0), (1, 1));
        assert_eq!(source.line_column(3), (2, 1));
        assert_eq!(source.line_column("ab\näö".len()), (2, 3));
        assert_eq!(source.line(2), "äö = 1");
        assert_eq!(source.line_column(source.text().len()), (3, 1));
        assert_eq!(source.line(3), "");
    }
}

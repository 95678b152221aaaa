//! Diagnostics for people: the line shown, what is wrong with it, and what to write instead.

use std::fmt;
use std::sync::Arc;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents,
};

use super::diagnostics::{Diagnostic, Severity};
use super::source::{Place, Source};

/// Where the text is going.
#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Look {
    /// Plain ASCII without colour, 100 columns: files, pipes, logs.
    Plain,
    /// Line drawing and colour, for a terminal of so many columns.
    Terminal(usize),
}

/// Renders diagnostics one after the other, each with its line shown.
pub fn render(diagnostics: &[Diagnostic], look: Look) -> String {
    let handler = match look {
        Look::Plain => GraphicalReportHandler::new_themed(GraphicalTheme::none()).with_width(100),
        Look::Terminal(width) => {
            GraphicalReportHandler::new_themed(GraphicalTheme::unicode()).with_width(width)
        }
    };
    // A name cut in two could not be copied.
    let handler = handler.with_break_words(false);
    let mut text = String::new();
    for (at, diagnostic) in diagnostics.iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        handler.render_report(&mut text, &Shown::new(diagnostic)).expect("a String takes any text");
    }
    text
}

/// A diagnostic as miette wants it: places in other files become diagnostics of their own beneath it.
struct Shown {
    message: String,
    help: Option<String>,
    severity: miette::Severity,
    source: Option<Arc<Source>>,
    labels: Vec<LabeledSpan>,
    elsewhere: Vec<Shown>,
}

impl Shown {
    fn new(diagnostic: &Diagnostic) -> Self {
        let severity = match diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        };
        let Some(place) = &diagnostic.place else {
            return Self {
                message: format!("{}: {}", diagnostic.path.display(), diagnostic.message),
                help: diagnostic.help.clone(),
                severity,
                source: None,
                labels: Vec::new(),
                elsewhere: Vec::new(),
            };
        };
        let (here, elsewhere): (Vec<_>, Vec<_>) =
            diagnostic.also.iter().partition(|(other, _)| same_file(place, other));
        let others = here.iter().map(|(other, label)| labelled(other, Some(label.clone()), false));
        Self {
            message: diagnostic.message.clone(),
            help: diagnostic.help.clone(),
            severity,
            source: Some(Arc::clone(&place.source)),
            labels: std::iter::once(labelled(place, None, true)).chain(others).collect(),
            elsewhere: elsewhere.iter().map(|(other, label)| Self::note(other, label)).collect(),
        }
    }

    fn note(place: &Place, label: &str) -> Self {
        Self {
            message: label.to_owned(),
            help: None,
            severity: miette::Severity::Advice,
            source: Some(Arc::clone(&place.source)),
            labels: vec![labelled(place, None, true)],
            elsewhere: Vec::new(),
        }
    }
}

fn same_file(a: &Place, b: &Place) -> bool {
    a.source.path() == b.source.path()
}

/// Whole lines, from the first a span touches to the last, whatever context is asked for: the line that is wrong is shown
/// as the operator wrote it, and a file of a million lines is not searched through for it.
impl SourceCode for Source {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let end = span.offset() + span.len();
        if end > self.text().len() {
            return Err(MietteError::OutOfBounds);
        }
        let ((first, column), (last, _)) = (self.line_column(span.offset()), self.line_column(end));
        let lines = self.line_span(first).start..self.line_span(last).end;
        Ok(Box::new(MietteSpanContents::new_named(
            self.path().display().to_string(),
            &self.text().as_bytes()[lines.clone()],
            lines.into(),
            first - 1,
            // Without context it is the place in the heading that is asked for, and not a text to show.
            if before == 0 && after == 0 { column - 1 } else { 0 },
            last - first + 1,
        )))
    }
}

/// The label is cut to its first line: a whole table marked line by line would bury the message.
fn labelled(place: &Place, label: Option<String>, primary: bool) -> LabeledSpan {
    let shown = place.text().lines().next().unwrap_or_default().len();
    let span = place.span.start..place.span.start + shown;
    if primary {
        LabeledSpan::new_primary_with_span(label, span)
    } else {
        LabeledSpan::new_with_span(label, span)
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown {}

impl miette::Diagnostic for Shown {
    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_deref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        (!self.labels.is_empty()).then(|| Box::new(self.labels.iter().cloned()) as Box<_>)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        (!self.elsewhere.is_empty())
            .then(|| Box::new(self.elsewhere.iter().map(|note| note as &dyn miette::Diagnostic)) as Box<_>)
    }
}

//! A TOML table read key by key: what has the wrong type is reported where it stands, and so is every key nobody asked
//! for. Nothing stops at the first mistake, which serde's derived readers would.

use std::fmt::Display;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostics::{Diagnostic, Sink};
use super::source::{Located, Place, Source};
use super::suggest::{listed, nearest};

/// Parses a file. Syntax errors are all reported; the table holds what could be understood.
pub(crate) fn parse<'a>(source: &'a Arc<Source>, sink: &Sink) -> DeTable<'a> {
    let (table, errors) = DeTable::parse_recoverable(source.text());
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let message = error.message().trim_end();
        let help = match message {
            "duplicate key" => {
                "write each key and each [table] once; [[tables]] with two brackets may repeat"
            }
            _ => "write key = value; text stands in quotes, lists in brackets, tables begin with [name]",
        };
        let found = Diagnostic::error(&at(source, span), format!("this is not TOML: {message}"));
        sink.report_syntax(found.help(help));
    }
    table.into_inner()
}

/// A table being read.
pub(crate) struct Table<'a> {
    source: &'a Arc<Source>,
    sink: &'a Sink,
    table: &'a DeTable<'a>,
    /// What the operator calls it: `[ports]`, `[[system]]`, "this file".
    title: String,
    place: Place,
    asked: Vec<&'static str>,
}

/// An entry of a table whose keys are names of the operator's choosing or of the catalogue's.
pub(crate) struct Entry<'a> {
    /// The key.
    pub(crate) key: Located<String>,
    /// The value.
    pub(crate) value: Value<'a>,
}

/// A value not yet read.
#[derive(Clone)]
pub(crate) struct Value<'a> {
    source: &'a Arc<Source>,
    sink: &'a Sink,
    key: String,
    value: &'a Spanned<DeValue<'a>>,
}

impl<'a> Table<'a> {
    /// The root table of a file.
    pub(crate) fn root(source: &'a Arc<Source>, sink: &'a Sink, table: &'a DeTable<'a>) -> Self {
        let title = "this file".to_owned();
        Self { source, sink, table, title, place: Place::start_of(source), asked: Vec::new() }
    }

    /// Where the table stands: its header.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The value of a key, if it is there.
    pub(crate) fn value(&mut self, key: &'static str) -> Option<Value<'a>> {
        self.asked.push(key);
        let value = self.table.get(key)?;
        Some(Value { source: self.source, sink: self.sink, key: key.to_owned(), value })
    }

    /// The value of a key that must be there; `example` says what to write.
    pub(crate) fn required(&mut self, key: &'static str, example: &str) -> Option<Value<'a>> {
        let value = self.value(key);
        if value.is_none() {
            let message = format!("{} has no `{key}`", self.title);
            self.sink.report(Diagnostic::error(&self.place, message).help(format!("add {example}")));
        }
        value
    }

    /// Whether the key is there, with whatever value.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A string.
    pub(crate) fn string(&mut self, key: &'static str) -> Option<Located<String>> {
        self.value(key)?.string()
    }

    /// A list of strings.
    pub(crate) fn strings(&mut self, key: &'static str) -> Option<Located<Vec<Located<String>>>> {
        self.value(key)?.strings()
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&mut self, key: &'static str) -> Option<Located<bool>> {
        self.value(key)?.boolean()
    }

    /// A nested table.
    pub(crate) fn table(&mut self, key: &'static str) -> Option<Table<'a>> {
        self.value(key)?.table(format!("[{key}]"))
    }

    /// An array of tables, `[[key]]`; empty where the key is absent.
    pub(crate) fn tables(&mut self, key: &'static str) -> Vec<Table<'a>> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let DeValue::Array(items) = value.value.get_ref() else {
            let help = format!("write [[{key}]], with two brackets, before each of them");
            value.wrong_type("a list of tables", &help);
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| Value { value: item, ..value.clone() }.table(format!("[[{key}]]")))
            .collect()
    }

    /// One of a few words, each with what it means.
    pub(crate) fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<Located<T>> {
        self.value(key)?.choice(choices)
    }

    /// All entries: for tables whose keys are names. Marks nothing as unknown.
    pub(crate) fn entries(&self) -> Vec<Entry<'a>> {
        let entry = |(key, value): (&'a Spanned<_>, &'a Spanned<DeValue<'a>>)| {
            let name: &std::borrow::Cow<'a, str> = key.get_ref();
            Entry {
                key: Located::new(name.to_string(), at(self.source, key.span())),
                value: Value { source: self.source, sink: self.sink, key: name.to_string(), value },
            }
        };
        self.table.iter().map(entry).collect()
    }

    /// Reports every key that was never asked for.
    pub(crate) fn finish(self) {
        for (key, _) in self.table.iter().filter(|(key, _)| !self.asked.contains(&key.get_ref().as_ref())) {
            let word = key.get_ref();
            let help = match nearest(word, &self.asked) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("{} takes {}", self.title, listed(&self.asked)),
            };
            let message = format!("unknown key `{word}` in {}", self.title);
            self.sink.report(Diagnostic::error(&at(self.source, key.span()), message).help(help));
        }
    }
}

impl<'a> Value<'a> {
    /// Where the value stands.
    pub(crate) fn place(&self) -> Place {
        at(self.source, self.value.span())
    }

    /// The value as TOML has it.
    pub(crate) fn get(&self) -> &'a DeValue<'a> {
        self.value.get_ref()
    }

    /// A string.
    pub(crate) fn string(&self) -> Option<Located<String>> {
        let DeValue::String(text) = self.get() else {
            self.wrong_type("a string", &format!("write {} = \"{}\"", self.key, self.bare()));
            return None;
        };
        Some(Located::new(text.to_string(), self.place()))
    }

    /// A list of strings. Items of another type are reported and left out.
    pub(crate) fn strings(&self) -> Option<Located<Vec<Located<String>>>> {
        let DeValue::Array(items) = self.get() else {
            self.wrong_type("a list of strings", &format!("write {} = [\"{}\"]", self.key, self.bare()));
            return None;
        };
        let strings = items.iter().filter_map(|item| {
            let item = Value { value: item, ..self.clone() };
            match item.get() {
                DeValue::String(text) => Some(Located::new(text.to_string(), item.place())),
                _ => {
                    let what = item.get().type_str();
                    let message =
                        format!("`{}` is a list of strings, and this is {}", item.key, article(what));
                    let help = format!("write \"{}\", in quotes", item.bare());
                    item.sink.report(Diagnostic::error(&item.place(), message).help(help));
                    None
                }
            }
        });
        Some(Located::new(strings.collect(), self.place()))
    }

    /// The items of a list, or the value itself where it is none.
    pub(crate) fn items(&self) -> Vec<Value<'a>> {
        match self.get() {
            DeValue::Array(items) => items.iter().map(|item| Value { value: item, ..self.clone() }).collect(),
            _ => vec![self.clone()],
        }
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&self) -> Option<Located<bool>> {
        let DeValue::Boolean(value) = self.get() else {
            self.wrong_type("true or false", &format!("write {} = true, without quotes", self.key));
            return None;
        };
        Some(Located::new(*value, self.place()))
    }

    /// A whole number within a range.
    pub(crate) fn number(&self, range: Range<u64>, unit: &str) -> Option<Located<u64>> {
        let least = range.start;
        let most = range.end - 1;
        let DeValue::Integer(number) = self.get() else {
            self.wrong_type("a whole number", &format!("write {} = {least}, without quotes", self.key));
            return None;
        };
        // A sign, or more digits than 64 bits hold, is as much out of range as any other number.
        let value = u64::from_str_radix(number.as_str(), number.radix()).ok();
        let Some(value) = value.filter(|value| range.contains(value)) else {
            let message = format!("`{}` is out of range", self.key);
            let help = format!("write a number of {unit} from {least} to {most}");
            self.sink.report(Diagnostic::error(&self.place(), message).help(help));
            return None;
        };
        Some(Located::new(value, self.place()))
    }

    /// A table.
    pub(crate) fn table(&self, title: String) -> Option<Table<'a>> {
        let DeValue::Table(table) = self.get() else {
            self.wrong_type(
                "a table",
                &format!("write [{0}] on a line of its own, or {0} = {{ .. }}", self.key),
            );
            return None;
        };
        let (source, sink, place) = (self.source, self.sink, self.place());
        Some(Table { source, sink, table, title, place, asked: Vec::new() })
    }

    /// One of a few words, each with what it means.
    pub(crate) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<Located<T>> {
        let word = self.string()?;
        if let Some((_, meaning)) = choices.iter().find(|(name, _)| *name == word.value) {
            return Some(word.map(|_| *meaning));
        }
        let names: Vec<String> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        let message = format!("`{}` cannot be \"{}\"", self.key, word.value);
        let help = match nearest(&word.value, &choices.iter().map(|(name, _)| *name).collect::<Vec<_>>()) {
            Some(near) => format!("did you mean \"{near}\"? It is one of {}", names.join(", ")),
            None if names.len() == 1 => format!("write {}", names.join("")),
            None => format!("write one of {}", names.join(", ")),
        };
        self.sink.report(Diagnostic::error(&word.place, message).help(help));
        None
    }

    /// Reports a value of another type than the key takes.
    pub(crate) fn wrong_type(&self, wanted: impl Display, help: &str) {
        let message = format!("`{}` must be {wanted}, not {}", self.key, article(self.get().type_str()));
        self.sink.report(Diagnostic::error(&self.place(), message).help(help));
    }

    /// The text as written, for a remedy that repeats it; dots stand for what is not worth repeating.
    fn bare(&self) -> String {
        match self.get() {
            DeValue::Array(_) | DeValue::Table(_) => "..".to_owned(),
            DeValue::String(text) => text.to_string(),
            _ => self.place().text().to_owned(),
        }
    }
}

/// Reports a list without items where something is needed, and says whether it did. A list whose items all had a wrong
/// type is not empty: they are reported already.
pub(crate) fn reject_empty<T>(list: &Located<Vec<T>>, message: &str, example: &str, sink: &Sink) -> bool {
    let inside = list.place.text().trim_start_matches('[').trim_end_matches(']');
    let empty = list.value.is_empty() && inside.trim().is_empty();
    if empty {
        sink.report(Diagnostic::error(&list.place, message).help(format!("write for example {example}")));
    }
    empty
}

fn at(source: &Arc<Source>, span: Range<usize>) -> Place {
    Place { source: Arc::clone(source), span }
}

fn article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {noun}")
}

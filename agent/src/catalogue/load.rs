//! Reads the catalogue's data files, and refuses what does not fit together.

use std::collections::HashSet;

use serde::Deserialize;
use toml::Spanned;

use super::edition::Document;
use super::flow::{Answers, Condition, Flow, Protocol, Scope};
use super::ports::{Feature, PortKey, Ports};
use super::role::Role;
use super::{Catalogue, Section, Unchangeable};

/// The port lists, in catalogue order: the order of the files here, and of the sections and rows in each.
const DOCUMENTS: [(&str, &str); 5] = [
    ("2007.toml", include_str!("../../../config/catalogue/2007.toml")),
    ("2007-client.toml", include_str!("../../../config/catalogue/2007-client.toml")),
    ("2017.toml", include_str!("../../../config/catalogue/2017.toml")),
    ("current.toml", include_str!("../../../config/catalogue/current.toml")),
    ("current-client.toml", include_str!("../../../config/catalogue/current-client.toml")),
];

/// A fault of a data file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct LoadError {
    /// The file's name within `config/catalogue/`.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// Reads the data files that are built into the binary.
pub(super) fn embedded() -> Result<Catalogue, LoadError> {
    Catalogue::read(
        ("ports.toml", include_str!("../../../config/catalogue/ports.toml")),
        ("features.toml", include_str!("../../../config/catalogue/features.toml")),
        &DOCUMENTS,
    )
}

impl Catalogue {
    /// Reads the data files, each given by its name and text; the documents in catalogue order.
    ///
    /// # Errors
    ///
    /// The first fault found, with file and line: a text that is no TOML of the expected form, a role, port key or
    /// feature that is not defined for the document's edition, a name defined twice, a row that says nothing.
    pub fn read(
        ports: (&str, &str),
        features: (&str, &str),
        documents: &[(&str, &str)],
    ) -> Result<Catalogue, LoadError> {
        let PortsFile { port, unchangeable } = parse(ports)?;
        let FeaturesFile { feature } = parse(features)?;
        let mut catalogue = Catalogue {
            flows: Vec::new(),
            sections: Vec::new(),
            port_keys: unique(ports, port, |key| &key.name)?,
            features: unique(features, feature, |feature| &feature.name)?,
            unchangeable,
        };
        for &source in documents {
            let file: DocumentFile = parse(source)?;
            for section in &file.section {
                catalogue.read_section(source, file.document, section)?;
            }
        }
        Ok(catalogue)
    }

    fn read_section(
        &mut self,
        source: (&str, &str),
        document: Document,
        section: &SectionTable,
    ) -> Result<(), LoadError> {
        self.begin_section(document, section);
        let mut back = Vec::new();
        for row in &section.rows {
            let flows = self.read_row(source, document, section, row)?;
            if row.get_ref().two_way.unwrap_or(section.two_way) {
                // Between equals the way back is the way there, and saying it twice would count nothing twice.
                back.extend(flows.iter().filter(|flow| flow.initiator != flow.responder).map(|flow| Flow {
                    initiator: flow.responder,
                    responder: flow.initiator,
                    ..flow.clone()
                }));
            }
            self.flows.extend(flows);
        }
        self.flows.extend(back);
        Ok(())
    }

    /// A title that lists several arrows is written once for each; it stays one section.
    fn begin_section(&mut self, document: Document, SectionTable { title, remarks, .. }: &SectionTable) {
        match self.sections.last_mut() {
            Some(known) if known.document == document && known.title == *title => {
                known.remarks.extend_from_slice(remarks);
            }
            _ => self.sections.push(Section { document, title: title.clone(), remarks: remarks.clone() }),
        }
    }

    /// One flow for each transport the row names.
    fn read_row(
        &self,
        source: (&str, &str),
        document: Document,
        section: &SectionTable,
        spanned: &Spanned<Row>,
    ) -> Result<Vec<Flow>, LoadError> {
        let row = spanned.get_ref();
        let edition = document.edition();
        let fault = |message| Err(fault(source, spanned.span().start, message));
        let (Some(initiator), Some(responder)) = (row.from.or(section.from), row.to.or(section.to)) else {
            return fault("neither the row nor its section says `from` and `to`".to_owned());
        };
        for role in [initiator, responder] {
            if !role.is_in(edition) {
                return fault(format!("the role {role} is not in the edition {edition}"));
            }
        }
        if let Some(name) = &row.feature
            && !self.feature(name).is_some_and(|feature| feature.editions.contains(&edition))
        {
            return fault(format!("the edition {edition} has no feature \"{name}\""));
        }
        let columns: Vec<_> =
            [(Protocol::Udp, &row.udp), (Protocol::Tcp, &row.tcp), (Protocol::Icmp, &row.icmp)]
                .into_iter()
                .filter_map(|(protocol, column)| column.as_ref().map(|ports| (protocol, ports)))
                .collect();
        if columns.is_empty() {
            return fault("the row has none of `udp`, `tcp` and `icmp`".to_owned());
        }
        let mut flows = Vec::new();
        for (protocol, ports) in columns {
            match (&row.port_key, ports) {
                (Some(name), _) if self.port_key(name).and_then(|key| key.default_in(edition)).is_none() => {
                    return fault(format!("the edition {edition} has no port key \"{name}\""));
                }
                (None, Ports::Either(_) | Ports::Dynamic) => {
                    return fault(format!("\"{ports}\" needs a port key to decide it"));
                }
                _ => {}
            }
            if (protocol == Protocol::Icmp) != (*ports == Ports::EchoRequest) {
                return fault(format!("\"{ports}\" cannot stand under {protocol}"));
            }
            flows.push(Flow {
                edition,
                document,
                section: section.title.clone(),
                initiator,
                responder,
                service: row.service.clone(),
                slug: row.slug.clone(),
                protocol,
                ports: ports.clone(),
                port_key: row.port_key.clone(),
                feature: row.feature.clone(),
                note: row.note.clone(),
                condition: row.when,
                scope: row.scope.or(section.scope).unwrap_or_else(|| usual_scope(initiator, responder)),
                answers: row.answers,
                broadcast: row.broadcast,
                proxied: row.proxied,
                two_way: row.two_way.unwrap_or(section.two_way),
                prose: row.prose || section.prose,
                opens: row.opens,
            });
        }
        Ok(flows)
    }
}

fn usual_scope(initiator: Role, responder: Role) -> Scope {
    if initiator.is_scoped() || responder.is_scoped() { Scope::SameSite } else { Scope::Anywhere }
}

fn parse<T: for<'de> Deserialize<'de>>(source: (&str, &str)) -> Result<T, LoadError> {
    toml::from_str(source.1)
        .map_err(|error| fault(source, error.span().map_or(0, |span| span.start), error.message().to_owned()))
}

fn unique<T>(
    source: (&str, &str),
    entries: Vec<Spanned<T>>,
    name: impl Fn(&T) -> &String,
) -> Result<Vec<T>, LoadError> {
    let mut seen = HashSet::new();
    for entry in &entries {
        if !seen.insert(name(entry.get_ref()).as_str()) {
            let message = format!("\"{}\" is defined twice", name(entry.get_ref()));
            return Err(fault(source, entry.span().start, message));
        }
    }
    Ok(entries.into_iter().map(Spanned::into_inner).collect())
}

fn fault((file, text): (&str, &str), offset: usize, message: String) -> LoadError {
    let line = text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1;
    LoadError { file: file.to_owned(), line, message }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PortsFile {
    port: Vec<Spanned<PortKey>>,
    unchangeable: Vec<Unchangeable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FeaturesFile {
    feature: Vec<Spanned<Feature>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DocumentFile {
    document: Document,
    section: Vec<SectionTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct SectionTable {
    title: String,
    from: Option<Role>,
    to: Option<Role>,
    #[serde(default)]
    two_way: bool,
    scope: Option<Scope>,
    #[serde(default)]
    prose: bool,
    #[serde(default)]
    remarks: Vec<String>,
    #[serde(default)]
    rows: Vec<Spanned<Row>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Row {
    service: String,
    slug: String,
    udp: Option<Ports>,
    tcp: Option<Ports>,
    icmp: Option<Ports>,
    port_key: Option<String>,
    feature: Option<String>,
    when: Option<Condition>,
    note: Option<String>,
    from: Option<Role>,
    to: Option<Role>,
    two_way: Option<bool>,
    scope: Option<Scope>,
    #[serde(default)]
    answers: Answers,
    #[serde(default)]
    broadcast: bool,
    #[serde(default)]
    proxied: bool,
    #[serde(default)]
    prose: bool,
    #[serde(default = "yes")]
    opens: bool,
}

fn yes() -> bool {
    true
}

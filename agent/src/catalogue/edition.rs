//! Editions, and the documents each one is read from.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which port lists apply to a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub enum Edition {
    /// Configuration Manager 2007.
    #[serde(rename = "2007")]
    V2007,
    /// Current branch, by the list of September 2017.
    #[serde(rename = "2017")]
    V2017,
    /// Current branch, by the newest list.
    #[serde(rename = "current")]
    Current,
}

/// A page of Microsoft's documentation that lists ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub enum Document {
    /// "Ports Used by Configuration Manager", 2007.
    #[serde(rename = "2007")]
    V2007,
    /// "Ports used in System Center Configuration Manager", September 2017.
    #[serde(rename = "2017")]
    V2017,
    /// "Ports used in Configuration Manager", current branch.
    #[serde(rename = "current")]
    Current,
    /// "Ports Used During Configuration Manager Client Deployment", 2007.
    #[serde(rename = "2007-client")]
    Client2007,
    /// "Windows Firewall and port settings for client computers", current branch.
    #[serde(rename = "current-client")]
    ClientCurrent,
}

/// A word that names no edition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown edition \"{0}\"; the editions are \"2007\", \"2017\" and \"current\"")]
pub struct UnknownEdition(pub String);

impl Edition {
    /// Every edition, oldest first.
    pub const ALL: [Edition; 3] = [Edition::V2007, Edition::V2017, Edition::Current];

    /// As the operator writes it.
    pub fn name(self) -> &'static str {
        match self {
            Edition::V2007 => "2007",
            Edition::V2017 => "2017",
            Edition::Current => "current",
        }
    }
}

impl Document {
    /// Every document, in the order in which an edition's flows are taken from them.
    pub const ALL: [Document; 5] =
        [Document::V2007, Document::V2017, Document::Current, Document::Client2007, Document::ClientCurrent];

    /// As it stands in the catalogue's data and output.
    pub fn name(self) -> &'static str {
        match self {
            Document::V2007 => "2007",
            Document::V2017 => "2017",
            Document::Current => "current",
            Document::Client2007 => "2007-client",
            Document::ClientCurrent => "current-client",
        }
    }

    /// What the page is called.
    pub fn title(self) -> &'static str {
        match self {
            Document::V2007 => "Ports Used by Configuration Manager (Configuration Manager 2007)",
            Document::V2017 => "Ports used in System Center Configuration Manager (September 2017)",
            Document::Current => "Ports used in Configuration Manager (current branch)",
            Document::Client2007 => {
                "Ports Used During Configuration Manager Client Deployment (Configuration Manager 2007)"
            }
            Document::ClientCurrent => {
                "Windows Firewall and port settings for client computers (current branch)"
            }
        }
    }

    /// The edition the document belongs to.
    pub fn edition(self) -> Edition {
        match self {
            Document::V2007 | Document::Client2007 => Edition::V2007,
            Document::V2017 => Edition::V2017,
            Document::Current | Document::ClientCurrent => Edition::Current,
        }
    }
}

impl fmt::Display for Edition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Edition {
    type Err = UnknownEdition;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Edition::ALL
            .into_iter()
            .find(|edition| edition.name() == word)
            .ok_or_else(|| UnknownEdition(word.to_owned()))
    }
}

impl FromStr for Document {
    type Err = UnknownDocument;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Document::ALL
            .into_iter()
            .find(|document| document.name() == word)
            .ok_or_else(|| UnknownDocument(word.to_owned()))
    }
}

/// A word that names no document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown document \"{0}\"; the documents are \"2007\", \"2017\", \"current\", \"2007-client\" and \"current-client\""
)]
pub struct UnknownDocument(pub String);

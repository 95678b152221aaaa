//! What to write instead of a name nobody knows.

use crate::catalogue;

/// The known name a mistyped one may mean, letters compared without case.
pub(crate) fn nearest<'a>(word: &str, names: &[&'a str]) -> Option<&'a str> {
    catalogue::nearest(&word.to_lowercase(), names.iter().copied())
}

/// The nearest name, or else all there are; `kind` says in the plural what they are.
pub(crate) fn instead(word: &str, kind: &str, names: &[&str]) -> String {
    match nearest(word, names) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if names.is_empty() => format!("there are no {kind} to name"),
        None => format!("the {kind} are {}", listed(names)),
    }
}

/// Names one after the other, at most thirty: more would hide what is wrong.
pub(crate) fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 30;
    let mut text = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text += &format!(" and {} more", names.len() - SHOWN);
    }
    text
}

//! The lines of a policy as JSON.

use super::rows;
use crate::compiler::policy::Policy;

/// A JSON array with one object for each line and protocol, ending in a newline.
///
/// # Errors
///
/// None that these fields can cause; the serializer's are passed on.
pub fn to_json(policy: &Policy) -> serde_json::Result<String> {
    let rows: Vec<_> = rows::of(policy).collect();
    Ok(serde_json::to_string_pretty(&rows)? + "\n")
}

//! What to show when a test fails: logs of the processes that took part.
//!
//! Kept per thread, because a test runs on one: processes hand in their log when they are dropped, and the suite
//! prints what was handed in if the test failed.

use std::cell::RefCell;

thread_local! {
    static KEPT: RefCell<Vec<(String, String)>> = const { RefCell::new(Vec::new()) };
}

/// Hands in a text for the case that the test on this thread fails.
pub fn keep(title: &str, text: String) {
    if !text.is_empty() {
        KEPT.with_borrow_mut(|kept| kept.push((title.to_owned(), text)));
    }
}

/// Takes everything handed in on this thread, as one text; empty where nothing was.
pub fn take() -> String {
    let kept = KEPT.take();
    kept.iter().map(|(title, text)| format!("\n--- {title} ---\n{}\n", text.trim_end())).collect()
}

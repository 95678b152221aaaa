//! `explain --batch`: every line is answered, or refused in words.

use std::path::Path;
use std::sync::LazyLock;

use cmgate::config::{self, Loaded, Memory as Files};
use cmgate::explain::answer::Answer;
use cmgate::explain::question::Question;
use cmgate::explain::view::View;
use cmgate::life::parameters;
use serde_json::Value;

use crate::world::RELAY;

static LOADED: LazyLock<Loaded> = LazyLock::new(|| {
    let files = Files::new([("cmgate.toml", RELAY.host), ("site.toml", RELAY.site)]);
    config::parse(&files, Path::new("cmgate.toml")).expect("the world's files are good")
});

thread_local! {
    static VIEW: std::cell::RefCell<View> = std::cell::RefCell::new({
        let names = LOADED.host.interfaces.iter().map(|interface| interface.name.as_str());
        let own = RELAY.own.iter().map(|net| net.parse().expect("they are written right"));
        let (site, host) = (LOADED.site.clone().into(), LOADED.host.clone());
        View::here(Some(site), Some(host), own.collect(), parameters::rows(names, &[]))
    });
}

/// Lines of JSON.
pub(super) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    for line in text.lines() {
        match Question::from_json(line) {
            Ok(question) => VIEW.with_borrow_mut(|view| answered(view, question)),
            Err(mistake) => assert!(!mistake.to_string().is_empty(), "{line:?} is refused without a word"),
        }
    }
}

fn answered(view: &mut View, question: Question) {
    view.prepare(Some(&question)).expect("the world's policy fits");
    let judge = view.judge().expect("it was just made");
    // An interface that the files do not name is refused.
    let Some(row) = judge.row(&question) else { return };
    let ruling = judge.answer(&question, row);
    let flow = ruling.flow.map(|info| (info.id.clone(), Some(info)));
    let also = judge.also(&question, flow.as_ref().map(|(id, _)| id.as_str()));
    let asked = question.clone();
    let text =
        serde_json::to_string(&Answer::new(question, ruling.reason, flow, also, None)).expect("it is JSON");
    let back: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(back["source"], asked.source.to_string(), "{text}");
    assert_eq!(back["port"], asked.port, "{text}");
    assert_eq!(back["verdict"] == "admit", ruling.reason.admits(), "{text}");
}

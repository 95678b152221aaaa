//! The screen on fixed data, compared as it is drawn.

use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::json;

use super::*;
use crate::top::state::{Order, Snapshot};

fn snapshot(second: u64) -> Snapshot {
    let total = |packets: u64| json!({"packets": packets, "bytes": packets * 500});
    let totals = json!({"admit": total(10_000 * second), "drop": total(40 * second), "would-drop": total(0)});
    let interface = |name: &str| json!({"name": name, "index": 2, "xdp": "native", "egress": "tcx", "totals": totals.clone()});
    let flow = |name: &str, packets: u64| {
        json!({"flow": name, "packets": packets, "bytes": packets * 500, "first": null, "last": null,
               "edition": null, "document": null, "section": null})
    };
    let counted = |reason: &str, packets: u64| {
        json!({"interface": "eth1", "hook": "ingress", "verdict": "drop", "reason": reason,
               "packets": packets, "bytes": packets * 60})
    };
    let drop = |at: u64| {
        json!({"time": format!("2026-11-20T16:50:{at:02}.123Z"), "interface": "eth1", "hook": "ingress",
               "verdict": "drop", "reason": "unknown-source", "source": "10.66.0.10", "destination": "10.1.1.20",
               "protocol": "tcp", "source_port": 40000, "port": "10123", "length": 60, "generation": 7,
               "hint": "looks like Client notification (tcp/10123); the source is in no system"})
    };
    let agent = json!({
        "version": "0.1.0", "pid": 1, "since": "T", "config": "/c", "policy": "files", "files": [],
        "fingerprint": null, "last_reload": null, "reloads": {"done": 1, "unchanged": 0, "failed": 0},
        "selftest": true, "selectors": {}, "unguarded": {}, "warnings": {},
    });
    let gate = json!({
        "generation": 7, "mode": "enforce", "transit": true, "egress": "track",
        "interfaces": [interface("eth1"), interface("a-very-long-interface")], "totals": totals, "tables": [],
        "layout": 1,
    });
    let flows = json!([
        flow("client:distribution-point/https/tcp", 9_000 * second),
        flow(
            "enrollment-proxy-point:certificate-registration-point/a-service-with-a-long-name/tcp",
            1_000 * second
        ),
        flow("allow/idle", 0),
        flow("failsafe", 12),
    ]);
    let drops = json!({
        "counted": [counted("unknown-source", 30 * second), counted("service", 10 * second)],
        "recent": (0..12).map(drop).collect::<Vec<_>>(),
        "not_sampled": 3,
    });
    Snapshot {
        status: serde_json::from_value(json!({"agent": agent, "gate": gate})).unwrap(),
        flows: serde_json::from_value(flows).unwrap(),
        drops: serde_json::from_value(drops).unwrap(),
        at: Duration::from_secs(second),
    }
}

fn screen(state: &State, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, state)).unwrap();
    terminal.backend().to_string()
}

fn watched() -> State {
    let mut state = State::default();
    state.take(Ok(snapshot(10)));
    state.take(Ok(snapshot(12)));
    state
}

#[test]
fn rates_flows_reasons_and_drops_fit_eighty_columns() {
    insta::assert_snapshot!(screen(&watched(), 80, 24), @r#"
    "cmgate top  generation 7  mode enforce  selftest ok                             "
    "no warnings                                                                     "
    "admit 10.0k/s 5.0MB/s   drop 40/s 20.0kB/s   would-drop 0/s 0B/s                "
    "interfaces                pkt/s  packets drops by reason          pkt/s  packets"
    "admit a-very-long-int…    10.0k     120k unknown-source              30      360"
    "admit eth1                10.0k     120k service                     10      120"
    "drop a-very-long-inte…       40      480                                        "
    "drop eth1                    40      480                                        "
    "flows                                                    pkt/s      B/s  packets"
    "client:distribution-point/https/tcp                       9.0k     4.5M     108k"
    "enrollment-proxy-point:certificate-registration-poin…     1.0k     500k    12.0k"
    "failsafe                                                     0        0       12"
    "                                                                                "
    "                                                                                "
    "                                                                                "
    "                                                                                "
    "                                                                                "
    "                                                                                "
    "newest drops (3 not sampled)                                                    "
    "16:50:11 eth1 unknown-source 10.66.0.10 -> 10.1.1.20 tcp/10123                  "
    "16:50:10 eth1 unknown-source 10.66.0.10 -> 10.1.1.20 tcp/10123                  "
    "16:50:09 eth1 unknown-source 10.66.0.10 -> 10.1.1.20 tcp/10123                  "
    "16:50:08 eth1 unknown-source 10.66.0.10 -> 10.1.1.20 tcp/10123                  "
    "q quit   p pause   tab pane: flows   s sort: rate                               "
    "#);
}

#[test]
fn the_pane_looked_at_is_the_largest_and_drops_tell_their_hints() {
    let mut state = watched();
    assert!(state.obey(Order::Next) && state.obey(Order::Sort) && state.obey(Order::Pause));
    state.take(Ok(snapshot(100)));
    insta::assert_snapshot!(screen(&state, 80, 24), @r#"
    "cmgate top  generation 7  mode enforce  selftest ok  [paused]                   "
    "no warnings                                                                     "
    "admit 10.0k/s 5.0MB/s   drop 40/s 20.0kB/s   would-drop 0/s 0B/s                "
    "interfaces                pkt/s  packets drops by reason          pkt/s  packets"
    "admit a-very-long-int…    10.0k     120k unknown-source              30      360"
    "admit eth1                10.0k     120k service                     10      120"
    "drop a-very-long-inte…       40      480                                        "
    "drop eth1                    40      480                                        "
    "flows                                                    pkt/s      B/s  packets"
    "client:distribution-point/https/tcp                       9.0k     4.5M     108k"
    "enrollment-proxy-point:certificate-registration-poin…     1.0k     500k    12.0k"
    "failsafe                                                     0        0       12"
    "                                                                                "
    "newest drops (3 not sampled)                                                    "
    "16:50:11 eth1 unknown-source 10.66.0.10 -> 10.1.1.20 tcp/10123                  "
    "         looks like Client notification (tcp/10123); the source is in no system "
    "16:50:10 eth1 unknown-source 10.66.0.10 -> 10.1.1.20 tcp/10123                  "
    "         looks like Client notification (tcp/10123); the source is in no system "
    "16:50:09 eth1 unknown-source 10.66.0.10 -> 10.1.1.20 tcp/10123                  "
    "         looks like Client notification (tcp/10123); the source is in no system "
    "16:50:08 eth1 unknown-source 10.66.0.10 -> 10.1.1.20 tcp/10123                  "
    "         looks like Client notification (tcp/10123); the source is in no system "
    "16:50:07 eth1 unknown-source 10.66.0.10 -> 10.1.1.20 tcp/10123                  "
    "q quit   p pause   tab pane: drops   s sort: total                              "
    "#);
    assert!(state.obey(Order::Next) && state.pane() == Pane::Verdicts);
    assert!(!state.obey(Order::Quit));
}

#[test]
fn an_agent_that_is_gone_is_told_beside_what_it_last_said() {
    let mut state = State::default();
    assert!(screen(&state, 80, 24).contains("asking the agent"));
    state.take(Err("no agent answers at /run/cmgate/control.sock".to_owned()));
    assert!(screen(&state, 80, 24).contains("no agent answers at /run/cmgate/control.sock, trying again"));
    state.take(Ok(snapshot(1)));
    state.take(Err("no agent answers".to_owned()));
    let shown = screen(&state, 80, 24);
    assert!(
        shown.contains("trying again; this is what it last said") && shown.contains("generation 7"),
        "{shown}"
    );
    state.take(Ok(snapshot(2)));
    assert!(screen(&state, 80, 24).contains("no warnings"));
}

#[test]
fn a_smaller_screen_says_what_is_needed_and_any_size_can_be_drawn() {
    assert!(screen(&watched(), 79, 24).contains("79 x 24: cmgate top needs 80 x 24. q quits"));
    for (width, height) in [(1, 1), (80, 23), (81, 24), (250, 80)] {
        screen(&watched(), width, height);
    }
}

#[test]
fn what_is_told_says_nothing_to_the_terminal() {
    assert_eq!(fit("a\u{1b}[2Jb", 8), "a?[2Jb  ");
    assert_eq!(fit("enforce", 4), "enf…");
    assert_eq!(fit("x", 0), "");
}

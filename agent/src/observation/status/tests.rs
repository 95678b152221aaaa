//! What is told of a gate, in JSON and in sentences.

use super::*;
use crate::observation::agent::{Board, Reload, ReloadResult, Seconds};

fn total(packets: u64) -> Total {
    Total { packets, bytes: packets * 100 }
}

pub(in crate::observation) fn standing() -> Status {
    let board = Board::new("/etc/cmgate/cmgate.toml".into());
    board.update(|status| {
        status.version = "0.1.0".to_owned();
        status.pid = 4711;
        status.since = "2026-11-20T16:00:00.000Z".to_owned();
        status.policy = Some(PolicySource::Files);
        status.files = vec!["/etc/cmgate/cmgate.toml".into(), "/etc/cmgate/site.toml".into()];
        status.fingerprint = Some("0".repeat(32));
        status.selftest = Some(true);
    });
    board.reloaded(Reload {
        result: ReloadResult::Done,
        cause: "start".to_owned(),
        at: "2026-11-20T16:00:01.000Z".to_owned(),
        seconds: Seconds { read: 0.001, compile: 0.004, publish: 0.0021, total: 0.0075 },
        error: None,
    });
    let totals = BTreeMap::from([
        ("admit".to_owned(), total(12)),
        ("drop".to_owned(), total(3)),
        ("would-drop".to_owned(), total(0)),
    ]);
    let interface = |name: &str, xdp: Option<&str>| Interface {
        name: name.to_owned(),
        index: xdp.map(|_| 2),
        xdp: xdp.map(str::to_owned),
        egress: "tcx".to_owned(),
        totals: totals.clone(),
    };
    let gate = Gate {
        generation: 7,
        trial: None,
        mode: "enforce".to_owned(),
        transit: true,
        egress: "track".to_owned(),
        interfaces: vec![interface("eth1", Some("native")), interface("eth2", None)],
        totals: totals.clone(),
        tables: vec![TableUse { map: "answered".to_owned(), entries: 5, capacity: 65_536, evicted: Some(0) }],
        layout: 1,
    };
    Status { agent: Some(board.read()), gate: Some(gate) }
}

#[test]
fn what_is_wrong_is_at_the_end() {
    let mut status = standing();
    let agent = status.agent.as_mut().unwrap();
    agent.policy = Some(PolicySource::LastGood);
    agent.unguarded.insert("eth3".to_owned(), "there is no such interface yet".to_owned());
    agent.warnings.insert("metrics".to_owned(), vec!["the port is taken".to_owned()]);
    agent.selftest = Some(false);
    insta::assert_snapshot!(status.warnings().join("\n"), @r#"
    the files are bad, and the last good ones are enforced
    eth3 is not guarded: there is no such interface yet
    the self-test failed: kernel and engine judge differently
    metrics: the port is taken
    "#);
}

#[test]
fn the_json_is_the_documented_one_and_comes_back() {
    let text = serde_json::to_string_pretty(&standing()).unwrap();
    insta::assert_snapshot!(text, @r#"
    {
      "agent": {
        "version": "0.1.0",
        "pid": 4711,
        "since": "2026-11-20T16:00:00.000Z",
        "config": "/etc/cmgate/cmgate.toml",
        "policy": "files",
        "files": [
          "/etc/cmgate/cmgate.toml",
          "/etc/cmgate/site.toml"
        ],
        "fingerprint": "00000000000000000000000000000000",
        "last_reload": {
          "result": "done",
          "cause": "start",
          "at": "2026-11-20T16:00:01.000Z",
          "seconds": {
            "read": 0.001,
            "compile": 0.004,
            "publish": 0.0021,
            "total": 0.0075
          },
          "error": null
        },
        "reloads": {
          "done": 1,
          "unchanged": 0,
          "failed": 0
        },
        "last_trial": null,
        "selftest": true,
        "selectors": {},
        "unguarded": {},
        "warnings": {}
      },
      "gate": {
        "generation": 7,
        "trial": null,
        "mode": "enforce",
        "transit": true,
        "egress": "track",
        "interfaces": [
          {
            "name": "eth1",
            "index": 2,
            "xdp": "native",
            "egress": "tcx",
            "totals": {
              "admit": {
                "packets": 12,
                "bytes": 1200
              },
              "drop": {
                "packets": 3,
                "bytes": 300
              },
              "would-drop": {
                "packets": 0,
                "bytes": 0
              }
            }
          },
          {
            "name": "eth2",
            "index": null,
            "xdp": null,
            "egress": "tcx",
            "totals": {
              "admit": {
                "packets": 12,
                "bytes": 1200
              },
              "drop": {
                "packets": 3,
                "bytes": 300
              },
              "would-drop": {
                "packets": 0,
                "bytes": 0
              }
            }
          }
        ],
        "totals": {
          "admit": {
            "packets": 12,
            "bytes": 1200
          },
          "drop": {
            "packets": 3,
            "bytes": 300
          },
          "would-drop": {
            "packets": 0,
            "bytes": 0
          }
        },
        "tables": [
          {
            "map": "answered",
            "entries": 5,
            "capacity": 65536,
            "evicted": 0
          }
        ],
        "layout": 1
      }
    }
    "#);
    assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), standing());
}

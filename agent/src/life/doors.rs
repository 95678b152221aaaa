//! What stands beside the gate and may fail without it: metrics, the control socket, the ear for drops, the eye on the
//! tables.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

use crate::config::Host;
use crate::datapath::{self, Events};
use crate::observation::adviser::Adviser;
use crate::observation::agent::Board;
use crate::observation::control::{self, Desk, Place};
use crate::observation::drops::{Drop, Drops};
use crate::observation::request::Request;
use crate::observation::sample::Sample;
use crate::observation::{page, time};
use crate::suggest::seen::Memory;

use super::keeping::{self, Seen};
use super::orders::STATE_DIR;
use super::pressure;
use super::surroundings::Surroundings;

/// Where the control socket is while the file that could say otherwise cannot be read.
const CONTROL: &str = "/run/cmgate/control.sock";

/// How long to wait before a ring that failed is opened again.
const REOPEN: Duration = Duration::from_secs(5);

/// The doors, and the places they are told to be at.
pub struct Doors {
    metrics: watch::Sender<Option<SocketAddr>>,
    control: watch::Sender<Place>,
    state_dir: watch::Sender<PathBuf>,
    answering: JoinHandle<()>,
    remembering: JoinHandle<()>,
    /// What is asked for at the control socket.
    pub requests: mpsc::Receiver<Request>,
}

impl Doors {
    /// Opens them where the host file wants them. Whatever is in the way is a warning on the board. Where the control socket
    /// can be had, it answers by then.
    pub async fn open(
        host: Option<&Host>,
        pins: &Path,
        board: &Board,
        here: watch::Receiver<Surroundings>,
    ) -> Self {
        let (metrics, metrics_at) = watch::channel(metrics_of(host));
        let (control, control_at) = watch::channel(control_of(host));
        let (state_dir, state_dir_at) = watch::channel(state_dir_of(host));
        let (asking, requests) = mpsc::channel(1);
        let [sample, shadows] = [Sample::default(), Sample::default()];
        let kept = Seen::kept(&state_dir_of(host));
        let seen = kept.memory.clone();
        let pins = pins.to_owned();
        let desk = Desk {
            board: board.clone(),
            sample: sample.clone(),
            seen: seen.clone(),
            pins: pins.clone(),
            state_dir: state_dir_at.clone(),
            adviser: Adviser::start(board.clone(), pins.clone()),
            requests: asking,
            shadows: shadows.clone(),
        };
        tokio::spawn(page::serve(metrics_at, board.clone(), pins.clone()));
        let tried = Arc::new(Notify::new());
        let answering = tokio::spawn(control::serve(control_at, desk, tried.clone()));
        tokio::spawn(pressure::watch(pins.clone(), board.clone()));
        let keeping = keeping::watch(pins.clone(), board.clone(), kept, state_dir_at);
        let remembering = tokio::spawn(keeping);
        tokio::spawn(hear(pins, ([sample, shadows], seen), board.clone(), here));
        tried.notified().await;
        Self { metrics, control, state_dir, answering, remembering, requests }
    }

    /// Closes them, takes the control socket away, and has what is to be remembered written.
    pub async fn close(self) {
        drop((self.metrics, self.control, self.state_dir));
        if let Err(error) = self.remembering.await {
            tracing::warn!("what is to be remembered was not written: {error}");
        }
        if let Err(error) = self.answering.await {
            tracing::warn!("the control socket did not close: {error}");
        }
    }

    /// Moves them where the host file wants them now.
    pub fn follow(&self, host: Option<&Host>) {
        move_to(&self.metrics, metrics_of(host));
        move_to(&self.control, control_of(host));
        move_to(&self.state_dir, state_dir_of(host));
    }
}

fn move_to<T: PartialEq>(door: &watch::Sender<T>, to: T) {
    door.send_if_modified(|at| {
        let moved = *at != to;
        *at = to;
        moved
    });
}

fn metrics_of(host: Option<&Host>) -> Option<SocketAddr> {
    host.and_then(|host| host.metrics).map(|metrics| metrics.listen)
}

fn control_of(host: Option<&Host>) -> Place {
    let path = host.map_or_else(|| CONTROL.into(), |host| host.control.clone());
    Place { path, group: host.and_then(|host| host.control_group.clone()) }
}

fn state_dir_of(host: Option<&Host>) -> PathBuf {
    host.map_or_else(|| STATE_DIR.into(), |host| host.state_dir.clone())
}

/// Takes sampled drops out of the ring as they come.
async fn hear(
    pins: PathBuf,
    ([drops, shadows], seen): ([Sample; 2], Memory),
    board: Board,
    here: watch::Receiver<Surroundings>,
) {
    loop {
        let error = match Events::open(&pins) {
            Ok(Some(mut events)) => {
                board.warn("drops", None);
                let since = time::now();
                if let Ok(Ok(Some(live))) = tokio::task::spawn_blocking({
                    let pins = pins.clone();
                    move || datapath::inspect(&pins)
                })
                .await
                {
                    drops.begin(since, Drops::of(&live, Vec::new()).counted);
                }
                loop {
                    match events.next().await {
                        Ok(heard) => {
                            let here = here.borrow();
                            for event in heard {
                                let link = here.links.iter().find(|link| link.index == event.ifindex);
                                let sample = if event.shadow { &shadows } else { &drops };
                                if !event.shadow {
                                    seen.hear(&event);
                                }
                                sample.push(Drop::of(&event, link.map(|link| link.name.as_str())));
                            }
                        }
                        Err(error) => break error.to_string(),
                    }
                }
            }
            Ok(None) => "nothing is pinned".to_owned(),
            Err(error) => error.to_string(),
        };
        board.warn("drops", [format!("counted, but not listed one by one: {error}")]);
        tokio::time::sleep(REOPEN).await;
    }
}

//! Who answers questions about packets for the agent: what would happen to one, and what would have been admitted
//! instead of one that was dropped. A thread of its own, so that however long a compilation takes nobody else waits;
//! what it compiled it forgets when nobody has asked for a while.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use cmgate_common::layout::image::Bank;
use cmgate_common::reason::Reason;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use crate::catalogue::Catalogue;
use crate::explain::desk::{Desk, Standing};
use crate::explain::nearest::{self, End, Ground, Names};
use crate::explain::tuple::Tuple;
use crate::explain::view::View;
use crate::explain::who::{self, Who};
use crate::life::parameters;

use super::agent::{Board, Enforcing};
use super::drops::Drop;

/// How long after the last question what was compiled for it is kept.
const IDLE: Duration = Duration::from_secs(60);

/// Hints remembered: packets alike get the same one.
const HINTS: usize = 4096;

/// Questions that may wait.
const WAITING: usize = 16;

/// The way to the thread.
#[derive(Debug, Clone)]
pub struct Adviser(mpsc::Sender<Task>);

#[derive(Debug)]
enum Task {
    Explain { lines: Vec<String>, trace: bool, reply: oneshot::Sender<Result<Vec<String>>> },
    Hint { drops: Vec<Drop>, reply: oneshot::Sender<Vec<Drop>> },
}

impl Adviser {
    /// Starts the thread, which ends with the last of its clones. `pins` is where the gate stands.
    #[must_use]
    pub fn start(board: Board, pins: PathBuf) -> Self {
        let (sender, tasks) = mpsc::channel(WAITING);
        let runtime = Handle::current();
        let work = move || Advice { board, pins, known: None }.work(&runtime, tasks);
        if let Err(error) = std::thread::Builder::new().name("adviser".to_owned()).spawn(work) {
            tracing::warn!("nobody will explain packets: {error}");
        }
        Self(sender)
    }

    /// Answers each line of JSON by one, as `cmgate explain --batch` does.
    ///
    /// # Errors
    /// If the kernel does not judge, or nothing is enforced yet.
    pub async fn explain(&self, lines: Vec<String>, trace: bool) -> Result<Vec<String>> {
        let (reply, answer) = oneshot::channel();
        let task = Task::Explain { lines, trace, reply };
        self.0.send(task).await.ok().context("nobody explains packets here")?;
        answer.await.context("the agent is about to end")?
    }

    /// Gives each drop its hint. Where there is nobody to ask they come back as they are.
    pub async fn hint(&self, drops: Vec<Drop>) -> Vec<Drop> {
        let (reply, answer) = oneshot::channel();
        match self.0.send(Task::Hint { drops, reply }).await {
            Ok(()) => answer.await.unwrap_or_default(),
            Err(mpsc::error::SendError(Task::Hint { drops, .. })) => drops,
            Err(_) => Vec::new(),
        }
    }
}

struct Advice {
    board: Board,
    pins: PathBuf,
    known: Option<Known>,
}

/// What was made for one generation.
struct Known {
    of: Arc<Enforcing>,
    desk: Desk,
    hints: HashMap<Key, Option<String>>,
}

/// What a hint depends on.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    ends: [EndKey; 2],
    bank: Bank,
    port: u16,
    /// Only of packets that could be answers.
    source_port: Option<u16>,
    reason: Reason,
}

#[derive(PartialEq, Eq, Hash)]
struct EndKey {
    who: Who,
    own: bool,
    routable: bool,
    /// Of a destination that is several machines'.
    shared: Option<IpAddr>,
}

impl Advice {
    fn work(mut self, runtime: &Handle, mut tasks: mpsc::Receiver<Task>) {
        loop {
            let task = runtime.block_on(async { tokio::time::timeout(IDLE, tasks.recv()).await });
            match task {
                Err(_idle) => self.known = None,
                Ok(None) => return,
                // Whoever asked may have gone.
                Ok(Some(Task::Explain { lines, trace, reply })) => {
                    drop(reply.send(self.explain(&lines, trace)));
                }
                Ok(Some(Task::Hint { drops, reply })) => drop(reply.send(self.hint(drops))),
            }
        }
    }

    fn explain(&mut self, lines: &[String], trace: bool) -> Result<Vec<String>> {
        let known = self.known()?.context("the agent has not brought a policy in force yet")?;
        let answer = |line: &String| match known.desk.line(line, trace)? {
            Ok(answer) => Ok(serde_json::to_string(&answer)?),
            Err(mistake) => Ok(json!({"error": mistake}).to_string()),
        };
        lines.iter().map(answer).collect()
    }

    fn hint(&mut self, mut drops: Vec<Drop>) -> Vec<Drop> {
        let known = match self.known() {
            Ok(Some(known)) => known,
            Ok(None) => return drops,
            Err(error) => {
                tracing::debug!("no hints: {error:#}");
                return drops;
            }
        };
        if let Some(ground) = known.desk.ground() {
            for drop in &mut drops {
                drop.hint = hint(&ground, drop, &mut known.hints);
            }
        }
        drops
    }

    /// What there is for the generation that the agent brought in force last.
    fn known(&mut self) -> Result<Option<&mut Known>> {
        let Some(of) = self.board.enforcing() else { return Ok(None) };
        if self.known.as_ref().is_none_or(|known| !Arc::ptr_eq(&known.of, &of)) {
            self.known = Some(Known { desk: desk(&of, &self.pins)?, of, hints: HashMap::new() });
        }
        Ok(self.known.as_mut())
    }
}

fn desk(of: &Enforcing, pins: &Path) -> Result<Desk> {
    let gate = Standing::find(pins);
    let attached = gate.as_ref().map_or(&[][..], Standing::attached);
    let names: Vec<&str> = match &of.host {
        Some(host) => host.interfaces.iter().map(|interface| interface.name.as_str()).collect(),
        None => attached.iter().map(|nic| nic.name.as_str()).collect(),
    };
    let rows = parameters::rows(names, attached);
    let mut view = View::here(of.site.clone(), of.host.clone(), of.own.clone(), rows);
    view.prepare(None)?;
    Ok(Desk::new(view, gate, Some(of.generation)))
}

fn hint(ground: &Ground<'_>, drop: &Drop, hints: &mut HashMap<Key, Option<String>>) -> Option<String> {
    let reason = Reason::ALL.into_iter().find(|reason| reason.name() == drop.reason)?;
    let Some(packet) = drop.tuple() else { return Some(nearest::nothing_near(reason).to_owned()) };
    let (source, destination) = nearest::ends(ground, &packet);
    let key = Key {
        ends: [
            end(ground, packet.source, &source, false),
            end(ground, packet.destination, &destination, true),
        ],
        bank: packet.bank,
        port: packet.port,
        source_port: packet.source_port.filter(|_| reason == Reason::NoState),
        reason,
    };
    if let Some(known) = hints.get(&key) {
        return known.clone();
    }
    let hint = Some(words(ground, &packet, reason, &source, &destination));
    if hints.len() == HINTS {
        hints.clear();
    }
    hints.insert(key, hint.clone());
    hint
}

fn end(ground: &Ground<'_>, address: IpAddr, who: &Who, destination: bool) -> EndKey {
    let shared = destination && (address.is_multicast() || ground.policy.broadcasts.contains(address));
    EndKey {
        who: who.clone(),
        own: ground.policy.own.contains(address),
        routable: who::is_routable(address),
        shared: shared.then_some(address),
    }
}

/// What it seems to be, who is unknown, and the nearest thing that would have been admitted.
fn words(ground: &Ground<'_>, packet: &Tuple, reason: Reason, source: &Who, destination: &Who) -> String {
    let catalogue = Catalogue::embedded();
    let service = packet.service();
    let mut said = Vec::new();
    if let Some(seems) = nearest::seems(catalogue, ground.site, packet, source, destination) {
        said.push(format!("looks like {seems} ({service})"));
    }
    match nearest::unknown(reason) {
        Some(End::Source) => said.push("the source is in no system".to_owned()),
        Some(End::Destination) => said.push("the destination is in no system".to_owned()),
        None => {}
    }
    let name =
        |who: &Who, else_: &'static str| who.systems.first().cloned().unwrap_or_else(|| else_.to_owned());
    let (from, to) = (name(source, "the source"), name(destination, "the destination"));
    let names = Names { source: &from, destination: &to, service: &service };
    match nearest::nearest(ground, packet, reason).first() {
        Some(near) => said.push(near.words(&names)),
        None => said.push(nearest::nothing_near(reason).to_owned()),
    }
    said.join("; ")
}

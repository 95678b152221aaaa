//! The control socket: HTTP over a Unix socket that root and the agent's group may open. It shows what the gate does
//! and takes one order, to read the files again; nothing said here can open the gate.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, oneshot, watch};

use crate::config;
use crate::datapath::Live;
use crate::guard::{self, Known};
use crate::life::surroundings;
use crate::plan::Standing;
use crate::plan::report::Plan;

use super::adviser::Adviser;
use super::agent::{Board, Reload};
use super::drops::{Drop, Drops, Sample};
use super::status::Status;
use super::{flows, history, page, patience};

/// Who may connect: owner and group.
const MODE: u32 = 0o660;

/// A request to read the files again, and where to answer how that ended.
pub type ReloadRequest = oneshot::Sender<Reload>;

/// What the socket's answers are made of.
#[derive(Clone)]
pub struct Desk {
    /// What the agent knows.
    pub board: Board,
    /// The drops it heard of.
    pub sample: Sample,
    /// Where the gate is pinned.
    pub pins: PathBuf,
    /// Where flows' history is kept.
    pub state_dir: watch::Receiver<PathBuf>,
    /// Who answers questions about packets.
    pub adviser: Adviser,
    /// Where reloads are asked for.
    pub reloads: mpsc::Sender<ReloadRequest>,
}

/// Answers at the socket that `path` says, and moves when it says something else. Ends with its sender.
pub async fn serve(mut path: watch::Receiver<PathBuf>, desk: Desk) {
    let board = desk.board.clone();
    let routes = Router::new()
        .route("/v1/status", get(status))
        .route("/v1/flows", get(flow_lines))
        .route("/v1/drops", get(drops))
        .route("/v1/drops/follow", get(follow))
        .route("/v1/plan", get(plan))
        .route("/v1/explain", post(explain))
        .route("/v1/reload", post(reload))
        .with_state(desk);
    loop {
        let wanted = path.borrow_and_update().clone();
        let served = async {
            loop {
                let (listener, _removed_at_the_end) =
                    patience::get("control socket", &board, || bind(&wanted)).await;
                if let Err(error) = axum::serve(listener, routes.clone()).await {
                    tracing::warn!("control socket {}: {error}", wanted.display());
                }
            }
        };
        let ended = tokio::select! {
            () = served => false,
            changed = path.changed() => changed.is_err(),
        };
        if ended {
            return;
        }
    }
}

/// A socket that this agent made, and removes.
struct Made(PathBuf);

impl std::ops::Drop for Made {
    fn drop(&mut self) {
        // One left behind refuses whoever connects, which reads as "no agent runs": no harm.
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn bind(path: &Path) -> Result<(UnixListener, Made)> {
    let shown = path.display();
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            anyhow::bail!("{shown} is there and is no socket: move it, or set `control` to another path");
        }
        Ok(_) if UnixStream::connect(path).await.is_ok() => {
            anyhow::bail!("another agent answers at {shown}: stop it, or set `control` to another path");
        }
        // Left by an agent that was killed.
        Ok(_) => std::fs::remove_file(path).with_context(|| format!("cannot replace {shown}"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot look at {shown}")),
    }
    let listener = UnixListener::bind(path).with_context(|| format!("cannot make {shown}"))?;
    let made = Made(path.to_owned());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE))
        .with_context(|| format!("cannot set who may open {shown}"))?;
    Ok((listener, made))
}

/// An error as text, with the status it means.
struct Failure(anyhow::Error);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, format!("{:#}\n", self.0)).into_response()
    }
}

type Answer<T> = Result<Json<T>, Failure>;

async fn status(State(desk): State<Desk>) -> Answer<Status> {
    let live = page::inspect(desk.pins.clone()).await.map_err(Failure)?;
    Ok(Json(Status::of(Some(desk.board.read()), live.as_ref())))
}

async fn flow_lines(State(desk): State<Desk>) -> Answer<Vec<flows::FlowLine>> {
    let live = live(&desk).await?;
    let (agent, state_dir) = (desk.board.read(), desk.state_dir.borrow().clone());
    let history =
        history::until_now(&desk.pins, &state_dir, &live.flows, &agent.enforced).map_err(Failure)?;
    Ok(Json(flows::lines(&live, &agent.written, &history)))
}

async fn drops(State(desk): State<Desk>) -> Answer<Drops> {
    let recent = desk.adviser.hint(desk.sample.recent()).await;
    let recent = recent.into_iter().map(Drop::without_frame).collect();
    Ok(Json(Drops::of(&live(&desk).await?, recent)))
}

async fn live(desk: &Desk) -> Result<Live, Failure> {
    let live = page::inspect(desk.pins.clone()).await.map_err(Failure)?;
    live.ok_or_else(|| Failure(anyhow::anyhow!("nothing is pinned at {}", desk.pins.display())))
}

/// Drops as they are heard of, one JSON object a line. A reader too slow for them is told how many it missed, by a
/// line `{"missed": n}`.
async fn follow(State(desk): State<Desk>) -> Response {
    let lines = futures::stream::unfold(desk.sample.follow(), async |mut follower| {
        let line = match follower.recv().await {
            Ok(drop) => serde_json::to_vec(&drop.without_frame()),
            Err(RecvError::Lagged(missed)) => serde_json::to_vec(&serde_json::json!({ "missed": missed })),
            Err(RecvError::Closed) => return None,
        };
        let line = line.map(|mut line| {
            line.push(b'\n');
            Bytes::from(line)
        });
        Some((line, follower))
    });
    ([(header::CONTENT_TYPE, "application/jsonl")], Body::from_stream(lines)).into_response()
}

/// Who asks for a plan.
#[derive(Deserialize)]
struct Planning {
    /// Their `SSH_CONNECTION`.
    session: Option<String>,
}

/// What would change if the agent read its files now; of files with errors these.
async fn plan(State(desk): State<Desk>, Query(asked): Query<Planning>) -> Answer<Plan> {
    let session = asked.session.as_deref().and_then(guard::session);
    let known = Known { session, ..Known::default() };
    let config = desk.board.read().config;
    let here = surroundings::now().await.map_err(Failure)?;
    let planned = tokio::task::spawn_blocking(move || {
        let standing = Standing::read(&desk.pins)?;
        match config::load(&config) {
            Ok(loaded) => crate::plan::plan(&config, loaded, &standing, &here, &known),
            Err(report) => Ok(Plan::of_bad(&report)),
        }
    });
    let planned = planned.await.map_err(|error| Failure(error.into()))?;
    planned.map(Json).map_err(Failure)
}

/// What `explain` is asked for beside the lines.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Explaining {
    #[serde(default)]
    trace: bool,
}

/// A line of JSON for each line of it.
async fn explain(
    State(desk): State<Desk>,
    Query(Explaining { trace }): Query<Explaining>,
    body: String,
) -> Result<Response, Failure> {
    let lines = body.lines().map(str::to_owned).collect();
    let answers = desk.adviser.explain(lines, trace).await.map_err(Failure)?;
    let text: String = answers.into_iter().flat_map(|line| [line, "\n".to_owned()]).collect();
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], text).into_response())
}

async fn reload(State(desk): State<Desk>) -> Answer<Reload> {
    let (answer, ended) = oneshot::channel();
    desk.reloads.send(answer).await.map_err(|_| Failure(anyhow::anyhow!("the agent is about to end")))?;
    let reload = ended.await.map_err(|_| Failure(anyhow::anyhow!("the agent is about to end")))?;
    Ok(Json(reload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::agent::{ReloadResult, Seconds};
    use crate::observation::client::Client;

    struct Door {
        directory: tempfile::TempDir,
        sample: Sample,
        board: Board,
        reloads: mpsc::Receiver<ReloadRequest>,
        path: watch::Sender<PathBuf>,
    }

    impl Door {
        fn open(name: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let (asking, reloads) = mpsc::channel(1);
            let (sample, board) = (Sample::default(), Board::new("/x".into()));
            let pins = directory.path().join("pins");
            let adviser = Adviser::start(board.clone(), pins.clone());
            let (path, at) = watch::channel(directory.path().join(name));
            let (_, state_dir) = watch::channel(directory.path().join("state"));
            let desk =
                Desk { board: board.clone(), sample: sample.clone(), pins, state_dir, adviser, reloads: asking };
            tokio::spawn(serve(at, desk));
            Self { directory, sample, board, reloads, path }
        }

        /// Connects as soon as the socket is there.
        async fn client(&self) -> Client {
            let path = self.path.borrow().clone();
            loop {
                match Client::connect(&path).await.unwrap() {
                    Some(client) => return client,
                    None => tokio::task::yield_now().await,
                }
            }
        }
    }

    fn dropped() -> Drop {
        serde_json::from_value(serde_json::json!({
            "time": "T", "interface": "eth1", "hook": "ingress", "verdict": "drop", "reason": "service",
            "length": 60, "generation": 1,
        }))
        .unwrap()
    }

    #[tokio::test]
    async fn drops_are_followed_as_they_come() {
        let door = Door::open("control.sock");
        let mut client = door.client().await;
        let sample = door.sample.clone();
        let feed = tokio::spawn(async move {
            loop {
                sample.push(dropped());
                tokio::task::yield_now().await;
            }
        });
        let mut lines = Vec::new();
        let followed = client.lines("/v1/drops/follow", |line| {
            lines.push(serde_json::from_slice::<Drop>(line)?);
            anyhow::ensure!(lines.len() < 3, "enough");
            Ok(())
        });
        assert_eq!(followed.await.unwrap_err().to_string(), "enough");
        feed.abort();
        assert_eq!(lines, [dropped(), dropped(), dropped()]);
    }

    #[tokio::test]
    async fn a_reload_is_answered_with_how_it_ended() {
        let mut door = Door::open("control.sock");
        let answer = {
            let mut client = door.client().await;
            tokio::spawn(async move { client.post::<Reload>("/v1/reload").await })
        };
        let ended = Reload {
            result: ReloadResult::Failed,
            cause: "request".to_owned(),
            at: "T".to_owned(),
            seconds: Seconds::default(),
            error: Some("site.toml:1:1: no".to_owned()),
        };
        door.reloads.recv().await.unwrap().send(ended.clone()).unwrap();
        assert_eq!(answer.await.unwrap().unwrap(), ended);
    }

    #[tokio::test]
    async fn only_owner_and_group_may_connect_and_a_dead_agents_socket_is_replaced() {
        let door = Door::open("a/control.sock");
        door.client().await;
        let path = door.path.borrow().clone();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        let left = door.directory.path().join("left.sock");
        drop(std::os::unix::net::UnixListener::bind(&left).unwrap());
        assert!(Client::connect(&left).await.unwrap().is_none());
        door.path.send(left.clone()).unwrap();
        door.client().await;
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn somebody_elses_file_is_left_alone() {
        let door = Door::open("control.sock");
        door.client().await;
        let file = door.directory.path().join("precious");
        std::fs::write(&file, "text").unwrap();
        door.path.send(file.clone()).unwrap();
        while door.board.read().warnings.is_empty() {
            tokio::task::yield_now().await;
        }
        let warning = door.board.read().warnings["control socket"][0].clone();
        assert!(warning.contains("is no socket"), "{warning}");
        door.path.send(door.directory.path().join("control.sock")).unwrap();
        door.client().await;
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "text");
    }
}

//! The control socket: HTTP over a Unix socket that root and the control group may open. It shows what the gate does to
//! both, and root may change what is enforced; nothing said here takes the gate away.

use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use nix::unistd::{Gid, Group};
use serde::Deserialize;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, mpsc, watch};

use crate::datapath::Live;
use crate::suggest::seen::Memory;

use super::adviser::Adviser;
use super::agent::Board;
use super::peer::{self, Peer};
use super::request::Request;
use super::sample::Sample;
use super::shadow::{self, Shadow};
use super::status::Status;
use super::{change, drops, flows, foresight, history, page, patience, sampled};

/// Who may connect: owner and group.
const MODE: u32 = 0o660;

/// Where the socket is, and whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its path.
    pub path: PathBuf,
    /// Name or number of the group whose members may ask; none is root's.
    pub group: Option<String>,
}

/// What the socket's answers are made of.
#[derive(Clone)]
pub struct Desk {
    /// What the agent knows.
    pub board: Board,
    /// The drops it heard of.
    pub sample: Sample,
    /// The same summed up.
    pub seen: Memory,
    /// Where the gate is pinned.
    pub pins: PathBuf,
    /// Where flows' history is kept.
    pub state_dir: watch::Receiver<PathBuf>,
    /// Who answers questions about packets.
    pub adviser: Adviser,
    /// Where changes are asked for.
    pub requests: mpsc::Sender<Request>,
    /// Packets that a shadow would treat otherwise.
    pub shadows: Sample,
}

/// Answers at the socket that `place` says, and moves when it says something else. Ends with its sender. `tried` is told
/// when the socket stands, or cannot.
pub async fn serve(mut place: watch::Receiver<Place>, desk: Desk, tried: Arc<Notify>) {
    let board = desk.board.clone();
    let changes = Router::new()
        .route("/v1/reload", post(change::reload))
        .route("/v1/apply", post(change::apply))
        .route("/v1/confirm", post(change::confirm))
        .route("/v1/rollback", post(change::rollback))
        .route("/v1/shadow/start", post(change::cast_shadow))
        .route("/v1/shadow/stop", post(change::end_shadow))
        .route("/v1/selftest", post(change::selftest))
        .route_layer(axum::middleware::from_fn(peer::root_alone));
    let routes = Router::new()
        .route("/v1/version", get(change::version))
        .route("/v1/status", get(status))
        .route("/v1/flows", get(flow_lines))
        .route("/v1/drops", get(sampled::drops))
        .route("/v1/drops/follow", get(sampled::follow))
        .route("/v1/drops/top", get(sampled::top))
        .route("/v1/plan", get(foresight::plan).post(foresight::plan_others).layer(foresight::LONGEST))
        .route("/v1/shadow", get(shadows))
        .route("/v1/explain", post(explain))
        .route("/v1/suggest", get(foresight::suggest))
        .merge(changes)
        .fallback(async || (StatusCode::NOT_FOUND, "there is no such request at this release\n"))
        .layer(axum::middleware::from_fn(peer::name_release))
        .with_state(desk);
    loop {
        let wanted = place.borrow_and_update().clone();
        let served = async {
            loop {
                let attempt = async || {
                    let bound = bind(&wanted.path).await;
                    if bound.is_ok() {
                        board.warn("control group", give(&wanted).err().map(|error| format!("{error:#}")));
                    }
                    tried.notify_one();
                    bound
                };
                let (listener, _removed_at_the_end) = patience::get("control socket", &board, attempt).await;
                let service = routes.clone().into_make_service_with_connect_info::<Peer>();
                if let Err(error) = axum::serve(listener, service).await {
                    tracing::warn!("control socket {}: {error}", wanted.path.display());
                }
            }
        };
        let ended = tokio::select! {
            () = served => false,
            changed = place.changed() => changed.is_err(),
        };
        if ended {
            return;
        }
    }
}

/// A socket that this agent made, and removes.
struct Made(PathBuf);

impl Drop for Made {
    fn drop(&mut self) {
        // One left behind refuses whoever connects, which reads as "no agent runs": no harm.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Gives the socket to its group. Without one, or where that fails, root alone may ask.
fn give(place: &Place) -> Result<()> {
    let Some(name) = &place.group else { return Ok(()) };
    let found = match name.parse() {
        Ok(number) => Some(Gid::from_raw(number)),
        Err(_) => Group::from_name(name).context("cannot look for groups")?.map(|group| group.gid),
    };
    let group = found.with_context(|| {
        format!(
            "there is no group \"{name}\": `groupadd --system {name}`, or set `control-group` to another one"
        )
    })?;
    nix::unistd::chown(&place.path, None, Some(group))
        .with_context(|| format!("cannot give {} to the group {name}", place.path.display()))
}

async fn bind(path: &Path) -> Result<(UnixListener, Made)> {
    let shown = path.display();
    if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
        let make = || {
            std::fs::create_dir_all(directory)?;
            // Whatever the umask: members of the group have to pass.
            std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755))
        };
        make().with_context(|| format!("cannot make {}", directory.display()))?;
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
pub(super) struct Failure(pub(super) anyhow::Error);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, format!("{:#}\n", self.0)).into_response()
    }
}

pub(super) type Answer<T> = Result<Json<T>, Failure>;

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

/// Where the shadow would do otherwise.
async fn shadows(State(desk): State<Desk>) -> Answer<Shadow> {
    let live = live(&desk).await?;
    let samples = desk.shadows.recent().into_iter().map(drops::Drop::without_frame).collect();
    let status = desk.board.read();
    let problem = status.warnings.get("shadow").map(|problem| problem.join("; "));
    Ok(Json(Shadow { shadow: status.shadow, flows: shadow::flows(&live), samples, problem }))
}

pub(super) async fn live(desk: &Desk) -> Result<Live, Failure> {
    let live = page::inspect(desk.pins.clone()).await.map_err(Failure)?;
    live.ok_or_else(|| Failure(anyhow::anyhow!("nothing is pinned at {}", desk.pins.display())))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::agent::{Reload, ReloadResult, Seconds};
    use crate::observation::client::Client;
    use crate::observation::drops::Drop;
    use crate::observation::request::{Answer as Changed, Apply};

    struct Door {
        directory: tempfile::TempDir,
        sample: Sample,
        board: Board,
        requests: mpsc::Receiver<Request>,
        place: watch::Sender<Place>,
    }

    impl Door {
        fn open(name: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let (asking, requests) = mpsc::channel(1);
            let (sample, board) = (Sample::default(), Board::new("/x".into()));
            let pins = directory.path().join("pins");
            let (place, at) = watch::channel(Place { path: directory.path().join(name), group: None });
            let (_, state_dir) = watch::channel(directory.path().join("state"));
            let adviser = Adviser::start(board.clone(), pins.clone());
            let desk = Desk {
                board: board.clone(),
                sample: sample.clone(),
                seen: Memory::default(),
                pins,
                state_dir,
                adviser,
                requests: asking,
                shadows: Sample::default(),
            };
            tokio::spawn(serve(at, desk, Arc::default()));
            Self { directory, sample, board, requests, place }
        }

        /// Connects as soon as the socket is there.
        async fn client(&self) -> Client {
            let path = self.place.borrow().path.clone();
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
        // Of more than the sample keeps, whoever is slow misses some: no more come than are waited for, once there is somebody.
        tokio::spawn(async move {
            while sample.followers() == 0 {
                tokio::task::yield_now().await;
            }
            (0..3).for_each(|_| sample.push(dropped()));
        });
        let mut lines = Vec::new();
        let followed = client.lines("/v1/drops/follow", |line| {
            lines.push(serde_json::from_slice::<Drop>(line)?);
            anyhow::ensure!(lines.len() < 3, "enough");
            Ok(())
        });
        assert_eq!(followed.await.unwrap_err().to_string(), "enough");
        assert_eq!(lines, [dropped(), dropped(), dropped()]);
    }

    #[tokio::test]
    async fn a_reload_is_answered_with_how_it_ended() {
        let mut door = Door::open("control.sock");
        let answer = {
            let mut client = door.client().await;
            tokio::spawn(async move { client.post::<Reload>("/v1/reload", &()).await })
        };
        let ended = Reload {
            result: ReloadResult::Failed,
            cause: "request".to_owned(),
            at: "T".to_owned(),
            seconds: Seconds::default(),
            error: Some("site.toml:1:1: no".to_owned()),
        };
        let Some(Request::Reload(reply)) = door.requests.recv().await else { panic!("no reload") };
        reply.send(Ok(ended.clone())).unwrap();
        assert_eq!(answer.await.unwrap().unwrap(), ended);
    }

    #[tokio::test]
    async fn a_change_that_is_not_made_is_answered_with_why() {
        let mut door = Door::open("control.sock");
        let answer = {
            let mut client = door.client().await;
            let apply = Apply { confirm: Some(60), force: true, ..Apply::default() };
            tokio::spawn(async move { client.post::<Changed>("/v1/apply", &apply).await })
        };
        let Some(Request::Apply(apply, reply)) = door.requests.recv().await else {
            panic!("nothing to apply")
        };
        assert_eq!((apply.confirm, apply.force), (Some(60), true));
        reply.send(Err("it would lock you out".to_owned())).unwrap();
        let error = answer.await.unwrap().unwrap_err().to_string();
        assert_eq!(error, "it would lock you out");
    }

    #[tokio::test]
    async fn a_group_that_is_not_there_is_a_warning_and_the_socket_answers() {
        let door = Door::open("control.sock");
        let path = door.place.borrow().path.clone();
        door.place.send(Place { path, group: Some("no-such-group".to_owned()) }).unwrap();
        while door.board.read().warnings.is_empty() {
            tokio::task::yield_now().await;
        }
        let warning = door.board.read().warnings["control group"][0].clone();
        assert!(warning.contains("groupadd --system no-such-group"), "{warning}");
        let version: serde_json::Value = door.client().await.get("/v1/version").await.unwrap();
        assert_eq!(version, serde_json::json!({"release": env!("CARGO_PKG_VERSION"), "api": 1}));
    }

    #[tokio::test]
    async fn only_owner_and_group_may_connect_and_a_dead_agents_socket_is_replaced() {
        let door = Door::open("a/control.sock");
        door.client().await;
        let path = door.place.borrow().path.clone();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        let left = door.directory.path().join("left.sock");
        drop(std::os::unix::net::UnixListener::bind(&left).unwrap());
        assert!(Client::connect(&left).await.unwrap().is_none());
        door.place.send(Place { path: left.clone(), group: None }).unwrap();
        door.client().await;
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn somebody_elses_file_is_left_alone() {
        let door = Door::open("control.sock");
        door.client().await;
        let file = door.directory.path().join("precious");
        std::fs::write(&file, "text").unwrap();
        door.place.send(Place { path: file.clone(), group: None }).unwrap();
        while door.board.read().warnings.is_empty() {
            tokio::task::yield_now().await;
        }
        let warning = door.board.read().warnings["control socket"][0].clone();
        assert!(warning.contains("is no socket"), "{warning}");
        let again = door.directory.path().join("control.sock");
        door.place.send(Place { path: again, group: None }).unwrap();
        door.client().await;
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "text");
    }
}

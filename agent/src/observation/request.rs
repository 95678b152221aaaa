//! What a running agent is asked to change, and what it answers.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::agent::Reload;

/// Where an answer goes, or why nothing was changed.
pub type Reply<T> = oneshot::Sender<Result<T, String>>;

/// A change that somebody asks for.
#[derive(Debug)]
pub enum Request {
    /// To read the files again.
    Reload(Reply<Reload>),
    /// To enforce the files, whatever became of them before.
    Apply(Apply, Reply<Answer>),
    /// To keep what is on trial.
    Confirm(Reply<Answer>),
    /// To return to what was enforced before.
    Rollback(Reply<Answer>),
    /// To judge the canaries now.
    SelfTest(Reply<Done>),
    /// To judge by these files, too, without effect.
    CastShadow(PathBuf, Reply<Done>),
    /// To stop that.
    EndShadow(Reply<Done>),
}

/// That something was done of which there is no more to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Always true.
    pub done: bool,
}

/// How files are to be enforced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apply {
    /// For how many seconds, unless confirmed; without, for good.
    pub confirm: Option<u64>,
    /// Also where that locks somebody out.
    pub force: bool,
    /// The `cmgate.toml` that is meant; another one than the agent's own is refused.
    #[serde(default)]
    pub config: Option<PathBuf>,
    /// Both ends of the operator's SSH session: the other one, and this machine's.
    pub session: Option<(SocketAddr, SocketAddr)>,
}

/// What is enforced after a change: the stable JSON of `apply`, `confirm` and `rollback`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// What was done.
    pub result: Outcome,
    /// The generation that rules.
    pub generation: u32,
    /// The one that a rollback returns to; none where there is none.
    pub former: Option<u32>,
    /// When the former one rules again, should nobody confirm.
    pub confirm_by: Option<String>,
    /// How long until then.
    pub seconds_left: Option<f64>,
}

/// What a request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The files are enforced.
    Done,
    /// They were already.
    Unchanged,
    /// They are until a deadline.
    OnTrial,
    /// What was on trial is enforced for good.
    Confirmed,
    /// What was enforced before is again.
    RolledBack,
}

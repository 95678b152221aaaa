//! The control socket's paths that change something, each handed to the agent's life and answered as that says; and what
//! stands at all of them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::oneshot;

use super::agent::Reload;
use super::control::Desk;
use super::request::{Answer, Apply, Done, Reply, Request};

/// Version of what stands at the paths below `/v1`.
const API: u32 = 1;

/// What this agent understands.
#[derive(Serialize)]
pub(super) struct Version {
    release: &'static str,
    api: u32,
}

pub(super) async fn version() -> Json<Version> {
    Json(Version { release: env!("CARGO_PKG_VERSION"), api: API })
}

/// A change that was not made, and why.
pub(super) struct Refused(String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (StatusCode::CONFLICT, format!("{}\n", self.0)).into_response()
    }
}

pub(super) async fn reload(State(desk): State<Desk>) -> Result<Json<Reload>, Refused> {
    ask(&desk, Request::Reload).await
}

pub(super) async fn apply(
    State(desk): State<Desk>,
    Json(apply): Json<Apply>,
) -> Result<Json<Answer>, Refused> {
    ask(&desk, |reply| Request::Apply(apply, reply)).await
}

pub(super) async fn confirm(State(desk): State<Desk>) -> Result<Json<Answer>, Refused> {
    ask(&desk, Request::Confirm).await
}

pub(super) async fn rollback(State(desk): State<Desk>) -> Result<Json<Answer>, Refused> {
    ask(&desk, Request::Rollback).await
}

pub(super) async fn selftest(State(desk): State<Desk>) -> Result<Json<Done>, Refused> {
    ask(&desk, Request::SelfTest).await
}

/// The body is the path of the `cmgate.toml`.
pub(super) async fn cast_shadow(State(desk): State<Desk>, path: String) -> Result<Json<Done>, Refused> {
    ask(&desk, |reply| Request::CastShadow(path.trim_end().into(), reply)).await
}

pub(super) async fn end_shadow(State(desk): State<Desk>) -> Result<Json<Done>, Refused> {
    ask(&desk, Request::EndShadow).await
}

async fn ask<T>(desk: &Desk, request: impl FnOnce(Reply<T>) -> Request) -> Result<Json<T>, Refused> {
    let ends = || Refused("the agent is about to end".to_owned());
    let (reply, answer) = oneshot::channel();
    desk.requests.send(request(reply)).await.map_err(|_| ends())?;
    answer.await.map_err(|_| ends())?.map(Json).map_err(Refused)
}

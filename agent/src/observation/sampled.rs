//! The control socket's paths about sampled drops: what of them is wanted is applied here, before anything is sent.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::broadcast::error::RecvError;

use crate::config::Mistake;

use super::control::{Desk, live};
use super::drops::{Drop, Drops};
use super::filter::Filter;

/// The last ones sampled, beside the counters.
pub(super) async fn drops(
    State(desk): State<Desk>,
    Query(asked): Query<Asked>,
) -> Result<Response, Response> {
    let wanted = Wanted::read(&asked).map_err(Refused::into_response)?;
    let mut recent: Vec<Drop> =
        desk.sample.recent().into_iter().filter(|drop| wanted.filter.wants(drop)).collect();
    if let Some(most) = wanted.most {
        recent.drain(..recent.len().saturating_sub(most));
    }
    let recent = desk.adviser.hint(recent).await.into_iter().map(|drop| wanted.told(drop)).collect();
    let live = live(&desk).await.map_err(IntoResponse::into_response)?;
    Ok(Json(Drops::of(&live, recent).wanted_by(&wanted.filter)).into_response())
}

/// Drops summed up, the greatest sums first.
pub(super) async fn top(State(desk): State<Desk>, Query(asked): Query<Asked>) -> Result<Response, Response> {
    let wanted = Wanted::read(&asked).map_err(Refused::into_response)?;
    let now = Drops::of(&live(&desk).await.map_err(IntoResponse::into_response)?, Vec::new());
    let mut top = desk.sample.top(wanted.most.unwrap_or(MOST), &wanted.filter, &now);
    let last = top.top.iter().map(|line| line.last.clone()).collect();
    for (line, hinted) in top.top.iter_mut().zip(desk.adviser.hint(last).await) {
        line.last.hint = hinted.hint;
    }
    Ok(Json(top).into_response())
}

/// Sums told where nobody says how many.
const MOST: usize = 20;

/// The pairs of a query, in which a key may come more than once.
pub(super) type Asked = Vec<(String, String)>;

/// What of the drops is wanted.
#[derive(Debug, Clone, Default)]
struct Wanted {
    filter: Filter,
    /// With their frames' first bytes.
    frames: bool,
    most: Option<usize>,
}

/// A query that means nothing.
pub(super) struct Refused(Mistake);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, format!("{}\n", self.0)).into_response()
    }
}

impl Wanted {
    fn read(asked: &Asked) -> Result<Self, Refused> {
        let mut wanted = Self::default();
        for (key, value) in asked {
            match key.as_str() {
                "frames" if value == "true" => wanted.frames = true,
                "most" => {
                    let most = value.parse().map_err(|_| {
                        Refused(Mistake::new(
                            format!("\"{value}\" is no number"),
                            "write how many are wanted",
                        ))
                    })?;
                    wanted.most = Some(most);
                }
                _ => wanted.filter.take(key, value).map_err(Refused)?,
            }
        }
        Ok(wanted)
    }

    fn told(&self, drop: Drop) -> Drop {
        if self.frames { drop } else { drop.without_frame() }
    }
}

/// Drops as they are heard of, one JSON object a line. A reader too slow for them is told how many it missed, by a
/// line `{"missed": n}`.
pub(super) async fn follow(
    State(desk): State<Desk>,
    Query(asked): Query<Asked>,
) -> Result<Response, Refused> {
    let wanted = Wanted::read(&asked)?;
    let following = (desk.sample.follow(), desk.adviser, wanted);
    let lines = futures::stream::unfold(following, async |(mut follower, adviser, wanted)| {
        let line = loop {
            break match follower.recv().await {
                Ok(drop) if !wanted.filter.wants(&drop) => continue,
                Ok(drop) => {
                    let hinted = adviser.hint(vec![drop]).await.pop()?;
                    serde_json::to_vec(&wanted.told(hinted))
                }
                Err(RecvError::Lagged(missed)) => {
                    serde_json::to_vec(&serde_json::json!({ "missed": missed }))
                }
                Err(RecvError::Closed) => return None,
            };
        };
        let line = line.map(|mut line| {
            line.push(b'\n');
            Bytes::from(line)
        });
        Some((line, (follower, adviser, wanted)))
    });
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], Body::from_stream(lines)).into_response())
}

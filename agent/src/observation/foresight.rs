//! The control socket's look ahead: what the files would change, and what of a site would have admitted what was dropped.

use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::{DefaultBodyLimit, Query, State};
use cmgate_common::layout::counters::Stat;
use serde::Deserialize;

use crate::config::{self, Loaded, Report};
use crate::datapath;
use crate::guard::{self, Known};
use crate::life::bundle::Bundle;
use crate::life::surroundings;
use crate::plan::Standing;
use crate::plan::report::Plan;
use crate::suggest::report::Suggestion;

use super::control::{Answer, Desk, Failure};

/// Who asks for a plan.
#[derive(Deserialize)]
pub(super) struct Planning {
    /// Their `SSH_CONNECTION`.
    session: Option<String>,
}

/// Files that are sent may have so many bytes: lists of addresses can be long.
pub(super) const LONGEST: DefaultBodyLimit = DefaultBodyLimit::max(64 << 20);

/// What would change if the agent read its files now; of files with errors these.
pub(super) async fn plan(State(desk): State<Desk>, Query(asked): Query<Planning>) -> Answer<Plan> {
    let config = desk.board.read().config;
    planned(desk, asked, move || config::load(&config)).await
}

/// What would change if other files took their place, whose texts are sent.
pub(super) async fn plan_others(
    State(desk): State<Desk>,
    Query(asked): Query<Planning>,
    Json(files): Json<Bundle>,
) -> Answer<Plan> {
    planned(desk, asked, move || files.load()).await
}

async fn planned(
    desk: Desk,
    asked: Planning,
    load: impl FnOnce() -> Result<Loaded, Report> + Send + 'static,
) -> Answer<Plan> {
    let session = asked.session.as_deref().and_then(guard::session);
    let known = Known { session, scraper: desk.board.scraper(), ..Known::default() };
    let config = desk.board.read().config;
    let here = surroundings::now().await.map_err(Failure)?;
    let planned = tokio::task::spawn_blocking(move || {
        let standing = Standing::read(&desk.pins)?;
        match load() {
            Ok(loaded) => crate::plan::plan(&config, loaded, &standing, &here, &known),
            Err(report) => Ok(Plan::of_bad(&report)),
        }
    });
    let planned = planned.await.map_err(|error| Failure(error.into()))?;
    planned.map(Json).map_err(Failure)
}

/// How far back is asked.
#[derive(Deserialize)]
pub(super) struct Since {
    /// Seconds.
    since: Option<u64>,
}

/// What of a site would have admitted what was dropped.
pub(super) async fn suggest(State(desk): State<Desk>, Query(asked): Query<Since>) -> Answer<Suggestion> {
    let here = surroundings::now().await.map_err(Failure)?;
    let since = asked.since.and_then(|seconds| SystemTime::now().checked_sub(Duration::from_secs(seconds)));
    let suggested = tokio::task::spawn_blocking(move || {
        let lost = datapath::inspect(&desk.pins)?.map_or(0, |live| live.stats[Stat::EventsLost as usize]);
        crate::suggest::suggest(&desk.board.read().config, &desk.seen.sums(), since, lost, &here)
    });
    let suggested = suggested.await.map_err(|error| Failure(error.into()))?;
    suggested.map(Json).map_err(Failure)
}

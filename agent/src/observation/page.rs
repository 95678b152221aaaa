//! The metrics port: `/metrics` and `/healthz`. It comes after the gate: where it is taken, the gate stands all the
//! same, and the port is tried again.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::IncomingStream;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::datapath;

use super::agent::Board;
use super::{metrics, patience};

/// What the OpenMetrics specification has scrapers expect.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves metrics wherever `address` says, and moves when it says something else. Ends with its sender.
pub async fn serve(mut address: watch::Receiver<Option<SocketAddr>>, board: Board, pins: PathBuf) {
    let pages = Router::new()
        .route("/metrics", get(page))
        .route("/healthz", get(health))
        .with_state(Gauges { board: board.clone(), pins });
    loop {
        let wanted = *address.borrow_and_update();
        let served = async {
            match wanted {
                Some(wanted) => at(wanted, &pages, &board).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = served => {}
            changed = address.changed() => if changed.is_err() { return },
        }
        board.warn("metrics", None);
    }
}

/// Serves at one address until it is given up.
async fn at(address: SocketAddr, pages: &Router, board: &Board) {
    loop {
        let listener = patience::get("metrics", board, || async move {
            TcpListener::bind(address).await.with_context(|| format!("cannot listen at {address}"))
        })
        .await;
        tracing::info!("metrics are served at http://{address}/metrics");
        let service = pages.clone().into_make_service_with_connect_info::<Reader>();
        if let Err(error) = axum::serve(listener, service).await {
            tracing::warn!("metrics at {address} ended: {error}");
        }
    }
}

#[derive(Clone)]
struct Gauges {
    board: Board,
    pins: PathBuf,
}

/// Both ends of a reader's connection: that one's, and this machine's.
#[derive(Debug, Clone, Copy)]
struct Reader(Option<(SocketAddr, SocketAddr)>);

impl Connected<IncomingStream<'_, TcpListener>> for Reader {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        let canonical = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
        let own = stream.io().local_addr().ok();
        Self(own.map(|own| (canonical(*stream.remote_addr()), canonical(own))))
    }
}

async fn page(State(gauges): State<Gauges>, ConnectInfo(reader): ConnectInfo<Reader>) -> Response {
    // Somebody on this machine cannot be cut off.
    if let Some(ends) = reader.0.filter(|(from, _)| !from.ip().is_loopback()) {
        gauges.board.update(|status| status.scraper = Some(ends));
    }
    let live = match inspect(gauges.pins).await {
        Ok(live) => live,
        Err(error) => return (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")).into_response(),
    };
    match metrics::page(gauges.board.read(), live) {
        Ok(page) => ([(header::CONTENT_TYPE, OPENMETRICS)], page).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// Healthy is an agent that has brought a policy in force and guards every interface it was told to.
async fn health(State(gauges): State<Gauges>) -> Response {
    let agent = gauges.board.read();
    match (agent.policy, agent.unguarded.first_key_value()) {
        (None, _) => {
            (StatusCode::SERVICE_UNAVAILABLE, "no policy is in force yet\n".to_owned()).into_response()
        }
        (_, Some((name, why))) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("{name} is not guarded: {why}\n")).into_response()
        }
        _ => "ok\n".into_response(),
    }
}

/// Reads the pins, beside the tasks that wait: it is thousands of system calls.
pub(super) async fn inspect(pins: PathBuf) -> anyhow::Result<Option<datapath::Live>> {
    Ok(tokio::task::spawn_blocking(move || datapath::inspect(&pins)).await??)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_a_warning_until_it_is_free_or_another_is_wanted() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let board = Board::new("/x".into());
        let (sender, receiver) = watch::channel(taken.local_addr().ok());
        let task = tokio::spawn(serve(receiver, board.clone(), "/nowhere".into()));
        let warned = async {
            while board.read().warnings.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), warned).await.unwrap();
        let warning = board.read().warnings["metrics"][0].clone();
        assert!(warning.contains("Address already in use"), "{warning}");
        sender.send(None).unwrap();
        let cleared = async {
            while !board.read().warnings.is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), cleared).await.unwrap();
        drop(sender);
        task.await.unwrap();
    }
}

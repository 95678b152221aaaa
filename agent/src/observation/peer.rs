//! Who asks at the control socket, and what that one may.

use axum::extract::Request;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::serve::IncomingStream;
use nix::unistd::Uid;
use tokio::net::UnixListener;

/// Names the agent's release in every answer.
pub(super) const RELEASE: &str = "cmgate-release";

/// The user at the other end, as the kernel says (SO_PEERCRED of unix(7)); `None` where it does not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(Option<u32>);

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self(stream.io().peer_cred().ok().map(|peer| peer.uid()))
    }
}

/// Lets root alone pass; everybody else who may connect is told so.
pub(super) async fn root_alone(request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<Peer>>().and_then(|info| info.0.0);
    // The agent itself may be somebody else, in tests.
    if peer.is_some_and(|uid| uid == 0 || uid == Uid::effective().as_raw()) {
        return next.run(request).await;
    }
    let words = "only root may change what is enforced; the control group may look. Try sudo\n";
    (StatusCode::FORBIDDEN, words).into_response()
}

/// Names the agent's release in an answer.
pub(super) async fn name_release(request: Request, next: Next) -> Response {
    let mut answer = next.run(request).await;
    answer.headers_mut().insert(RELEASE, HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    answer
}

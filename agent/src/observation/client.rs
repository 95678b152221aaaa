//! The other end of the control socket, for the commands that ask a running agent.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::peer::RELEASE;

/// A connection to an agent.
pub struct Client {
    socket: PathBuf,
    sender: SendRequest<Full<Bytes>>,
    /// The agent's release, where it is another than this one.
    other: Option<String>,
}

impl Client {
    /// Connects; `None` where no agent answers.
    ///
    /// # Errors
    /// If one may be there and cannot be asked.
    pub async fn connect(socket: &Path) -> Result<Option<Self>> {
        let stream = match UnixStream::connect(socket).await {
            Ok(stream) => stream,
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
            {
                return Ok(None);
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(error).with_context(|| {
                    format!("{}: only root and the agent's group may ask; try sudo", socket.display())
                });
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot connect to {}", socket.display()));
            }
        };
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Its end is the end of the answers.
        tokio::spawn(connection);
        Ok(Some(Self { socket: socket.to_owned(), sender, other: None }))
    }

    /// Asks for what is at `path`.
    ///
    /// # Errors
    /// If the agent cannot answer, or answers what this release does not understand.
    pub async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T> {
        self.read(Method::GET, path, Bytes::new()).await
    }

    /// Asks for something to be done, as `how` says.
    ///
    /// # Errors
    /// As [`Self::get`]; and why it was not done.
    pub async fn post<T: DeserializeOwned>(&mut self, path: &str, how: &impl Serialize) -> Result<T> {
        self.read(Method::POST, path, serde_json::to_vec(how)?.into()).await
    }

    /// What to say where agent and command are of different releases; known once something was answered.
    #[must_use]
    pub fn mismatch(&self) -> Option<String> {
        let this = env!("CARGO_PKG_VERSION");
        self.other.as_ref().map(|other| {
            format!("the agent is release {other} and this command {this}: restart the agent (`systemctl restart cmgate`)")
        })
    }

    async fn read<T: DeserializeOwned>(&mut self, method: Method, path: &str, body: Bytes) -> Result<T> {
        let answer = self.ask(method, path, body).await?.into_body().collect().await?.to_bytes();
        serde_json::from_slice(&answer).with_context(|| {
            let socket = self.socket.display();
            let why = self.mismatch().map(|why| format!(" ({why})")).unwrap_or_default();
            format!("{socket} answers what this release does not understand{why}")
        })
    }

    /// Asks for what is at `path`, a line at a time, until there are no more or `line` breaks off.
    ///
    /// # Errors
    /// If the agent cannot answer, or ends.
    pub async fn lines(&mut self, path: &str, line: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let answer = self.ask(Method::GET, path, Bytes::new()).await?;
        Self::each(answer.into_body(), line).await
    }

    /// Asks by a body of lines, and takes the answer a line at a time.
    ///
    /// # Errors
    /// As [`Self::lines`].
    pub async fn post_lines(
        &mut self,
        path: &str,
        body: impl Into<Bytes>,
        line: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let answer = self.ask(Method::POST, path, body.into()).await?;
        Self::each(answer.into_body(), line).await
    }

    async fn each(mut body: Incoming, mut line: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut begun = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.context("the agent ended")?;
            let Ok(data) = frame.into_data() else { continue };
            begun.extend_from_slice(&data);
            while let Some(end) = begun.iter().position(|byte| *byte == b'\n') {
                line(&begun[..end])?;
                begun.drain(..=end);
            }
        }
        Ok(())
    }

    async fn ask(&mut self, method: Method, path: &str, body: Bytes) -> Result<Response<Incoming>> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "cmgate")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let answer = self.sender.send_request(request).await.context("the agent does not answer")?;
        // Releases before 0.1.0 was out do not say.
        let release =
            answer.headers().get(RELEASE).and_then(|release| release.to_str().ok()).unwrap_or("unknown");
        self.other = (release != env!("CARGO_PKG_VERSION")).then(|| release.to_owned());
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let said = answer.into_body().collect().await?.to_bytes();
        let said = String::from_utf8_lossy(&said).trim().to_owned();
        match (status, self.mismatch()) {
            // These say all there is to say.
            (StatusCode::CONFLICT | StatusCode::FORBIDDEN, _) => bail!("{said}"),
            (_, Some(why)) => bail!("the agent answers {status}: {said} ({why})"),
            (_, None) => bail!("the agent answers {status}: {said}"),
        }
    }
}

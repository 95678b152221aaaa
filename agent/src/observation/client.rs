//! The other end of the control socket, for the commands that ask a running agent.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, Response, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

/// A connection to an agent.
pub struct Client {
    socket: PathBuf,
    sender: SendRequest<Full<Bytes>>,
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
        Ok(Some(Self { socket: socket.to_owned(), sender }))
    }

    /// Asks for what is at `path`.
    ///
    /// # Errors
    /// If the agent cannot answer, or answers what this release does not understand.
    pub async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T> {
        self.read(Method::GET, path).await
    }

    /// Asks for something to be done.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn post<T: DeserializeOwned>(&mut self, path: &str) -> Result<T> {
        self.read(Method::POST, path).await
    }

    async fn read<T: DeserializeOwned>(&mut self, method: Method, path: &str) -> Result<T> {
        let answer = self.ask(method, path, Bytes::new()).await?.into_body().collect().await?.to_bytes();
        serde_json::from_slice(&answer).with_context(|| {
            format!("{} answers what this release does not understand", self.socket.display())
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
        let request = Request::builder().method(method).uri(path).header(header::HOST, "cmgate");
        let request = request.body(Full::new(body))?;
        let answer = self.sender.send_request(request).await.context("the agent does not answer")?;
        let status = answer.status();
        if !status.is_success() {
            let said = answer.into_body().collect().await?.to_bytes();
            bail!("the agent answers {status}: {}", String::from_utf8_lossy(&said).trim());
        }
        Ok(answer)
    }
}

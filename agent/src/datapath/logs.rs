//! The programs' own log lines. They are off unless the log's filter asks for them (`cmgate_bpf=debug`) when the
//! programs are loaded: the verifier removes what a level never reaches.
#![expect(unsafe_code, reason = "to await a descriptor is to promise that it stays open")]

use std::io;

use aya::Ebpf;
use aya_log::EbpfLogger;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::error::chain;
use super::{Datapath, Error, maps};

/// The level the programs are loaded with, as aya-log counts: 0 is silence, 4 is debug.
pub fn level() -> u8 {
    if tracing::enabled!(target: "cmgate_bpf", tracing::Level::DEBUG) { 4 } else { 0 }
}

impl Datapath {
    /// Forwards the programs' log lines to the agent's log, for as long as the future is polled; it ends with the
    /// error that kept it from going on. `None` where the programs were loaded without. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`Error::Map`] where the lines cannot be awaited.
    pub fn program_log(
        &mut self,
    ) -> Result<Option<impl Future<Output = Error> + Send + 'static + use<>>, Error> {
        if level() == 0 { Ok(None) } else { forward(self.programs.object()).map(Some) }
    }
}

fn forward(object: &mut Ebpf) -> Result<impl Future<Output = Error> + Send + 'static + use<>, Error> {
    let name = maps::LOGS.name;
    let logger = EbpfLogger::init(object)
        .map_err(|error| Error::Map { map: name.to_owned(), reason: chain(&error) })?;
    // SAFETY: the logger owns its descriptor, keeps it open as long as it lives, and always gives the same one.
    let lines = unsafe { AsyncFd::register_with_interest(logger, Interest::READABLE) };
    let mut lines = lines.map_err(|refused| Error::map(name, &io::Error::from(refused)))?;
    Ok(async move {
        loop {
            match lines.readable_mut().await {
                Ok(mut ready) => {
                    ready.get_inner_mut().flush();
                    ready.clear_ready();
                }
                Err(error) => return Error::map(name, &error),
            }
        }
    })
}

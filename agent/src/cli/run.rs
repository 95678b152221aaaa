//! `cmgate run`.

use std::path;

use anyhow::{Context as _, Result};

use crate::datapath;
use crate::life::{self, Options};
use crate::observation::log;

use super::{Common, Exit};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Start also where that cuts off a session, the reader of the metrics, or the network
    #[arg(long)]
    force: bool,
}

pub(super) fn run(common: &Common, args: &Args) -> Result<Exit> {
    log::start()?;
    // What is kept is kept under this name, and asked for from elsewhere.
    let config = path::absolute(&common.config).context("the current directory is gone")?;
    let options = Options { config, pins: common.pin_root.clone(), force: args.force };
    // What they do is little, and each thread has a heap of its own: one for each processor would be many.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    // On a thread of its own: while it compiles and publishes, the others serve and listen.
    let lived = runtime.block_on(life::run(options));
    // Whoever follows drops would keep the process alive.
    runtime.shutdown_background();
    match lived {
        Ok(()) => Ok(Exit::Done),
        Err(error) => {
            tracing::error!("{error:#}");
            Ok(if may_go_away(&error) { Exit::TryAgain } else { Exit::Failed })
        }
    }
}

/// Whether another attempt could end otherwise without anybody's help. A program on an interface has to be taken off
/// by somebody.
fn may_go_away(error: &anyhow::Error) -> bool {
    error.chain().filter_map(|cause| cause.downcast_ref::<datapath::Error>()).any(|error| {
        matches!(
            error,
            datapath::Error::Map { .. }
                | datapath::Error::Pin { .. }
                | datapath::Error::Netlink { .. }
                | datapath::Error::OnTrial { .. }
        )
    })
}

//! Real sockets: streams that must be heard and answered to the last datagram, and such that must not be heard at all.

use std::{net::IpAddr, time::Duration};

use anyhow::Result;

use crate::{
    netns::Netns,
    stream::{Report, Stream},
    topology::{CLIENT, Hosted, SERVER, STRANGER},
};

const PACE: Duration = Duration::from_millis(4);

/// Answers that show that traffic goes on.
const SOME: u64 = 50;

/// Streams of datagrams, each echoed.
pub struct Streams {
    admitted: Vec<Stream>,
    forbidden: Vec<Stream>,
}

/// What became of them.
pub struct Reports {
    /// To a port that clients may use, and from the host to whomever it likes.
    pub admitted: Vec<Report>,
    /// To ports nobody may use.
    pub forbidden: Vec<Report>,
}

impl Streams {
    /// Starts them, in both families.
    ///
    /// # Errors
    /// When a socket cannot be opened.
    pub fn start(lab: &Hosted) -> Result<Self> {
        let Hosted { client, stranger, host, .. } = lab;
        let (mut admitted, mut forbidden) = (Vec::new(), Vec::new());
        for family in 0..2 {
            let at = |netns, addresses: [IpAddr; 2]| -> (&Netns, IpAddr) { (netns, addresses[family]) };
            let (server, stranger) = (at(host, SERVER.each()), at(stranger, STRANGER.each()));
            let client = at(client, CLIENT.each());
            admitted.push(Stream::start(client, server, 5000, PACE)?);
            admitted.push(Stream::start(server, stranger, 7000, PACE)?);
            forbidden.push(Stream::start(client, server, 5001, PACE)?);
            forbidden.push(Stream::start(stranger, server, 5002, PACE)?);
        }
        Ok(Self { admitted, forbidden })
    }

    /// Waits until each admitted stream has had more answers.
    ///
    /// # Errors
    /// When one of them has none within `limit`.
    pub fn go_on(&self, limit: Duration) -> Result<()> {
        self.admitted.iter().try_for_each(|stream| {
            let before = stream.returned();
            stream.wait_until(limit, |stream| stream.returned() > before + SOME)
        })
    }

    /// Ends them.
    ///
    /// # Errors
    /// When a socket failed.
    pub fn stop(self) -> Result<Reports> {
        let stop = |streams: Vec<Stream>| streams.into_iter().map(Stream::stop).collect::<Result<Vec<_>>>();
        Ok(Reports { admitted: stop(self.admitted)?, forbidden: stop(self.forbidden)? })
    }
}

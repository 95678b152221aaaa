//! A UDP stream of numbered datagrams, echoed by the other side and counted on both.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, ensure};
use nix::sys::socket::{setsockopt, sockopt::RcvBufForce};

use crate::interrupted::retried;
use crate::netns::Netns;

/// How long a receiver sleeps in the kernel before it looks whether the stream was stopped.
const TICK: Duration = Duration::from_millis(50);
/// How long after the last datagram was sent an answer may still be under way.
const DRAIN: Duration = Duration::from_secs(1);
/// Enough for seconds of a stream while the machine is busy elsewhere: the sockets shall not be what loses datagrams.
const BUFFER: usize = 4 << 20;

/// A running stream.
pub struct Stream {
    shared: Arc<Shared>,
    sender: Option<JoinHandle<io::Result<()>>>,
    receivers: Vec<JoinHandle<io::Result<()>>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// The sender has ended: `sent` is final.
    drain: AtomicBool,
    sent: AtomicU64,
    /// Woken when a count moves.
    moved: Condvar,
    reached: Seen,
    returned: Seen,
}

/// The numbers that came, and how many came twice.
#[derive(Default)]
struct Seen {
    numbers: Mutex<BTreeSet<u64>>,
    twice: AtomicU64,
}

/// What became of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Datagrams sent.
    pub sent: u64,
    /// Of these, how many the other side got.
    pub reached: u64,
    /// How many of its echoes came back.
    pub returned: u64,
    /// Numbers that never reached the other side.
    pub lost_out: Vec<u64>,
    /// Numbers that reached it and whose echo did not come back.
    pub lost_back: Vec<u64>,
    /// Datagrams that came more than once, at either side.
    pub twice: u64,
}

impl Stream {
    /// Starts sending from `from` to `to` on `port`, one datagram each `interval`, and echoing there.
    ///
    /// # Errors
    /// When the sockets cannot be opened.
    pub fn start(
        (from, source): (&Netns, IpAddr),
        (to, destination): (&Netns, IpAddr),
        port: u16,
        interval: Duration,
    ) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let echo = to.run(|| open(SocketAddr::from((destination, port))))??;
        let client = from.run(|| open(SocketAddr::from((source, 0))))??;
        client.connect(SocketAddr::from((destination, port)))?;
        let receiver = client.try_clone()?;
        // A socket stays in the namespace it was made in; the threads that use it may be anywhere.
        let (of_echo, of_collect, of_send) = (Arc::clone(&shared), Arc::clone(&shared), Arc::clone(&shared));
        let receivers = vec![
            thread::spawn(move || echo_all(&echo, &of_echo)),
            thread::spawn(move || collect(&receiver, &of_collect)),
        ];
        let sender = Some(thread::spawn(move || send_all(&client, &of_send, interval)));
        Ok(Self { shared, sender, receivers })
    }

    /// Datagrams sent until now.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::Relaxed)
    }

    /// Echoes that came back until now.
    pub fn returned(&self) -> u64 {
        self.shared.returned.count()
    }

    /// Waits until the counts are as `reached` wants them.
    ///
    /// # Errors
    /// When they are not within `limit`.
    pub fn wait_until(&self, limit: Duration, reached: impl Fn(&Self) -> bool) -> Result<()> {
        let deadline = Instant::now() + limit;
        let waiting = Mutex::new(());
        let mut guard = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while !reached(self) {
            ensure!(
                Instant::now() < deadline,
                "{} sent, {} returned after {limit:?}",
                self.sent(),
                self.returned()
            );
            // The counts are not under this lock, so a wake-up can be missed: the next datagram's, or the tick, follows.
            (guard, _) = self.shared.moved.wait_timeout(guard, TICK).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    /// Stops sending, waits for what is under way, and reports.
    ///
    /// # Errors
    /// When a socket failed; a closed port at the other side is no failure but loss.
    pub fn stop(mut self) -> Result<Report> {
        self.end()?;
        let reached = self.shared.reached.numbers();
        let returned = self.shared.returned.numbers();
        let sent = self.sent();
        Ok(Report {
            sent,
            reached: reached.len().try_into()?,
            returned: returned.len().try_into()?,
            lost_out: (0..sent).filter(|number| !reached.contains(number)).collect(),
            lost_back: reached.difference(&returned).copied().collect(),
            twice: self.shared.reached.twice.load(Ordering::Relaxed)
                + self.shared.returned.twice.load(Ordering::Relaxed),
        })
    }
}

impl Stream {
    fn end(&mut self) -> Result<()> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let sent = self.sender.take().map(join);
        self.shared.drain.store(true, Ordering::Relaxed);
        self.receivers.drain(..).map(join).chain(sent).collect()
    }
}

fn join(thread: JoinHandle<io::Result<()>>) -> Result<()> {
    thread.join().map_err(|_| anyhow!("a thread of the stream panicked"))?.context("the stream failed")
}

impl Drop for Stream {
    fn drop(&mut self) {
        // After `stop` there is nothing left to end; otherwise nobody asked for the result.
        let _ = self.end();
    }
}

impl Report {
    /// Whether every datagram arrived once, and its echo too.
    pub fn lossless(&self) -> bool {
        self.reached == self.sent && self.returned == self.sent && self.twice == 0
    }
}

impl Seen {
    fn note(&self, number: u64) {
        if !self.numbers.lock().unwrap_or_else(PoisonError::into_inner).insert(number) {
            self.twice.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn count(&self) -> u64 {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).len().try_into().expect("a length fits")
    }

    fn numbers(&self) -> BTreeSet<u64> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn open(address: SocketAddr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind(address).with_context(|| format!("cannot open udp {address}"))?;
    socket.set_read_timeout(Some(TICK))?;
    setsockopt(&socket, RcvBufForce, &BUFFER)?;
    Ok(socket)
}

fn send_all(socket: &UdpSocket, shared: &Shared, interval: Duration) -> io::Result<()> {
    let mut due = Instant::now();
    while !shared.stop.load(Ordering::Relaxed) {
        let number = shared.sent.load(Ordering::Relaxed);
        match socket.send(&number.to_be_bytes()) {
            // An ICMP error for an earlier datagram surfaces here; this one was not sent.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
            other => other?,
        };
        shared.sent.store(number + 1, Ordering::Relaxed);
        shared.moved.notify_all();
        due += interval;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

fn echo_all(socket: &UdpSocket, shared: &Shared) -> io::Result<()> {
    receive(shared, &shared.reached, || {
        let mut datagram = [0; 8];
        let (length, from) = retried(|| socket.recv_from(&mut datagram))?;
        socket.send_to(&datagram[..length], from)?;
        Ok(u64::from_be_bytes(datagram))
    })
}

fn collect(socket: &UdpSocket, shared: &Shared) -> io::Result<()> {
    receive(shared, &shared.returned, || {
        let mut datagram = [0; 8];
        retried(|| socket.recv(&mut datagram))?;
        Ok(u64::from_be_bytes(datagram))
    })
}

/// Notes numbers until all that were sent have come, or [`DRAIN`] has passed since the last was sent.
fn receive(shared: &Shared, seen: &Seen, mut next: impl FnMut() -> io::Result<u64>) -> io::Result<()> {
    let mut ended: Option<Instant> = None;
    loop {
        match next() {
            Ok(number) => {
                seen.note(number);
                shared.moved.notify_all();
            }
            Err(error)
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused) => {}
            Err(error) => return Err(error),
        }
        if shared.drain.load(Ordering::Relaxed) {
            let since = *ended.get_or_insert_with(Instant::now);
            if seen.count() == shared.sent.load(Ordering::Relaxed) || since.elapsed() > DRAIN {
                return Ok(());
            }
        }
    }
}

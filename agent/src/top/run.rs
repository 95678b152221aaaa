//! The screen's life: it asks the agent, listens to keys and signals, and gives the terminal back however it ends.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures::StreamExt as _;
use ratatui::{DefaultTerminal, Frame};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::observation::client::Client;

use super::draw::draw;
use super::state::{Order, Snapshot, State};

/// How often the agent is asked.
const REFRESH: Duration = Duration::from_secs(1);

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Drops asked for: what the largest screen shows.
const DROPS: &str = "/v1/drops?most=60";

/// Shows what the agent at `socket` says until a key or a signal ends it.
///
/// # Errors
/// If there is no terminal, or the agent may not be asked.
pub async fn run(socket: &Path) -> Result<()> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        bail!("top needs a terminal; `cmgate status`, `flows` and `drops --follow` do without");
    }
    // Who may not ask is told so before the screen is taken.
    Client::connect(socket).await?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    let mut hangup = signal(SignalKind::hangup()).context("cannot listen for signals")?;
    let mut screen = Screen::take()?;
    let mut heard = listen(socket.to_owned());
    let mut keys = EventStream::new();
    let mut state = State::default();
    loop {
        screen.draw(|frame| draw(frame, &state))?;
        tokio::select! {
            snapshot = heard.recv() => match snapshot {
                Some(snapshot) => state.take(snapshot),
                None => bail!("nobody asks the agent any more"),
            },
            event = keys.next() => match event {
                Some(Ok(Event::Key(key))) => {
                    if let Some(order) = order(key) && !state.obey(order) {
                        return Ok(());
                    }
                }
                // Of another size it is drawn anew; the rest says nothing.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error).context("cannot read keys"),
                None => return Ok(()),
            },
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => return Ok(()),
        }
    }
}

/// The terminal while it is taken: given back when this is dropped, and before the words of a panic.
pub struct Screen(DefaultTerminal);

impl Screen {
    /// Takes it.
    ///
    /// # Errors
    /// If it cannot be drawn on.
    pub fn take() -> Result<Self> {
        ratatui::try_init().map(Self).context("cannot take the terminal")
    }

    /// Draws it anew.
    ///
    /// # Errors
    /// If it is gone.
    pub fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> Result<()> {
        self.0.draw(render).map(drop).context("cannot draw")
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Of a terminal that is gone nothing is left to give back.
        let _ = ratatui::try_restore();
    }
}

fn order(key: KeyEvent) -> Option<Order> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Some(Order::Quit),
        KeyCode::Char('q') | KeyCode::Esc => Some(Order::Quit),
        KeyCode::Char('p') => Some(Order::Pause),
        KeyCode::Char('s') => Some(Order::Sort),
        KeyCode::Tab => Some(Order::Next),
        _ => None,
    }
}

/// Asks the agent every now and then, beside the screen: an agent that is slow to answer holds up no key.
fn listen(socket: PathBuf) -> mpsc::Receiver<Result<Snapshot, String>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let begun = Instant::now();
        let mut ticks = tokio::time::interval(REFRESH);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let asked = tokio::time::timeout(PATIENCE, ask(&socket, begun)).await;
            let heard = match asked {
                Ok(Ok(Some(snapshot))) => Ok(snapshot),
                Ok(Ok(None)) => Err(format!("no agent answers at {}", socket.display())),
                Ok(Err(error)) => Err(format!("{error:#}")),
                Err(_elapsed) => Err(format!("the agent says nothing for {} s", PATIENCE.as_secs())),
            };
            if sender.send(heard).await.is_err() {
                return;
            }
        }
    });
    receiver
}

async fn ask(socket: &Path, begun: Instant) -> Result<Option<Snapshot>> {
    let Some(mut agent) = Client::connect(socket).await? else { return Ok(None) };
    let status = agent.get("/v1/status").await?;
    let at = begun.elapsed();
    let flows = agent.get("/v1/flows").await?;
    let drops = agent.get(DROPS).await?;
    Ok(Some(Snapshot { status, flows, drops, at }))
}

//! The screen: a pure function of the state. It is made for 80 columns and 24 lines, and takes more where there are more.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line as TextLine, Span};
use ratatui::widgets::Paragraph;

use crate::observation::status::Status;

use super::rates::{Line, short};
use super::state::{Pane, Sort, State};

/// What the screen needs at least.
const COLUMNS: u16 = 80;
const LINES: u16 = 24;

/// Lines of a pane that is not looked at, its title included.
const SMALL: u16 = 5;

/// Columns of a number, with the blank before it.
const NUMBER: usize = 9;

/// Draws all of it.
pub fn draw(frame: &mut Frame<'_>, state: &State) {
    let area = frame.area();
    if area.width < COLUMNS || area.height < LINES {
        let said = format!("{} x {}: cmgate top needs {COLUMNS} x {LINES}. q quits", area.width, area.height);
        frame.render_widget(Paragraph::new(said), area);
        return;
    }
    let size = |pane| if state.pane() == pane { Constraint::Fill(1) } else { Constraint::Length(SMALL) };
    let [head, notice, totals, verdicts, flows, drops, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
        size(Pane::Verdicts),
        size(Pane::Flows),
        size(Pane::Drops),
        Constraint::Length(1),
    ])
    .areas(area);
    let width = usize::from(area.width);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    line(frame, head, &header(state), bold);
    let (text, alarm) = warning(state);
    line(frame, notice, &fit(&text, width), if alarm { Style::new().fg(Color::Red) } else { Style::new() });
    line(frame, totals, &fit(&verdict_rates(&state.verdicts), width), Style::new());
    let [left, gap, right] =
        Layout::horizontal([Constraint::Fill(1), Constraint::Length(1), Constraint::Fill(1)]).areas(verdicts);
    let _ = gap;
    pane(frame, left, "interfaces", state.pane() == Pane::Verdicts, &state.interfaces);
    pane(frame, right, "drops by reason", state.pane() == Pane::Verdicts, &state.reasons);
    pane(frame, flows, "flows", state.pane() == Pane::Flows, &state.flows);
    newest(frame, drops, state);
    line(frame, foot, &footer(state), Style::new().add_modifier(Modifier::DIM));
}

fn line(frame: &mut Frame<'_>, area: Rect, text: &str, style: Style) {
    frame.render_widget(Paragraph::new(Span::styled(text.to_owned(), style)), area);
}

fn header(state: &State) -> String {
    let paused = if state.paused { "  [paused]" } else { "" };
    let Some(snapshot) = state.snapshot() else { return format!("cmgate top{paused}") };
    let Status { agent, gate } = &snapshot.status;
    let gate = match gate {
        Some(gate) => format!("generation {}  mode {}", gate.generation, gate.mode),
        None => "no gate stands".to_owned(),
    };
    let selftest = match agent.as_ref().and_then(|agent| agent.selftest) {
        Some(true) => "ok",
        Some(false) => "FAILED",
        None => "not yet",
    };
    format!("cmgate top  {gate}  selftest {selftest}{paused}")
}

/// What somebody should look at, and whether it is an alarm.
fn warning(state: &State) -> (String, bool) {
    if let Some(lost) = &state.lost {
        let held = if state.snapshot().is_some() { "; this is what it last said" } else { "" };
        return (format!("{lost}, trying again{held}"), true);
    }
    let Some(snapshot) = state.snapshot() else { return ("asking the agent".to_owned(), false) };
    match snapshot.status.warnings().as_slice() {
        [] => ("no warnings".to_owned(), false),
        [one] => (format!("warning: {one}"), true),
        [first, more @ ..] => (format!("{} warnings (cmgate status): {first}", more.len() + 1), true),
    }
}

fn verdict_rates(verdicts: &[Line]) -> String {
    let said =
        |line: &Line| format!("{} {}/s {}B/s", line.name, short(line.rate.packets), short(line.rate.bytes));
    verdicts.iter().map(said).collect::<Vec<_>>().join("   ")
}

/// Lines of counters under a title. What does not fit is left out, and the title says that there is more.
fn pane(frame: &mut Frame<'_>, area: Rect, title: &str, looked_at: bool, lines: &[Line]) {
    let width = usize::from(area.width);
    let room = usize::from(area.height).saturating_sub(1);
    // Names before bytes where there is no room for both.
    let bytes = area.width >= COLUMNS;
    let names = width.saturating_sub(if bytes { 3 * NUMBER } else { 2 * NUMBER });
    let row = |name: &str, packets: &str, in_bytes: &str, total: &str| {
        let in_bytes = if bytes { format!("{in_bytes:>NUMBER$}") } else { String::new() };
        format!("{}{packets:>NUMBER$}{in_bytes}{total:>NUMBER$}", fit(name, names))
    };
    let more = lines.len().saturating_sub(room);
    let title = if more > 0 { format!("{title} (+{more})") } else { title.to_owned() };
    let mut text = vec![TextLine::styled(row(&title, "pkt/s", "B/s", "packets"), title_style(looked_at))];
    text.extend(lines.iter().take(room).map(|line| {
        let (rate, total) = (line.rate, line.total.packets as f64);
        TextLine::raw(row(&line.name, &short(rate.packets), &short(rate.bytes), &short(total)))
    }));
    frame.render_widget(Paragraph::new(text), area);
}

fn newest(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let width = usize::from(area.width);
    let looked_at = state.pane() == Pane::Drops;
    let lost = state.snapshot().map_or(0, |snapshot| snapshot.drops.not_sampled);
    let title =
        if lost > 0 { format!("newest drops ({lost} not sampled)") } else { "newest drops".to_owned() };
    let mut text = vec![TextLine::styled(fit(&title, width), title_style(looked_at))];
    let room = usize::from(area.height).saturating_sub(1);
    for drop in state.newest() {
        // The hour is enough, and every other is told by the date.
        let clock = drop.time.get(11..19).unwrap_or(&drop.time);
        let end = |address: Option<std::net::IpAddr>| {
            address.map_or_else(|| "no IP".to_owned(), |address| address.to_string())
        };
        let what = format!(
            "{clock} {} {} {} -> {} {}",
            drop.interface,
            drop.reason,
            end(drop.source),
            end(drop.destination),
            drop.service()
        );
        text.push(TextLine::raw(fit(&what, width)));
        if looked_at && let Some(hint) = &drop.hint {
            text.push(TextLine::styled(
                fit(&format!("         {hint}"), width),
                Style::new().fg(Color::Cyan),
            ));
        }
        if text.len() > room {
            break;
        }
    }
    text.truncate(room + 1);
    frame.render_widget(Paragraph::new(text), area);
}

fn title_style(looked_at: bool) -> Style {
    let style = Style::new().add_modifier(Modifier::REVERSED);
    if looked_at { style.add_modifier(Modifier::BOLD) } else { style }
}

fn footer(state: &State) -> String {
    let sort = match state.sort() {
        Sort::Rate => "rate",
        Sort::Total => "total",
        Sort::Name => "name",
    };
    let pane = match state.pane() {
        Pane::Verdicts => "verdicts",
        Pane::Flows => "flows",
        Pane::Drops => "drops",
    };
    format!("q quit   p pause   tab pane: {pane}   s sort: {sort}")
}

/// Exactly so many columns: cut with an ellipsis, or filled up. What the agent tells may be anything: what is no plain
/// character could say something to the terminal.
fn fit(text: &str, width: usize) -> String {
    let plain = |sign: char| if sign.is_ascii_graphic() || sign == ' ' { sign } else { '?' };
    let count = text.chars().count();
    if count <= width {
        let shown: String = text.chars().map(plain).collect();
        return format!("{shown:<width$}");
    }
    let cut: String = text.chars().take(width.saturating_sub(1)).map(plain).collect();
    format!("{cut}{}", if width == 0 { "" } else { "…" })
}

#[cfg(test)]
mod tests;

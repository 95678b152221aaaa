//! The picture: what a packet costs as a site grows, and as flows do.

use std::path::Path;

use anyhow::{Result, anyhow, ensure};
use plotters::coord::Shift;
use plotters::prelude::*;

use super::{Measured, Report};

/// Width and height, in pixels.
const SIZE: (u32, u32) = (960, 420);

const DENIED_V4: RGBColor = RGBColor(0x1b, 0x66, 0xa8);
const DENIED_V6: RGBColor = RGBColor(0x2a, 0x9d, 0x6f);
const NFTABLES: RGBColor = RGBColor(0xc0, 0x39, 0x2b);
const IPSET: RGBColor = RGBColor(0xd9, 0x8b, 0x1f);
const FLOWS: RGBColor = RGBColor(0x6a, 0x3d, 0x9a);
const GREY: RGBColor = RGBColor(0x55, 0x55, 0x55);

/// One line of a panel.
struct Line {
    label: &'static str,
    color: RGBColor,
    /// How many there are, and times the yardstick.
    points: Vec<(f64, f64)>,
}

/// One of the two coordinate systems.
struct Panel {
    title: &'static str,
    counted: &'static str,
    /// The ends of the axes.
    most: (f64, f64),
    lines: Vec<Line>,
}

/// Draws it into a file.
///
/// # Errors
///
/// Where the report lacks what is to be drawn, or the file cannot be written.
pub fn draw(report: &Report, file: &Path) -> Result<()> {
    let panels = [sites(report), flows(report)];
    for Line { label, points, .. } in panels.iter().flat_map(|panel| &panel.lines) {
        ensure!(points.len() > 1, "a line needs a thorough measurement of all its sizes: {label}");
    }
    let root = SVGBackend::new(file, SIZE).into_drawing_area();
    root.fill(&WHITE).map_err(unwritten)?;
    for (area, panel) in root.split_evenly((1, 2)).iter().zip(&panels) {
        panel.draw(area)?;
    }
    root.present().map_err(unwritten)
}

fn unwritten(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw: {error}")
}

fn sites(report: &Report) -> Panel {
    let points = |name, of: fn(&Measured) -> f64| points(report, name, |case| (networks(case), of(case)));
    let ratio = |case: &Measured| case.ratio.median;
    // Another firewall is measured by what cmgate costs, which is measured by a drop at the same site.
    let denied = points("live deny v4", ratio);
    let other = |name| {
        let by = points(name, ratio);
        let pairs = by.into_iter().filter_map(|(networks, by)| {
            let (_, cmgate) = denied.iter().find(|(same, _)| *same == networks)?;
            Some((networks, cmgate / by))
        });
        pairs.collect::<Vec<_>>()
    };
    let line = |label, color, points| Line { label, color, points };
    let mut lines = vec![
        line("cmgate, IPv4", DENIED_V4, points("live deny v4, many roles", ratio)),
        line("cmgate, IPv6", DENIED_V6, points("live deny v6, many roles", ratio)),
        line("nftables at ingress", NFTABLES, other("live deny v4, by nftables at ingress")),
    ];
    let ipset = other("live deny v4, by ipset");
    if !ipset.is_empty() {
        lines.push(line("ipset", IPSET, ipset));
    }
    Panel {
        title: "A denied packet, received live, by XDP_DROP",
        counted: "networks of the site",
        most: (1e6, 40.0),
        lines,
    }
}

fn flows(report: &Report) -> Panel {
    let points =
        points(report, "reply of a flow v4", |case| (f64::from(case.setting.flows), case.ratio.median));
    Panel {
        title: "An answer in a known flow, the program alone, by XDP_DROP",
        counted: "known flows",
        most: (1e5, 10.0),
        lines: vec![Line { label: "cmgate, IPv4", color: FLOWS, points }],
    }
}

fn networks(case: &Measured) -> f64 {
    f64::from(case.setting.site.networks())
}

/// The points of all cases of a name, from left to right.
fn points(report: &Report, name: &str, of: impl Fn(&Measured) -> (f64, f64)) -> Vec<(f64, f64)> {
    let mut points: Vec<_> = report.measured.iter().filter(|case| case.name == name).map(of).collect();
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    points
}

impl Panel {
    fn draw(&self, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<()> {
        let text = |size: u32| ("sans-serif", size).into_font().color(&GREY);
        let first =
            self.lines.iter().flat_map(|line| &line.points).map(|(at, _)| *at).fold(f64::MAX, f64::min);
        let mut chart = ChartBuilder::on(area)
            .caption(self.title, ("sans-serif", 15).into_font().color(&BLACK))
            .margin(12)
            .margin_right(36)
            .x_label_area_size(44)
            .y_label_area_size(40)
            .build_cartesian_2d((first..self.most.0).log_scale(), (1.0..self.most.1).log_scale())
            .map_err(unwritten)?;
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .bold_line_style(RGBColor(0xe4, 0xe4, 0xe4))
            .axis_style(GREY)
            .label_style(text(12))
            .axis_desc_style(text(13))
            .x_desc(self.counted)
            .x_label_formatter(&|number| thousands(*number as u32))
            .y_label_formatter(&|ratio| labelled(*ratio))
            .draw()
            .map_err(unwritten)?;
        for Line { label, color, points } in &self.lines {
            let line = LineSeries::new(points.iter().copied(), color.stroke_width(2)).point_size(3);
            let drawn = chart.draw_series(line).map_err(unwritten)?;
            let color = *color;
            drawn
                .label(*label)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(3)));
        }
        if self.lines.len() == 1 {
            return Ok(());
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .label_font(text(13))
            .background_style(WHITE)
            .draw()
            .map_err(unwritten)
    }
}

/// A ratio beside the axis; the others of its grid stand too close.
fn labelled(ratio: f64) -> String {
    if [1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 40.0].contains(&ratio) { format!("{ratio} x") } else { String::new() }
}

/// A number as it is read: 10,000.
pub fn thousands(number: u32) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let groups =
        digits.as_bytes()[first..].chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    let head = (first > 0).then(|| digits[..first].to_owned());
    head.into_iter().chain(groups).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn thousands_are_set_apart() {
        let read = [1, 999, 1_000, 60_000, 1_000_000].map(thousands);
        assert_eq!(read, ["1", "999", "1,000", "60,000", "1,000,000"]);
    }
}

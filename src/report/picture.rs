//! Pictures as SVG: readable in black and white, each with its content as text. What supports is filled, what speaks
//! against is hollow.

use std::fmt::Write as _;

use super::case_file::{Step, Timeline};
use crate::facet::escape_html;

/// Width of a waterfall's row, in pixels of the page.
const WIDTH: f64 = 150.0;
/// Width of the time line.
const LINE: f64 = 640.0;
/// Place left for addresses.
const NAMES: f64 = 190.0;
/// Height of a host's row on the time line.
const ROW: f64 = 13.0;
/// Height of the histogram.
const HIGH: f64 = 70.0;

/// One row of a waterfall: the sum before and after a step, on a scale from the least to the greatest sum.
#[must_use]
pub(super) fn waterfall_step(step: &Step, span: (f64, f64)) -> String {
    let (low, high) = (span.0.min(0.0), span.1.max(0.0));
    let scale = |value: f64| 2.0 + (value - low) / (high - low).max(1e-9) * (WIDTH - 4.0);
    let (from, to) = (scale(step.from), scale(step.to));
    let (x, width) = (from.min(to), (to - from).abs().max(0.6));
    let (class, words) = if step.to >= step.from { ("p", "supports") } else { ("n", "speaks against") };
    let zero = scale(0.0);
    format!(
        "<svg width=\"{WIDTH}\" height=\"13\" viewBox=\"0 0 {WIDTH} 13\" role=\"img\" aria-label=\"{} {words}: log10 from \
         {:.1} to {:.1}\"><line x1=\"{zero:.1}\" y1=\"0\" x2=\"{zero:.1}\" y2=\"13\"/><rect class=\"{class}\" \
         x=\"{x:.1}\" y=\"3\" width=\"{width:.1}\" height=\"7\"/></svg>",
        escape_html(&step.group),
        step.from,
        step.to
    )
}

/// First and last sights: a bar a host, or hosts counted. Empty where nothing was seen.
#[must_use]
pub(super) fn timeline(of: &Timeline) -> String {
    if of.bars.is_empty() && of.counts.is_empty() {
        return String::new();
    }
    let (mut body, height) = if of.bars.is_empty() { counted(&of.counts) } else { drawn(of) };
    let foot = height + 14.0;
    let _ = write!(
        body,
        "<text x=\"{NAMES}\" y=\"{foot}\">{}</text><text x=\"{}\" y=\"{foot}\" text-anchor=\"end\">{}</text>",
        escape_html(&of.from),
        NAMES + LINE,
        escape_html(&of.to)
    );
    let label = if of.bars.is_empty() {
        let most = of.counts.iter().max().copied().unwrap_or(0);
        format!("hosts in sight over time, at most {most}, from {} to {}", of.from, of.to)
    } else {
        format!("first and last sight of {} hosts, from {} to {}", of.bars.len(), of.from, of.to)
    };
    format!(
        "<svg class=\"timeline\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">{body}</svg>",
        NAMES + LINE + 4.0,
        height + 20.0,
        escape_html(&label)
    )
}

fn drawn(of: &Timeline) -> (String, f64) {
    let mut body = String::new();
    for (place, bar) in of.bars.iter().enumerate() {
        let y = place as f64 * ROW;
        let (x, end) = (NAMES + bar.from * LINE, NAMES + bar.to * LINE);
        let _ = write!(
            body,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text><line x1=\"{NAMES}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/><rect \
             class=\"p\" x=\"{x:.1}\" y=\"{}\" width=\"{:.1}\" height=\"7\"/>",
            NAMES - 6.0,
            y + 10.0,
            escape_html(&bar.ip),
            y + 6.5,
            NAMES + LINE,
            y + 6.5,
            y + 3.0,
            (end - x).max(2.0)
        );
    }
    (body, of.bars.len() as f64 * ROW)
}

fn counted(counts: &[usize]) -> (String, f64) {
    let most = counts.iter().max().copied().unwrap_or(0).max(1);
    let part = LINE / counts.len().max(1) as f64;
    let mut body = format!(
        "<text x=\"{}\" y=\"10\" text-anchor=\"end\">{most} hosts</text><text x=\"{}\" y=\"{HIGH}\" \
         text-anchor=\"end\">0</text><line x1=\"{NAMES}\" y1=\"{HIGH}\" x2=\"{}\" y2=\"{HIGH}\"/>",
        NAMES - 6.0,
        NAMES - 6.0,
        NAMES + LINE
    );
    for (place, count) in counts.iter().enumerate() {
        let tall = *count as f64 / most as f64 * HIGH;
        let _ = write!(
            body,
            "<rect class=\"p\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{tall:.1}\"/>",
            NAMES + place as f64 * part,
            HIGH - tall,
            (part - 1.0).max(0.5)
        );
    }
    (body, HIGH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::case_file::Bar;

    fn step(group: &str, from: f64, to: f64) -> Step {
        Step {
            group: group.to_owned(),
            agrees_at: String::new(),
            value: String::new(),
            in_set: String::new(),
            others: String::new(),
            counted: String::new(),
            from,
            to,
        }
    }

    #[test]
    fn a_step_down_is_hollow_and_stands_left_of_the_step_before() {
        let up = waterfall_step(&step("key", 0.0, 4.0), (0.0, 4.0));
        assert!(up.contains("class=\"p\" x=\"2.0\"") && up.contains("width=\"146.0\""), "{up}");
        let down = waterfall_step(&step("cert", 4.0, 2.0), (0.0, 4.0));
        assert!(down.contains("class=\"n\" x=\"75.0\"") && down.contains("speaks against"), "{down}");
    }

    #[test]
    fn no_name_becomes_markup_and_an_empty_span_divides_by_nothing() {
        let hostile = waterfall_step(&step("\"><script>", 0.0, 0.0), (0.0, 0.0));
        assert!(!hostile.contains("<script") && !hostile.contains("NaN") && !hostile.contains("inf"), "{hostile}");
        let bars = vec![Bar { ip: "<b>".to_owned(), from: 0.0, to: 0.0 }];
        let picture = timeline(&Timeline { from: "<i>".to_owned(), bars, ..Timeline::default() });
        assert!(!picture.contains("<b>") && !picture.contains("<i>"), "{picture}");
        assert_eq!(timeline(&Timeline::default()), "");
    }

    #[test]
    fn many_hosts_are_counted() {
        let picture = timeline(&Timeline { counts: vec![0, 500, 1000], ..Timeline::default() });
        assert!(picture.contains("1000 hosts") && picture.contains("at most 1000"), "{picture}");
        assert_eq!(picture.matches("<rect").count(), 3);
    }
}

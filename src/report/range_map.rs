//! The seed's neighbourhood as a picture: its /16 as 16 rows of 16 networks of 256 addresses (SVG).
//!
//! Each square tells its tie by a letter and a colour, listed networks by hatching, the share of single listed addresses by a
//! bar; so it reads in black and white, and the description tells the same in words.

use std::fmt::Write as _;

use crate::facet::escape_html;
use crate::range::{Link, Neighbourhood};

const SIDE: usize = 34;
const LEFT: usize = 44;
const TOP: usize = 30;
const LEGEND: usize = LEFT + 16 * SIDE + 24;

/// Letter, colour and words of a tie. Colours go from dark to light in the order of strength.
fn look(link: Link) -> (&'static str, &'static str, &'static str) {
    match link {
        Link::SubAllocation => ("R", "#5b8ff0", "the registry's range around the seed"),
        Link::Announced => ("A", "#7fb0f5", "the announced network around the seed"),
        Link::MoreSpecific => ("P", "#9cc4f8", "a part of it announced on its own"),
        Link::Match => ("M", "#f2a65a", "holds hosts linked to the seed"),
        Link::SiblingAllocation => ("B", "#f5c98e", "shares a registry entry with the seed's range"),
        Link::SameAs => ("N", "#a8d8a0", "announced by the seed's AS"),
        Link::SiblingAs => ("S", "#c9e7c2", "announced by a sister AS"),
        Link::Former => ("F", "#dcc8ee", "the seed's AS announced it before"),
        Link::Before => ("V", "#eadff5", "of an AS that announced the seed before"),
        Link::Listed | Link::Dense | Link::Hazard | Link::Upstream => ("", "#ffffff", "evidence only"),
    }
}

/// Draws the map. `id` keeps the names inside one page apart.
#[must_use]
pub fn range_map(map: &Neighbourhood, id: &str) -> String {
    let [a, b, ..] = map.seed.octets();
    let (width, height) = (LEGEND + 380, TOP + 16 * SIDE + 16);
    let id = escape_html(id);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-labelledby=\"{id}-t {id}-d\" class=\"picture\" font-family=\"sans-serif\" font-size=\"12\">\
         <title id=\"{id}-t\">The networks around the seed {}</title><desc id=\"{id}-d\">{}</desc>\
         <defs><pattern id=\"{id}-h\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
         <line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"6\" stroke=\"#000\" stroke-width=\"2\" stroke-opacity=\"0.75\"/></pattern></defs>\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>",
        map.seed,
        escape_html(&in_words(map))
    );
    for place in 0..16usize {
        let (x, y) = (LEFT + place * SIDE + SIDE / 2, TOP + place * SIDE + SIDE / 2 + 4);
        let _ = write!(
            svg,
            "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\" fill=\"#444\">+{place}</text>\
             <text x=\"{}\" y=\"{y}\" text-anchor=\"end\" fill=\"#444\">.{}</text>",
            TOP - 8,
            LEFT - 6,
            place * 16
        );
    }
    for (third, cell) in map.cells.iter().enumerate().take(256) {
        let (x, y) = (LEFT + third % 16 * SIDE, TOP + third / 16 * SIDE);
        let (letter, colour, words) = cell.link.map_or(("", "#ffffff", "not tied to the seed"), look);
        let listed = match (cell.listed_whole, cell.listed > 0.0) {
            (true, _) => "; on a deny list".to_owned(),
            (false, true) => format!("; {:.0} % of its addresses listed", (cell.listed * 100.0).max(1.0)),
            (false, false) => String::new(),
        };
        let seed = if cell.seed { "; holds the seed" } else { "" };
        let _ = write!(
            svg,
            "<g><title>{a}.{b}.{third}.0/24: {words}{listed}{seed}</title><rect x=\"{x}\" y=\"{y}\" width=\"{SIDE}\" \
             height=\"{SIDE}\" fill=\"{colour}\" stroke=\"#999\" stroke-width=\"0.6\"/>"
        );
        if cell.listed_whole {
            let _ = write!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"{SIDE}\" height=\"{SIDE}\" fill=\"url(#{id}-h)\"/>");
        } else if cell.listed > 0.0 {
            let bar = ((cell.listed * 4.0).min(1.0) * (SIDE as f64 - 4.0)).max(3.0);
            let _ = write!(
                svg,
                "<rect x=\"{}\" y=\"{}\" width=\"{bar:.1}\" height=\"4\" fill=\"#000\"/>",
                x + 2,
                y + SIDE - 6
            );
        }
        if !letter.is_empty() {
            let _ = write!(
                svg,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" class=\"b\" stroke=\"#fff\" stroke-width=\"3\" paint-order=\"stroke\">{letter}</text>",
                x + SIDE / 2,
                y + SIDE / 2 + 3
            );
        }
        if cell.named {
            let _ = write!(
                svg,
                "<circle cx=\"{}\" cy=\"{}\" r=\"3.5\" fill=\"#fff\" stroke=\"#000\"/>",
                x + SIDE - 7,
                y + 7
            );
        }
        if cell.seed {
            let _ = write!(
                svg,
                "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"#000\" stroke-width=\"3\"/>",
                x + 1,
                y + 1,
                SIDE - 2,
                SIDE - 2
            );
        }
        svg.push_str("</g>");
    }
    legend(&mut svg, map, &id);
    svg.push_str("</svg>");
    svg
}

fn legend(svg: &mut String, map: &Neighbourhood, id: &str) {
    let mut y = TOP + 6;
    let [a, b, ..] = map.seed.octets();
    let _ =
        write!(svg, "<text x=\"{LEGEND}\" y=\"{y}\" class=\"b\">{a}.{b}.0.0/16, one square for 256 addresses</text>");
    let mut line = |svg: &mut String, sample: &str, words: &str| {
        y += 26;
        let _ = write!(
            svg,
            "<g transform=\"translate({LEGEND} {})\">{sample}</g><text x=\"{}\" y=\"{y}\">{words}</text>",
            y - 14,
            LEGEND + 30
        );
    };
    line(svg, "<rect width=\"20\" height=\"20\" fill=\"none\" stroke=\"#000\" stroke-width=\"3\"/>", "holds the seed");
    for link in Link::ALL {
        let count = map.cells.iter().filter(|cell| cell.link == Some(link)).count();
        if count > 0 {
            let (letter, colour, words) = look(link);
            let sample = format!(
                "<rect width=\"20\" height=\"20\" fill=\"{colour}\" stroke=\"#999\"/><text x=\"10\" y=\"15\" text-anchor=\"middle\" class=\"b\">{letter}</text>"
            );
            line(svg, &sample, &format!("{words} ({count})"));
        }
    }
    let count = map.cells.iter().filter(|cell| cell.listed_whole).count();
    let hatched = format!("<rect width=\"20\" height=\"20\" fill=\"url(#{id}-h)\" stroke=\"#999\"/>");
    line(svg, &hatched, &format!("on a deny list as a network ({count})"));
    let bar = "<rect width=\"20\" height=\"20\" fill=\"#fff\" stroke=\"#999\"/><rect x=\"2\" y=\"14\" width=\"10\" height=\"4\" fill=\"#000\"/>";
    line(svg, bar, "single addresses on deny lists; full width: a quarter");
    let dot = "<rect width=\"20\" height=\"20\" fill=\"#fff\" stroke=\"#999\"/><circle cx=\"14\" cy=\"6\" r=\"3.5\" fill=\"#fff\" stroke=\"#000\"/>";
    line(svg, dot, "a cloud, CDN or other known innocent is in it");
}

/// What the map shows, in words.
fn in_words(map: &Neighbourhood) -> String {
    let [a, b, c, _] = map.seed.octets();
    let mut words = format!("The 256 networks of {a}.{b}.0.0/16. The seed {} is in {a}.{b}.{c}.0/24.", map.seed);
    for link in Link::ALL {
        let count = map.cells.iter().filter(|cell| cell.link == Some(link)).count();
        if count > 0 {
            let _ = write!(words, " {}: {count}.", look(link).2);
        }
    }
    let listed = map.cells.iter().filter(|cell| cell.listed_whole).count();
    let _ = write!(words, " On a deny list as a network: {listed}.");
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::Cell;

    #[test]
    fn every_square_tells_its_tie_in_letters_and_in_words() {
        let mut cells = vec![Cell::default(); 256];
        cells[2] = Cell { link: Some(Link::Announced), listed: 1.0, listed_whole: true, named: false, seed: true };
        cells[3] = Cell { link: Some(Link::SameAs), listed: 0.02, ..Cell::default() };
        let svg = range_map(&Neighbourhood { seed: "192.0.2.7".parse().unwrap(), cells }, "m\"1");
        assert!(
            svg.contains("192.0.2.0/24: the announced network around the seed; on a deny list; holds the seed"),
            "{svg}"
        );
        assert!(svg.contains(">N</text>") && svg.contains("2 % of its addresses listed"), "{svg}");
        assert!(
            svg.contains("role=\"img\"") && svg.contains("<desc id=\"m&quot;1-d\">The 256 networks of 192.0.0.0/16.")
        );
    }
}

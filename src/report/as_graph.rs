//! An AS with its upstreams and siblings as a picture (SVG).
//!
//! Upstreams stand above with dashed lines (evidence only), siblings below with solid ones; listed ASes carry a thick border
//! and the word. Names are strangers' text: cut and escaped.

use std::fmt::Write as _;

use crate::facet::{escape_html, show_cut};
use crate::range::{Node, Surroundings};

const BOX: (usize, usize) = (176, 54);
const GAP: usize = 18;
const ROW: usize = 5;
/// Characters of a name in a box.
const LONGEST: usize = 24;

/// Draws the graph. `id` keeps the names inside one page apart.
#[must_use]
pub fn as_graph(around: &Surroundings, id: &str) -> String {
    let rows = |count: usize| count.div_ceil(ROW);
    let (above, below) = (rows(around.upstreams.len()), rows(around.siblings.len()));
    let step = BOX.1 + 34;
    let width = ROW * (BOX.0 + GAP) + GAP;
    let top = 40;
    let middle = top + above * step + 20;
    let height = middle + BOX.1 + 60 + below * step + 30;
    let id = escape_html(id);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\" \
         class=\"picture\" font-family=\"sans-serif\" font-size=\"12\"><title id=\"{id}-t\">{} with its upstreams and sisters</title>\
         <desc id=\"{id}-d\">{}</desc><rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>",
        around.centre.asn,
        escape_html(&in_words(around))
    );
    let centre = (width / 2, middle + BOX.1 / 2);
    let places = |count: usize, from: usize| {
        (0..count).map(move |place| {
            let in_row = (count - place / ROW * ROW).min(ROW);
            let used = in_row * (BOX.0 + GAP) - GAP;
            (width / 2 - used / 2 + place % ROW * (BOX.0 + GAP), from + place / ROW * step)
        })
    };
    let upstreams: Vec<_> = around.upstreams.iter().zip(places(around.upstreams.len(), top)).collect();
    let siblings: Vec<_> = around.siblings.iter().zip(places(around.siblings.len(), middle + BOX.1 + 60)).collect();
    for (_, (x, y)) in &upstreams {
        line(&mut svg, (x + BOX.0 / 2, y + BOX.1), centre, "6 4");
    }
    for (_, (x, y)) in &siblings {
        line(&mut svg, (x + BOX.0 / 2, *y), centre, "none");
    }
    let said = |count: usize, more: usize, what: &str| match more {
        0 => format!("{what}: {count}"),
        more => format!("{what}: {count} of {} shown", count + more),
    };
    let heading = said(
        around.upstreams.len(),
        around.more_upstreams,
        "Upstreams (dashed: evidence only, nothing is widened by them)",
    );
    let _ = write!(svg, "<text x=\"{GAP}\" y=\"22\" fill=\"#333\">{heading}</text>");
    for (node, at) in &upstreams {
        draw(&mut svg, node, *at, "#f3f3f3");
    }
    draw(&mut svg, &around.centre, (width / 2 - BOX.0 / 2, middle), "#cfe0fb");
    let heading = said(around.siblings.len(), around.more_siblings, "Sister ASes (solid: one holder by the files)");
    let _ = write!(svg, "<text x=\"{GAP}\" y=\"{}\" fill=\"#333\">{heading}</text>", height - 12);
    for (node, at) in &siblings {
        draw(&mut svg, node, *at, "#e3f2df");
    }
    svg.push_str("</svg>");
    svg
}

fn line(svg: &mut String, from: (usize, usize), to: (usize, usize), dashes: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = write!(
        svg,
        "<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" stroke=\"#555\" stroke-width=\"1.4\" stroke-dasharray=\"{dashes}\"/>"
    );
}

fn draw(svg: &mut String, node: &Node, (x, y): (usize, usize), fill: &str) {
    let (w, h) = BOX;
    let (border, word) = if node.listed { ("3.5", " · deny-listed") } else { ("1", "") };
    let tie = if node.tie.is_empty() { String::new() } else { format!(": {}", node.tie) };
    let full = escape_html(&format!("{} {}{word}{tie}", node.asn, node.name));
    let name = escape_html(&show_cut(&node.name, LONGEST));
    let _ = write!(
        svg,
        "<g><title>{full}</title><rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"4\" fill=\"{fill}\" stroke=\"#000\" stroke-width=\"{border}\"/>\
         <text x=\"{cx}\" y=\"{y1}\" text-anchor=\"middle\" class=\"b\">{asn}{word}</text>\
         <text x=\"{cx}\" y=\"{y2}\" text-anchor=\"middle\">{name}</text></g>",
        cx = x + w / 2,
        y1 = y + 22,
        y2 = y + 41,
        asn = node.asn
    );
}

/// What the graph shows, in words.
fn in_words(around: &Surroundings) -> String {
    let list = |nodes: &[Node]| match nodes {
        [] => "none on file".to_owned(),
        nodes => nodes
            .iter()
            .map(|node| format!("{} {}{}", node.asn, node.name, if node.listed { " (deny-listed)" } else { "" }))
            .collect::<Vec<_>>()
            .join(", "),
    };
    format!(
        "{} {}{}. Upstreams, evidence only: {}. Sister ASes: {}.",
        around.centre.asn,
        around.centre.name,
        if around.centre.listed { ", deny-listed" } else { "" },
        list(&around.upstreams),
        list(&around.siblings)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::Asn;

    #[test]
    fn a_name_cannot_become_markup_and_listed_ones_say_so() {
        let node =
            |asn: u32, name: &str, listed| Node { asn: Asn(asn), name: name.to_owned(), listed, tie: String::new() };
        let around = Surroundings {
            centre: node(64500, "<script>alert(1)</script>", true),
            upstreams: vec![node(64501, "Up & Co", false)],
            more_upstreams: 3,
            siblings: (0..7).map(|n| node(64510 + n, "sister", false)).collect(),
            more_siblings: 0,
        };
        let svg = as_graph(&around, "g1");
        assert!(!svg.contains("<script"), "{svg}");
        assert!(
            svg.contains("AS64500 · deny-listed") && svg.contains("Up &amp; Co") && svg.contains("1 of 4 shown"),
            "{svg}"
        );
        assert_eq!(svg.matches("stroke-dasharray=\"none\"").count(), 7);
    }
}

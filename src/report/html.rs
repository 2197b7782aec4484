//! The report as one HTML page without scripts or anything from outside, which prints.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};

use super::case_file::{CaseFile, ClusterPart, Detail};
use super::clean::{Cleaner, defang};
use super::picture;
use crate::facet::escape_html;

/// A picture of a seed's surroundings, with what stands above and below it.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// Heading.
    pub title: String,
    /// SVG from [`super::range_map`] or [`super::as_graph`]: all strangers' text in it is escaped.
    pub svg: String,
    /// What it rests on.
    pub note: String,
}

impl Picture {
    /// Takes out of its words what is taken out of every text of the report. True where they still name a person's mailbox.
    pub fn clean(&mut self, cleaner: &Cleaner) -> bool {
        let mut personal = false;
        self.each_text(&mut |text| {
            let (clean, mails) = cleaner.redact(text);
            personal |= mails;
            clean
        });
        personal
    }

    /// Writes addresses and names so that nobody opens them by mistake.
    pub fn defang(&mut self) {
        self.each_text(&mut defang);
    }

    fn each_text(&mut self, change: &mut dyn FnMut(&str) -> String) {
        self.title = change(&self.title);
        self.note = change(&self.note);
        self.svg = between_tags(&self.svg, change);
    }
}

/// Changes the text between tags. No `>` stands inside a tag of ours, and strangers' text never does: both are escaped.
fn between_tags(svg: &str, change: &mut dyn FnMut(&str) -> String) -> String {
    let mut out = String::with_capacity(svg.len());
    for (place, piece) in svg.split('<').enumerate() {
        let (tag, text) = match piece.split_once('>') {
            Some((tag, text)) if place > 0 => (Some(tag), text),
            _ => (None, piece),
        };
        if let Some(tag) = tag {
            out.extend(["<", tag, ">"]);
        }
        if !text.is_empty() {
            out.push_str(&change(text));
        }
    }
    out
}

/// Why no report came about: a fault in the template.
#[derive(Debug, thiserror::Error)]
#[error("the report could not be written")]
pub struct ReportError(#[from] minijinja::Error);

/// Hosts whose evidence stands open.
const OPEN: usize = 3;

/// Hosts from which on a table gets a window of its own on a screen. On paper it goes on from page to page.
const LONG: usize = 40;

const TEMPLATE: &str = include_str!("report.html");

/// The whole page.
///
/// # Errors
/// Only on a fault of the template.
pub fn html(file: &CaseFile, surroundings: &[Picture]) -> Result<String, ReportError> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    // Every string passes here: markup, control, bidi and zero-width characters come out as text.
    env.set_formatter(|out, state, value| match value.as_str() {
        Some(text) if !value.is_safe() => Ok(out.write_str(&escape_html(text))?),
        _ => minijinja::escape_formatter(out, state, value),
    });
    let lines: Vec<String> = file.clusters.iter().map(|one| picture::timeline(&one.timeline)).collect();
    env.add_function("timeline", move |cluster: usize| picture_of(lines.get(cluster)));
    let waterfalls: Vec<Vec<Vec<String>>> = file.clusters.iter().map(waterfalls).collect();
    env.add_function("waterfall", move |cluster: usize, place: usize, step: usize| {
        picture_of(waterfalls.get(cluster).and_then(|one| one.get(place)).and_then(|one| one.get(step)))
    });
    env.add_template("report.html", TEMPLATE)?;
    let page = env.get_template("report.html")?.render(context! {
        file => Serde(file), open => OPEN, long => LONG,
        surroundings => surroundings.iter().map(|one| {
            context! { title => one.title.clone(), svg => picture_of(Some(&one.svg)), note => one.note.clone() }
        }).collect::<Vec<_>>(),
        scope_text => Value::from_safe_string(escape_lines(&file.scope_text)),
    })?;
    Ok(page)
}

/// A picture made here, which needs no escaping; nothing where there is none.
fn picture_of(svg: Option<&String>) -> Value {
    Value::from_safe_string(svg.cloned().unwrap_or_default())
}

/// The rows of every detailed host's waterfall.
fn waterfalls(cluster: &ClusterPart) -> Vec<Vec<String>> {
    let rows = |one: &Detail| one.steps.iter().map(|step| picture::waterfall_step(step, one.span)).collect();
    cluster.details.iter().map(rows).collect()
}

/// Text of several lines, escaped; line ends and tabs stay, so that what is copied is the text.
fn escape_lines(text: &str) -> String {
    let lines = text.lines().map(|line| line.split('\t').map(escape_html).collect::<Vec<_>>().join("\t"));
    lines.map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Findings;
    use crate::report::{CaseFacts, Sights, case_file};

    #[test]
    fn the_words_of_a_picture_are_cleaned_and_defanged_and_its_shapes_stay() {
        let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\"><title>jo@isp.example &lt;198.51.100.9&gt;</title><rect x=\"1.5\"/>\
                   <text>203.0.113.0/24: a part</text></svg>";
        let mut picture = Picture { title: "around 203.0.113.7".to_owned(), svg: svg.to_owned(), note: String::new() };
        assert!(picture.clean(&Cleaner::new(&["198.51.100.9".parse().unwrap()], false)), "a mailbox is told");
        assert!(!picture.clean(&Cleaner::new(&[], true)));
        picture.defang();
        assert_eq!(picture.title, "around 203[.]0[.]113[.]7");
        assert_eq!(
            picture.svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\"><title>[e-mail] &lt;[own address]&gt;</title><rect x=\"1.5\"/>\
             <text>203[.]0[.]113[.]0/24: a part</text></svg>"
        );
    }

    #[test]
    fn the_scope_is_shown_line_by_line_and_cannot_become_markup() {
        assert_eq!(escape_lines("a = \"<b>\"\r\n\tc\u{1b}\n"), "a = &quot;&lt;b&gt;&quot;\n\tc\\u{1b}\n");
        let case = CaseFacts { scope_text: "one\n\ttwo = 2\n".to_owned(), ..CaseFacts::default() };
        let page = html(&case_file(&case, &[], &Findings::default(), &Sights::new()), &[]).unwrap();
        assert!(page.contains("<pre>\none\n\ttwo = 2\n</pre>"), "{page}");
        assert!(page.contains("This case has no seed") && page.contains("There is no background yet"), "{page}");
    }
}

//! A scope that nobody has authorised yet: what `ranges --approve` writes for a person to complete.
//!
//! It is refused as a scope twice over: by its schema, and by the keys that only a person can fill in, which it holds as
//! comments.

use std::fmt::Write as _;

use ipnet::IpNet;

/// The schema of a draft.
pub const DRAFT_SCHEMA: &str = "hostkin/scope-draft/1";

/// Networks that a draft proposes, with why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Name of the grant; strangers' text is escaped.
    pub name: String,
    /// Lines of comment above it; strangers' text is escaped.
    pub why: Vec<String>,
    /// The networks.
    pub networks: Vec<IpNet>,
}

/// The text of a draft: `title`, one grant for each proposal, and networks and opt-out files to leave out.
#[must_use]
pub fn draft(title: &str, proposals: &[Proposal], excluded: &[IpNet], opt_out: &[String]) -> String {
    let mut text = format!(
        "# A draft written by hostkin. It permits nothing: no scan takes it, and `hostkin scope check` refuses it.\n\
         #\n\
         # To make it a scope, a person with the authority to do so\n\
         #   1. reads the reasons of every grant, and deletes those that are not to be asked;\n\
         #   2. fills in authority, contact, page and both dates below, and takes the # away;\n\
         #   3. changes the schema to \"hostkin/scope/1\".\n\n\
         schema = \"{DRAFT_SCHEMA}\"\n\
         title = {}\n\
         # authority = \"who permits this, under which agreement\"\n\
         # contact = \"mailto:scan@example.org\"\n\
         # page = \"https://scan.example.org/\"\n\
         # valid_from = 2026-01-01T00:00:00Z\n\
         # valid_until = 2026-02-01T00:00:00Z\n\
         lab = false\n",
        quoted(title)
    );
    for proposal in proposals {
        text.push('\n');
        for line in &proposal.why {
            let _ = writeln!(text, "# {}", one_line(line));
        }
        let networks: Vec<String> = proposal.networks.iter().map(|net| format!("\"{net}\"")).collect();
        let _ = writeln!(
            text,
            "[[grant]]\nname = {}\nnetworks = [{}]\nports = {{ ssh = [22], http = [80], tls = [443] }}",
            quoted(&proposal.name),
            networks.join(", ")
        );
    }
    let excluded: Vec<String> = excluded.iter().map(|net| format!("\"{net}\"")).collect();
    let _ = write!(
        text,
        "\n# Rejected ranges stand here, and all that the case's own scope excludes; add those who asked to be left alone.\n\
         [exclude]\nnetworks = [{}]\n",
        excluded.join(", ")
    );
    if !opt_out.is_empty() {
        let files: Vec<String> = opt_out.iter().map(|file| quoted(file)).collect();
        let _ = write!(
            text,
            "# As in the case's scope; they are looked for beside this file.\nfiles = [{}]\n",
            files.join(", ")
        );
    }
    text
}

/// Text as a TOML string of one line.
fn quoted(text: &str) -> String {
    format!("\"{}\"", one_line(text).replace('\\', "\\\\").replace('"', "\\\""))
}

/// Text as one line: control characters, and those that reorder or hide, are replaced.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if is_odd(c) { '\u{fffd}' } else { c }).collect()
}

/// Control, bidi, zero-width and other characters that a reader does not see.
fn is_odd(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scope::Scope;

    fn written() -> String {
        let proposal = Proposal {
            name: "198.18.0.0/24: \"x\"\n[exclude]".to_owned(),
            why: vec!["named \"a\nb\u{202e}\"".to_owned()],
            networks: vec!["198.18.0.0/24".parse().unwrap()],
        };
        draft("Pivot \"1\"", &[proposal], &["198.18.0.128/25".parse().unwrap()], &[])
    }

    #[test]
    fn a_draft_is_refused_with_words_that_say_what_to_do() {
        let error = Scope::parse(&written(), Path::new("draft.toml"), None).unwrap_err().to_string();
        assert!(error.contains("draft") && error.contains("authority") && error.contains("hostkin/scope/1"), "{error}");
    }

    #[test]
    fn a_draft_whose_schema_alone_was_changed_is_refused_too() {
        let changed = written().replace(DRAFT_SCHEMA, "hostkin/scope/1");
        let error = Scope::parse(&changed, Path::new("draft.toml"), None).unwrap_err().to_string();
        assert!(error.contains("authority"), "{error}");
    }

    #[test]
    fn opt_out_files_go_along_and_a_completed_draft_without_them_is_refused() {
        let text = draft("t", &[], &[], &["opt-\"out.txt".to_owned()]);
        assert!(text.contains("files = [\"opt-\\\"out.txt\"]"), "{text}");
        let folder = tempfile::tempdir().unwrap();
        let text = text.replace(DRAFT_SCHEMA, "hostkin/scope/1").replace("lab = false", "lab = true");
        let text = text.replace("# authority", "authority").replace("# valid", "valid")
            + "[[grant]]\nname = \"x\"\nnetworks = [\"198.18.0.0/24\"]\nports = { ssh = [22] }\n";
        let error = Scope::parse(&text, Path::new("draft.toml"), Some(folder.path())).unwrap_err().to_string();
        assert!(error.contains("out.txt"), "{error}");
    }

    #[test]
    fn a_completed_draft_is_a_scope_and_strangers_text_stays_text() {
        let text = written().replace(DRAFT_SCHEMA, "hostkin/scope/1").replace("lab = false", "lab = true");
        let text = text.replace("# authority", "authority").replace("# valid", "valid");
        let scope = Scope::parse(&text, Path::new("draft.toml"), None).unwrap();
        assert_eq!(scope.title(), "Pivot \"1\"");
    }
}

//! What a person sees: data to standard output, all else to standard error; colour and progress only where wanted.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::args::Color;

/// The two streams, and how much to say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term {
    color: bool,
    quiet: u8,
}

impl Term {
    /// From the flags and the environment.
    #[must_use]
    pub(super) fn new(color: Color, quiet: u8) -> Self {
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
        };
        Self { color, quiet }
    }

    /// One line for the person at the keyboard; nothing under `-q`.
    pub(super) fn say(&self, text: impl AsRef<str>) {
        if self.quiet == 0 {
            line(text.as_ref());
        }
    }

    /// A heading of a step.
    pub(super) fn step(&self, text: impl AsRef<str>) {
        let text = text.as_ref();
        self.say(if self.color { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() });
    }

    /// Something the person should act on; shown under `-q`, not under `-qq`.
    pub(super) fn warn(&self, text: impl AsRef<str>) {
        if self.quiet < 2 {
            let text = text.as_ref();
            line(&if self.color { format!("\u{1b}[33mwarning:\u{1b}[0m {text}") } else { format!("warning: {text}") });
        }
    }

    /// Why the program ends, with its causes. Always shown.
    pub(super) fn error(&self, error: &anyhow::Error) {
        let head = if self.color { "\u{1b}[31merror:\u{1b}[0m" } else { "error:" };
        line(&format!("{head} {}", crate::facet::escape_terminal(&error.to_string())));
        for cause in error.chain().skip(1) {
            line(&format!("  because: {}", indent(&crate::facet::escape_terminal(&cause.to_string()))));
        }
    }

    /// True when progress may be drawn.
    #[must_use]
    pub(super) fn draws(&self) -> bool {
        self.quiet == 0 && io::stderr().is_terminal()
    }
}

fn indent(text: &str) -> String {
    text.replace('\n', "\n           ")
}

/// One line on standard error; a closed one is nobody's loss.
fn line(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A moment to the second, as people read it.
#[must_use]
pub(super) fn seconds(at: crate::clock::Timestamp) -> String {
    format!("{at:.0}")
}

/// A number of things: `1 host`, `2 hosts`.
#[must_use]
pub(super) fn counted(count: u64, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// Narrowest table worth wrapping to.
const NARROWEST: u16 = 60;

/// Width for tables: `COLUMNS` where it is set, else that of the terminal, else one that a page takes.
#[must_use]
pub(super) fn width() -> u16 {
    let set = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let terminal =
        || rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| size.ws_col).filter(|width| *width > 0);
    set.or_else(terminal).unwrap_or(160).max(NARROWEST)
}

/// Where data goes: standard output, or a file that appears whole or not at all.
pub(super) struct Output {
    to: To,
}

/// A file under its temporary name; gone when dropped.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

enum To {
    Stdout(BufWriter<io::StdoutLock<'static>>),
    File { writer: BufWriter<File>, part: Part, path: PathBuf, replaces: bool },
}

impl Output {
    /// Standard output, or the file.
    ///
    /// # Errors
    /// When the file exists already or cannot be made.
    pub(super) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self { to: To::Stdout(BufWriter::new(io::stdout().lock())) }) };
        Self::create(path, false)
    }

    /// The file; `replaces` takes the place of one that is there, once all is written.
    ///
    /// # Errors
    /// When the file exists already and is not to be replaced, or cannot be made.
    pub(super) fn create(path: &Path, replaces: bool) -> anyhow::Result<Self> {
        if !replaces && path.symlink_metadata().is_ok() {
            anyhow::bail!("`{}` exists already; nothing was written. Choose another name or remove it", path.display());
        }
        if path.is_dir() {
            anyhow::bail!("`{}` is a folder; nothing was written", path.display());
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let part = path.with_file_name(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&part);
        let file = file.with_context(|| format!("cannot write to `{}`", path.display()))?;
        Ok(Self { to: To::File { writer: BufWriter::new(file), part: Part(part), path: path.to_owned(), replaces } })
    }

    /// All is written: brings it to the disk, so that [`Output::finish`] has only the name to give.
    ///
    /// # Errors
    /// When the disk is full.
    pub(super) fn settle(&mut self) -> anyhow::Result<()> {
        match &mut self.to {
            To::Stdout(_) => Ok(()),
            To::File { writer, path, .. } => {
                let settled = writer.flush().and_then(|()| writer.get_ref().sync_all());
                settled.with_context(|| nothing_left(path))
            }
        }
    }

    /// All is written: flush, and give the file its name.
    ///
    /// # Errors
    /// When the disk is full or the name was taken meanwhile. A reader of a pipe who went away is no error.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.settle()?;
        match self.to {
            To::Stdout(mut writer) => match writer.flush() {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                other => Ok(other?),
            },
            To::File { part, path, replaces, .. } => {
                // A link does not overwrite, where a rename does. Some file systems know no links.
                let linked =
                    if replaces { Err(io::ErrorKind::Unsupported.into()) } else { std::fs::hard_link(&part.0, &path) };
                let placed = match linked {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists && (replaces || !path.exists()) => {
                        std::fs::rename(&part.0, &path)
                    }
                    other => other,
                };
                placed.with_context(|| nothing_left(&path))?;
                keep_name(&path);
                Ok(())
            }
        }
    }
}

/// Brings a new name in its folder to the disk, where the system can do that.
fn keep_name(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
}

/// A folder of files that appears whole or not at all.
pub(super) struct Folder {
    part: Option<PathBuf>,
    path: PathBuf,
}

impl Folder {
    /// A new folder; there must be nothing at `path`.
    ///
    /// # Errors
    /// When something is there or it cannot be made.
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        if path.symlink_metadata().is_ok() {
            anyhow::bail!("`{}` exists already; nothing was written. Choose another name or remove it", path.display());
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let part = path.with_file_name(name);
        std::fs::create_dir(&part).with_context(|| format!("cannot make the folder `{}`", path.display()))?;
        Ok(Self { part: Some(part), path: path.to_owned() })
    }

    /// Puts a file in.
    ///
    /// # Errors
    /// When the disk is full.
    pub(super) fn put(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let Some(part) = &self.part else { return Ok(()) };
        let written = File::create_new(part.join(name)).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        written.with_context(|| nothing_left(&self.path))
    }

    /// All is written: gives the folder its name.
    ///
    /// # Errors
    /// When the name was taken meanwhile.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        if let Some(part) = &self.part {
            std::fs::rename(part, &self.path).with_context(|| nothing_left(&self.path))?;
        }
        self.part = None;
        keep_name(&self.path);
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Some(part) = &self.part {
            let _ = std::fs::remove_dir_all(part);
        }
    }
}

/// What to say of a file that could not be written.
fn nothing_left(path: &Path) -> String {
    format!("cannot write `{}`; nothing was left behind", path.display())
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.to {
            To::Stdout(writer) => writer.write(bytes),
            To::File { writer, path, .. } => writer.write(bytes).map_err(|error| {
                // Named here, since the one who writes knows no path.
                io::Error::new(error.kind(), format!("{}: {error}", nothing_left(path)))
            }),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::Stdout(writer) => writer.flush(),
            To::File { writer, .. } => writer.flush(),
        }
    }
}

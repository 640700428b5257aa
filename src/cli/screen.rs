//! Standard output and standard error.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::Color;
use crate::scenario::Scenario;

/// Columns where nobody looks: a file or a pipe.
const USUAL_WIDTH: usize = 80;
/// Lines longer than this are hard to read.
const WIDEST: usize = 110;
/// A run shorter than this needs no progress bar.
const SHORT: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(150);

/// What may be printed, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    color: ColorChoice,
    quiet: bool,
    verbose: bool,
}

impl Screen {
    pub(super) fn new(color: Color, quiet: bool, verbose: bool) -> Self {
        let color = match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        Self { color, quiet, verbose }
    }

    /// Prints a result. `false` when it could not be printed, other than because
    /// the reader has gone away (`plan … | head`), which is the reader's right.
    pub(super) fn print(self, text: &str) -> bool {
        let mut out = AutoStream::new(io::stdout(), self.color);
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => true,
            Err(error) => {
                self.error(&format!("results could not be printed: {error}"));
                false
            }
        }
    }

    /// Says what went wrong.
    pub(super) fn error(self, text: &str) {
        self.tell(&format!("\x1b[1;31merror\x1b[0m: {text}"));
    }

    /// Says what the user should know, unless they don't want to.
    pub(super) fn warn(self, text: &str) {
        if !self.quiet {
            self.tell(text);
        }
    }

    /// Says that a step of something long is done: to whoever watches, or asks for it.
    pub(super) fn step(self, text: &str) {
        if io::stderr().is_terminal() {
            self.warn(text);
        } else {
            self.log(text);
        }
    }

    /// The same that says errors only.
    pub(super) fn hushed(self) -> Self {
        Self { quiet: true, verbose: false, ..self }
    }

    /// Says where the observed time ends before the traffic's peak: what is found then
    /// is not about the users that were asked for.
    pub(super) fn short_of_peak(self, scenario: &Scenario) {
        if let Some(short) = scenario.short_of_peak() {
            self.warn(&format!("\x1b[1;33mwarning\x1b[0m: {short}"));
        }
    }

    /// Says what is being done, to whoever wants to know.
    pub(super) fn log(self, text: &str) {
        if self.verbose {
            self.tell(text);
        }
    }

    /// Whether [`Screen::log`] says anything.
    pub(super) fn is_verbose(self) -> bool {
        self.verbose
    }

    /// Prints to standard error; there is nobody to tell if that fails.
    pub(super) fn tell(self, text: &str) {
        let mut err = AutoStream::new(io::stderr(), self.color);
        let _ = writeln!(err, "{}", text.trim_end());
    }

    /// Whether standard error shows colours.
    pub(super) fn colours_errors(self) -> bool {
        match self.color {
            ColorChoice::Auto => AutoStream::choice(&io::stderr()) != ColorChoice::Never,
            ColorChoice::Always | ColorChoice::AlwaysAnsi => true,
            ColorChoice::Never => false,
        }
    }

    /// Waits for what `work` says, and shows a progress bar where a person
    /// looks and it takes long. Ends with the last message, or with `None` when
    /// whoever sends has gone.
    pub(super) fn wait<T>(
        self,
        work: &Receiver<T>,
        most: u64,
        mut each: impl FnMut(T) -> Option<T>,
    ) -> Option<T> {
        let bar = self.bar(most);
        let mut waited = Duration::ZERO;
        let last = loop {
            match work.recv_timeout(TICK) {
                Ok(message) => match each(message) {
                    Some(last) => break Some(last),
                    None => bar.inc(1),
                },
                Err(RecvTimeoutError::Timeout) => {
                    waited += TICK;
                    if waited >= SHORT {
                        bar.tick();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break None,
            }
        };
        bar.finish_and_clear();
        last
    }

    /// Shows what a long command is doing: each step as a line, and the time that has
    /// passed, where a person looks; the lines alone for whoever asks for them. `hint`
    /// stays beside the time.
    pub(super) fn steps(self, what: &str, hint: &'static str) -> Steps {
        let watched = io::stderr().is_terminal() && !self.quiet;
        let bar = if watched && !self.verbose { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if watched {
            let style = ProgressStyle::with_template("{spinner} {prefix} [{elapsed}] {wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_prefix(what.to_owned());
            bar.set_message(hint);
            bar.enable_steady_tick(TICK);
        }
        Steps { screen: self, watched, bar }
    }

    /// Shows how far work has come that goes on elsewhere, where a person looks:
    /// `{pos}` of `{len}` pieces, the last of which is `{msg}`.
    pub(super) fn progress(self, most: Option<u64>, template: &str) -> Progress {
        let bar = self.hidden_or(most, template);
        bar.enable_steady_tick(TICK);
        Progress(bar)
    }

    fn bar(self, most: u64) -> ProgressBar {
        self.hidden_or(Some(most), "{spinner} simulating: replication {pos} of {len} [{elapsed}]")
    }

    fn hidden_or(self, most: Option<u64>, template: &str) -> ProgressBar {
        if self.quiet || self.verbose || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        ProgressBar::with_draw_target(most, ProgressDrawTarget::stderr()).with_style(style)
    }
}

/// A line on the terminal that says how far work has come; it goes when this is dropped.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Another piece is done.
    pub(super) fn done(&self, piece: &str) {
        self.0.set_message(piece.to_owned());
        self.0.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The steps of a command that takes minutes.
pub(super) struct Steps {
    screen: Screen,
    watched: bool,
    bar: ProgressBar,
}

impl Steps {
    /// Another step is done.
    pub(super) fn say(&self, text: &str) {
        if self.watched {
            self.bar.suspend(|| self.screen.warn(text));
        } else {
            self.screen.log(text);
        }
    }

    /// All steps are done.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Columns of the terminal that results go to.
pub(super) fn width() -> usize {
    let width = terminal_size::terminal_size_of(io::stdout()).map(|(width, _)| usize::from(width.0));
    width.filter(|width| *width > 0).map_or(USUAL_WIDTH, |width| width.min(WIDEST))
}

/// Prints to standard error without any state: for a program that is failing.
pub(super) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

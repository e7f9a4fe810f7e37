//! SIGINT and SIGTERM: the first asks the run to stop where it can continue, the second ends the process.

use crate::models::{Device, ModelArgs, cores};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{SigId, flag, low_level};
use sparring::core::BoxError;
use sparring::selfplay::SelfPlayError;
use sparring::train::store::Changes;
use sparring::train::{StopFlag, TrainError};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Listens to the signals while it lives.
#[derive(Debug)]
pub(crate) struct Signals {
    stop: Arc<AtomicBool>,
    /// The signal that came last; 0 for none.
    signal: Arc<AtomicUsize>,
    handlers: Vec<SigId>,
}

impl Signals {
    pub(crate) fn listen() -> Result<Self, BoxError> {
        let (stop, signal) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut listening = Self { stop, signal, handlers: Vec::new() };
        for number in [SIGINT, SIGTERM] {
            let (stop, signal) = (&listening.stop, &listening.signal);
            // In this order: the second signal finds the flag set.
            let handlers = [
                flag::register_conditional_shutdown(number, 128 + number, Arc::clone(stop))?,
                flag::register_usize(number, Arc::clone(signal), number as usize)?,
                flag::register(number, Arc::clone(stop))?,
            ];
            listening.handlers.extend(handlers);
        }
        Ok(listening)
    }

    /// What the run looks at.
    pub(crate) fn flag(&self) -> StopFlag {
        StopFlag::from(Arc::clone(&self.stop))
    }

    /// The result of a run; where it was stopped, the `command` that continues it.
    pub(crate) fn ended<T>(
        &self,
        run: Result<T, impl Into<BoxError>>,
        command: impl FnOnce() -> String,
    ) -> Result<T, BoxError> {
        run.map_err(|error| {
            let error = error.into();
            let signal = self.signal.load(Ordering::Relaxed);
            if is_stopped(&error) { Stopped { signal, command: command() }.into() } else { error }
        })
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            low_level::unregister(handler);
        }
    }
}

fn is_stopped(error: &BoxError) -> bool {
    matches!(error.downcast_ref(), Some(TrainError::Stopped))
        || matches!(error.downcast_ref(), Some(SelfPlayError::Train(TrainError::Stopped)))
}

/// A run that a signal stopped.
#[derive(Debug)]
pub(crate) struct Stopped {
    signal: usize,
    command: String,
}

impl Stopped {
    /// 128 and the signal, as shells report it: 130 for SIGINT, 143 for SIGTERM.
    pub(crate) fn code(&self) -> u8 {
        (128 + self.signal) as u8
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stopped; to continue: {}", self.command)
    }
}

impl std::error::Error for Stopped {}

/// The command that continues the run in `dir`; results do not depend on the number of threads, but the user chose it.
/// `more` are further words, of options that a resumed run takes too.
pub(crate) fn continuation(
    name: &str,
    dir: &Path,
    model: Option<&Path>,
    device: &ModelArgs,
    more: impl IntoIterator<Item = String>,
) -> String {
    let mut words = vec!["sparring".to_owned(), name.to_owned()];
    words.extend(option("--resume", Some(dir.display())).chain(option("--model", model.map(Path::display))));
    words.extend(more);
    if device.device != Device::Cpu {
        words.extend(["--device".to_owned(), device.device.to_string()]);
    }
    if device.threads != cores() {
        words.extend(["--threads".to_owned(), device.threads.to_string()]);
    }
    words.extend(
        device.template_variables.iter().flat_map(|variable| option("--template-variable", Some(variable))),
    );
    command(words.iter().map(String::as_str))
}

/// What `--take-changes` says.
pub(crate) fn changes(take: bool) -> Changes {
    if take { Changes::Take } else { Changes::Refuse }
}

/// The words of an option, where it has a value.
pub(crate) fn option(name: &str, value: Option<impl fmt::Display>) -> impl Iterator<Item = String> {
    value.map(|value| [name.to_owned(), value.to_string()]).into_iter().flatten()
}

/// A command line, for a POSIX shell.
fn command<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,+@%".contains(c);
    let quote = |word: &str| match word {
        word if !word.is_empty() && word.chars().all(plain) => word.to_owned(),
        word => format!("'{}'", word.replace('\'', "'\\''")),
    };
    words.into_iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_run_says_how_to_continue() {
        let signals = Signals::listen().unwrap();
        signals.signal.store(15, Ordering::Relaxed);
        let words = || command(["sparring", "play", "--resume", "my runs/it's", "--model", "m"]);
        for error in [BoxError::from(TrainError::Stopped), SelfPlayError::from(TrainError::Stopped).into()] {
            let error = signals.ended::<()>(Err(error), words).unwrap_err();
            let wanted = r"stopped; to continue: sparring play --resume 'my runs/it'\''s' --model m";
            assert_eq!(error.to_string(), wanted);
            assert_eq!(error.downcast_ref::<Stopped>().map(Stopped::code), Some(143));
        }
        let other = signals.ended::<()>(Err("other"), words).unwrap_err();
        assert_eq!(other.to_string(), "other");
    }
}

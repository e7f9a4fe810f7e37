//! Lines about something that takes long, from a thread of their own.

use sparring_core::files::open_own;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

/// Without news there is a line after so long.
const HEARTBEAT: Duration = Duration::from_secs(25);
/// News become a line once the newest line is so old.
const PAUSE: Duration = Duration::from_secs(10);

/// What lines tell about.
pub(super) trait Status: Send + 'static {
    /// One line about the state now; `None` where there is nothing to tell.
    fn line(&self) -> Option<String>;
}

/// Where lines go.
#[derive(Debug, Default)]
pub(super) struct Sink {
    /// Whether to standard error.
    pub(super) shown: bool,
    /// The file that they are appended to, with the time in front.
    pub(super) log: Option<PathBuf>,
    file: Option<File>,
}

impl Sink {
    pub(super) fn new(shown: bool, log: Option<PathBuf>) -> Self {
        Self { shown, log, file: None }
    }

    fn write(&mut self, line: &str) {
        if self.shown {
            eprintln!("{line}");
        }
        if self.log.is_some() && self.file.is_none() {
            // The first line: the run has made its folder.
            self.file = self.log.take().and_then(|path| {
                let file = open_own(&path, OpenOptions::new().append(true));
                file.inspect_err(|error| tracing::warn!(?path, %error, "no log of the progress")).ok()
            });
        }
        if let Some(file) = &mut self.file {
            let time = humantime::format_rfc3339_seconds(SystemTime::now());
            if let Err(error) = file.write_all(format!("{time} {line}\n").as_bytes()) {
                tracing::warn!(%error, "the log of the progress ends here");
                self.file = None;
            }
        }
    }
}

/// Tells about a status until it is dropped: at least every [`HEARTBEAT`], news at most every [`PAUSE`].
pub(super) struct Lines<S: Status> {
    shared: Arc<Shared<S>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared<S> {
    inner: Mutex<Inner<S>>,
    closed: Condvar,
}

struct Inner<S> {
    status: S,
    sink: Sink,
    newest: Instant,
    closed: bool,
}

impl<S: Status> Inner<S> {
    fn tell(&mut self) {
        if let Some(line) = self.status.line() {
            self.sink.write(&line);
        }
        self.newest = Instant::now();
    }
}

impl<S: Status> Lines<S> {
    pub(super) fn start(status: S, sink: Sink) -> Self {
        let inner = Mutex::new(Inner { status, sink, newest: Instant::now(), closed: false });
        let shared = Arc::new(Shared { inner, closed: Condvar::new() });
        let told = Arc::clone(&shared);
        // Without a thread there are lines only where something happens.
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(move || told.beat()).ok();
        Self { shared, thread }
    }

    /// Changes the status; there is a line if the newest is old enough.
    pub(super) fn change(&self, change: impl FnOnce(&mut S)) {
        let mut inner = self.shared.lock();
        change(&mut inner.status);
        if inner.newest.elapsed() >= PAUSE {
            inner.tell();
        }
    }

    /// Reads or changes something of the status, without a line.
    pub(super) fn quietly<R>(&self, change: impl FnOnce(&mut S) -> R) -> R {
        change(&mut self.shared.lock().status)
    }

    /// Changes the status, and writes a line in any case.
    pub(super) fn say(&self, change: impl FnOnce(&mut S) -> String) {
        let mut inner = self.shared.lock();
        let line = change(&mut inner.status);
        inner.sink.write(&line);
        inner.newest = Instant::now();
    }
}

impl<S: Status> Shared<S> {
    fn lock(&self) -> MutexGuard<'_, Inner<S>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn beat(&self) {
        let mut inner = self.lock();
        while !inner.closed {
            match HEARTBEAT.checked_sub(inner.newest.elapsed()).filter(|left| !left.is_zero()) {
                Some(left) => {
                    let woken = self.closed.wait_timeout(inner, left);
                    inner = woken.unwrap_or_else(PoisonError::into_inner).0;
                }
                None => inner.tell(),
            }
        }
    }
}

impl<S: Status> Drop for Lines<S> {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.closed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It does not panic, and has nothing to return.
            let _ = thread.join();
        }
    }
}

impl<S: Status> std::fmt::Debug for Lines<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Count(usize);

    impl Status for Count {
        fn line(&self) -> Option<String> {
            Some(format!("{} done", self.0))
        }
    }

    #[test]
    fn the_log_grows_with_times_in_front_and_few_lines() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("run.log");
        for session in 0..2 {
            let lines = Lines::start(Count(session), Sink::new(false, Some(log.clone())));
            for _ in 0..100 {
                lines.change(|count| count.0 += 1);
            }
            lines.say(|count| format!("ended at {}", count.0));
        }
        let text = std::fs::read_to_string(&log).unwrap();
        let told: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once(' ')).collect();
        assert_eq!(told.iter().map(|told| told.1).collect::<Vec<_>>(), ["ended at 100", "ended at 101"]);
        for (time, _) in told {
            assert!(humantime::parse_rfc3339(time).is_ok(), "{time}");
        }
    }

    #[test]
    fn without_news_it_tells_after_a_while() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("run.log");
        let lines = Lines::start(Count(7), Sink::new(false, Some(log.clone())));
        // As if the newest line were old, for the thread and for news.
        let age = |by| lines.shared.lock().newest = Instant::now().checked_sub(by).unwrap();
        age(PAUSE);
        lines.change(|_| ());
        age(HEARTBEAT);
        lines.shared.closed.notify_all();
        let begun = Instant::now();
        while std::fs::read_to_string(&log).unwrap_or_default().lines().count() < 2 {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing was told");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

//! Downloads, with their progress on standard error: a bar on a terminal, lines elsewhere.

use super::nothing;
use sparring::candle::hub::{Hub, ModelId, Progress};
use sparring::core::{BoxError, one_line};
use sparring::train::progress::Bar;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Files of at least so many MiB are announced.
const LARGE: usize = 8;

/// The path of the model with this id.
pub(super) fn on_the_hub(model: &Path) -> Result<PathBuf, BoxError> {
    let id = parse(model)?;
    let (mut shown, lines) = (Shown::default(), !std::io::stderr().is_terminal());
    let mut on = |progress: Progress<'_>| {
        let line = shown.on(progress.file, progress.done, progress.bytes);
        if let Some(line) = line.filter(|_| lines) {
            // Nobody has to read it.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    };
    let fetched = Hub::from_env().and_then(|hub| hub.fetch(&id, &mut on));
    fetched.map_err(|error| {
        format!("--model: no folder or file of this name here, and on the hub: {}", one_line(&error)).into()
    })
}

/// The name of the model with this id.
pub(super) fn name_on_the_hub(model: &Path) -> Result<String, BoxError> {
    Ok(parse(model)?.name().to_owned())
}

fn parse(model: &Path) -> Result<ModelId, BoxError> {
    model.to_str().and_then(|text| text.parse().ok()).ok_or_else(|| nothing(model, ""))
}

/// What was shown of the file that is downloaded.
#[derive(Debug, Default)]
struct Shown {
    file: String,
    bar: Option<Bar>,
    /// Tenths of the file.
    tenths: u64,
}

impl Shown {
    /// Moves the bar; the line that is due where there is none.
    fn on(&mut self, file: &str, done: u64, bytes: u64) -> Option<String> {
        let mib = |bytes: u64| usize::try_from(bytes.div_ceil(1 << 20)).unwrap_or(usize::MAX);
        let (done_mib, all_mib, tenths) = (mib(done), mib(bytes), done * 10 / bytes.max(1));
        let begins = self.bar.is_none() || self.file != file;
        if begins {
            let bar = Bar::new(format!("{file} (MiB)"), all_mib);
            *self = Self { file: file.to_owned(), bar: Some(bar), tenths };
        }
        if let Some(bar) = &self.bar {
            bar.set(done_mib, "");
        }
        let due = tenths > self.tenths || begins && all_mib >= LARGE;
        self.tenths = self.tenths.max(tenths);
        due.then(|| format!("downloading {file}: {done_mib} of {all_mib} MiB"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_few() {
        let mut shown = Shown::default();
        let small: Vec<_> =
            [0, 500, 1000].iter().filter_map(|&done| shown.on("a.json", done, 1000)).collect();
        assert_eq!(small, ["downloading a.json: 1 of 1 MiB"; 2]);
        let large = (0..=100_000).filter_map(|i| shown.on("b", i << 10, 100_000 << 10)).collect::<Vec<_>>();
        assert_eq!((large.len(), &*large[0]), (11, "downloading b: 0 of 98 MiB"));
        // One that is continued, and one that goes back.
        assert_eq!(shown.on("c", 50 << 20, 100 << 20).unwrap(), "downloading c: 50 of 100 MiB");
        assert_eq!(shown.on("c", 0, 100 << 20), None);
        assert_eq!(shown.on("d", 0, 0), None);
    }
}

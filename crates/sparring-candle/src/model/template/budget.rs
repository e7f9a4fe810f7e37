//! What a render may cost: templates come with models, and are not trusted.

use minijinja::{Error, ErrorKind};
use std::cell::Cell;

/// Longest text or list that an operation may make, bytes.
const MAX_VALUE: usize = 16 << 20;
/// All that a render may write and put together, bytes.
const MAX_TOTAL: usize = 256 << 20;
/// Instructions of a render: at most a second or two. A conversation of a thousand turns needs a tenth.
pub(super) const FUEL: u64 = 5_000_000;
/// Calls of macros within macros count four each.
pub(super) const MAX_CALLS: usize = 160;
/// How deep lists and maps may be nested: they are printed and dropped recursively.
pub(super) const MAX_NESTING: usize = 150;

thread_local! {
    // A render is a call on one thread, and renders nothing else meanwhile.
    static LEFT: Cell<usize> = const { Cell::new(MAX_TOTAL) };
}

/// Begins a render.
pub(super) fn begin() {
    LEFT.set(MAX_TOTAL);
}

/// Takes account of a value before it is made.
pub(super) fn charge(bytes: usize) -> Result<(), Error> {
    match LEFT.get().checked_sub(bytes) {
        Some(left) if bytes <= MAX_VALUE => {
            LEFT.set(left);
            Ok(())
        }
        _ => Err(Error::new(
            ErrorKind::InvalidOperation,
            format!(
                "the template makes too much text: one value may have {} MiB, and all of them {} MiB",
                MAX_VALUE >> 20,
                MAX_TOTAL >> 20
            ),
        )),
    }
}

/// A width, an indentation or another number of characters that a template asks for.
pub(super) fn width(asked: usize) -> Result<usize, Error> {
    const WIDEST: usize = 100_000;
    if asked <= WIDEST {
        return charge(asked).map(|()| asked);
    }
    let why = format!("the template asks for a width of {asked}; up to {WIDEST} are possible");
    Err(Error::new(ErrorKind::InvalidOperation, why))
}

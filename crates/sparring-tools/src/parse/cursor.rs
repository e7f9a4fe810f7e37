use memchr::{memchr_iter, memchr2_iter, memchr3_iter};

/// The unread text, and whether more can follow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) rest: &'a str,
    /// Position of `rest` in the whole text.
    pub(super) at: usize,
    /// Whether `rest` is the end of the text.
    pub(super) end: bool,
}

/// The result of one step of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It used this many bytes, possibly none with a change of state.
    Took(usize),
    /// It needs more text to decide.
    Wait,
    /// It used this many bytes and is done.
    Leave(usize),
}

/// Whether a pattern matches at the start of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ahead<T> {
    Yes(T),
    No,
    /// It matches as far as the text goes.
    Perhaps,
}

impl Cursor<'_> {
    /// Returns the length of the white space at the start.
    pub(super) fn space(&self) -> usize {
        // Most often there is none, which one byte shows.
        if self.rest.bytes().next().is_some_and(|byte| byte.is_ascii_graphic()) {
            return 0;
        }
        self.rest.len() - self.rest.trim_start().len()
    }

    /// Returns the index of the tag that is here, if one is.
    pub(super) fn tag(&self, tags: &[&str]) -> Ahead<usize> {
        tag_ahead(self.rest, tags, self.end)
    }
}

/// Returns the first tag of the list that is here, or may be.
fn tag_ahead(rest: &str, tags: &[&str], end: bool) -> Ahead<usize> {
    for (i, tag) in tags.iter().enumerate() {
        if rest.starts_with(tag) {
            return Ahead::Yes(i);
        }
        if !end && tag.starts_with(rest) {
            return Ahead::Perhaps;
        }
    }
    Ahead::No
}

/// Tags to search for.
#[derive(Debug, Clone)]
pub(super) struct Tags {
    pub(super) names: Vec<&'static str>,
    /// Other bytes to search for.
    bytes: Vec<u8>,
    /// These bytes and the first bytes of the tags.
    firsts: Vec<u8>,
    is_first: ByteSet,
    /// The second bytes of the tags.
    is_second: ByteSet,
}

/// Which bytes are in a set.
type ByteSet = [bool; 256];

fn byte_set(bytes: impl IntoIterator<Item = u8>) -> ByteSet {
    let mut set = [false; 256];
    bytes.into_iter().for_each(|byte| set[usize::from(byte)] = true);
    set
}

/// Tags that end calls: first their closing tags, then tags that begin other calls or end the turn.
#[derive(Debug)]
pub(super) struct Stops {
    pub(super) closers: &'static [&'static str],
    pub(super) tags: Tags,
}

impl Stops {
    /// `others` are the tags that begin calls, surround them, or end the turn.
    pub(super) fn new(closers: &'static [&'static str], others: &[&'static str]) -> Self {
        let others = others.iter().filter(|tag| !closers.contains(tag));
        Self { closers, tags: Tags::new(closers.iter().chain(others).copied(), &[]) }
    }

    /// Skips to the next tag, and over it if it is a closing tag.
    pub(super) fn skip(&self, cursor: Cursor<'_>) -> Step {
        match self.tags.find(cursor.rest, 0, cursor.end) {
            Found::Tag(at, tag) if tag < self.closers.len() => Step::Leave(at + self.closers[tag].len()),
            Found::Tag(at, _) => Step::Leave(at),
            Found::Perhaps(0) => Step::Wait,
            Found::Perhaps(at) => Step::Took(at),
            _ if cursor.end => Step::Leave(cursor.rest.len()),
            _ if cursor.rest.is_empty() => Step::Wait,
            _ => Step::Took(cursor.rest.len()),
        }
    }
}

/// The result of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The tag with this index is at this byte.
    Tag(usize, usize),
    /// Another byte that was searched for is here.
    Byte(usize),
    /// From this byte on, the text may be the start of a tag.
    Perhaps(usize),
    Nothing,
}

impl Tags {
    pub(super) fn new(tags: impl IntoIterator<Item = &'static str>, bytes: &[u8]) -> Self {
        let names: Vec<_> = tags.into_iter().collect();
        let mut firsts: Vec<u8> =
            names.iter().map(|tag| tag.as_bytes()[0]).chain(bytes.iter().copied()).collect();
        firsts.sort_unstable();
        firsts.dedup();
        let seconds = names.iter().filter_map(|tag| tag.as_bytes().get(1).copied());
        // A tag of one byte goes on with anything.
        let short = names.iter().any(|tag| tag.len() == 1);
        let is_second = if short { [true; 256] } else { byte_set(seconds) };
        Self { is_first: byte_set(firsts.iter().copied()), is_second, names, bytes: bytes.to_vec(), firsts }
    }

    /// Returns whether neither a tag nor one of the other bytes is here, as the first two bytes show.
    fn excludes(&self, text: &[u8]) -> bool {
        text.get(1).is_some_and(|second| !self.is_second[usize::from(*second)])
            && !self.bytes.contains(&text[0])
    }

    /// Returns whether one of the tags is here.
    pub(super) fn at(&self, cursor: Cursor<'_>) -> Ahead<usize> {
        if self.excludes(cursor.rest.as_bytes()) {
            return Ahead::No;
        }
        tag_ahead(cursor.rest, &self.names, cursor.end)
    }

    /// Returns the first tag, or one of the other bytes, at or after byte `from`.
    pub(super) fn find(&self, text: &str, from: usize, end: bool) -> Found {
        let mut at = from;
        while let Some(offset) = self.next(&text.as_bytes()[at..]) {
            at += offset;
            match tag_ahead(&text[at..], &self.names, end) {
                Ahead::Yes(tag) => return Found::Tag(at, tag),
                Ahead::Perhaps => return Found::Perhaps(at),
                Ahead::No if self.bytes.contains(&text.as_bytes()[at]) => return Found::Byte(at),
                Ahead::No => at += 1,
            }
        }
        Found::Nothing
    }

    /// Returns where a tag, or one of the other bytes, may be.
    fn next(&self, bytes: &[u8]) -> Option<usize> {
        let may_be = |at: &usize| !self.excludes(&bytes[*at..]);
        match self.firsts.as_slice() {
            [] => None,
            [a] => memchr_iter(*a, bytes).find(may_be),
            [a, b] => memchr2_iter(*a, *b, bytes).find(may_be),
            [a, b, c] => memchr3_iter(*a, *b, *c, bytes).find(may_be),
            _ => (0..bytes.len()).filter(|at| self.is_first[usize::from(bytes[*at])]).find(may_be),
        }
    }
}

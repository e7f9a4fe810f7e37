use memchr::{memchr, memchr2, memchr3};

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
    /// The second bytes of the tags, one bit each.
    seconds: [u64; 4],
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
        // A tag of one byte goes on with anything.
        let mut seconds = if names.iter().any(|tag| tag.len() == 1) { [u64::MAX; 4] } else { [0; 4] };
        for second in names.iter().filter_map(|tag| tag.as_bytes().get(1)) {
            seconds[usize::from(second >> 6)] |= 1 << (second & 63);
        }
        Self { names, bytes: bytes.to_vec(), firsts, seconds }
    }

    /// Returns whether no tag goes on like this after its first byte.
    fn excludes(&self, text: &[u8]) -> bool {
        text.get(1).is_some_and(|second| self.seconds[usize::from(second >> 6)] & (1 << (second & 63)) == 0)
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
        while let Some(offset) = self.first(&text.as_bytes()[at..]) {
            at += offset;
            let here = if self.excludes(&text.as_bytes()[at..]) {
                Ahead::No
            } else {
                tag_ahead(&text[at..], &self.names, end)
            };
            match here {
                Ahead::Yes(tag) => return Found::Tag(at, tag),
                Ahead::Perhaps => return Found::Perhaps(at),
                Ahead::No if self.bytes.contains(&text.as_bytes()[at]) => return Found::Byte(at),
                Ahead::No => at += 1,
            }
        }
        Found::Nothing
    }

    fn first(&self, bytes: &[u8]) -> Option<usize> {
        match self.firsts.as_slice() {
            [] => None,
            [a] => memchr(*a, bytes),
            [a, b] => memchr2(*a, *b, bytes),
            [a, b, c] => memchr3(*a, *b, *c, bytes),
            many => bytes.iter().position(|byte| many.contains(byte)),
        }
    }
}

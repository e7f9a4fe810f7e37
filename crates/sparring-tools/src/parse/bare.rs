use super::cursor::Ahead;
use super::normalize::{ARGUMENT_KEYS, NAME_KEYS};

/// Keys with which models begin a call, besides those of its name and its arguments.
const OTHER_KEYS: [&str; 4] = ["type", "function", "id", "tool_call_id"];
/// Largest amount of white space between two parts of a call's beginning.
pub(super) const MAX_SPACE: usize = 256;

/// Returns whether JSON calls begin here: `{"name":`, in a list or not.
pub(super) fn json_head(text: &str, end: bool) -> Ahead<()> {
    let mut head = Head { rest: text, end };
    let found = head.optional('[').and_then(|()| {
        head.character(&['{'])?;
        let quote = head.character(&['"', '\''])?;
        head.key(quote)?;
        head.character(&[':']).map(|_| ())
    });
    found.map_or_else(|ahead| ahead, Ahead::Yes)
}

/// Returns the length of the code fence here, with its information string and the white space after it; 0 without
/// one.
pub(super) fn fence(text: &str, end: bool) -> Ahead<usize> {
    let mut head = Head { rest: text, end };
    match head.fence() {
        Ok(()) => Ahead::Yes(text.len() - head.rest.len()),
        Err(Ahead::Perhaps) => Ahead::Perhaps,
        Err(_) => Ahead::No,
    }
}

/// The start of a text that may be a call; its methods return the answer as their error.
struct Head<'a> {
    rest: &'a str,
    end: bool,
}

impl Head<'_> {
    fn undecided(&self) -> Ahead<()> {
        if self.end { Ahead::No } else { Ahead::Perhaps }
    }

    fn space(&mut self) -> Result<(), Ahead<()>> {
        let trimmed = self.rest.trim_start();
        if self.rest.len() - trimmed.len() > MAX_SPACE {
            return Err(Ahead::No);
        }
        self.rest = trimmed;
        Ok(())
    }

    /// A code fence with its information string.
    fn fence(&mut self) -> Result<(), Ahead<()>> {
        if !self.rest.starts_with('`') {
            return Ok(());
        }
        match self.rest.strip_prefix("```") {
            Some(rest) => {
                let info = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
                if rest.len() - info.len() > MAX_SPACE {
                    return Err(Ahead::No);
                }
                self.rest = info;
                self.space()?;
                // The information string may not be complete.
                if info.is_empty() || self.rest.is_empty() { Err(self.undecided()) } else { Ok(()) }
            }
            None if "```".starts_with(self.rest) => Err(self.undecided()),
            None => Err(Ahead::No),
        }
    }

    fn optional(&mut self, c: char) -> Result<(), Ahead<()>> {
        self.space()?;
        if let Some(rest) = self.rest.strip_prefix(c) {
            self.rest = rest;
        }
        Ok(())
    }

    fn character(&mut self, wanted: &[char]) -> Result<char, Ahead<()>> {
        self.space()?;
        let Some(c) = self.rest.chars().next() else { return Err(self.undecided()) };
        if !wanted.contains(&c) {
            return Err(Ahead::No);
        }
        self.rest = &self.rest[c.len_utf8()..];
        Ok(c)
    }

    fn key(&mut self, quote: char) -> Result<(), Ahead<()>> {
        let keys = || NAME_KEYS.iter().chain(&ARGUMENT_KEYS).chain(&OTHER_KEYS);
        for key in keys() {
            if let Some(rest) = self.rest.strip_prefix(*key).and_then(|rest| rest.strip_prefix(quote)) {
                self.rest = rest;
                return Ok(());
            }
        }
        let open = |key: &&str| format!("{key}{quote}").starts_with(self.rest);
        Err(if keys().any(open) { self.undecided() } else { Ahead::No })
    }
}

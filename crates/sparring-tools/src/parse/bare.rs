use super::cursor::Ahead;
use super::normalize::{ARGUMENT_KEYS, NAME_KEYS};

/// Keys with which models begin a call, beside those of its name and its arguments.
const OTHER_KEYS: [&str; 3] = ["type", "function", "id"];
/// Most white space between two parts of a call's beginning.
pub(super) const MAX_SPACE: usize = 256;

/// Whether JSON calls begin here: `{"name":`, in a list or not, in a code fence or not. Also how long the fence is.
pub(super) fn json_head(text: &str, end: bool) -> Ahead<usize> {
    let mut head = Head { rest: text, end };
    let found = head.fence().and_then(|()| {
        let fence = text.len() - head.rest.len();
        head.optional('[')?;
        head.character(&['{'])?;
        let quote = head.character(&['"', '\''])?;
        head.key(quote)?;
        head.character(&[':'])?;
        Err(Ahead::Yes(fence))
    });
    match found {
        Err(ahead) => ahead,
        Ok(()) => Ahead::No,
    }
}

/// The start of a text that may be the start of a call; its methods fail with the answer.
struct Head<'a> {
    rest: &'a str,
    end: bool,
}

impl Head<'_> {
    fn undecided(&self) -> Ahead<usize> {
        if self.end { Ahead::No } else { Ahead::Perhaps }
    }

    fn space(&mut self) -> Result<(), Ahead<usize>> {
        let trimmed = self.rest.trim_start();
        if self.rest.len() - trimmed.len() > MAX_SPACE {
            return Err(Ahead::No);
        }
        self.rest = trimmed;
        Ok(())
    }

    /// A code fence with its information string.
    fn fence(&mut self) -> Result<(), Ahead<usize>> {
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
                self.space()
            }
            None if "```".starts_with(self.rest) => Err(self.undecided()),
            None => Err(Ahead::No),
        }
    }

    fn optional(&mut self, c: char) -> Result<(), Ahead<usize>> {
        self.space()?;
        if let Some(rest) = self.rest.strip_prefix(c) {
            self.rest = rest;
        }
        Ok(())
    }

    fn character(&mut self, wanted: &[char]) -> Result<char, Ahead<usize>> {
        self.space()?;
        let Some(c) = self.rest.chars().next() else { return Err(self.undecided()) };
        if !wanted.contains(&c) {
            return Err(Ahead::No);
        }
        self.rest = &self.rest[c.len_utf8()..];
        Ok(c)
    }

    fn key(&mut self, quote: char) -> Result<(), Ahead<usize>> {
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

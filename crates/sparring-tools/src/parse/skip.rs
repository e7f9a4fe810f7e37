/// Skips to the end of something broken: to its last closing bracket, ignoring brackets in strings.
#[derive(Debug)]
pub(super) struct Skip {
    /// Open brackets.
    depth: usize,
    quote: Option<char>,
    escaped: bool,
}

impl Skip {
    /// Starts inside this many brackets, and possibly inside a string.
    pub(super) fn new(depth: usize, quote: Option<char>) -> Self {
        Self { depth, quote, escaped: false }
    }

    /// Returns where the last bracket ends, if it is in `text`.
    pub(super) fn end(&mut self, text: &str) -> Option<usize> {
        if self.depth == 0 {
            return Some(0);
        }
        for (i, c) in text.char_indices() {
            if std::mem::take(&mut self.escaped) {
                continue;
            }
            match (c, self.quote) {
                ('\\', Some(_)) => self.escaped = true,
                (_, Some(open)) if c == open => self.quote = None,
                ('"' | '\'', None) => self.quote = Some(c),
                ('(' | '[' | '{', None) => self.depth += 1,
                (')' | ']' | '}', None) => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return Some(i + c.len_utf8());
                    }
                }
                _ => {}
            }
        }
        None
    }
}

//! `<tag>...</tag>` blocks in a model's text. Every function takes linear time.

use crate::ParseError;

/// The content of a block and its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block<'a> {
    /// The text between the tags, unchanged.
    pub content: &'a str,
    /// Byte at which the content starts.
    pub start: usize,
    /// Byte after the closing tag.
    pub end: usize,
}

/// Whether the case of tags matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// Tags must match exactly.
    Sensitive,
    /// ASCII case is ignored.
    Insensitive,
}

impl Case {
    fn fold(self, text: &str) -> std::borrow::Cow<'_, str> {
        match self {
            Self::Sensitive => text.into(),
            // Offsets do not change: only the case of ASCII letters does.
            Self::Insensitive => text.to_ascii_lowercase().into(),
        }
    }
}

/// Returns the last complete block: the last closing tag with the last opening tag before it.
///
/// Earlier mentions of the opening tag (in the reasoning, say) do not matter.
///
/// # Errors
/// [`ParseError::NoBlock`], or [`ParseError::EmptyBlock`] if it contains only white space.
pub fn last_block<'a>(text: &'a str, tag: &str, case: Case) -> Result<Block<'a>, ParseError> {
    let folded = case.fold(text);
    let (open, close) =
        (case.fold(&format!("<{tag}>")).into_owned(), case.fold(&format!("</{tag}>")).into_owned());
    let missing = |offset| ParseError::NoBlock { tag: tag.to_owned(), offset };
    let end = folded.rfind(&close).ok_or_else(|| missing(text.len()))?;
    let start = folded[..end].rfind(&open).ok_or_else(|| missing(end))? + open.len();
    nonempty(Block { content: &text[start..end], start, end: end + close.len() }, tag)
}

/// Returns one block for each tag, each the first after the end of the previous one.
///
/// # Errors
/// [`ParseError::NoBlock`] or [`ParseError::EmptyBlock`] for the first tag without a block.
pub fn blocks_in_order<'a>(text: &'a str, tags: &[&str], case: Case) -> Result<Vec<Block<'a>>, ParseError> {
    let folded = case.fold(text);
    let mut at = 0;
    let mut blocks = Vec::with_capacity(tags.len());
    for tag in tags {
        let (open, close) =
            (case.fold(&format!("<{tag}>")).into_owned(), case.fold(&format!("</{tag}>")).into_owned());
        let missing = || ParseError::NoBlock { tag: (*tag).to_owned(), offset: at };
        let start = at + folded[at..].find(&open).ok_or_else(missing)? + open.len();
        let end = start + folded[start..].find(&close).ok_or_else(missing)?;
        let block = Block { content: &text[start..end], start, end: end + close.len() };
        blocks.push(nonempty(block, tag)?);
        at = end + close.len();
    }
    Ok(blocks)
}

fn nonempty<'a>(block: Block<'a>, tag: &str) -> Result<Block<'a>, ParseError> {
    if block.content.trim().is_empty() {
        return Err(ParseError::EmptyBlock { tag: tag.to_owned(), offset: block.start });
    }
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_block_ignores_earlier_mentions() {
        let text = "I will open <a> and then\n<a>one</a> <A> two </A>!";
        assert_eq!(last_block(text, "a", Case::Sensitive).unwrap().content, "one");
        let block = last_block(text, "a", Case::Insensitive).unwrap();
        assert_eq!((block.content, &text[block.start..block.end]), (" two ", " two </A>"));
    }

    #[test]
    fn missing_open_and_empty_blocks_are_distinguished() {
        assert_eq!(last_block("<a>x", "a", Case::Sensitive).unwrap_err().offset(), 4);
        assert!(matches!(
            last_block("x</a>", "a", Case::Sensitive),
            Err(ParseError::NoBlock { offset: 1, .. })
        ));
        assert!(matches!(
            last_block("<a> \n</a>", "a", Case::Sensitive),
            Err(ParseError::EmptyBlock { offset: 3, .. })
        ));
    }

    #[test]
    fn order_matters_in_order() {
        let text = "<t>think of <q></t><q>why</q>";
        let found: Vec<_> =
            blocks_in_order(text, &["t", "q"], Case::Sensitive).unwrap().iter().map(|b| b.content).collect();
        assert_eq!(found, ["think of <q>", "why"]);
        assert!(blocks_in_order(text, &["q", "t"], Case::Sensitive).is_err());
    }

    #[test]
    fn case_folding_keeps_offsets_in_other_scripts() {
        // U+0130 would grow under Unicode lower-casing.
        let text = "İİ<A>東京</a>";
        assert_eq!(last_block(text, "a", Case::Insensitive).unwrap().content, "東京");
    }
}

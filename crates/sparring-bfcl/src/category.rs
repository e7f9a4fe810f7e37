/// The language whose type names and literals a category's calls are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// Values are values.
    Python,
    /// Values are the text of Java literals.
    Java,
    /// Values are the text of JavaScript literals.
    JavaScript,
}

impl Language {
    /// The language of a category, or of an entry's id: `simple_java` is Java, and what names none is Python.
    pub fn of(category: &str) -> Self {
        let category = original(category);
        if category.contains("javascript") {
            Self::JavaScript
        } else if category.contains("java") {
            Self::Java
        } else {
            Self::Python
        }
    }
}

/// How many calls a category expects, and how they are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One call of the one function on offer.
    Simple,
    /// One call of one of several functions.
    Multiple,
    /// Several calls in any order, of one function or of several.
    Parallel,
}

impl Kind {
    /// The kind of a category, or of an entry's id, by the official rule: a name that holds "parallel" is
    /// [`Parallel`](Self::Parallel) (so `parallel_multiple` is), else one that holds "multiple" is
    /// [`Multiple`](Self::Multiple).
    ///
    /// ```
    /// use sparring_bfcl::Kind;
    /// assert_eq!(Kind::of("live_parallel_multiple"), Kind::Parallel);
    /// assert_eq!(Kind::of("format_sensitivity_3:ret_fmt=json:live_multiple_23-5-1"), Kind::Multiple);
    /// ```
    pub fn of(category: &str) -> Self {
        let category = original(category);
        if category.contains("parallel") {
            Self::Parallel
        } else if category.contains("multiple") {
            Self::Multiple
        } else {
            Self::Simple
        }
    }
}

/// An id of the format sensitivity set names the original entry after its second colon.
fn original(id: &str) -> &str {
    id.splitn(3, ':').nth(2).unwrap_or(id)
}

/// The language of the type names and literals in a category's calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// Arguments are values.
    Python,
    /// Arguments are the text of Java literals.
    Java,
    /// Arguments are the text of JavaScript literals.
    JavaScript,
}

impl Language {
    /// The language of a category, or of an entry's id: `simple_java` is Java; a name without a language is Python.
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

/// How many calls a category expects, and how they are matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One call of the only function.
    Simple,
    /// One call of one of several functions.
    Multiple,
    /// Several calls in any order, of one function or of several.
    Parallel,
}

impl Kind {
    /// The kind of a category, or of an entry's id, by the official rule: a name that contains "parallel" is
    /// [`Parallel`](Self::Parallel) (including `parallel_multiple`), else one that contains "multiple" is
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

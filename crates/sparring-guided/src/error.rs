/// An error of constrained decoding.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuidedError {
    /// The vocabulary cannot be used.
    #[error("the vocabulary cannot be used: {what}")]
    Vocabulary {
        /// What is wrong.
        what: String,
    },
    /// A grammar, a schema or a regular expression is wrong, or beyond the limits of the parser.
    #[error("{origin}: {what}")]
    Grammar {
        /// Where it comes from: a tool's name, `regex`, `json_schema` or `lark`.
        origin: String,
        /// What is wrong.
        what: String,
    },
    /// Calls of these tools cannot be written in this format.
    #[error("tool `{tool}`: {what}")]
    Tool {
        /// The tool.
        tool: String,
        /// What is wrong, and what to do.
        what: String,
    },
}

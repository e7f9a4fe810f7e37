use super::PyValue;

/// Whether a decoded output is a list of calls: dicts of one name to a dict of arguments
/// (`is_function_calling_format_output`). The empty list is one.
///
/// ```
/// use sparring_bfcl::{PyValue, is_function_call_format};
/// assert!(is_function_call_format(&PyValue::from_json(&serde_json::json!([{"f": {"x": 1}}]))));
/// assert!(!is_function_call_format(&PyValue::from_json(&serde_json::json!([{"f": "{}"}]))));
/// ```
pub fn is_function_call_format(output: &PyValue) -> bool {
    let is_call = |call: &PyValue| match call {
        PyValue::Dict(entries) => matches!(entries.as_slice(), [(_, PyValue::Dict(_))]),
        _ => false,
    };
    matches!(output, PyValue::List(calls) if calls.iter().all(is_call))
}

/// Whether a decoded output has no call (`is_empty_output`): its form is wrong, or it is `[]`.
pub fn is_empty_output(output: &PyValue) -> bool {
    !is_function_call_format(output) || matches!(output, PyValue::List(calls) if calls.is_empty())
}

/// The rule of the relevance and irrelevance categories, which check only whether there is a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Relevance {
    /// Some function serves the request: a call is expected.
    Relevant,
    /// No function serves the request: a call is wrong.
    Irrelevant,
}

impl Relevance {
    /// The rule of a category or an entry's id; `None` if the calls themselves are checked.
    pub fn of(category: &str) -> Option<Self> {
        if category.contains("irrelevance") {
            Some(Self::Irrelevant)
        } else {
            category.contains("relevance").then_some(Self::Relevant)
        }
    }

    /// Judges a decoded output; `None` is a text that could not be decoded.
    ///
    /// # Errors
    /// The official `error_type`, if the output is not as expected.
    ///
    /// ```
    /// use sparring_bfcl::{PyValue, Relevance};
    /// let call = PyValue::from_json(&serde_json::json!([{"f": {}}]));
    /// assert!(Relevance::Relevant.judge(Some(&call)).is_ok());
    /// assert!(Relevance::Irrelevant.judge(None).is_ok());
    /// assert_eq!(Relevance::Irrelevant.judge(Some(&call)), Err("irrelevance_error:decoder_success"));
    /// ```
    pub fn judge(self, decoded: Option<&PyValue>) -> Result<(), &'static str> {
        let contains_call = decoded.is_some_and(|output| !is_empty_output(output));
        match self {
            Self::Relevant if !contains_call => Err("relevance_error:decoder_failed"),
            Self::Irrelevant if contains_call => Err("irrelevance_error:decoder_success"),
            _ => Ok(()),
        }
    }
}

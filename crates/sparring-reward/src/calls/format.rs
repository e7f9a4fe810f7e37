use serde::{Deserialize, Serialize};
use serde_json::Value;
use sparring_tools::{CallParser, Comparator, Format, PythonValues, RobustComparator, StrictJson, ToolTask};

/// A [`Format`] as settings name it: `"hermes"` (the default), `"r1_python"`, or the name that an inference server
/// uses.
///
/// ```
/// use sparring_reward::calls::CallFormat;
/// use sparring_tools::Format;
/// assert_eq!(CallFormat::try_from("r1_python".to_owned())?, CallFormat(Format::R1Python));
/// assert!(CallFormat::try_from("morse".to_owned()).is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallFormat(pub Format);

impl Default for CallFormat {
    fn default() -> Self {
        Self(Format::Hermes)
    }
}

impl From<Format> for CallFormat {
    fn from(format: Format) -> Self {
        Self(format)
    }
}

impl TryFrom<String> for CallFormat {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Format::from_name(&name).map(Self).ok_or_else(|| {
            let known = Format::ALL.map(Format::name).join(", ");
            format!("there is no call format `{name}`; choose one of {known}")
        })
    }
}

impl From<CallFormat> for String {
    fn from(format: CallFormat) -> Self {
        format.0.name().to_owned()
    }
}

impl CallFormat {
    /// Returns the parser, with the task's tools for formats whose arguments are untyped text.
    pub(crate) fn parser(self, task: &ToolTask) -> Box<dyn CallParser> {
        if self.0.needs_tools() { self.0.parser_for(task.tools.clone()) } else { self.0.parser() }
    }
}

/// A [`Comparator`] of argument values that settings can name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Equality {
    /// [`RobustComparator`]: `5` = `5.0` = `"5"`, ignoring differences in white space.
    #[default]
    Robust,
    /// [`PythonValues`]: `5` = `5.0`, not `"5"`.
    Python,
    /// [`StrictJson`]: `5`, `5.0` and `"5"` all differ.
    Strict,
}

impl Comparator for Equality {
    fn equal(&self, expected: &Value, found: &Value) -> bool {
        match self {
            Self::Robust => RobustComparator.equal(expected, found),
            Self::Python => PythonValues.equal(expected, found),
            Self::Strict => StrictJson.equal(expected, found),
        }
    }
}

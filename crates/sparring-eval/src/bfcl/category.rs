use serde::{Deserialize, Serialize};
use sparring_bfcl::Relevance;
use std::fmt;
use std::str::FromStr;

/// A version of the leaderboard's data, which determines the names of files and folders. Ids are those of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Version {
    /// `BFCL_v3_simple.json`, ids `simple_0`.
    V3,
    /// `BFCL_v4_simple_python.json`, ids `simple_python_0`.
    #[default]
    V4,
}

/// The single-turn categories of the Berkeley Function Calling Leaderboard, by their v4 names.
///
/// v3 calls the first three `simple`, `java` and `javascript`; [`FromStr`] reads both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "a name is all there is to say")]
pub enum Category {
    SimplePython,
    SimpleJava,
    SimpleJavascript,
    Multiple,
    Parallel,
    ParallelMultiple,
    Irrelevance,
    LiveSimple,
    LiveMultiple,
    LiveParallel,
    LiveParallelMultiple,
    LiveIrrelevance,
    LiveRelevance,
}

impl Category {
    /// Every category, in the order of the leaderboard.
    pub const ALL: [Self; 13] = [
        Self::SimplePython,
        Self::SimpleJava,
        Self::SimpleJavascript,
        Self::Multiple,
        Self::Parallel,
        Self::ParallelMultiple,
        Self::Irrelevance,
        Self::LiveSimple,
        Self::LiveMultiple,
        Self::LiveParallel,
        Self::LiveParallelMultiple,
        Self::LiveIrrelevance,
        Self::LiveRelevance,
    ];

    /// Its name in v4.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SimplePython => "simple_python",
            Self::SimpleJava => "simple_java",
            Self::SimpleJavascript => "simple_javascript",
            Self::Multiple => "multiple",
            Self::Parallel => "parallel",
            Self::ParallelMultiple => "parallel_multiple",
            Self::Irrelevance => "irrelevance",
            Self::LiveSimple => "live_simple",
            Self::LiveMultiple => "live_multiple",
            Self::LiveParallel => "live_parallel",
            Self::LiveParallelMultiple => "live_parallel_multiple",
            Self::LiveIrrelevance => "live_irrelevance",
            Self::LiveRelevance => "live_relevance",
        }
    }

    /// Its name in v3.
    pub const fn v3_name(self) -> &'static str {
        match self {
            Self::SimplePython => "simple",
            Self::SimpleJava => "java",
            Self::SimpleJavascript => "javascript",
            other => other.name(),
        }
    }

    /// The stem of its files in a version: `BFCL_v3_simple`, `BFCL_v4_simple_python`.
    pub fn stem(self, version: Version) -> String {
        match version {
            Version::V3 => format!("BFCL_v3_{}", self.v3_name()),
            Version::V4 => format!("BFCL_v4_{}", self.name()),
        }
    }

    /// The folder of its result files in v4; v3 has none.
    pub const fn group(self) -> &'static str {
        match self {
            Self::LiveSimple
            | Self::LiveMultiple
            | Self::LiveParallel
            | Self::LiveParallelMultiple
            | Self::LiveIrrelevance
            | Self::LiveRelevance => "live",
            _ => "non_live",
        }
    }

    /// Whether only the presence of a call is checked; `None` if calls are compared with possible answers.
    pub fn relevance(self) -> Option<Relevance> {
        Relevance::of(self.name())
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Category {
    type Err = crate::EvalError;

    /// Reads a name of v3 or v4.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|c| name == c.name() || name == c.v3_name()).ok_or_else(|| {
            let all = Self::ALL.map(Self::name).join(", ");
            crate::EvalError::invalid(format!("unknown BFCL category `{name}`; known: {all}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_both_versions_are_read() {
        for category in Category::ALL {
            assert_eq!(category.name().parse::<Category>().unwrap(), category);
            assert_eq!(category.v3_name().parse::<Category>().unwrap(), category);
            assert_eq!(serde_json::to_value(category).unwrap(), category.name());
            assert_eq!(category.group() == "live", category.name().starts_with("live"));
        }
        let error = "exec_simple".parse::<Category>().unwrap_err().to_string();
        assert!(error.contains("exec_simple") && error.contains("live_relevance"), "{error}");
    }
}

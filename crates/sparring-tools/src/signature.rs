use crate::{ToolTask, canonical_json, grounding};
use serde::{Deserialize, Serialize};

/// When two tasks are duplicates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SignatureRule {
    /// The same tools and the same calls, including values, in any order: another wording of the question teaches no
    /// new call. A task without calls keeps its question, since otherwise all such tasks would be duplicates.
    #[default]
    Calls,
    /// Tool-R0's released fingerprint (arXiv 2602.21320): the question in lower case with every digit as 0, the tools
    /// with their parameters, and the calls' argument *names* in order. "Table for 2" and "table for 3" are duplicates.
    Released,
}

/// Returns the signature of a task under [`SignatureRule::Calls`].
pub fn signature(task: &ToolTask) -> String {
    signature_with(task, SignatureRule::Calls)
}

/// Returns the signature of a task, which is equal for duplicates. It is readable text; hash it to save space.
pub fn signature_with(task: &ToolTask, rule: SignatureRule) -> String {
    let mut tools: Vec<String> = task
        .tools
        .iter()
        .map(|tool| {
            let mut parameters: Vec<&str> = tool.parameters.keys().map(String::as_str).collect();
            parameters.sort_unstable();
            format!("{}({})", tool.name, parameters.join(","))
        })
        .collect();
    tools.sort_unstable();
    let tools = tools.join(";");
    match rule {
        SignatureRule::Calls => {
            let mut calls: Vec<String> =
                task.calls.iter().map(|call| canonical_json(&call.to_json())).collect();
            calls.sort_unstable();
            let question = if calls.is_empty() {
                grounding::normalize(&task.question, grounding::Letters::AllScripts)
            } else {
                String::new()
            };
            [tools, calls.join(";"), question].join("|")
        }
        SignatureRule::Released => {
            let digits = |c: char| if c.is_numeric() { '0' } else { c };
            let question: String = task.question.to_lowercase().chars().map(digits).collect();
            let question = question.split_whitespace().collect::<Vec<_>>().join(" ");
            let calls: Vec<String> = task
                .calls
                .iter()
                .map(|call| {
                    let mut keys: Vec<&str> = call.arguments.keys().map(String::as_str).collect();
                    keys.sort_unstable();
                    format!("{}({})", call.name, keys.join(","))
                })
                .collect();
            [question, tools, calls.join(";")].join("|")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ToolCall, ToolSpec};
    use serde_json::json;

    fn task(question: &str, people: i64) -> ToolTask {
        let tool =
            ToolSpec::from_json(&json!({"name": "book", "parameters": {"people": {"type": "integer"}}}));
        ToolTask {
            question: question.to_owned(),
            tools: vec![tool.unwrap()],
            calls: vec![ToolCall::new("book", [("people", json!(people))])],
            domain: String::new(),
        }
    }

    #[test]
    fn released_ignores_digits_and_values_and_the_default_does_not() {
        let (two, three) = (task("Table for 2, please", 2), task("Table  for 3, please", 3));
        assert_eq!(
            signature_with(&two, SignatureRule::Released),
            signature_with(&three, SignatureRule::Released)
        );
        assert_ne!(signature(&two), signature(&three));
        assert_eq!(signature(&two), signature(&task("Book me a table for 2", 2)));
    }

    #[test]
    fn order_of_tools_and_calls_does_not_matter_and_declined_questions_do() {
        let mut a = task("q", 2);
        a.tools.push(ToolSpec { name: "cancel".into(), ..ToolSpec::default() });
        a.calls.push(ToolCall::new("cancel", serde_json::Map::new()));
        let mut b = a.clone();
        b.tools.reverse();
        b.calls.reverse();
        assert_eq!(signature(&a), signature(&b));
        let (mut c, mut d) = (task("Sing to me", 1), task("Dance for me", 1));
        c.calls.clear();
        d.calls.clear();
        assert_ne!(signature(&c), signature(&d));
    }
}

//! The task over own tools: a request, after whatever was said before it.

use super::CallPlan;
use super::values::spoken;
use crate::grammar::said;
use rand::Rng;
use serde::{Deserialize, Serialize};
use sparring_core::{Message, Role, Seed};
use sparring_tools::{ToolCall, ToolSpec, ToolTask};

/// What a person asks for, with the tools on offer and the right calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// What was said before the question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Message>,
    /// Names of the tools that the request needs, where declining is right because they are not on offer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// The question, the tools and the calls.
    #[serde(flatten)]
    pub task: ToolTask,
}

impl From<ToolTask> for Request {
    fn from(task: ToolTask) -> Self {
        Self { earlier: Vec::new(), missing: Vec::new(), task }
    }
}

impl Request {
    /// A request of a person: a conversation, the tools on offer and the right calls.
    pub fn of(mut conversation: Vec<Message>, tools: Vec<ToolSpec>, calls: Vec<ToolCall>) -> Self {
        let question = match conversation.last() {
            Some(last) if last.role == Role::User => conversation.pop().map(|last| last.content),
            _ => None,
        };
        let domain = calls.first().map(|call| call.name.clone()).unwrap_or_default();
        let task = ToolTask { domain, ..ToolTask::new(question.unwrap_or_default(), tools, calls) };
        Self { earlier: conversation, missing: Vec::new(), task }
    }

    /// The conversation up to the question; without one, if somebody else had the last word.
    pub fn conversation(&self) -> Vec<Message> {
        let question = Some(&self.task.question).filter(|question| !question.is_empty());
        self.earlier.iter().cloned().chain(question.map(|text| Message::user(text.clone()))).collect()
    }

    /// The call of a request of one turn that needs only one.
    pub(super) fn only_call(&self) -> Option<&ToolCall> {
        match self.task.calls.as_slice() {
            [call] if self.earlier.is_empty() => Some(call),
            _ => None,
        }
    }

    /// Names of the tools that the request needs, on offer or not.
    pub(super) fn needed(&self) -> Vec<&str> {
        let called = self.task.calls.iter().map(|call| &call.name);
        called.chain(&self.missing).map(String::as_str).collect()
    }

    /// The same request where its tools are not on offer: declining is right.
    pub(super) fn without_its_tools(mut self) -> Self {
        self.missing = self.task.calls.drain(..).map(|call| call.name).collect();
        self
    }

    /// Lets the assistant ask for the parameters that the plan leaves out, in the plan's words.
    pub(super) fn ask_for_the_rest(mut self, plan: &CallPlan) -> Self {
        let mut rng = Seed::new(plan.words).rng();
        let arguments = plan.arguments.first();
        for name in &plan.later {
            let Some(value) = arguments.and_then(|arguments| arguments.get(name)) else { continue };
            let (name, value) = (spoken(name), said(value));
            let question = QUESTIONS[rng.random_range(0..QUESTIONS.len())].replace("{}", &name);
            let answer =
                ANSWERS[rng.random_range(0..ANSWERS.len())].replace("{name}", &name).replace("{}", &value);
            let before = std::mem::replace(&mut self.task.question, answer);
            self.earlier.extend([Message::user(before), Message::assistant(question)]);
        }
        self
    }
}

const QUESTIONS: [&str; 6] = [
    "What is the {}?",
    "Sure. What {} would you like?",
    "Please tell me the {}.",
    "And the {}?",
    "I can do that. Which {} should I use?",
    "Okay, I need the {}.",
];

const ANSWERS: [&str; 5] = ["{}", "{}.", "It's {}.", "The {name} is {}.", "{}, please."];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_assistant_asks_for_what_is_missing() {
        let plan: CallPlan = serde_json::from_value(serde_json::json!({
            "calls": [{"tool": "book", "parameters": ["city", "nights", "name"]}],
            "menu": ["book"],
            "style": "wish",
            "arguments": [{"city": "Rome", "nights": 3, "name": "Eve"}],
            "later": ["nights", "name"],
        }))
        .unwrap();
        assert_eq!(plan.mentioned()[0].keys().collect::<Vec<_>>(), ["city"]);
        let request = Request::from(ToolTask::new("I need a hotel in Rome.", vec![], vec![]));
        let whole = request.ask_for_the_rest(&plan).conversation();
        let roles: Vec<Role> = whole.iter().map(|message| message.role).collect();
        assert_eq!(roles, [Role::User, Role::Assistant, Role::User, Role::Assistant, Role::User]);
        assert!(whole[1].content.contains("nights") && whole[2].content.contains('3'), "{whole:?}");
        assert!(whole[3].content.contains("name") && whole[4].content.contains("Eve"), "{whole:?}");
    }
}

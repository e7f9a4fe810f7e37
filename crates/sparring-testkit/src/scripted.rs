use sparring_core::{Finish, PolicyError, Prompt, Rollout, SampleRequest, Sampler};
use std::fmt;
use std::sync::Arc;

type Script = dyn Fn(&str, usize) -> String + Send + Sync;

/// A sampler that returns given texts, for tests of games, rewards and loops.
///
/// The prompt that it sees is the contents of the messages, one per line. Tokens are the bytes of the text, each
/// sampled with probability 1 (log-probability 0). Seeds and sampling parameters other than `max_tokens` are ignored.
/// It has no logits, and refuses requests with a hook or `min_tokens`.
///
/// ```
/// use sparring_core::{Message, SampleRequest, Sampler, SamplingParams, Seed};
/// use sparring_testkit::ScriptedSampler;
///
/// let sampler = ScriptedSampler::new(|prompt, i| format!("{prompt} again, {i}"));
/// let request = SampleRequest::new(vec![Message::user("hello")], 2, SamplingParams::default(), Seed::new(1));
/// assert_eq!(sampler.sample_one(&request)?[1].text, "hello again, 1");
/// # Ok::<(), sparring_core::PolicyError>(())
/// ```
#[derive(Clone)]
pub struct ScriptedSampler {
    script: Arc<Script>,
}

impl fmt::Debug for ScriptedSampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedSampler").finish_non_exhaustive()
    }
}

impl ScriptedSampler {
    /// Returns a sampler whose completion `i` of a prompt is `script(prompt, i)`.
    pub fn new(script: impl Fn(&str, usize) -> String + Send + Sync + 'static) -> Self {
        Self { script: Arc::new(script) }
    }

    /// Returns a sampler that repeats the prompt.
    pub fn echo() -> Self {
        Self::new(|prompt, _| prompt.to_owned())
    }

    /// Returns a sampler that answers from the first row whose key is part of the prompt, cycling through its texts.
    /// Without such a row, or without texts in it, completions are empty.
    pub fn table<K, T>(rows: impl IntoIterator<Item = (K, Vec<T>)>) -> Self
    where
        K: Into<String>,
        T: Into<String>,
    {
        let rows: Vec<(String, Vec<String>)> = rows
            .into_iter()
            .map(|(key, texts)| (key.into(), texts.into_iter().map(Into::into).collect()))
            .collect();
        Self::new(move |prompt, i| {
            rows.iter()
                .find(|(key, _)| prompt.contains(key.as_str()))
                .and_then(|(_, texts)| texts.get(i.checked_rem(texts.len())?))
                .cloned()
                .unwrap_or_default()
        })
    }
}

impl Sampler for ScriptedSampler {
    fn sample(&self, requests: &[SampleRequest]) -> Vec<Result<Vec<Rollout>, PolicyError>> {
        requests.iter().map(|request| self.answer(request)).collect()
    }
}

impl ScriptedSampler {
    fn answer(&self, request: &SampleRequest) -> Result<Vec<Rollout>, PolicyError> {
        request.params.validate()?;
        if request.hook.is_some() {
            return Err(PolicyError::Unsupported { what: "hooks: a script has no logits" });
        }
        if request.params.min_tokens > 0 {
            return Err(PolicyError::Unsupported { what: "min_tokens: a script ends where it ends" });
        }
        let prompt = match &request.prompt {
            Prompt::Conversation(conversation) => {
                conversation.messages.iter().map(|m| m.content.as_str()).collect::<Vec<_>>().join("\n")
            }
            Prompt::Text(text) => text.clone(),
            Prompt::Tokens(tokens) => {
                String::from_utf8_lossy(&tokens.iter().map(|&t| t as u8).collect::<Vec<u8>>()).into_owned()
            }
            _ => return Err(PolicyError::Unsupported { what: "this kind of prompt" }),
        };
        let ids: Arc<[u32]> = prompt.bytes().map(u32::from).collect();
        let one = |i| {
            let text = (self.script)(&prompt, i);
            let (mut bytes, finish) = (text.into_bytes(), Finish::Stop);
            let finish = if bytes.len() > request.params.max_tokens { Finish::Length } else { finish };
            bytes.truncate(request.params.max_tokens);
            Rollout::from_text(String::from_utf8_lossy(&bytes))
                .with_finish(finish)
                .with_tokens(Arc::clone(&ids), bytes.iter().map(|&b| u32::from(b)).collect())
                .with_logp(vec![0.0; bytes.len()])
        };
        Ok((0..request.n).map(one).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sparring_core::{Message, SamplingParams, Seed};

    #[test]
    fn table_cycles_through_its_answers() {
        let sampler = ScriptedSampler::table([("add", vec!["1", "2"]), ("", vec!["other"])]);
        let ask = |text: &str| {
            let request = SampleRequest::new(
                vec![Message::system("s"), Message::user(text)],
                3,
                SamplingParams::default().with_max_tokens(3),
                Seed::new(0),
            );
            sampler.sample_one(&request).unwrap()
        };
        let texts: Vec<String> = ask("please add").into_iter().map(|r| r.text).collect();
        assert_eq!(texts, ["1", "2", "1"]);
        assert_eq!((ask("x")[0].text.as_str(), ask("x")[0].finish), ("oth", Finish::Length));
    }
}

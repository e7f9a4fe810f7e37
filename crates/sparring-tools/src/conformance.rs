//! Checks of the contracts of this crate's traits, to run on your own types.
//!
//! ```
//! use sparring_tools::{Format, RobustComparator, conformance};
//! let parser = Format::Hermes.parser();
//! conformance::parser(&*parser, &["<tool_call>{\"name\": \"f\"}</tool_call>", "<tool_call>{oops"])?;
//! conformance::comparator(&RobustComparator, &[1.into(), "1".into(), "x".into()])?;
//! # Ok::<(), String>(())
//! ```

use crate::{CallParser, Comparator, Delta, Reading, ToolCall};
use serde_json::Value;

/// Checks a parser on texts of your choice, well-formed or not: streaming gives the same result for every split, errors
/// point inside the text, and rendering what was read and reading it again gives the same calls.
///
/// # Errors
/// The first breach, with the text.
pub fn parser(parser: &dyn CallParser, texts: &[&str]) -> Result<(), String> {
    for text in texts {
        streams_as_whole(parser, text)?;
        match parser.parse(text) {
            Err(error) if error.offset() > text.len() => {
                return Err(format!("{text:?}: the error points outside the text: {error}"));
            }
            Err(_) => {}
            Ok(calls) => {
                let written = parser.render(&calls);
                let again = parser.parse(&written);
                if again.as_ref() != Ok(&calls) {
                    return Err(format!(
                        "{text:?} reads as {calls:?}, written {written:?}, which reads as {again:?}"
                    ));
                }
            }
        }
    }
    Ok(())
}

/// Checks that a text gives the same result whole, split in two at every position, and character by character; and
/// that the joined deltas agree with the reading.
///
/// # Errors
/// The pieces whose result differs, and how.
pub fn streams_as_whole(parser: &dyn CallParser, text: &str) -> Result<(), String> {
    let cuts = text.char_indices().map(|(at, _)| vec![&text[..at], &text[at..]]);
    let letters = text.char_indices().map(|(i, c)| &text[i..i + c.len_utf8()]).collect();
    cuts.chain([letters]).try_for_each(|pieces| streams_in(parser, &pieces))
}

/// Checks that a text gives the same result whole and in these pieces, with the same deltas once joined; and that the
/// deltas agree with the reading.
///
/// # Errors
/// How they differ.
pub fn streams_in(parser: &dyn CallParser, pieces: &[&str]) -> Result<(), String> {
    let text = pieces.concat();
    let (in_one, whole) = streamed(parser, &[&text]);
    let (deltas, reading) = streamed(parser, pieces);
    if reading != whole || parser.read(&text) != whole {
        return Err(format!("{pieces:?} read as {reading:?}, whole as {whole:?}"));
    }
    if deltas != in_one {
        return Err(format!("{pieces:?}: the deltas {deltas:?} are not those of the whole, {in_one:?}"));
    }
    let (calls, content, thought) =
        gather(&deltas).map_err(|error| format!("{pieces:?}: {error}: {deltas:?}"))?;
    if (&calls, &content, &thought) != (&whole.calls, &whole.content, &whole.thought) {
        return Err(format!("{pieces:?}: the deltas {deltas:?} are not {whole:?}"));
    }
    Ok(())
}

/// Returns the deltas, joined if one continues another, and the reading.
fn streamed(parser: &dyn CallParser, pieces: &[&str]) -> (Vec<Delta>, Reading) {
    let mut stream = parser.stream();
    let mut deltas: Vec<Delta> = pieces.iter().flat_map(|piece| stream.feed(piece)).collect();
    let (last, reading) = stream.finish();
    deltas.extend(last);
    let mut joined: Vec<Delta> = Vec::with_capacity(deltas.len());
    for delta in deltas {
        match (joined.last_mut(), delta) {
            (Some(Delta::Text(before)), Delta::Text(more))
            | (Some(Delta::Thought(before)), Delta::Thought(more)) => before.push_str(&more),
            (Some(Delta::Arguments { index: i, fragment }), Delta::Arguments { index, fragment: more })
                if *i == index =>
            {
                fragment.push_str(&more);
            }
            (_, delta) => joined.push(delta),
        }
    }
    (joined, reading)
}

/// Returns the complete calls, the content and the reasoning, assembled from deltas as a client would.
fn gather(deltas: &[Delta]) -> Result<(Vec<ToolCall>, String, String), String> {
    let (mut calls, mut content, mut thought) = (Vec::new(), String::new(), String::new());
    let mut open: Option<(String, String)> = None;
    let mut next = 0;
    for delta in deltas {
        match (delta, &mut open) {
            (Delta::Text(text), _) => content.push_str(text),
            (Delta::Thought(text), _) => thought.push_str(text),
            (Delta::Start { index, name }, None) if *index == next => {
                open = Some((name.clone(), String::new()));
            }
            (Delta::Arguments { index, fragment }, Some((_, json))) if *index == next => {
                json.push_str(fragment);
            }
            (Delta::End { index, call }, Some((name, json))) if *index == next => {
                if call.is_ok() {
                    let arguments =
                        serde_json::from_str(json).map_err(|error| format!("{json:?}: {error}"))?;
                    calls.push(ToolCall { name: std::mem::take(name), arguments, ..ToolCall::default() });
                }
                open = None;
                next += 1;
            }
            _ => return Err(format!("{delta:?} is out of order")),
        }
    }
    match open {
        None => Ok((calls, content, thought)),
        Some((name, _)) => Err(format!("the call of {name:?} never ends")),
    }
}

/// Checks that a comparator is reflexive and symmetric on values of your choice.
///
/// # Errors
/// The first breach, with the values.
pub fn comparator(comparator: &dyn Comparator, values: &[Value]) -> Result<(), String> {
    for (i, a) in values.iter().enumerate() {
        if !comparator.equal(a, a) {
            return Err(format!("{a} does not equal itself"));
        }
        if let Some(b) = values[..i].iter().find(|b| comparator.equal(a, b) != comparator.equal(b, a)) {
            return Err(format!("{a} and {b}: equal one way only"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CallStream, Format};

    /// A faulty parser that drops what comes in pieces.
    struct Forgetful(Box<dyn CallParser>);

    #[derive(Debug)]
    struct LastPiece(Box<dyn CallStream>, bool);

    impl CallStream for LastPiece {
        fn feed(&mut self, piece: &str) -> Vec<Delta> {
            if std::mem::replace(&mut self.1, true) { Vec::new() } else { self.0.feed(piece) }
        }

        fn finish(self: Box<Self>) -> (Vec<Delta>, Reading) {
            self.0.finish()
        }
    }

    impl CallParser for Forgetful {
        fn name(&self) -> &'static str {
            "forgetful"
        }

        fn stream(&self) -> Box<dyn CallStream> {
            Box::new(LastPiece(self.0.stream(), false))
        }

        fn render(&self, calls: &[ToolCall]) -> String {
            self.0.render(calls)
        }
    }

    #[test]
    fn faults_are_found() {
        let forgetful = Forgetful(Format::Hermes.parser());
        let text = "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"x\"}}</tool_call>";
        assert!(streams_as_whole(&forgetful, text).unwrap_err().contains("whole as"));
        assert!(parser(&Mangling(Format::Hermes.parser()), &[text]).unwrap_err().contains("which reads as"));
        assert_eq!(parser(&*Format::Hermes.parser(), &[text]), Ok(()));
        let never = |_: &Value, _: &Value| false;
        assert!(comparator(&Closure(never), &[Value::Null]).is_err());
        let ordered = |a: &Value, b: &Value| a.as_i64() <= b.as_i64();
        assert!(comparator(&Closure(ordered), &[1.into(), 2.into()]).unwrap_err().contains("one way"));
    }

    struct Mangling(Box<dyn CallParser>);

    impl CallParser for Mangling {
        fn name(&self) -> &'static str {
            "mangling"
        }

        fn stream(&self) -> Box<dyn CallStream> {
            self.0.stream()
        }

        fn render(&self, calls: &[ToolCall]) -> String {
            self.0.render(calls).replace('x', "y")
        }
    }

    struct Closure<F>(F);

    impl<F: Fn(&Value, &Value) -> bool + Send + Sync> Comparator for Closure<F> {
        fn equal(&self, expected: &Value, found: &Value) -> bool {
            self.0(expected, found)
        }
    }
}

//! JSON settings and their line numbers.

use crate::config::read;
use serde::Deserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// Reads a text; an error is a line, a path and a message.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, (usize, String, String)> {
    let tree = serde_json::from_str(text).map_err(|error| {
        let what = error.to_string();
        let what = what.rsplit_once(" at line ").map_or(&*what, |(what, _)| what);
        (error.line(), String::new(), what.to_owned())
    })?;
    read::read(tree).map_err(|(path, what)| (line(text, &path).unwrap_or(1), path, what))
}

/// Returns the line, from 1, of the setting at a path.
pub(super) fn line(text: &str, path: &str) -> Option<usize> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let walk = Walk { here: String::new(), to: path };
    // Serde reports positions only in errors, so the walk ends in one.
    let error = walk.deserialize(&mut reader).err()?;
    error.to_string().starts_with(ARRIVED).then(|| error.line().max(1))
}

const ARRIVED: &str = "arrived";

/// A walk through a text to the value at a path.
struct Walk<'a> {
    here: String,
    to: &'a str,
}

impl<'a> Walk<'a> {
    /// Returns the walk into a part of this value, if it is on the path.
    fn step(&self, part: &str) -> Option<Walk<'a>> {
        let dot = if self.here.is_empty() || part.starts_with('[') { "" } else { "." };
        let here = format!("{}{dot}{part}", self.here);
        let rest = self.to.strip_prefix(&here)?;
        (rest.is_empty() || rest.starts_with(['.', '['])).then_some(Self { here, to: self.to })
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.here == self.to { Err(Error::custom(ARRIVED)) } else { deserializer.deserialize_any(self) }
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match self.step(&key) {
                Some(walk) => map.next_value_seed(walk)?,
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        for i in 0.. {
            let walked = match self.step(&format!("[{i}]")) {
                Some(walk) => items.next_element_seed(walk)?,
                None => items.next_element::<IgnoredAny>()?.map(drop),
            };
            if walked.is_none() {
                break;
            }
        }
        Ok(())
    }
}

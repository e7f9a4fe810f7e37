use super::outside;
use crate::RecipeError;
use serde_json::Value;
use sparring_tools::ToolSpec;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// The tools that a model is to call: at least one, with different names.
///
/// ```
/// use sparring_recipes::own_tools::Catalogue;
/// let text = r#"[{"type": "function", "function": {"name": "now", "parameters": {}}}, {"name": "later"}]"#;
/// let catalogue = Catalogue::from_text(text, "tools.json")?;
/// assert_eq!(catalogue.tools().len(), 2);
/// let error = Catalogue::from_text("[{\"name\": 3}]", "tools.json").unwrap_err();
/// assert!(error.to_string().starts_with("tools.json: tool 1: "), "{error}");
/// # Ok::<(), sparring_recipes::RecipeError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Catalogue {
    tools: Vec<ToolSpec>,
    /// For each tool the others, the most similar first.
    near: Vec<Vec<usize>>,
    /// Everyday tools whose requests hardly any of them serves.
    outside: Vec<ToolSpec>,
}

impl Catalogue {
    /// A catalogue of these tools.
    ///
    /// # Errors
    /// [`RecipeError::Tools`] if there is none, or two have one name.
    pub fn new(tools: Vec<ToolSpec>, file: &str) -> Result<Self, RecipeError> {
        let bad = |what: String| RecipeError::Tools { file: file.to_owned(), what };
        if tools.is_empty() {
            return Err(bad("it has no tools; give a list of definitions".to_owned()));
        }
        let mut names = HashSet::new();
        if let Some(tool) = tools.iter().find(|tool| !names.insert(tool.name.as_str())) {
            return Err(bad(format!("two tools have the name `{}`; rename one", tool.name)));
        }
        let (near, outside) = (similar(&tools), outside::of(&tools));
        Ok(Self { tools, near, outside })
    }

    /// Reads the definitions of tools, in any dialect of [`ToolSpec::from_json`]: a JSON list, an object with the list
    /// in `tools` or `functions` (also the result of MCP's `tools/list`), one definition, or a definition a line. Of
    /// lines with `tools` (a benchmark in the unified form), the tools of all lines are read, each once.
    ///
    /// # Errors
    /// [`RecipeError::Tools`] names the file, and the tool or line that cannot be read.
    pub fn from_text(text: &str, file: &str) -> Result<Self, RecipeError> {
        let bad = |what: String| RecipeError::Tools { file: file.to_owned(), what };
        let whole = serde_json::from_str::<Value>(text);
        let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
        let definitions = match whole {
            Ok(value) => definitions(&value),
            Err(error) if lines < 2 || !text.trim_start().starts_with('{') => {
                return Err(bad(format!("it is not JSON: {error}")));
            }
            Err(_) => {
                let mut all = Vec::new();
                for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                    let value: Value = serde_json::from_str(line)
                        .map_err(|error| bad(format!("line {}: it is not JSON: {error}", i + 1)))?;
                    all.extend(definitions(&value));
                }
                all
            }
        };
        let mut tools: Vec<ToolSpec> = Vec::new();
        for tool in read(&definitions).map_err(bad)? {
            // The lines of a benchmark repeat their tools.
            if !tools.contains(&tool) {
                tools.push(tool);
            }
        }
        Self::new(tools, file)
    }

    /// The tools.
    pub fn tools(&self) -> &[ToolSpec] {
        &self.tools
    }

    /// The tool of this name.
    pub fn get(&self, name: &str) -> Option<&ToolSpec> {
        self.tools.iter().find(|tool| tool.name == name)
    }

    /// Everyday tools whose requests hardly any tool of the catalogue serves.
    pub(crate) fn outside(&self) -> &[ToolSpec] {
        &self.outside
    }

    /// The tool of this name, of the catalogue or outside of it.
    pub(crate) fn planned(&self, name: &str) -> Option<&ToolSpec> {
        self.get(name).or_else(|| self.outside.iter().find(|tool| tool.name == name))
    }

    /// The other tools, by falling similarity of names, descriptions and parameters to tool `i`.
    pub(crate) fn near(&self, i: usize) -> &[usize] {
        &self.near[i]
    }
}

/// The tools of these definitions, in any dialect; an error names the tool.
pub(super) fn read(definitions: &[Value]) -> Result<Vec<ToolSpec>, String> {
    let read = |(i, definition): (usize, &Value)| {
        ToolSpec::from_json(definition).map_err(|error| {
            let name = definition.get("name").and_then(Value::as_str).filter(|name| !name.trim().is_empty());
            format!("tool {}{}: {error}", i + 1, name.map_or_else(String::new, |name| format!(" (`{name}`)")))
        })
    };
    definitions.iter().enumerate().map(read).collect()
}

/// The definitions in a value.
fn definitions(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(list) => list.clone(),
        Value::Object(map) => {
            let inner = ["tools", "functions", "result"].into_iter().find_map(|key| map.get(key));
            match inner {
                Some(inner @ (Value::Array(_) | Value::Object(_))) => definitions(inner),
                _ => vec![value.clone()],
            }
        }
        _ => vec![value.clone()],
    }
}

/// For each tool the others, the most similar first: by the cosine of their words, where a rare word counts more.
fn similar(tools: &[ToolSpec]) -> Vec<Vec<usize>> {
    let words: Vec<BTreeSet<String>> = tools.iter().map(words).collect();
    let mut documents: BTreeMap<&str, usize> = BTreeMap::new();
    words.iter().flatten().for_each(|word| *documents.entry(word).or_default() += 1);
    let weight = |word: &str| {
        let rarity = (1.0 + tools.len() as f64) / (1.0 + documents[word] as f64);
        rarity.ln().powi(2)
    };
    let norm = |words: &BTreeSet<String>| words.iter().map(|word| weight(word)).sum::<f64>().sqrt().max(1e-9);
    let cosine = |a: &BTreeSet<String>, b: &BTreeSet<String>| {
        a.intersection(b).map(|word| weight(word)).sum::<f64>() / (norm(a) * norm(b))
    };
    (0..tools.len())
        .map(|i| {
            let mut others: Vec<(f64, usize)> =
                (0..tools.len()).filter(|&j| j != i).map(|j| (cosine(&words[i], &words[j]), j)).collect();
            others.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            others.into_iter().map(|(_, j)| j).collect()
        })
        .collect()
}

/// The words of a tool: of its name, description and parameters.
pub(super) fn words(tool: &ToolSpec) -> BTreeSet<String> {
    let described = tool.parameters.values().filter_map(|schema| schema.get("description")?.as_str());
    let texts = [tool.name.as_str(), tool.description.as_str()];
    let texts = texts.into_iter().chain(tool.parameters.keys().map(String::as_str)).chain(described);
    texts.flat_map(split).filter(|word| word.len() > 1).collect()
}

/// `getUser_token2` to `get`, `user`, `token2`.
pub(super) fn split(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower = false;
    for c in text.chars() {
        if !c.is_alphanumeric() || lower && c.is_uppercase() {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        lower = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A word without its ending: `deliver` of "delivery", "deliveries" and "delivering".
pub(super) fn stem(word: &str) -> String {
    let endings = ["ings", "ing", "ies", "ers", "er", "es", "ed", "s", "e", "y"];
    let cut = endings.iter().find_map(|ending| word.strip_suffix(ending).filter(|stem| stem.len() > 2));
    cut.unwrap_or(word).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalogue(text: &str) -> Result<Catalogue, String> {
        Catalogue::from_text(text, "t.json").map_err(|error| error.to_string())
    }

    fn names(text: &str) -> Vec<String> {
        catalogue(text).unwrap().tools().iter().map(|tool| tool.name.clone()).collect()
    }

    #[test]
    fn lists_of_many_kinds_are_read() {
        assert_eq!(names(r#"{"tools": [{"name": "a", "inputSchema": {"type": "object"}}]}"#), ["a"]);
        assert_eq!(names(r#"{"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "a"}]}}"#), ["a"]);
        assert_eq!(names("{\"name\": \"a\"}\n\n{\"name\": \"b\"}\n"), ["a", "b"]);
        let unified = "{\"id\": 1, \"tools\": [{\"name\": \"a\"}]}\n{\"id\": 2, \"tools\": [{\"name\": \"a\"}, {\"name\": \"b\"}]}";
        assert_eq!(names(unified), ["a", "b"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, what) in [
            ("", "t.json: it is not JSON"),
            ("[]", "it has no tools"),
            ("[{\"name\": \"a\"}", "it is not JSON: EOF"),
            ("{\"name\": \"a\"}\n{\"name\"\n", "line 2"),
            ("[{\"name\": \"a\"}, {\"name\": \"a\", \"description\": \"x\"}]", "two tools have the name `a`"),
            ("[{\"name\": \"\"}]", "tool 1: "),
            ("[7]", "tool 1: "),
        ] {
            let error = catalogue(text).unwrap_err();
            assert!(error.contains(what), "{text}: {error}");
        }
    }

    #[test]
    fn similar_tools_are_near() {
        let text = r#"[{"name": "AddAlarm", "description": "Sets an alarm clock."},
            {"name": "PlayMusic", "description": "Plays a song."},
            {"name": "DeleteAlarm", "description": "Removes an alarm clock."}]"#;
        let catalogue = catalogue(text).unwrap();
        assert_eq!(catalogue.near(0), [2, 1]);
        assert_eq!(split("getUser_token2 Of a"), ["get", "user", "token2", "of", "a"]);
    }

    #[test]
    fn endings_do_not_tell_words_apart() {
        for same in
            [["delivery", "deliveries"], ["dish", "dishes"], ["light", "lighting"], ["heater", "heating"]]
        {
            assert_eq!(stem(same[0]), stem(same[1]));
        }
        assert_eq!(stem("bus"), "bus");
    }
}

/// The rules of a grammar, in order.
#[derive(Debug, Default)]
pub(super) struct Rules {
    rules: Vec<(String, String)>,
}

impl Rules {
    /// Adds a rule.
    pub(super) fn add(&mut self, name: &str, body: impl Into<String>) {
        self.rules.push((name.to_owned(), body.into()));
    }

    /// Adds a rule under a name of its own, and returns it.
    pub(super) fn fresh(&mut self, stem: &str, body: impl Into<String>) -> String {
        let name = format!("{stem}{}", self.rules.len());
        self.add(&name, body);
        name
    }

    /// The grammar as text.
    pub(super) fn text(&self) -> String {
        let rules: Vec<String> = self.rules.iter().map(|(name, body)| format!("{name}: {body}")).collect();
        rules.join("\n") + "\n"
    }
}

/// A literal text; nothing for an empty one.
pub(crate) fn literal(text: &str) -> String {
    if text.is_empty() { String::new() } else { serde_json::Value::from(text).to_string() }
}

/// Parameters in their order, of which some may be left out: rules for "what may follow", with a separator between two
/// that are there. `parameter` writes one; returns the name of the rule.
pub(super) fn sequence(rules: &mut Rules, parameters: &[(String, bool)], separator: &str) -> String {
    // From the last to the first: what may follow, where nothing was written before, and where something was.
    let (mut first, mut later) = (String::new(), String::new());
    for (rule, required) in parameters.iter().rev() {
        let skip = |rest: &str| if rest.is_empty() { "\"\"".to_owned() } else { rest.to_owned() };
        let (optional_first, optional_later) = if *required {
            (String::new(), String::new())
        } else {
            (format!(" | {}", skip(&first)), format!(" | {}", skip(&later)))
        };
        let body_first = format!("{rule} {later}{optional_first}");
        let body_later = format!("{} {rule} {later}{optional_later}", literal(separator));
        let next_first = rules.fresh("first", body_first);
        later = rules.fresh("later", body_later);
        first = next_first;
    }
    first
}

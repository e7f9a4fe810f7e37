/// How a family of models marks calls in its text.
#[derive(Debug)]
pub(super) struct Grammar {
    /// Tags that begin calls, and what follows them.
    pub(super) openers: &'static [(&'static str, Body)],
    /// Tags around calls, and at the end of a turn, that say nothing themselves. Calls end where one stands.
    pub(super) frame: &'static [&'static str],
    /// Tags around the reasoning.
    pub(super) thoughts: &'static [(&'static str, &'static str)],
    /// Calls that begin without a tag.
    pub(super) bare: Option<Body>,
}

/// What stands after a tag.
#[derive(Debug, Clone, Copy)]
pub(super) enum Body {
    /// JSON objects or lists of them, up to one of these tags.
    Json(&'static [&'static str]),
    /// A name, then its arguments as a JSON object.
    Named(&'static Named),
    /// A name, then its arguments in tags of their own.
    Xml(&'static Xml),
    /// Calls in Python's notation, up to one of these tags.
    Python(&'static [&'static str]),
    /// JSON where a brace comes first, else Python.
    Either(&'static [&'static str]),
}

impl Body {
    /// The tags that end it.
    pub(super) fn closers(&self) -> &'static [&'static str] {
        match self {
            Self::Json(closers) | Self::Python(closers) | Self::Either(closers) => closers,
            Self::Named(named) => named.closers,
            Self::Xml(xml) => xml.closers,
        }
    }
}

/// `name SEPARATOR {...} CLOSER`
#[derive(Debug)]
pub(super) struct Named {
    /// What ends a part of the text before the arguments.
    pub(super) separators: &'static [&'static str],
    /// Whether the last part is the name, and not the first.
    pub(super) last: bool,
    /// Whether a list of JSON calls can stand in place of a name.
    pub(super) lists: bool,
    /// What is cut from the name.
    pub(super) clean: fn(&str) -> &str,
    pub(super) closers: &'static [&'static str],
}

/// Arguments in tags.
#[derive(Debug)]
pub(super) struct Xml {
    /// What ends the name, and whether the call ends there too.
    pub(super) name_ends: &'static [(&'static str, bool)],
    /// What begins a parameter.
    pub(super) parameter: &'static str,
    /// What ends a parameter's name, and what it says about the value.
    pub(super) key_ends: &'static [(&'static str, Typing)],
    /// What stands between a parameter's name and its value.
    pub(super) value_open: Option<&'static str>,
    pub(super) value_close: &'static str,
    /// What ends a value whose closing tag is missing: the next parameter, or the end of the call.
    pub(super) value_breaks: &'static [&'static str],
    /// Whether one newline on either side of a value is layout.
    pub(super) layout: bool,
    /// Whether the arguments can also be one JSON object.
    pub(super) json: bool,
    pub(super) closers: &'static [&'static str],
}

impl Xml {
    /// What ends a parameter's name whose closing tag is missing.
    pub(super) fn key_breaks(&self) -> impl Iterator<Item = &'static str> {
        let tags = self.value_open.into_iter().chain([self.parameter, self.value_close]);
        tags.chain(self.closers.iter().copied())
    }
}

/// What is known about the type of a value in a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typing {
    /// It is text.
    Text,
    /// It is JSON.
    Json,
    /// Only the tool's schema can tell.
    Unknown,
}

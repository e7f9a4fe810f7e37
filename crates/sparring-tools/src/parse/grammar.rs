/// How a model family marks calls in its text.
#[derive(Debug)]
pub(super) struct Grammar {
    /// Tags that begin calls, and what follows them.
    pub(super) openers: &'static [(&'static str, Body)],
    /// Tags around calls, and at the end of a turn, without meaning of their own. They end a call.
    pub(super) frame: &'static [&'static str],
    /// Tags around the reasoning.
    pub(super) thoughts: &'static [(&'static str, &'static str)],
    /// The body of calls that begin without a tag.
    pub(super) bare: Option<Body>,
    /// Whether such calls may only be the beginning of the answer.
    pub(super) bare_first: bool,
    /// The end of the names of built-in tools, which is no part of them.
    pub(super) method: Option<&'static str>,
}

impl Grammar {
    /// What most families do without.
    pub(super) const NONE: Self =
        Self { openers: &[], frame: &[], thoughts: &[], bare: None, bare_first: false, method: None };
}

/// The notation after a tag.
#[derive(Debug, Clone, Copy)]
pub(super) enum Body {
    /// JSON objects or lists of them, up to one of these closing tags.
    Json(&'static [&'static str]),
    /// A name, then its arguments as a JSON object.
    Named(&'static Named),
    /// A name, then its arguments in tags.
    Xml(&'static Xml),
    /// Calls in Python's notation, up to one of these closing tags.
    Python(&'static [&'static str]),
    /// JSON if the first character is a brace, else Python.
    Either(&'static [&'static str]),
    /// JSON if it follows; else the tag has no meaning of its own.
    IfJson(&'static [&'static str]),
    /// JSON objects whose one key is the name, `{"f": {...}}`, in a list or not.
    Keyed(&'static [&'static str]),
    /// `call:f{a:1}` in Gemma's notation.
    Gemma(&'static Gemma),
    /// The head of a message, which ends with this tag.
    Message(&'static str),
}

impl Body {
    /// Returns the closing tags.
    pub(super) fn closers(&self) -> &'static [&'static str] {
        match self {
            Self::Json(closers)
            | Self::Python(closers)
            | Self::Either(closers)
            | Self::IfJson(closers)
            | Self::Keyed(closers) => closers,
            Self::Named(named) => named.closers,
            Self::Xml(xml) => xml.closers,
            Self::Gemma(gemma) => gemma.closers,
            Self::Message(_) => &[],
        }
    }

    /// Returns whether a tag begins a call only if what follows may be one: in these notations, whatever else follows
    /// is lost.
    pub(super) fn is_demanding(&self) -> bool {
        matches!(self, Self::Json(_) | Self::Keyed(_) | Self::Named(_) | Self::Xml(_) | Self::Gemma(_))
    }
}

/// `call:f{a:QUOTE...QUOTE,b:1}`
#[derive(Debug)]
pub(super) struct Gemma {
    /// The tag on either side of a text.
    pub(super) quote: &'static str,
    pub(super) closers: &'static [&'static str],
}

/// `name SEPARATOR {...} CLOSER`
#[derive(Debug)]
pub(super) struct Named {
    /// The ends of a part of the text before the arguments.
    pub(super) separators: &'static [&'static str],
    /// Whether the name is the last part rather than the first.
    pub(super) last: bool,
    /// Whether a list of JSON calls may replace the name.
    pub(super) lists: bool,
    /// Removes decoration from the name.
    pub(super) clean: fn(&str) -> &str,
    /// Whether the name is in an id, which models do not always write as they should.
    pub(super) ids: bool,
    pub(super) closers: &'static [&'static str],
}

/// Arguments in tags.
#[derive(Debug)]
pub(super) struct Xml {
    /// The ends of the name, and whether the call ends there too.
    pub(super) name_ends: &'static [(&'static str, bool)],
    /// What ends the rest of the name's tag.
    pub(super) name_rest: Option<&'static str>,
    /// The start of a parameter.
    pub(super) parameter: &'static str,
    /// The ends of a parameter's name, and what they say about its value.
    pub(super) key_ends: &'static [(&'static str, Typing)],
    /// The text between a parameter's name and its value.
    pub(super) value_open: Option<&'static str>,
    pub(super) value_close: &'static str,
    /// What models write in its place.
    pub(super) value_close_odd: &'static [&'static str],
    /// The ends of a value without a closing tag: the next parameter, or the end of the call.
    pub(super) value_breaks: &'static [&'static str],
    /// Whether one newline on either side of a value is layout.
    pub(super) layout: bool,
    /// Whether the family's template writes values that are no texts as Python does.
    pub(super) python: bool,
    /// The tag around a call that may be left out, and its end. Text between the call and that end shows that the call
    /// ended too early.
    pub(super) around: &'static [(&'static str, &'static str)],
    /// Whether the arguments may also be one JSON object.
    pub(super) json: bool,
    pub(super) closers: &'static [&'static str],
}

impl Xml {
    /// Returns whether the notation says nothing about the types of values.
    pub(super) fn is_untyped(&self) -> bool {
        self.key_ends.iter().all(|(_, typing)| *typing == Typing::Unknown)
    }

    /// Returns the ends of a parameter's name without a closing tag.
    pub(super) fn key_breaks(&self) -> impl Iterator<Item = &'static str> {
        let tags = self.value_open.into_iter().chain([self.parameter, self.value_close]);
        tags.chain(self.closers.iter().copied())
    }
}

/// What the notation says about the type of a value in a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typing {
    /// It is text.
    Text,
    /// It is JSON.
    Json,
    /// The tool's schema decides.
    Unknown,
}

use super::view::{Entries, View};
use super::{Kind, Language, PyValue};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

/// Why an output is not accepted. Everything is borrowed from the checked data; `Display` makes the text.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Problem<'a> {
    /// The output is not a list of calls, each a dict of one name to a dict of arguments.
    WrongFormat {
        /// The output.
        found: &'a PyValue,
    },
    /// Another number of calls is expected.
    WrongCount {
        /// Kind of the category.
        kind: Kind,
        /// Number of gold calls.
        expected: usize,
        /// Number of calls found.
        found: usize,
    },
    /// The call is of another function.
    WrongName {
        /// The function's name, as the model has to write it.
        expected: Cow<'a, str>,
        /// The call.
        found: &'a PyValue,
    },
    /// A parameter that the function requires is missing.
    MissingRequired {
        /// Its name.
        parameter: &'a str,
    },
    /// A parameter that the function or the gold call does not have.
    UnexpectedParameter {
        /// Its name.
        parameter: &'a PyValue,
        /// Its value.
        found: &'a PyValue,
    },
    /// A Java or JavaScript value that is not the text of a literal.
    NotText {
        /// The parameter.
        parameter: &'a str,
        /// The language.
        language: Language,
        /// What was found.
        found: &'a PyValue,
    },
    /// A value of another type, or an element of another type.
    WrongType {
        /// The parameter.
        parameter: &'a str,
        /// The declared type.
        declared: &'a str,
        /// The declared type of the elements, if only they are wrong.
        element: Option<&'a str>,
        /// The value, converted from its literal.
        found: Cow<'a, PyValue>,
    },
    /// A value that is not among the accepted ones.
    WrongValue {
        /// The parameter.
        parameter: &'a str,
        /// How it was compared, and where it differs.
        fault: ValueFault,
        /// The accepted values.
        accepted: &'a Value,
        /// The value, converted from its literal.
        found: Cow<'a, PyValue>,
    },
    /// A parameter that the gold call does not mark as optional is missing.
    MissingOptional {
        /// Its name.
        parameter: &'a str,
        /// The accepted values.
        accepted: &'a Value,
    },
    /// No remaining call matches this gold call.
    NoMatch {
        /// Index of the gold call.
        gold: usize,
        /// The problem of each call that was tried, by index.
        tried: Vec<(usize, Problem<'a>)>,
    },
    /// The official checker raises an exception: a defect of the data rather than of the output.
    Raises(Exception),
}

/// How a value was compared with the accepted ones, and where it differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueFault {
    /// Texts, ignoring case, spaces and some punctuation.
    Text,
    /// Lists, with the same rule for their texts.
    List,
    /// Exactly.
    Exact,
    /// No dict is accepted.
    NoDict,
    /// A dict has a key that is not expected: index of the dict in a list of dicts, and of the entry.
    DictKey {
        /// Index of the dict in a list of dicts, else 0.
        dict: usize,
        /// Index of the entry in the dict.
        entry: usize,
    },
    /// A dict has another value under a key.
    DictValue {
        /// Index of the accepted value.
        gold: usize,
        /// Index of the dict in a list of dicts, else 0.
        dict: usize,
        /// Index of the entry in the dict.
        entry: usize,
    },
    /// A dict lacks a key.
    DictMissing {
        /// Index of the accepted value.
        gold: usize,
        /// Index of the dict in a list of dicts, else 0.
        dict: usize,
        /// Index of the key in the accepted dict.
        key: usize,
    },
    /// Another number of dicts is expected.
    DictCount {
        /// The expected number.
        expected: usize,
    },
    /// There is no list of dicts to compare with.
    NoDictList,
}

/// The exception of the official checker for functions or gold calls of an unexpected shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exception {
    /// A key is missing; a type name is unknown.
    Key,
    /// An index is out of range: there is no function, or no gold call.
    Index,
    /// A value of this type does not have the operation.
    Type,
    /// A value of this type does not have the method.
    Attribute,
    /// A text matches the pattern of a number but is not one, or has too many digits.
    Value,
    /// An integer is too large for a float.
    Overflow,
    /// Java's sets, hash tables, queues and stacks are not converted.
    NotImplemented,
}

impl Exception {
    fn error_type(self) -> &'static str {
        match self {
            Self::Key => "exception:KeyError",
            Self::Index => "exception:IndexError",
            Self::Type => "exception:TypeError",
            Self::Attribute => "exception:AttributeError",
            Self::Value => "exception:ValueError",
            Self::Overflow => "exception:OverflowError",
            Self::NotImplemented => "exception:NotImplementedError",
        }
    }
}

impl Problem<'_> {
    /// The official `error_type`; `exception:KeyError` or similar if the official checker raises.
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::WrongFormat { .. } => "ast_decoder:decoder_wrong_output_format",
            Self::WrongCount { kind: Kind::Simple, .. } => "simple_function_checker:wrong_count",
            Self::WrongCount { kind: Kind::Multiple, .. } => "multiple_function_checker:wrong_count",
            Self::WrongCount { kind: Kind::Parallel, .. } => "parallel_function_checker_no_order:wrong_count",
            Self::WrongName { .. } => "simple_function_checker:wrong_func_name",
            Self::MissingRequired { .. } => "simple_function_checker:missing_required",
            Self::UnexpectedParameter { .. } => "simple_function_checker:unexpected_param",
            Self::NotText { language: Language::JavaScript, .. } => "type_error:js",
            Self::NotText { .. } => "type_error:java",
            Self::WrongType { element: None, .. } => "type_error:simple",
            Self::WrongType { .. } => "type_error:nested",
            Self::WrongValue { fault, .. } => match fault {
                ValueFault::Text => "value_error:string",
                ValueFault::List => "value_error:list/tuple",
                ValueFault::Exact => "value_error:others",
                ValueFault::NoDict => "dict_checker:unclear",
                ValueFault::DictKey { .. } | ValueFault::DictMissing { .. } => "value_error:dict_key",
                ValueFault::DictValue { .. } => "value_error:dict_value",
                ValueFault::DictCount { .. } => "value_error:list_dict_count",
                ValueFault::NoDictList => "list_dict_checker:unclear",
            },
            Self::MissingOptional { .. } => "simple_function_checker:missing_optional",
            Self::NoMatch { .. } => "parallel_function_checker_no_order:cannot_find_match",
            Self::Raises(exception) => exception.error_type(),
        }
    }
}

impl Display for Problem<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongFormat { found } => {
                write!(f, "expected a list of calls {{name: {{parameter: value}}}}, found {found}")
            }
            Self::WrongCount { expected, found, .. } => write!(f, "expected {expected} calls, found {found}"),
            Self::WrongName { expected, found } => {
                write!(f, "expected the function {}, found ", View::Str(expected))?;
                match View::from(*found) {
                    View::Dict(calls) if calls.len() == 1 => {
                        calls.iter().try_for_each(|(name, _)| write!(f, "{name}"))
                    }
                    other => write!(f, "{other}"),
                }
            }
            Self::MissingRequired { parameter } => write!(f, "{parameter}: missing but required"),
            Self::UnexpectedParameter { parameter, found } => match parameter {
                PyValue::Str(name) => write!(f, "{name}: not expected, found {found}"),
                key => write!(f, "{key}: not expected, found {found}"),
            },
            Self::NotText { parameter, found, .. } => {
                write!(
                    f,
                    "{parameter}: expected the text of a literal, found {found} ({})",
                    found.type_name()
                )
            }
            Self::WrongType { parameter, declared, element: None, found } => {
                write!(f, "{parameter}: expected the type {declared}, found {found} ({})", found.type_name())
            }
            Self::WrongType { parameter, declared, element: Some(element), found } => {
                write!(f, "{parameter}: expected the type {declared} of {element}, found {found}")
            }
            Self::WrongValue { parameter, fault, accepted, found } => {
                write!(f, "{parameter}: ")?;
                fault.explain(View::from(*accepted), View::from(&**found), f)
            }
            Self::MissingOptional { parameter, accepted } => {
                write!(f, "{parameter}: missing, expected one of {}", View::from(*accepted))
            }
            Self::NoMatch { gold, tried } => {
                write!(f, "no call matches gold call {gold}")?;
                tried.iter().try_for_each(|(call, problem)| write!(f, "\n  call {call}: {problem}"))
            }
            Self::Raises(exception) => {
                let name = exception.error_type().trim_start_matches("exception:");
                write!(f, "the official checker raises {name} on these functions or gold calls")
            }
        }
    }
}

impl ValueFault {
    fn explain(&self, accepted: View<'_>, found: View<'_>, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Text | Self::List | Self::Exact => {
                write!(f, "expected one of {accepted}, found {found}")?;
                let note = match self {
                    Self::Text => " (without regard to case, space and , . / - _ * ^)",
                    Self::Exact => " (exactly)",
                    _ => "",
                };
                f.write_str(note)
            }
            Self::NoDict | Self::NoDictList => write!(f, "nothing is accepted, found {found}"),
            Self::DictCount { expected } => write!(f, "expected {expected} dicts, found {found}"),
            Self::DictMissing { gold, dict, key } => match gold_entry(accepted, gold, dict, key) {
                Some((key, values)) => {
                    write!(f, "key {key} is missing, expected one of {values}, found {found}")
                }
                None => write!(f, "expected one of {accepted}, found {found}"),
            },
            Self::DictKey { dict, entry } => match entry_of(found, dict, entry) {
                Some((key, value)) => write!(f, "key {key} is not expected, found {value}"),
                None => write!(f, "expected one of {accepted}, found {found}"),
            },
            Self::DictValue { gold, dict, entry } => {
                let Some((key, value)) = entry_of(found, dict, entry) else {
                    return write!(f, "expected one of {accepted}, found {found}");
                };
                let values = gold_at(accepted, gold).and_then(|g| dict_at(g, dict)).and_then(|d| d.get(key));
                write!(f, "key {key}: expected one of {}, found {value}", values.unwrap_or(accepted))
            }
        }
    }
}

/// The accepted value of this index.
fn gold_at(accepted: View<'_>, index: usize) -> Option<View<'_>> {
    match accepted {
        View::List(golds) => golds.iter().nth(index),
        _ => None,
    }
}

/// A dict, or the dict of this index in a list of dicts.
fn dict_at(value: View<'_>, index: usize) -> Option<Entries<'_>> {
    match value {
        View::Dict(entries) => Some(entries),
        View::List(items) | View::Tuple(items) => match items.iter().nth(index)? {
            View::Dict(entries) => Some(entries),
            _ => None,
        },
        _ => None,
    }
}

fn entry_of(found: View<'_>, dict: usize, entry: usize) -> Option<(View<'_>, View<'_>)> {
    dict_at(found, dict)?.iter().nth(entry)
}

fn gold_entry(accepted: View<'_>, gold: usize, dict: usize, key: usize) -> Option<(View<'_>, View<'_>)> {
    entry_of(gold_at(accepted, gold)?, dict, key)
}

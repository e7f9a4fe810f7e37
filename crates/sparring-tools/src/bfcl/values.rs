//! Types and values of one argument (`type_checker`, `string_checker`, `list_checker`, `dict_checker`,
//! `list_dict_checker` of the official checker), quirks included.
use super::problem::{Exception, ValueFault};
use super::standard;
use super::types::PyType;
use super::view::{Entries, Seq, View, lookup};
use serde_json::{Map, Value};

/// The accepted values of a parameter.
#[derive(Clone, Copy)]
pub(super) struct Golds<'a>(pub(super) Seq<'a>);

/// Why one argument is not accepted.
pub(super) enum Fault<'a> {
    Type,
    Element,
    Value(ValueFault<'a>),
    Raises(Exception),
}

impl<'a> Golds<'a> {
    /// A list; of a text (a defect that some data has) each character is an accepted value.
    #[inline]
    pub(super) fn new(accepted: &'a Value) -> Result<Self, Exception> {
        match accepted {
            Value::Array(items) => Ok(Self(Seq::Json(items))),
            Value::String(text) => Ok(Self(Seq::Text(text))),
            Value::Object(_) => Err(Exception::Key),
            _ => Err(Exception::Type),
        }
    }

    /// `"" in accepted`, which holds for every text.
    #[inline]
    pub(super) fn optional(self) -> bool {
        matches!(self.0, Seq::Text(_)) || self.0.iter().any(View::is_mark)
    }

    /// Type of the first accepted value that is not `""`.
    #[inline]
    fn first_type(items: Seq<'_>) -> Option<PyType> {
        items.iter().find(|gold| !gold.is_mark()).map(View::kind)
    }

    /// Whether the type fits; `Ok(true)` where the gold is of another type than declared, a variable's name
    /// as a rule: then the value is compared exactly.
    #[inline]
    fn check_type(
        self,
        value: View<'_>,
        declared: PyType,
        element: Option<PyType>,
    ) -> Result<bool, Fault<'a>> {
        let gold = Self::first_type(self.0);
        let kind = value.kind();
        let variable = gold.is_some_and(|gold| gold != declared);
        if kind != declared {
            return if gold == Some(kind) { Ok(true) } else { Err(Fault::Type) };
        }
        match element {
            Some(element) if !self.0.iter().any(|gold| elements_fit(value, gold, element)) => {
                // A variable's name was expected: the official error is then that of the whole value.
                Err(if gold == Some(kind) { Fault::Element } else { Fault::Type })
            }
            _ => Ok(variable),
        }
    }

    /// Whether this argument is accepted.
    #[inline]
    pub(super) fn check(
        self,
        value: View<'_>,
        declared: PyType,
        element: Option<PyType>,
    ) -> Result<(), Fault<'a>> {
        let variable = self.check_type(value, declared, element)?;
        match (variable, value) {
            (false, View::Dict(entries)) if declared == PyType::Dict => self.check_dict(entries),
            (false, View::List(items)) if declared == PyType::List => match element {
                Some(PyType::Dict) => self.check_dicts(items),
                _ => self.check_list(items),
            },
            (false, View::Str(text)) if declared == PyType::Str => {
                let equal = |gold| matches!(gold, View::Str(gold) if standard::same(gold, text));
                accept(self.0.iter().any(equal), ValueFault::Text)
            }
            _ => accept(self.contains(value)?, ValueFault::Exact),
        }
    }

    /// `value in accepted`.
    fn contains(self, value: View<'_>) -> Result<bool, Fault<'a>> {
        match (self.0, value) {
            (Seq::Text(text), View::Str(part)) => Ok(text.contains(part)),
            (Seq::Text(_), _) => Err(Fault::Raises(Exception::Type)),
            (items, _) => Ok(items.iter().any(|gold| gold.equals(value))),
        }
    }

    /// Order and length count; texts among the elements are standardised, nested lists are compared exactly.
    fn check_list(self, found: Seq<'_>) -> Result<(), Fault<'a>> {
        let mut accepted = false;
        for gold in self.0.iter() {
            let items = match gold {
                View::List(items) => items,
                // "" is an empty list, and any other text the list of its characters.
                View::Str(text) => Seq::Text(text),
                View::Dict(entries) if entries.len() == 0 => Seq::Json(&[]),
                View::Dict(_) => return Err(Fault::Raises(Exception::Key)),
                _ => return Err(Fault::Raises(Exception::Type)),
            };
            accepted = accepted || same_items(found, items);
        }
        accept(accepted, ValueFault::List)
    }

    fn check_dict(self, found: Entries<'_>) -> Result<(), Fault<'a>> {
        let mut last = ValueFault::NoDict;
        for gold in self.golds_json() {
            if gold.as_str() == Some("") {
                continue;
            }
            match dict_fault(found, gold, 0).map_err(Fault::Raises)? {
                None => return Ok(()),
                Some(fault) => last = fault,
            }
        }
        Err(Fault::Value(last))
    }

    /// Dicts pair up in order. The error is that of the last accepted list.
    fn check_dicts(self, found: Seq<'_>) -> Result<(), Fault<'a>> {
        let mut last = ValueFault::NoDictList;
        for gold in self.golds_json() {
            let expected = match gold {
                Value::Array(dicts) => dicts.len(),
                Value::String(text) => text.chars().count(),
                Value::Object(object) => object.len(),
                _ => return Err(Fault::Raises(Exception::Type)),
            };
            if expected != found.len() {
                last = ValueFault::DictCount { expected };
                continue;
            }
            match dicts_fault(found, gold).map_err(Fault::Raises)? {
                None => return Ok(()),
                Some(fault) => last = fault,
            }
        }
        Err(Fault::Value(last))
    }

    /// The accepted values where they are a list. Those of a text are texts, so that no dict is compared with them.
    fn golds_json(self) -> &'a [Value] {
        match self.0 {
            Seq::Json(items) => items,
            _ => &[],
        }
    }
}

#[inline]
fn accept<'a>(accepted: bool, fault: ValueFault<'a>) -> Result<(), Fault<'a>> {
    if accepted { Ok(()) } else { Err(Fault::Value(fault)) }
}

/// Every element is of the declared type, or of that of the gold's first element. A gold that is no list says
/// nothing about elements.
fn elements_fit(value: View<'_>, gold: View<'_>, element: PyType) -> bool {
    let (View::List(found), View::List(gold)) = (value, gold) else { return true };
    let like = Golds::first_type(gold);
    found.iter().all(|item| {
        let kind = item.kind();
        kind == element || like == Some(kind)
    })
}

fn same_items(found: Seq<'_>, gold: Seq<'_>) -> bool {
    found.len() == gold.len() && found.iter().zip(gold.iter()).all(|(found, gold)| same_or_equal(found, gold))
}

/// Texts by their standard form, anything else exactly.
#[inline]
fn same_or_equal(found: View<'_>, gold: View<'_>) -> bool {
    match (found, gold) {
        (View::Str(found), View::Str(gold)) => standard::same(found, gold),
        _ => found.equals(gold),
    }
}

fn dicts_fault<'a>(found: Seq<'_>, gold: &'a Value) -> Result<Option<ValueFault<'a>>, Exception> {
    for (index, item) in found.iter().enumerate() {
        let gold = match gold {
            Value::Array(dicts) => &dicts[index],
            Value::Object(_) => return Err(Exception::Key),
            _ => return Err(Exception::Attribute),
        };
        if gold.as_str() == Some("") {
            return Ok(Some(ValueFault::NoDict));
        }
        let View::Dict(entries) = item else { return Err(Exception::Attribute) };
        let fault = dict_fault(entries, gold, index)?;
        if fault.is_some() {
            return Ok(fault);
        }
    }
    Ok(None)
}

/// What is wrong with a dict: the first entry that is not expected, unless a key is missing too.
fn dict_fault<'a>(
    found: Entries<'_>,
    gold: &'a Value,
    dict: usize,
) -> Result<Option<ValueFault<'a>>, Exception> {
    let Value::Object(gold) = gold else {
        return Err(match gold {
            Value::String(text) => text_as_dict(found, text),
            Value::Array(_) => Exception::Attribute,
            _ if found.len() == 0 => Exception::Attribute,
            _ => Exception::Type,
        });
    };
    let mut fault = None;
    for (entry, (key, value)) in found.iter().enumerate() {
        let accepted = match key {
            View::Str(key) => lookup(gold, key),
            _ => None,
        };
        let Some(accepted) = accepted else {
            fault = Some(ValueFault::DictKey { dict, entry });
            break;
        };
        if !accepted_in_dict(accepted, value)? {
            fault = Some(ValueFault::DictValue { dict, entry, accepted });
            break;
        }
    }
    Ok(match missing_key(found, gold)? {
        Some(key) => Some(ValueFault::DictMissing { dict, key }),
        None => fault,
    })
}

fn accepted_in_dict(accepted: &Value, value: View<'_>) -> Result<bool, Exception> {
    match accepted {
        Value::Object(object) if object.is_empty() => Ok(false),
        _ => Ok(Golds::new(accepted)?.0.iter().any(|gold| same_or_equal(value, gold))),
    }
}

fn missing_key<'a>(found: Entries<'_>, gold: &'a Map<String, Value>) -> Result<Option<&'a str>, Exception> {
    for (key, accepted) in gold {
        if found.get(View::Str(key)).is_some() {
            continue;
        }
        let optional = match accepted {
            Value::Object(object) => object.contains_key(""),
            _ => Golds::new(accepted)?.optional(),
        };
        if !optional {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// A text where a dict is expected: the official checker looks the first key up in it, then asks for its items.
fn text_as_dict(found: Entries<'_>, text: &str) -> Exception {
    match found.iter().next() {
        Some((View::Str(key), _)) if !text.contains(key) => Exception::Attribute,
        None => Exception::Attribute,
        _ => Exception::Type,
    }
}

//! Types and values of one argument (`type_checker`, `string_checker`, `list_checker`, `dict_checker`,
//! `list_dict_checker` of the official checker), quirks included.
use super::problem::{Exception, ValueFault};
use super::types::PyType;
use super::view::{View, has, lookup};
use super::{PyValue, standard};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Why one argument is not accepted.
pub(super) enum Fault {
    Type,
    Element,
    Value(ValueFault),
    Raises(Exception),
}

impl From<Exception> for Fault {
    fn from(exception: Exception) -> Self {
        Self::Raises(exception)
    }
}

/// A value under check.
pub(super) struct Found<'v> {
    pub(super) value: &'v PyValue,
    /// Gold tuples went through JSON and are lists, so a declared tuple is compared as a list.
    pub(super) tuple_is_list: bool,
}

/// The accepted values: usually a list. A text, which is a defect of some data, counts as the list of its characters.
#[inline]
pub(super) fn golds(accepted: &Value) -> Result<Cow<'_, [Value]>, Exception> {
    match accepted {
        Value::Array(items) => Ok(Cow::Borrowed(items)),
        Value::String(text) => Ok(Cow::Owned(text.chars().map(|c| Value::from(c.to_string())).collect())),
        Value::Object(_) => Err(Exception::Key),
        _ => Err(Exception::Type),
    }
}

/// `"" in accepted`, which is true for every text and marks an optional parameter.
#[inline]
pub(super) fn is_optional(accepted: &Value) -> Result<bool, Exception> {
    match accepted {
        Value::Array(items) => Ok(items.iter().any(is_mark)),
        Value::String(_) => Ok(true),
        Value::Object(object) => Ok(object.contains_key("")),
        _ => Err(Exception::Type),
    }
}

#[inline]
fn is_mark(gold: &Value) -> bool {
    matches!(gold, Value::String(text) if text.is_empty())
}

/// Type of the first accepted value that is not `""`.
#[inline]
fn first_type(golds: &[Value]) -> Option<PyType> {
    golds.iter().find(|gold| !is_mark(gold)).map(PyType::of_json)
}

/// Whether this argument is accepted.
#[inline]
pub(super) fn check(
    found: &Found<'_>,
    accepted: &Value,
    declared: PyType,
    element: Option<PyType>,
) -> Result<(), Fault> {
    let golds = golds(accepted)?;
    let variable = check_type(found, &golds, declared, element)?;
    match (variable, found.value) {
        (false, PyValue::Str(text)) if declared == PyType::Str => {
            let equal = |gold: &Value| matches!(gold, Value::String(gold) if standard::same(gold, text));
            accept(golds.iter().any(equal), ValueFault::Text)
        }
        (false, PyValue::Dict(entries)) if declared == PyType::Dict => check_dict(entries, &golds),
        (false, PyValue::List(items) | PyValue::Tuple(items)) if declared == PyType::List => match element {
            Some(PyType::Dict) => check_dicts(items, &golds),
            _ => check_list(items, &golds),
        },
        (_, value) => accept(contains(accepted, &golds, value)?, ValueFault::Exact),
    }
}

/// Whether the type fits. `Ok(true)` means that the gold has another type than declared, usually a variable's name; the
/// value is then compared exactly.
#[inline]
fn check_type(
    found: &Found<'_>,
    golds: &[Value],
    declared: PyType,
    element: Option<PyType>,
) -> Result<bool, Fault> {
    let gold = first_type(golds);
    let kind = match found.value {
        PyValue::Tuple(_) if found.tuple_is_list => PyType::List,
        value => PyType::of(value),
    };
    if kind != declared {
        return if gold == Some(kind) { Ok(true) } else { Err(Fault::Type) };
    }
    match element {
        Some(element) if !golds.iter().any(|gold| elements_fit(found.value, gold, element)) => {
            // A variable's name was expected: the official error is then that of the whole value.
            Err(if gold == Some(kind) { Fault::Element } else { Fault::Type })
        }
        _ => Ok(gold.is_some_and(|gold| gold != declared)),
    }
}

/// Whether every element has the declared type, or that of the gold's first element. A gold that is not a list does not
/// constrain elements.
fn elements_fit(value: &PyValue, gold: &Value, element: PyType) -> bool {
    let (PyValue::List(found) | PyValue::Tuple(found), Value::Array(gold)) = (value, gold) else {
        return true;
    };
    let like = first_type(gold);
    found.iter().all(|item| {
        let kind = PyType::of(item);
        kind == element || like == Some(kind)
    })
}

#[inline]
fn accept(accepted: bool, fault: ValueFault) -> Result<(), Fault> {
    if accepted { Ok(()) } else { Err(Fault::Value(fault)) }
}

/// `value in accepted`: exactly.
fn contains(accepted: &Value, golds: &[Value], value: &PyValue) -> Result<bool, Exception> {
    match (accepted, value) {
        (Value::String(text), PyValue::Str(part)) => Ok(text.contains(part.as_str())),
        (Value::String(_), _) => Err(Exception::Type),
        _ => Ok(golds.iter().any(|gold| equal(value, gold))),
    }
}

/// Python's `==`, with a fast path for common cases.
#[inline]
fn equal(value: &PyValue, gold: &Value) -> bool {
    match (value, gold) {
        (PyValue::Str(value), Value::String(gold)) => value == gold,
        (PyValue::Bool(value), Value::Bool(gold)) => value == gold,
        _ => View::from(value).equals(View::from(gold)),
    }
}

/// Compares texts by their standard form, anything else exactly.
#[inline]
fn same(value: &PyValue, gold: &Value) -> bool {
    match (value, gold) {
        (PyValue::Str(value), Value::String(gold)) => standard::same(value, gold),
        _ => equal(value, gold),
    }
}

/// Order and length count; texts among the elements are standardised, nested lists are compared exactly.
fn check_list(found: &[PyValue], accepted: &[Value]) -> Result<(), Fault> {
    let mut accepts = false;
    for gold in accepted {
        // "" is an empty list, and any other text the list of its characters. A dict has no item 0.
        let items = match gold {
            Value::Object(entries) if entries.is_empty() => Cow::Borrowed(&[] as &[Value]),
            gold => golds(gold)?,
        };
        accepts = accepts
            || (found.len() == items.len()
                && found.iter().zip(&*items).all(|(found, gold)| same(found, gold)));
    }
    accept(accepts, ValueFault::List)
}

type Entries = [(PyValue, PyValue)];

fn check_dict(found: &Entries, golds: &[Value]) -> Result<(), Fault> {
    let mut last = ValueFault::NoDict;
    for (index, gold) in golds.iter().enumerate().filter(|(_, gold)| !is_mark(gold)) {
        match dict_fault(found, gold, (index, 0))? {
            None => return Ok(()),
            Some(fault) => last = fault,
        }
    }
    Err(Fault::Value(last))
}

/// Dicts pair up in order. The error is that of the last accepted list.
fn check_dicts(found: &[PyValue], golds: &[Value]) -> Result<(), Fault> {
    let mut last = ValueFault::NoDictList;
    for (index, gold) in golds.iter().enumerate() {
        let expected = match gold {
            Value::Array(dicts) => dicts.len(),
            Value::String(text) => text.chars().count(),
            Value::Object(object) => object.len(),
            _ => return Err(Exception::Type.into()),
        };
        let fault = if expected == found.len() {
            dicts_fault(found, gold, index)?
        } else {
            Some(ValueFault::DictCount { expected })
        };
        match fault {
            None => return Ok(()),
            Some(fault) => last = fault,
        }
    }
    Err(Fault::Value(last))
}

fn dicts_fault(found: &[PyValue], gold: &Value, index: usize) -> Result<Option<ValueFault>, Exception> {
    for (dict, item) in found.iter().enumerate() {
        let gold = match gold {
            Value::Array(dicts) => &dicts[dict],
            Value::Object(_) => return Err(Exception::Key),
            _ => return Err(Exception::Attribute),
        };
        if is_mark(gold) {
            return Ok(Some(ValueFault::NoDict));
        }
        let PyValue::Dict(entries) = item else { return Err(Exception::Attribute) };
        let fault = dict_fault(entries, gold, (index, dict))?;
        if fault.is_some() {
            return Ok(fault);
        }
    }
    Ok(None)
}

/// The problem of a dict: the first unexpected entry, unless a key is missing too. `at` is the
/// accepted value's index, and the dict's in a list.
fn dict_fault(
    found: &Entries,
    gold: &Value,
    (gold_index, dict): (usize, usize),
) -> Result<Option<ValueFault>, Exception> {
    let Value::Object(gold) = gold else { return Err(no_dict(found, gold)) };
    let mut fault = None;
    for (entry, (key, value)) in found.iter().enumerate() {
        let accepted = match key {
            PyValue::Str(key) => lookup(gold, key),
            _ => None,
        };
        let Some(accepted) = accepted else {
            fault = Some(ValueFault::DictKey { dict, entry });
            break;
        };
        if !accepted_in_dict(accepted, value)? {
            fault = Some(ValueFault::DictValue { gold: gold_index, dict, entry });
            break;
        }
    }
    let missing =
        missing_key(found, gold)?.map(|key| ValueFault::DictMissing { gold: gold_index, dict, key });
    Ok(missing.or(fault))
}

fn accepted_in_dict(accepted: &Value, value: &PyValue) -> Result<bool, Exception> {
    match accepted {
        Value::Object(object) if object.is_empty() => Ok(false),
        _ => Ok(golds(accepted)?.iter().any(|gold| same(value, gold))),
    }
}

/// Index of the first missing required key.
fn missing_key(found: &Entries, gold: &Map<String, Value>) -> Result<Option<usize>, Exception> {
    for (index, (key, accepted)) in gold.iter().enumerate() {
        if !has(found, key) && !is_optional(accepted)? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

/// If a dict is expected, the official checker looks up the first key in the value, whatever its type, and then
/// iterates over its items.
fn no_dict(found: &Entries, gold: &Value) -> Exception {
    match (gold, found.first()) {
        (_, None) | (Value::Array(_), _) => Exception::Attribute,
        (Value::String(text), Some((PyValue::Str(key), _))) if !text.contains(key.as_str()) => {
            Exception::Attribute
        }
        _ => Exception::Type,
    }
}

//! Python's operators, as functions that the translation of a template calls.

use super::budget::charge;
use super::filters::markup;
use super::percent;
use super::python::{check_depth, text};
use minijinja::value::{Rest, Tuple, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind};

/// What a list takes for each item, bytes.
const ITEM: usize = size_of::<Value>();

pub(super) fn register(environment: &mut Environment<'_>) {
    environment.add_function("__add", |operands: Rest<Value>| fold(&operands, add));
    environment.add_function("__mul", |a: Value, b: Value| mul(&a, &b));
    environment.add_function("__mod", |a: Value, b: Value| modulo(&a, &b));
    environment.add_function("__concat", |operands: Rest<Value>| concat(&operands));
    environment.add_function("__slice", slice);
    environment.add_function("__each", each);
    environment.add_function("__keep", keep);
}

/// A number; truth values are numbers too.
pub(super) enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value.kind() {
            ValueKind::Bool => Some(Self::Int(value.is_true().into())),
            ValueKind::Number if value.is_integer() => i128::try_from(value.clone()).ok().map(Self::Int),
            ValueKind::Number => f64::try_from(value.clone()).ok().map(Self::Float),
            _ => None,
        }
    }

    pub(super) fn float(&self) -> f64 {
        match self {
            Self::Int(i) => *i as f64,
            Self::Float(x) => *x,
        }
    }
}

/// The smallest kind of integer that holds a number, so that equal ones are equal.
fn integer(value: i128) -> Value {
    i64::try_from(value).map_or_else(|_| value.into(), Value::from)
}

pub(super) fn invalid(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, why.into())
}

fn unsupported(operator: &str, a: &Value, b: &Value) -> Error {
    invalid(format!("cannot compute {} {operator} {}", a.kind(), b.kind()))
}

fn fold(operands: &[Value], operator: fn(&Value, &Value) -> Result<Value, Error>) -> Result<Value, Error> {
    let (first, rest) = operands.split_first().ok_or_else(|| invalid("no operands"))?;
    rest.iter().try_fold(first.clone(), |sum, operand| operator(&sum, operand))
}

fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

fn add(a: &Value, b: &Value) -> Result<Value, Error> {
    if let (Some(left), Some(right)) = (a.as_str(), b.as_str()) {
        return Ok(if a.is_safe() || b.is_safe() {
            let joined = format!("{}{}", escaped(a, left), escaped(b, right));
            charge(joined.len())?;
            Value::from_safe_string(joined)
        } else {
            charge(left.len() + right.len())?;
            Value::from([left, right].concat())
        });
    }
    if is_list(a) && is_list(b) && a.is_tuple() == b.is_tuple() {
        let items: Vec<Value> = a.try_iter()?.chain(b.try_iter()?).collect();
        charge(items.len() * ITEM)?;
        return Ok(if a.is_tuple() { Tuple::from(items).into() } else { items.into() });
    }
    match (Number::of(a), Number::of(b)) {
        (Some(Number::Int(x)), Some(Number::Int(y))) => {
            x.checked_add(y).map(integer).ok_or_else(|| invalid("a number is too large"))
        }
        (Some(x), Some(y)) => Ok((x.float() + y.float()).into()),
        _ => Err(unsupported("+", a, b)),
    }
}

/// A text that joins one marked as safe.
fn escaped(value: &Value, text: &str) -> String {
    if value.is_safe() { text.to_owned() } else { markup(text) }
}

fn mul(a: &Value, b: &Value) -> Result<Value, Error> {
    let count = |value: &Value| match Number::of(value) {
        Some(Number::Int(n)) => usize::try_from(n.max(0)).ok(),
        _ => None,
    };
    for (many, times) in [(a, b), (b, a)] {
        if let (Some(text), Some(times)) = (many.as_str(), count(times)) {
            charge(text.len().saturating_mul(times))?;
            let repeated = text.repeat(times);
            return Ok(if many.is_safe() { Value::from_safe_string(repeated) } else { repeated.into() });
        }
        if let (true, Some(times)) = (is_list(many), count(times)) {
            let items: Vec<Value> = many.try_iter()?.collect();
            charge(items.len().saturating_mul(times).saturating_mul(ITEM))?;
            let repeated: Vec<Value> = std::iter::repeat_n(items, times).flatten().collect();
            return Ok(if many.is_tuple() { Tuple::from(repeated).into() } else { repeated.into() });
        }
    }
    match (Number::of(a), Number::of(b)) {
        (Some(Number::Int(x)), Some(Number::Int(y))) => {
            x.checked_mul(y).map(integer).ok_or_else(|| invalid("a number is too large"))
        }
        (Some(x), Some(y)) => Ok((x.float() * y.float()).into()),
        _ => Err(unsupported("*", a, b)),
    }
}

fn modulo(a: &Value, b: &Value) -> Result<Value, Error> {
    if let Some(format) = a.as_str() {
        return percent::format(format, b).map(Value::from);
    }
    match (Number::of(a), Number::of(b)) {
        (Some(Number::Int(_)), Some(Number::Int(0))) => Err(invalid("division by zero")),
        // The sign is that of the divisor.
        (Some(Number::Int(x)), Some(Number::Int(y))) => {
            let rest = x.checked_rem(y).unwrap_or(0);
            Ok(integer(if rest != 0 && (rest < 0) != (y < 0) { rest + y } else { rest }))
        }
        (Some(x), Some(y)) if y.float() != 0.0 => {
            let (x, y) = (x.float(), y.float());
            let rest = x % y;
            Ok((if rest != 0.0 && (rest < 0.0) != (y < 0.0) { rest + y } else { rest }).into())
        }
        (Some(_), Some(_)) => Err(invalid("division by zero")),
        _ => Err(unsupported("%", a, b)),
    }
}

fn concat(operands: &[Value]) -> Result<Value, Error> {
    let mut joined = String::new();
    for operand in operands {
        let text = text(operand)?;
        charge(text.len())?;
        joined.push_str(&text);
    }
    Ok(joined.into())
}

/// `value[start:stop:step]`.
fn slice(value: Value, start: Value, stop: Option<Value>, step: Option<Value>) -> Result<Value, Error> {
    let bound = |value: Option<Value>| match value.filter(|value| !value.is_none()) {
        None => Ok(None),
        Some(value) => {
            value.as_i64().map(Some).ok_or_else(|| invalid("a slice's bounds must be whole numbers"))
        }
    };
    let bounds = (bound(Some(start))?, bound(stop)?, bound(step)?.unwrap_or(1));
    if let Some(text) = value.as_str() {
        let chars: Vec<char> = text.chars().collect();
        let part: String = places(chars.len(), bounds)?.map(|at| chars[at]).collect();
        charge(part.len())?;
        return Ok(if value.is_safe() { Value::from_safe_string(part) } else { part.into() });
    }
    if value.is_undefined() {
        return Ok(value);
    }
    if !is_list(&value) {
        return Err(invalid(format!("a {} cannot be sliced", value.kind())));
    }
    let items: Vec<Value> = value.try_iter()?.collect();
    charge(items.len() * ITEM)?;
    let part: Vec<Value> = places(items.len(), bounds)?.map(|at| items[at].clone()).collect();
    Ok(if value.is_tuple() { Tuple::from(part).into() } else { part.into() })
}

/// The places that a slice takes from a sequence, by Python's rules.
fn places(
    length: usize,
    (start, stop, step): (Option<i64>, Option<i64>, i64),
) -> Result<impl Iterator<Item = usize>, Error> {
    if step == 0 {
        return Err(invalid("a slice's step must not be 0"));
    }
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let (first, last) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let place = |at: i64| (if at < 0 { at.saturating_add(length) } else { at }).clamp(first, last);
    let begin = start.map_or(if step > 0 { first } else { last }, place);
    let end = stop.map_or(if step > 0 { last } else { first }, place);
    let places = std::iter::successors(Some(begin), move |at| at.checked_add(step));
    let places = places.take_while(move |at| if step > 0 { *at < end } else { *at > end });
    Ok(places.filter_map(|at| usize::try_from(at).ok()))
}

/// What a loop goes through: of a string its characters, as a list, whose last one is known.
fn each(value: Value) -> Result<Value, Error> {
    match value.as_str() {
        Some(text) => {
            charge(text.len() * ITEM)?;
            Ok(text.chars().map(|c| Value::from(c.to_string())).collect::<Vec<_>>().into())
        }
        None if value.is_none() => Err(invalid("None cannot be iterated over")),
        None => Ok(value),
    }
}

/// A value that a variable keeps. Lists are kept whole instead of as a chain of steps that make them, which would be
/// followed recursively; how deep values may be nested is bounded.
fn keep(value: Value) -> Result<Value, Error> {
    let kept = if value.kind() == ValueKind::Iterable {
        let items: Vec<Value> = value.try_iter()?.collect();
        charge(items.len() * ITEM)?;
        Value::from(items)
    } else {
        value
    };
    nesting(&kept, 0)?;
    Ok(kept)
}

fn nesting(value: &Value, depth: usize) -> Result<(), Error> {
    check_depth(depth)?;
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            charge(value.len().unwrap_or(0))?;
            value.try_iter()?.try_for_each(|item| nesting(&item, depth + 1))
        }
        ValueKind::Map => {
            charge(value.len().unwrap_or(0))?;
            value.try_iter()?.try_for_each(|key| nesting(&value.get_item(&key)?, depth + 1))
        }
        _ => Ok(()),
    }
}

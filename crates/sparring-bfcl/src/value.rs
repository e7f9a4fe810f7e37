use super::view::View;
use compact_str::CompactString;
use num_bigint::BigInt;
use serde_json::{Map, Number, Value};
use std::fmt;

/// A Python value, decoded from a model's text or read from JSON.
///
/// JSON values are not enough: Python's notation also has tuples, infinities and integers of any length, and the
/// checker distinguishes them. `PartialEq` is structural; Python's `==` is [`python_eq`](Self::python_eq). `Display`
/// is Python's `repr`.
///
/// ```
/// use sparring_bfcl::PyValue;
/// let value = PyValue::from_json(&serde_json::json!({"a": [1, 2.0, null, "it's"]}));
/// assert_eq!(value.to_string(), r#"{'a': [1, 2.0, None, "it's"]}"#);
/// assert!(PyValue::Int(1).python_eq(&PyValue::Bool(true)));
/// assert!(!PyValue::Int((1 << 53) + 1).python_eq(&PyValue::Float(9_007_199_254_740_992.0)));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum PyValue {
    /// `None`; `null` in JSON.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// An integer that does not fit 64 bits.
    BigInt(Box<BigInt>),
    /// A float; infinities and NaN are possible.
    Float(f64),
    /// A string. Short ones, such as names and most arguments, need no allocation.
    Str(CompactString),
    /// A list; an array in JSON.
    List(Vec<PyValue>),
    /// A tuple.
    Tuple(Vec<PyValue>),
    /// A dict, in insertion order, each key once (under Python's `==`).
    Dict(Vec<(PyValue, PyValue)>),
    /// A value that no benchmark expects but a text can contain (`bytes`, `complex`): its type and its `repr`.
    Other {
        /// Its Python type.
        kind: OtherKind,
        /// Its `repr`.
        repr: String,
    },
}

/// A Python type whose values no benchmark expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OtherKind {
    /// A string with half a surrogate pair, which no string of Rust holds.
    Str,
    /// `b'...'`.
    Bytes,
    /// `2j`.
    Complex,
    /// `...`.
    Ellipsis,
    /// `{1, 2}`.
    Set,
}

impl OtherKind {
    /// Name of the Python type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Str => "str",
            Self::Bytes => "bytes",
            Self::Complex => "complex",
            Self::Ellipsis => "ellipsis",
            Self::Set => "set",
        }
    }
}

impl PyValue {
    /// Converts JSON as Python's `json.loads` does: `5` is an integer, `5.0` is a float.
    ///
    /// `serde_json` has already converted integers that do not fit 64 bits, signed or not, to floats.
    pub fn from_json(value: &Value) -> Self {
        Self::read(value, |_| None)
    }

    /// Like [`from_json`](Self::from_json), for recorded verdicts: `{"__tuple__": [...]}` is a tuple, and
    /// `{"__float__": "inf"}` (or `"-inf"`, `"nan"`) a float that JSON cannot write.
    pub fn from_recorded(value: &Value) -> Self {
        Self::read(value, |object| {
            let (tag, inner) = object.iter().next().filter(|_| object.len() == 1)?;
            match (tag.as_str(), inner) {
                ("__tuple__", Value::Array(items)) => {
                    Some(Self::Tuple(items.iter().map(Self::from_recorded).collect()))
                }
                ("__float__", Value::String(text)) => text.parse().ok().map(Self::Float),
                _ => None,
            }
        })
    }

    fn read(value: &Value, tagged: fn(&Map<String, Value>) -> Option<Self>) -> Self {
        match value {
            Value::Null => Self::None,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Number(n) => number(n),
            Value::String(text) => Self::Str(text.as_str().into()),
            Value::Array(items) => Self::List(items.iter().map(|item| Self::read(item, tagged)).collect()),
            Value::Object(object) => tagged(object).unwrap_or_else(|| {
                Self::Dict(
                    object
                        .iter()
                        .map(|(k, v)| (Self::Str(k.as_str().into()), Self::read(v, tagged)))
                        .collect(),
                )
            }),
        }
    }

    /// The nearest JSON: tuples become arrays, keys become texts as in `json.dumps`, integers beyond 64 bits become
    /// floats. A value without JSON notation becomes the text of its `repr`.
    pub fn to_json(&self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Int(i) => Value::from(*i),
            Self::BigInt(big) => match (u64::try_from(&**big), big.to_string().parse::<f64>()) {
                (Ok(small), _) => Value::from(small),
                (_, Ok(float)) if float.is_finite() => Value::from(float),
                _ => Value::String(big.to_string()),
            },
            Self::Float(x) => {
                Number::from_f64(*x).map_or_else(|| Value::String(self.to_string()), Value::Number)
            }
            Self::Str(text) => Value::String(text.to_string()),
            Self::List(items) | Self::Tuple(items) => items.iter().map(Self::to_json).collect(),
            Self::Dict(entries) => {
                Value::Object(entries.iter().map(|(k, v)| (k.json_key(), v.to_json())).collect())
            }
            Self::Other { repr, .. } => Value::String(repr.clone()),
        }
    }

    fn json_key(&self) -> String {
        match self {
            Self::Str(text) => text.to_string(),
            Self::None => "null".to_owned(),
            Self::Bool(flag) => flag.to_string(),
            _ => self.to_string(),
        }
    }

    /// Python's `==`: exact between integers, floats and bools, in containers too; dicts in any order.
    pub fn python_eq(&self, other: &Self) -> bool {
        View::from(self).equals(View::from(other))
    }

    /// Name of its Python type, `type(x).__name__`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::BigInt(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Dict(_) => "dict",
            Self::Other { kind, .. } => kind.name(),
        }
    }

    /// The value of this key; `None` if it is missing or this is not a dict.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Dict(entries) = self else { return None };
        entries.iter().find(|(k, _)| matches!(k, Self::Str(text) if text == key)).map(|(_, v)| v)
    }
}

fn number(n: &Number) -> PyValue {
    match (n.as_i64(), n.as_u64(), n.as_f64()) {
        (Some(i), ..) => PyValue::Int(i),
        (_, Some(u), _) => PyValue::BigInt(Box::new(BigInt::from(u))),
        (.., float) => PyValue::Float(float.unwrap_or(f64::NAN)),
    }
}

impl fmt::Display for PyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        View::from(self).fmt(f)
    }
}

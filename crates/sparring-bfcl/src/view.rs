//! A common view of both sides of a comparison: gold values are JSON, outputs are [`PyValue`]s.
use super::{OtherKind, PyValue};
use num_bigint::BigInt;
use serde_json::{Map, Value};

/// A borrowed Python value.
#[derive(Clone, Copy)]
pub(super) enum View<'a> {
    None,
    Bool(bool),
    Int(i128),
    Big(&'a BigInt),
    Float(f64),
    Str(&'a str),
    List(Seq<'a>),
    Tuple(Seq<'a>),
    Dict(Entries<'a>),
    Other { kind: OtherKind, repr: &'a str },
}

/// The items of a list or a tuple.
#[derive(Clone, Copy)]
pub(super) enum Seq<'a> {
    Py(&'a [PyValue]),
    Json(&'a [Value]),
}

/// The entries of a dict.
#[derive(Clone, Copy)]
pub(super) enum Entries<'a> {
    Py(&'a [(PyValue, PyValue)]),
    Json(&'a Map<String, Value>),
}

impl<'a> From<&'a PyValue> for View<'a> {
    #[inline]
    fn from(value: &'a PyValue) -> Self {
        match value {
            PyValue::None => Self::None,
            PyValue::Bool(flag) => Self::Bool(*flag),
            PyValue::Int(i) => Self::Int(i128::from(*i)),
            PyValue::BigInt(big) => Self::Big(big),
            PyValue::Float(x) => Self::Float(*x),
            PyValue::Str(text) => Self::Str(text),
            PyValue::List(items) => Self::List(Seq::Py(items)),
            PyValue::Tuple(items) => Self::Tuple(Seq::Py(items)),
            PyValue::Dict(entries) => Self::Dict(Entries::Py(entries)),
            PyValue::Other { kind, repr } => Self::Other { kind: *kind, repr },
        }
    }
}

impl<'a> From<&'a Value> for View<'a> {
    #[inline]
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::None,
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Number(n) => match (n.as_i64(), n.as_u64()) {
                (Some(i), _) => Self::Int(i128::from(i)),
                (_, Some(u)) => Self::Int(i128::from(u)),
                _ => Self::Float(n.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Self::Str(text),
            Value::Array(items) => Self::List(Seq::Json(items)),
            Value::Object(object) => Self::Dict(Entries::Json(object)),
        }
    }
}

impl View<'_> {
    /// Python's `==`.
    pub(super) fn equals(self, other: View<'_>) -> bool {
        match (self, other) {
            (Self::Str(a), View::Str(b)) => a == b,
            (Self::None, View::None) => true,
            (Self::List(a), View::List(b)) | (Self::Tuple(a), View::Tuple(b)) => {
                a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| a.equals(b))
            }
            (Self::Dict(a), View::Dict(b)) => {
                a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| v.equals(w)))
            }
            (Self::Other { kind, repr }, View::Other { kind: k, repr: r }) => kind == k && repr == r,
            (a, b) => numbers_equal(a, b),
        }
    }
}

/// Exact comparison: an integer equals a float only without rounding.
fn numbers_equal(a: View<'_>, b: View<'_>) -> bool {
    // The largest integers here have 64 bits; beyond 2^100 only big integers can agree.
    const BEYOND: f64 = (1_u128 << 100) as f64;
    match (a, b) {
        (View::Bool(flag), other) => match other {
            View::Bool(_) | View::Int(_) | View::Float(_) => {
                numbers_equal(View::Int(i128::from(flag)), other)
            }
            _ => false,
        },
        (other, View::Bool(flag)) => numbers_equal(other, View::Int(i128::from(flag))),
        (View::Int(a), View::Int(b)) => a == b,
        (View::Float(a), View::Float(b)) => a.partial_cmp(&b).is_some_and(std::cmp::Ordering::is_eq),
        (View::Int(i), View::Float(x)) | (View::Float(x), View::Int(i)) => {
            x.abs() < BEYOND && x.trunc().to_bits() == x.to_bits() && x as i128 == i
        }
        (View::Big(a), View::Big(b)) => a == b,
        (View::Big(big), View::Int(i)) | (View::Int(i), View::Big(big)) => *big == BigInt::from(i),
        (View::Big(big), View::Float(x)) | (View::Float(x), View::Big(big)) => {
            // A float's integer digits are printed exactly.
            x.is_finite()
                && x.trunc().to_bits() == x.to_bits()
                && format!("{x:.0}").parse::<BigInt>().is_ok_and(|y| y == *big)
        }
        _ => false,
    }
}

impl<'a> Seq<'a> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Py(items) => items.len(),
            Self::Json(items) => items.len(),
        }
    }

    pub(super) fn iter(self) -> impl Iterator<Item = View<'a>> {
        let (py, json): (&[PyValue], &[Value]) = match self {
            Self::Py(items) => (items, &[]),
            Self::Json(items) => (&[], items),
        };
        py.iter().map(View::from).chain(json.iter().map(View::from))
    }
}

impl<'a> Entries<'a> {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Py(entries) => entries.len(),
            Self::Json(object) => object.len(),
        }
    }

    pub(super) fn iter(self) -> impl Iterator<Item = (View<'a>, View<'a>)> {
        let (py, json) = match self {
            Self::Py(entries) => (Some(entries), None),
            Self::Json(object) => (None, Some(object)),
        };
        let py = py.into_iter().flatten().map(|(k, v)| (View::from(k), View::from(v)));
        py.chain(json.into_iter().flatten().map(|(k, v)| (View::Str(k), View::from(v))))
    }

    pub(super) fn get(self, key: View<'_>) -> Option<View<'a>> {
        match self {
            Self::Py(entries) => {
                entries.iter().find(|(k, _)| View::from(k).equals(key)).map(|(_, v)| View::from(v))
            }
            Self::Json(object) => match key {
                View::Str(key) => lookup(object, key).map(View::from),
                _ => None,
            },
        }
    }
}

/// `object.get(key)`; comparing a few short keys is faster than hashing one.
#[inline]
pub(super) fn lookup<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    const FEW: usize = 16;
    if object.len() > FEW {
        return object.get(key);
    }
    object.iter().find(|(k, _)| *k == key).map(|(_, v)| v)
}

/// Whether a dict of Python has this key.
#[inline]
pub(super) fn has(entries: &[(PyValue, PyValue)], key: &str) -> bool {
    entries.iter().any(|(k, _)| matches!(k, PyValue::Str(k) if k == key))
}

use super::super::PyValue;
use num_bigint::BigInt;
use std::collections::HashMap;

/// From this many entries on, keys are looked up by hash.
const LINEAR: usize = 12;

/// A dict that grows as Python's does: a key that is there keeps its place and takes the new value.
#[derive(Default)]
pub(super) struct Dict {
    entries: Vec<(PyValue, PyValue)>,
    places: HashMap<Key, usize>,
}

/// A key in the form in which equal keys of Python are equal: 1, 1.0 and True are one key.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    None,
    Int(BigInt),
    Float(u64),
    Str(String),
    Tuple(Vec<Key>),
    Other(&'static str, String),
}

impl Dict {
    /// Sets `key`; `None` if Python could not hash it.
    pub(super) fn insert(&mut self, key: PyValue, value: PyValue) -> Option<()> {
        match self.place(&key)? {
            Some(place) => self.entries[place].1 = value,
            None => self.entries.push((key, value)),
        }
        Some(())
    }

    pub(super) fn finish(self) -> PyValue {
        PyValue::Dict(self.entries)
    }

    fn place(&mut self, key: &PyValue) -> Option<Option<usize>> {
        if self.entries.len() < LINEAR {
            if let PyValue::Str(text) = key {
                return Some(
                    self.entries.iter().position(|(k, _)| matches!(k, PyValue::Str(s) if s == text)),
                );
            }
            let wanted = Key::of(key)?;
            return Some(self.entries.iter().position(|(k, _)| Key::of(k).as_ref() == Some(&wanted)));
        }
        if self.places.is_empty() {
            let keys = self.entries.iter().enumerate();
            self.places.extend(keys.filter_map(|(place, (key, _))| Some((Key::of(key)?, place))));
        }
        let key = Key::of(key)?;
        let found = self.places.get(&key).copied();
        if found.is_none() {
            self.places.insert(key, self.entries.len());
        }
        Some(found)
    }
}

impl Key {
    fn of(value: &PyValue) -> Option<Self> {
        Some(match value {
            PyValue::None => Self::None,
            PyValue::Bool(b) => Self::Int(i64::from(*b).into()),
            PyValue::Int(i) => Self::Int((*i).into()),
            PyValue::BigInt(i) => Self::Int((**i).clone()),
            PyValue::Float(x) => Self::of_float(*x),
            PyValue::Str(s) => Self::Str(s.clone()),
            PyValue::Tuple(items) => Self::Tuple(items.iter().map(Self::of).collect::<Option<_>>()?),
            PyValue::Other { kind: "set", .. } | PyValue::List(_) | PyValue::Dict(_) => return None,
            PyValue::Other { kind, repr } => Self::Other(kind, repr.clone()),
        })
    }

    fn of_float(x: f64) -> Self {
        if x.fract() == 0.0 && x.abs() < 9.0e18 {
            return Self::Int((x as i64).into());
        }
        whole(x).map_or(Self::Float(x.to_bits()), Self::Int)
    }
}

/// The integer that a large float is.
fn whole(x: f64) -> Option<BigInt> {
    if !x.is_finite() || x.fract() != 0.0 {
        return None;
    }
    let bits = x.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i64 - 1075;
    let mantissa = BigInt::from((bits & ((1 << 52) - 1)) | (1 << 52));
    let size = if exponent >= 0 { mantissa << exponent } else { mantissa >> -exponent };
    Some(if x < 0.0 { -size } else { size })
}

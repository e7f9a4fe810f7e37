use super::super::{OtherKind, PyValue};
use num_bigint::BigInt;
use std::collections::HashMap;

/// From this many entries on, keys are looked up by hash.
const LINEAR: usize = 12;

/// A dict with Python's insertion order: an existing key keeps its place and takes the new value.
#[derive(Default)]
pub(super) struct Dict {
    entries: Vec<(PyValue, PyValue)>,
    /// The index of each key; only for long dicts.
    places: Option<HashMap<Key, usize>>,
}

/// A key in a form with Python's equality: 1, 1.0 and True are one key.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    None,
    Int(BigInt),
    Float(u64),
    Str(String),
    Tuple(Vec<Key>),
    Other(OtherKind, String),
}

impl Dict {
    /// Sets `key`; `None` if Python could not hash it.
    pub(super) fn insert(&mut self, key: PyValue, value: PyValue) -> Option<()> {
        let place = self.place(&key)?;
        match self.entries.get_mut(place) {
            Some(entry) => entry.1 = value,
            None => self.entries.push((key, value)),
        }
        Some(())
    }

    pub(super) fn finish(self) -> PyValue {
        PyValue::Dict(self.entries)
    }

    /// The index of this key's entry, existing or new.
    fn place(&mut self, key: &PyValue) -> Option<usize> {
        let end = self.entries.len();
        if end < LINEAR {
            if let PyValue::Str(text) = key {
                let same = |(k, _): &(PyValue, PyValue)| matches!(k, PyValue::Str(s) if s == text);
                return Some(self.entries.iter().position(same).unwrap_or(end));
            }
            let wanted = Key::of(key)?;
            let same = |(k, _): &(PyValue, PyValue)| Key::of(k).as_ref() == Some(&wanted);
            return Some(self.entries.iter().position(same).unwrap_or(end));
        }
        let entries = &self.entries;
        let places = self.places.get_or_insert_with(|| {
            let keys = entries.iter().enumerate();
            keys.filter_map(|(place, (key, _))| Some((Key::of(key)?, place))).collect()
        });
        Some(*places.entry(Key::of(key)?).or_insert(end))
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
            PyValue::Str(s) => Self::Str(s.to_string()),
            PyValue::Tuple(items) => Self::Tuple(items.iter().map(Self::of).collect::<Option<_>>()?),
            PyValue::Other { kind: OtherKind::Set, .. } | PyValue::List(_) | PyValue::Dict(_) => return None,
            PyValue::Other { kind, repr } => Self::Other(*kind, repr.clone()),
        })
    }

    fn of_float(x: f64) -> Self {
        if x.fract() == 0.0 && x.abs() < 9.0e18 {
            return Self::Int((x as i64).into());
        }
        whole(x).map_or(Self::Float(x.to_bits()), Self::Int)
    }
}

/// The integer equal to a large float.
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

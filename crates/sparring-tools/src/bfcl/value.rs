use num_bigint::BigInt;

/// A value of Python, as the official checker meets it: decoded from a model's text, or read from JSON.
///
/// JSON alone does not do: text in Python notation also holds tuples, infinities and integers of any length,
/// and the checker tells them apart.
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
    /// A string.
    Str(String),
    /// A list; an array in JSON.
    List(Vec<PyValue>),
    /// A tuple.
    Tuple(Vec<PyValue>),
    /// A dict, in insertion order, each key once (under Python's `==`).
    Dict(Vec<(PyValue, PyValue)>),
    /// What no benchmark expects and a text can still hold (`bytes`, `complex`): its type and its `repr`.
    Other {
        /// Name of the Python type.
        kind: &'static str,
        /// Its `repr`.
        repr: String,
    },
}

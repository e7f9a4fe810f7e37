//! Python's arithmetic on constants.

use super::Fault;
use super::evaluate::not_evaluated;
use super::number::integer;
use super::resolve::Resolver;
use super::tree::Binary;
use crate::PyValue;
use crate::decode::Raised;
use crate::decode::dict::Dict;
use crate::number::MAX_DIGITS;
use num_bigint::{BigInt, Sign};

/// Longest integer, in bits: 4300 digits, the longest that Python prints.
const MAX_BITS: u64 = (MAX_DIGITS as u64) * 10 / 3;

/// The remaining number of elements and characters that repetition may create.
pub(super) struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(1 << 16)
    }
}

impl Budget {
    fn spend(&mut self, amount: usize) -> Result<(), Fault> {
        self.0 = self.0.checked_sub(amount).ok_or(too_large())?;
        Ok(())
    }
}

const fn too_large() -> Fault {
    Fault::new(Raised::Memory, 0, "a result too large to compute here")
}

/// Either kind of number.
enum Number {
    Int(BigInt),
    Float(f64),
}

impl Number {
    fn of(value: &PyValue) -> Option<Self> {
        Some(match value {
            PyValue::Bool(b) => Self::Int(i64::from(*b).into()),
            PyValue::Int(i) => Self::Int((*i).into()),
            PyValue::BigInt(i) => Self::Int((**i).clone()),
            PyValue::Float(x) => Self::Float(*x),
            _ => return None,
        })
    }

    fn float(&self) -> Result<f64, Fault> {
        match self {
            Self::Float(x) => Ok(*x),
            Self::Int(i) => int_to_float(i).ok_or(overflow()),
        }
    }
}

/// The nearest float; `None` if that is infinity.
fn int_to_float(i: &BigInt) -> Option<f64> {
    // Decimal notation is the conversion that rounds correctly.
    let float: f64 = match i64::try_from(i) {
        Ok(small) => small as f64,
        Err(_) => i.to_string().parse().ok()?,
    };
    float.is_finite().then_some(float)
}

const fn overflow() -> Fault {
    Fault::new(Raised::Overflow, 0, "the result is too large for a float")
}

const fn division_by_zero() -> Fault {
    Fault::new(Raised::ZeroDivision, 0, "division by zero")
}

const fn unsupported() -> Fault {
    Fault::new(Raised::Type, 0, "unsupported operand types")
}

/// `left operator right`.
pub(super) fn binary(
    operator: Binary,
    left: PyValue,
    right: PyValue,
    budget: &mut Budget,
) -> Result<PyValue, Fault> {
    if let (Some(a), Some(b)) = (Number::of(&left), Number::of(&right)) {
        let bools = matches!((&left, &right), (PyValue::Bool(_), PyValue::Bool(_)));
        return match (a, b) {
            (Number::Int(a), Number::Int(b)) => integers(operator, &a, &b, bools),
            (a, b) => floats(operator, a.float()?, b.float()?),
        };
    }
    match (operator, left, right) {
        // The last is formatting.
        (_, PyValue::Other { .. }, _) | (_, _, PyValue::Other { .. }) | (Binary::Mod, PyValue::Str(_), _) => {
            Err(not_evaluated())
        }
        (Binary::Add, PyValue::Str(a), PyValue::Str(b)) => Ok(PyValue::Str(a + &b)),
        (Binary::Add, PyValue::List(mut a), PyValue::List(b)) => {
            a.extend(b);
            Ok(PyValue::List(a))
        }
        (Binary::Add, PyValue::Tuple(mut a), PyValue::Tuple(b)) => {
            a.extend(b);
            Ok(PyValue::Tuple(a))
        }
        (Binary::Mul, sequence @ (PyValue::Str(_) | PyValue::List(_) | PyValue::Tuple(_)), count)
        | (Binary::Mul, count, sequence @ (PyValue::Str(_) | PyValue::List(_) | PyValue::Tuple(_))) => {
            repeat(sequence, &count, budget)
        }
        (Binary::BitOr, PyValue::Dict(a), PyValue::Dict(b)) => {
            let mut dict = Dict::default();
            for (key, value) in a.into_iter().chain(b) {
                dict.insert(key, value).ok_or(unsupported())?;
            }
            Ok(dict.finish())
        }
        _ => Err(unsupported()),
    }
}

/// `~value`.
pub(super) fn invert(value: &PyValue) -> Result<PyValue, Fault> {
    match Number::of(value) {
        Some(Number::Int(i)) => Ok(integer(!i)),
        _ => Err(unsupported()),
    }
}

fn repeat(sequence: PyValue, count: &PyValue, budget: &mut Budget) -> Result<PyValue, Fault> {
    let Some(Number::Int(count)) = Number::of(count) else { return Err(unsupported()) };
    let count =
        if count.sign() == Sign::Minus { 0 } else { usize::try_from(&count).map_err(|_| too_large())? };
    budget.spend(weight(&sequence).checked_mul(count).ok_or(too_large())?)?;
    Ok(match sequence {
        PyValue::Str(text) => PyValue::Str(text.repeat(count)),
        PyValue::List(items) => PyValue::List(repeated(&items, count)),
        PyValue::Tuple(items) => PyValue::Tuple(repeated(&items, count)),
        _ => return Err(unsupported()),
    })
}

fn repeated(items: &[PyValue], count: usize) -> Vec<PyValue> {
    // Repeating an empty value gives an empty value.
    let count = if items.is_empty() { 0 } else { count };
    std::iter::repeat_n(items, count).flatten().cloned().collect()
}

/// Characters and elements of a value, all the way down.
fn weight(value: &PyValue) -> usize {
    match value {
        PyValue::Str(text) => text.len(),
        PyValue::List(items) | PyValue::Tuple(items) => items.iter().map(|item| 1 + weight(item)).sum(),
        PyValue::Dict(entries) => entries.iter().map(|(key, value)| 1 + weight(key) + weight(value)).sum(),
        PyValue::BigInt(i) => i.bits() as usize / 64,
        _ => 0,
    }
}

fn integers(operator: Binary, a: &BigInt, b: &BigInt, bools: bool) -> Result<PyValue, Fault> {
    let value = match operator {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => {
            within(a.bits() + b.bits())?;
            a * b
        }
        Binary::FloorDiv | Binary::Mod => {
            let (quotient, rest) = floor_division(a, b)?;
            if operator == Binary::Mod { rest } else { quotient }
        }
        Binary::Div => return true_division(a, b).map(PyValue::Float),
        Binary::Pow => return power(a, b),
        Binary::ShiftLeft | Binary::ShiftRight => return shift(operator, a, b),
        Binary::BitAnd => a & b,
        Binary::BitOr => a | b,
        Binary::BitXor => a ^ b,
        Binary::MatMul => return Err(unsupported()),
    };
    if bools && matches!(operator, Binary::BitAnd | Binary::BitOr | Binary::BitXor) {
        return Ok(PyValue::Bool(value.sign() != Sign::NoSign));
    }
    Ok(integer(value))
}

fn within(bits: u64) -> Result<(), Fault> {
    if bits > MAX_BITS { Err(too_large()) } else { Ok(()) }
}

/// The quotient rounded down, and the remainder, which has the sign of `b`.
fn floor_division(a: &BigInt, b: &BigInt) -> Result<(BigInt, BigInt), Fault> {
    if b.sign() == Sign::NoSign {
        return Err(division_by_zero());
    }
    let (quotient, rest) = (a / b, a % b);
    if rest.sign() != Sign::NoSign && rest.sign() != b.sign() {
        return Ok((quotient - 1, rest + b));
    }
    Ok((quotient, rest))
}

fn true_division(a: &BigInt, b: &BigInt) -> Result<f64, Fault> {
    if b.sign() == Sign::NoSign {
        return Err(division_by_zero());
    }
    if a.bits() <= 53 && b.bits() <= 53 {
        // Both are floats exactly, so that their quotient is rounded once.
        return Ok(int_to_float(a).unwrap_or(0.0) / int_to_float(b).unwrap_or(1.0));
    }
    // A quotient of 64 bits or more, its last bit set if anything was cut off, rounds as the exact one does.
    let shift = (b.bits() + 66).saturating_sub(a.bits());
    let scaled = a << shift;
    let (mut quotient, rest) = (&scaled / b, &scaled % b);
    if rest.sign() != Sign::NoSign {
        let one = BigInt::from(1);
        quotient = if quotient.sign() == Sign::Minus { -(-quotient | one) } else { quotient | one };
    }
    let scaled = int_to_float(&quotient).ok_or(overflow())?;
    let exact = scaled * 2f64.powi(-(shift as i32));
    Ok(exact)
}

fn power(a: &BigInt, b: &BigInt) -> Result<PyValue, Fault> {
    if b.sign() == Sign::Minus {
        let float = |i| int_to_float(i).ok_or(overflow());
        return floats(Binary::Pow, float(a)?, float(b)?);
    }
    if a.bits() <= 1 && a.sign() != Sign::Minus {
        // 0 and 1; only the power 0 of 0 is another number.
        return Ok(if b.sign() == Sign::NoSign { PyValue::Int(1) } else { integer(a.clone()) });
    }
    let exponent = u32::try_from(b).map_err(|_| too_large())?;
    within(a.bits().saturating_mul(u64::from(exponent)))?;
    Ok(integer(a.pow(exponent)))
}

fn shift(operator: Binary, a: &BigInt, b: &BigInt) -> Result<PyValue, Fault> {
    if b.sign() == Sign::Minus {
        return Err(Resolver::fault(Raised::Value, "negative shift count"));
    }
    if operator == Binary::ShiftRight {
        return Ok(integer(a >> u64::try_from(b).unwrap_or(u64::MAX).min(MAX_BITS * 2)));
    }
    if a.sign() == Sign::NoSign {
        return Ok(PyValue::Int(0));
    }
    let by = u64::try_from(b).map_err(|_| too_large())?;
    within(a.bits().saturating_add(by))?;
    Ok(integer(a << by))
}

fn floats(operator: Binary, a: f64, b: f64) -> Result<PyValue, Fault> {
    let divides = matches!(operator, Binary::Div | Binary::FloorDiv | Binary::Mod);
    if divides && b == 0.0 {
        return Err(division_by_zero());
    }
    let value = match operator {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::FloorDiv => float_floor_division(a, b).0,
        Binary::Mod => float_floor_division(a, b).1,
        Binary::Pow => return float_power(a, b),
        _ => return Err(unsupported()),
    };
    Ok(PyValue::Float(value))
}

/// CPython's `float_divmod`: the rest is exact, the quotient comes from it.
fn float_floor_division(a: f64, b: f64) -> (f64, f64) {
    let mut rest = a % b;
    let mut quotient = (a - rest) / b;
    if rest == 0.0 {
        rest = 0f64.copysign(b);
    } else if (b < 0.0) != (rest < 0.0) {
        rest += b;
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return (0f64.copysign(a / b), rest);
    }
    let floor = quotient.floor();
    (if quotient - floor > 0.5 { floor + 1.0 } else { floor }, rest)
}

fn float_power(a: f64, b: f64) -> Result<PyValue, Fault> {
    if a == 0.0 && b < 0.0 {
        return Err(division_by_zero());
    }
    if a < 0.0 && a.is_finite() && b.is_finite() && b.fract() != 0.0 {
        // A complex number.
        return Err(not_evaluated());
    }
    let value = a.powf(b);
    if value.is_infinite() && a.is_finite() && b.is_finite() {
        return Err(overflow());
    }
    Ok(PyValue::Float(value))
}

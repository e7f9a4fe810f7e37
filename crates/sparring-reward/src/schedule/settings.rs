//! The serialised form of a schedule: a number, or a table with a `kind`.

use super::Schedule;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// The kinds that are tables.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Table {
    Linear { from: f64, to: f64 },
    Ramp { from: f64, to: f64, steps: usize },
    Step { before: f64, after: f64, at: usize },
    Sigmoid { from: f64, to: f64, slope: f64, middle: f64 },
    Cosine { from: f64, to: f64 },
}

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::Constant(value) => serializer.serialize_f64(value),
            Self::Linear { from, to } => Table::Linear { from, to }.serialize(serializer),
            Self::Ramp { from, to, steps } => Table::Ramp { from, to, steps }.serialize(serializer),
            Self::Step { before, after, at } => Table::Step { before, after, at }.serialize(serializer),
            Self::Sigmoid { from, to, slope, middle } => {
                Table::Sigmoid { from, to, slope, middle }.serialize(serializer)
            }
            Self::Cosine { from, to } => Table::Cosine { from, to }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberOrTable)
    }
}

struct NumberOrTable;

impl<'de> Visitor<'de> for NumberOrTable {
    type Value = Schedule;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a schedule with a `kind`")
    }

    fn visit_f64<E>(self, value: f64) -> Result<Schedule, E> {
        Ok(Schedule::Constant(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Schedule, E> {
        Ok(Schedule::Constant(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Schedule, E> {
        Ok(Schedule::Constant(value as f64))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Schedule, A::Error> {
        Ok(match Table::deserialize(MapAccessDeserializer::new(map))? {
            Table::Linear { from, to } => Schedule::Linear { from, to },
            Table::Ramp { from, to, steps } => Schedule::Ramp { from, to, steps },
            Table::Step { before, after, at } => Schedule::Step { before, after, at },
            Table::Sigmoid { from, to, slope, middle } => Schedule::Sigmoid { from, to, slope, middle },
            Table::Cosine { from, to } => Schedule::Cosine { from, to },
        })
    }
}

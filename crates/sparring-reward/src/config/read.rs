//! Reads settings by their `kind`. If the kind comes first, no buffer is needed, and errors keep the line and path that
//! the file format gives them.

use super::kinds::LibraryKind;
use super::{CustomKind, RewardConfig};
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, EnumAccess, Error, IntoDeserializer, MapAccess, VariantAccess, Visitor,
};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};
use serde_json::{Map, Value};
use std::fmt;

/// The field that names the kind.
const KIND: &str = "kind";

impl<'de> Deserialize<'de> for RewardConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Table)
    }
}

struct Table;

impl<'de> Visitor<'de> for Table {
    type Value = RewardConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reward: a table with a `kind`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<RewardConfig, A::Error> {
        let mut next: Option<String> = fields.next_key()?;
        if next.as_deref() == Some(KIND) {
            let kind = fields.next_value()?;
            return by_kind(kind, fields);
        }
        // The kind comes later: the line is lost, and the path goes into the message.
        let mut table = Map::new();
        while let Some(key) = next {
            table.insert(key, fields.next_value()?);
            next = fields.next_key()?;
        }
        if !table.contains_key(KIND) {
            return Err(Error::missing_field(KIND));
        }
        read(Value::Object(table)).map_err(|(path, what)| Error::custom(place(&path, &what)))
    }
}

/// Reads the settings of a kind.
fn by_kind<'de, A: MapAccess<'de>>(kind: String, fields: A) -> Result<RewardConfig, A::Error> {
    if kinds().contains(&kind.as_str()) {
        LibraryKind::deserialize(Tagged { kind, fields })
    } else {
        let settings = Map::deserialize(MapAccessDeserializer::new(fields))?;
        Ok(RewardConfig::Custom(CustomKind { kind, settings }))
    }
}

/// Reads settings from a tree; an error is a path and a message.
pub(crate) fn read<S: DeserializeOwned>(tree: Value) -> Result<S, (String, String)> {
    serde_path_to_error::deserialize(kind_first(tree)).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { String::new() } else { path };
        (path, error.into_inner().to_string())
    })
}

/// Returns `path: what`, or `what` if the path is empty.
pub(crate) fn place(path: &str, what: &str) -> String {
    if path.is_empty() { what.to_owned() } else { format!("{path}: {what}") }
}

/// Moves the `kind` of each table to its front.
fn kind_first(tree: Value) -> Value {
    match tree {
        Value::Object(mut table) => {
            let kind = table.remove_entry(KIND);
            Value::Object(
                kind.into_iter().chain(table).map(|(key, value)| (key, kind_first(value))).collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(kind_first).collect()),
        scalar => scalar,
    }
}

/// A table whose kind was read, in the form that a derived enum expects: the variant, then its fields.
struct Tagged<A> {
    kind: String,
    fields: A,
}

impl<'de, A: MapAccess<'de>> Deserializer<'de> for Tagged<A> {
    type Error = A::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_enum(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, A: MapAccess<'de>> EnumAccess<'de> for Tagged<A> {
    type Error = A::Error;
    type Variant = Fields<A>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Fields<A>), A::Error> {
        Ok((seed.deserialize(self.kind.into_deserializer())?, Fields(self.fields)))
    }
}

/// The fields after the kind.
struct Fields<A>(A);

impl<'de, A: MapAccess<'de>> VariantAccess<'de> for Fields<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        Err(Error::custom("every kind has settings"))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        seed.deserialize(MapAccessDeserializer::new(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_map(self.0)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        visitor.visit_map(self.0)
    }
}

/// Returns the names of the library's kinds, as its derived deserialiser knows them.
pub(super) fn kinds() -> &'static [&'static str] {
    let asked = LibraryKind::deserialize(StrDeserializer::<Known>::new(""));
    asked.err().map_or(&[], |Known(names)| names)
}

/// An error that keeps the expected names.
#[derive(Debug)]
struct Known(&'static [&'static str]);

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

impl std::error::Error for Known {}

impl Error for Known {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(&[])
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self(expected)
    }
}

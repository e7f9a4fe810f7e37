//! How much work a validator would have.
//!
//! References let a small schema ask for the same check again and again: a chain of definitions each of which mentions
//! the next one twice doubles the work with every step. The number of checks is known without making them, since how
//! often a schema meets a value can be added up along the references, each pair once.

use jsonschema::{Draft, Registry, Uri};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Most checks of one value.
const MOST: u64 = 1_000_000;

/// Deepest nesting of schemas that are applied to a value and its parts.
const DEEPEST: usize = 1_000;

const BASE: &str = "urn:document";

/// A schema document whose references can be followed.
#[derive(Debug)]
pub(super) struct Bounds {
    registry: Registry<'static>,
    base: Uri<String>,
}

impl Bounds {
    /// Returns the document if the work could be more than the product of the sizes of the schema and the value.
    pub(super) fn new(document: &Value) -> Option<Self> {
        if !repeats(document) {
            return None;
        }
        let base = jsonschema::uri::from_str(BASE).ok()?;
        let registry =
            Registry::new().draft(Draft::Draft202012).add(BASE, document.clone()).ok()?.prepare().ok()?;
        Some(Self { registry, base })
    }

    /// Says why this value cannot be checked in reasonable time.
    pub(super) fn allow(&self, value: &Value) -> Result<(), String> {
        let mut count = Count { registry: &self.registry, known: HashMap::new() };
        count.reference("#", &self.base, Instance::Value(value), 0).map(drop).map_err(|why| match why {
            Excess::Endless => "it refers to itself without end".to_owned(),
            Excess::Deep => format!("it is nested more than {DEEPEST} deep"),
            Excess::Many => {
                format!("its references repeat so often that this value would need more than {MOST} checks")
            }
        })
    }
}

/// Returns whether a schema can be applied to a value in more than one way, by a reference or to see what is left.
fn repeats(document: &Value) -> bool {
    match document {
        Value::Object(map) => map.iter().any(|(key, value)| {
            matches!(key.as_str(), "$ref" | "$dynamicRef" | "unevaluatedItems" | "unevaluatedProperties")
                || repeats(value)
        }),
        Value::Array(items) => items.iter().any(repeats),
        _ => false,
    }
}

/// Why a value cannot be checked.
enum Excess {
    Endless,
    Deep,
    Many,
}

/// What a schema is applied to.
#[derive(Clone, Copy)]
enum Instance<'a> {
    Value(&'a Value),
    Name(&'a str),
}

impl<'a> Instance<'a> {
    fn address(self) -> usize {
        match self {
            Self::Value(value) => std::ptr::from_ref(value).addr(),
            Self::Name(name) => name.as_ptr().addr(),
        }
    }

    fn object(self) -> Option<&'a Map<String, Value>> {
        match self {
            Self::Value(value) => value.as_object(),
            Self::Name(_) => None,
        }
    }

    fn list(self) -> &'a [Value] {
        match self {
            Self::Value(Value::Array(list)) => list,
            _ => &[],
        }
    }
}

struct Count<'a> {
    registry: &'a Registry<'a>,
    /// The number of checks of a schema and a value; `None` while it is being counted.
    known: HashMap<(usize, usize), Option<u64>>,
}

impl<'a> Count<'a> {
    /// Counts the checks of a schema, whose references are relative to `base`, and a value.
    fn of(
        &mut self,
        schema: &'a Value,
        base: &Uri<String>,
        value: Instance<'a>,
        depth: usize,
    ) -> Result<u64, Excess> {
        let Value::Object(keywords) = schema else { return Ok(1) };
        let pair = (std::ptr::from_ref(schema).addr(), value.address());
        match self.known.get(&pair) {
            Some(Some(n)) => return Ok(*n),
            Some(None) => return Err(Excess::Endless),
            None if depth > DEEPEST => return Err(Excess::Deep),
            None => drop(self.known.insert(pair, None)),
        }
        let inner = keywords.get("$id").and_then(Value::as_str).and_then(|id| self.resolved(base, id));
        let base = inner.as_ref().unwrap_or(base);
        let mut n = self.in_place(keywords, base, value, depth)?;
        if keywords.keys().any(|key| key.starts_with("unevaluated")) {
            // To see what is left, everything else is evaluated once more.
            n = n.saturating_mul(2);
        }
        n = n.saturating_add(self.inside(keywords, base, value, depth)?).saturating_add(1);
        // Every pair is checked at least once.
        if n > MOST || self.known.len() as u64 > MOST {
            return Err(Excess::Many);
        }
        self.known.insert(pair, Some(n));
        Ok(n)
    }

    fn resolved(&self, base: &Uri<String>, id: &str) -> Option<Uri<String>> {
        Some((*self.registry.resolve_uri(&base.borrow(), id).ok()?).clone())
    }

    /// Counts the checks of schemas that apply to the same value.
    fn in_place(
        &mut self,
        keywords: &'a Map<String, Value>,
        base: &Uri<String>,
        value: Instance<'a>,
        depth: usize,
    ) -> Result<u64, Excess> {
        let mut n = 0_u64;
        for (key, part) in keywords {
            let more = match (key.as_str(), part) {
                ("$ref" | "$dynamicRef", Value::String(target)) => {
                    self.reference(target, base, value, depth)?
                }
                ("allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => {
                    self.sum(schemas.iter().map(|schema| (schema, value)), base, depth)?
                }
                ("not" | "if" | "then" | "else", schema) => self.of(schema, base, value, depth + 1)?,
                ("dependentSchemas", Value::Object(schemas)) => {
                    self.sum(schemas.values().map(|schema| (schema, value)), base, depth)?
                }
                _ => 0,
            };
            n = n.saturating_add(more);
        }
        Ok(n)
    }

    fn reference(
        &mut self,
        target: &str,
        base: &Uri<String>,
        value: Instance<'a>,
        depth: usize,
    ) -> Result<u64, Excess> {
        // The validator reports a reference that leads nowhere.
        let Ok(found) = self.registry.resolver(base.clone()).lookup(target) else { return Ok(1) };
        let (schema, base) = (found.contents(), found.resolver().base_uri());
        self.of(schema, &base, value, depth + 1)
    }

    /// Counts the checks of schemas that apply to parts of the value.
    fn inside(
        &mut self,
        keywords: &'a Map<String, Value>,
        base: &Uri<String>,
        value: Instance<'a>,
        depth: usize,
    ) -> Result<u64, Excess> {
        let mut n = 0_u64;
        for (key, part) in keywords {
            let more = match (key.as_str(), value.object(), part) {
                ("properties", Some(object), Value::Object(properties)) => {
                    let pairs =
                        properties.iter().filter_map(|(name, schema)| Some((schema, object.get(name)?)));
                    self.sum(pairs.map(|(schema, value)| (schema, Instance::Value(value))), base, depth)?
                }
                ("patternProperties", Some(object), Value::Object(patterns)) => {
                    let pairs = patterns
                        .values()
                        .flat_map(|schema| object.values().map(move |value| (schema, value)));
                    self.sum(pairs.map(|(schema, value)| (schema, Instance::Value(value))), base, depth)?
                }
                ("additionalProperties" | "unevaluatedProperties", Some(object), schema) => {
                    self.sum(object.values().map(|value| (schema, Instance::Value(value))), base, depth)?
                }
                ("propertyNames", Some(object), schema) => {
                    self.sum(object.keys().map(|name| (schema, Instance::Name(name))), base, depth)?
                }
                ("prefixItems", None, Value::Array(schemas)) => {
                    let pairs = schemas.iter().zip(value.list());
                    self.sum(pairs.map(|(schema, value)| (schema, Instance::Value(value))), base, depth)?
                }
                ("items" | "contains" | "unevaluatedItems", None, schema) => {
                    self.sum(value.list().iter().map(|value| (schema, Instance::Value(value))), base, depth)?
                }
                _ => 0,
            };
            n = n.saturating_add(more);
        }
        Ok(n)
    }

    fn sum(
        &mut self,
        mut pairs: impl Iterator<Item = (&'a Value, Instance<'a>)>,
        base: &Uri<String>,
        depth: usize,
    ) -> Result<u64, Excess> {
        pairs.try_fold(0_u64, |n, (schema, value)| {
            Ok(n.saturating_add(self.of(schema, base, value, depth + 1)?))
        })
    }
}

//! Functions that every template may call.

use super::clock;
use super::filters::items;
use super::operators::invalid;
use minijinja::value::{Object, ObjectRepr, Rest, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

pub(super) fn register(environment: &mut Environment<'_>) {
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("strftime_now", clock::strftime_now);
    environment.add_function("cycler", cycler);
    environment.add_function("joiner", joiner);
    environment.add_global("dict", Value::from_object(Dict));
}

fn raise_exception(message: String) -> Result<String, Error> {
    Err(invalid(message))
}

/// `dict`, which is called, or asked for `fromkeys`.
#[derive(Debug)]
struct Dict;

impl Object for Dict {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let mut pairs: Vec<(Value, Value)> = Vec::new();
        let mut put = |key: Value, value: Value| match pairs.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => pairs.push((key, value)),
        };
        for arg in args {
            if arg.kind() == ValueKind::Map {
                for key in arg.try_iter()? {
                    let value = arg.get_item(&key)?;
                    put(key, value);
                }
            } else {
                for pair in arg.try_iter()? {
                    put(pair.get_item_by_index(0)?, pair.get_item_by_index(1)?);
                }
            }
        }
        Ok(Value::from_pairs(pairs))
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match (method, args) {
            ("fromkeys", [keys]) => Ok(Value::from_pairs(items(keys)?.map(|key| (key, Value::from(()))))),
            ("fromkeys", [keys, value]) => {
                Ok(Value::from_pairs(items(keys)?.map(|key| (key, value.clone()))))
            }
            _ => Err(ErrorKind::UnknownMethod.into()),
        }
    }
}

/// Goes round its items: `next()`, `reset()` and `current`.
#[derive(Debug)]
struct Cycler {
    items: Vec<Value>,
    at: AtomicUsize,
}

fn cycler(items: Rest<Value>) -> Result<Value, Error> {
    if items.is_empty() {
        return Err(invalid("cycler needs at least one item"));
    }
    // An object in an object in an object could not be dropped: their depth is not seen from outside.
    if let Some(item) = items.iter().find(|item| item.as_object().is_some()) {
        return Err(invalid(format!("cycler goes round texts and numbers, not a {}", item.kind())));
    }
    Ok(Value::from_object(Cycler { items: items.to_vec(), at: 0.into() }))
}

impl Object for Cycler {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let at = self.at.load(Relaxed);
        (key.as_str() == Some("current")).then(|| self.items[at % self.items.len()].clone())
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        _: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "next" => Ok(self.items[self.at.fetch_add(1, Relaxed) % self.items.len()].clone()),
            "reset" => {
                self.at.store(0, Relaxed);
                Ok(Value::from(()))
            }
            _ => Err(ErrorKind::UnknownMethod.into()),
        }
    }
}

/// Is empty when it is called first, and the separator from then on.
#[derive(Debug)]
struct Joiner {
    separator: String,
    used: AtomicBool,
}

fn joiner(separator: Option<Value>) -> Result<Value, Error> {
    let given = separator.map(|separator| separator.as_str().map(str::to_owned));
    let separator = given.unwrap_or_else(|| Some(", ".to_owned()));
    let separator = separator.ok_or_else(|| invalid("joiner: the separator is not a string"))?;
    Ok(Value::from_object(Joiner { separator, used: false.into() }))
}

impl Object for Joiner {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, _: &[Value]) -> Result<Value, Error> {
        Ok(Value::from(if self.used.swap(true, Relaxed) { self.separator.as_str() } else { "" }))
    }
}

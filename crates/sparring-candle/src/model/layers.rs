//! How the attention of one layer differs from that of another: its window, and whether it turns.

use super::config::{MOST_LAYERS, ModelConfig};
use super::family::{ModelFamily, Windows};
use super::json::Fields;
use serde_json::{Map, Value, json};
use sparring_core::PolicyError;

const TYPES: &str = "layer_types";
const SLIDES: &str = "sliding_attention";
const FULL: &str = "full_attention";
const WINDOW: &str = "sliding_window";
const SWITCH: &str = "use_sliding_window";
const TURNS: &str = "no_rope_layers";
/// The first layer with a window, in Qwen's files; the default is that of `transformers`.
const FIRST: (&str, usize) = ("max_window_layers", 28);
/// Each how manieth layer does not turn, and has no window.
const STILL: (&str, usize) = ("no_rope_layer_interval", 4);
const WHOLE: (&str, usize) = ("sliding_window_pattern", 6);

/// The attention of one layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LayerKind {
    /// Whether it sees only the last [`ModelConfig::sliding_window`] positions.
    pub slides: bool,
    /// Whether queries and keys have a rotary embedding; without one (arXiv:2305.19466) the order of tokens is seen
    /// through the causal mask alone.
    pub turns: bool,
}

impl Default for LayerKind {
    /// A layer that sees all positions before it, and turns.
    fn default() -> Self {
        Self { slides: false, turns: true }
    }
}

/// Whether layer `i` is one of each `n`-th.
fn is_nth(i: usize, n: usize) -> bool {
    (i + 1).is_multiple_of(n)
}

impl ModelConfig {
    /// The kinds of a family's layers where nothing else is said.
    pub(super) fn default_layers(family: ModelFamily, layers: usize) -> Vec<LayerKind> {
        let traits = family.traits();
        let turns = |i| !(traits.may_not_turn && is_nth(i, STILL.1));
        let slides = |i| match traits.windows {
            Windows::All => true,
            Windows::Pattern => !is_nth(i, WHOLE.1),
            Windows::Never | Windows::After | Windows::Unturned => false,
        };
        // More are refused by their number.
        (0..layers.min(MOST_LAYERS)).map(|i| LayerKind { slides: slides(i), turns: turns(i) }).collect()
    }

    /// Reads windows and kinds of the layers from `config.json`.
    pub(super) fn read_layers(mut self, fields: Fields<'_>) -> Result<Self, PolicyError> {
        let (traits, layers) = (self.family.traits(), self.num_hidden_layers);
        let switched = matches!(traits.windows, Windows::After | Windows::Unturned);
        let has_windows = traits.windows != Windows::Never && (!switched || is_on(fields)?);
        self.sliding_window = match fields.map.get(WINDOW) {
            _ if !has_windows => None,
            None => traits.defaults.window,
            Some(_) => fields.count(WINDOW)?,
        };
        let turns = if traits.may_not_turn { read_turns(fields, layers)? } else { vec![true; layers] };
        let slides = match traits.windows {
            Windows::Never => vec![false; layers],
            Windows::All => vec![true; layers],
            windows => match read_types(fields, layers)? {
                Some(slides) => slides,
                None => missing_types(fields, windows, &turns)?,
            },
        };
        let kinds = slides.into_iter().zip(turns);
        // Windows that are switched off are none.
        let off = switched && self.sliding_window.is_none();
        let slides = |slides: bool| slides && !off;
        self.layer_kinds = kinds.map(|(s, turns)| LayerKind { slides: slides(s), turns }).collect();
        Ok(self)
    }

    /// The fields that [`ModelConfig::read_layers`] reads.
    pub(super) fn write_layers(&self, map: &mut Map<String, Value>) {
        let (traits, kinds) = (self.family.traits(), (0..self.num_hidden_layers).map(|i| self.layer(i)));
        if traits.windows != Windows::Never {
            map.insert(WINDOW.to_owned(), json!(self.sliding_window));
        }
        if matches!(traits.windows, Windows::After | Windows::Unturned) {
            map.insert(SWITCH.to_owned(), json!(self.sliding_window.is_some()));
        }
        let types = match traits.windows {
            Windows::Never | Windows::All => false,
            Windows::After | Windows::Unturned => self.sliding_window.is_some(),
            Windows::Pattern => true,
        };
        if types {
            let types = kinds.clone().map(|kind| if kind.slides { SLIDES } else { FULL });
            map.insert(TYPES.to_owned(), types.collect());
        } else {
            map.shift_remove(TYPES);
        }
        if traits.may_not_turn {
            map.insert(TURNS.to_owned(), kinds.map(|kind| u8::from(kind.turns)).collect());
        }
    }

    /// The problem of the layers' kinds, if any.
    pub(super) fn layers_fault(&self) -> Option<(&'static str, &'static str)> {
        let traits = self.family.traits();
        let all = || (0..self.num_hidden_layers).map(|i| self.layer(i));
        if self.sliding_window == Some(0) {
            return Some((WINDOW, "must be at least 1: a token sees itself"));
        }
        if traits.windows == Windows::Never && self.sliding_window.is_some() {
            return Some((WINDOW, "is set, but models of this family have no window"));
        }
        let has_window = self.sliding_window.is_some();
        if traits.windows == Windows::All && has_window && !all().all(|kind| kind.slides) {
            return Some((
                TYPES,
                "has a layer without a window, but all layers of this family have the same",
            ));
        }
        if !traits.may_not_turn && !all().all(|kind| kind.turns) {
            return Some((TURNS, "has a layer that does not turn, but all layers of this family do"));
        }
        None
    }

    /// The kind of a layer.
    pub(crate) fn layer(&self, layer: usize) -> LayerKind {
        self.layer_kinds.get(layer).copied().unwrap_or_default()
    }

    /// How many positions a token of a layer sees at most, itself among them.
    pub(crate) fn window(&self, layer: usize) -> usize {
        self.sliding_window.filter(|_| self.layer(layer).slides).unwrap_or(usize::MAX)
    }
}

/// Whether windows are switched on.
fn is_on(fields: Fields<'_>) -> Result<bool, PolicyError> {
    Ok(fields.flag(SWITCH)?.unwrap_or(false))
}

/// Which layers turn: 1 in the list.
fn read_turns(fields: Fields<'_>, layers: usize) -> Result<Vec<bool>, PolicyError> {
    let Some(list) = read_list(fields, TURNS, layers)? else {
        let each = fields.count(STILL.0)?.unwrap_or(STILL.1);
        return Ok((0..layers).map(|i| !is_nth(i, each)).collect());
    };
    let turns = |value: &Value| match value.as_u64() {
        Some(turns @ 0..=1) => Ok(turns == 1),
        _ => {
            Err(fields.bad(TURNS, format_args!("holds {value}; it must hold 1 for layers that turn, and 0")))
        }
    };
    list.iter().take(layers).map(turns).collect()
}

/// Which layers slide, if the file says it layer by layer.
fn read_types(fields: Fields<'_>, layers: usize) -> Result<Option<Vec<bool>>, PolicyError> {
    let Some(list) = read_list(fields, TYPES, layers)? else { return Ok(None) };
    let slides = |value: &Value| match value.as_str() {
        Some(SLIDES) => Ok(true),
        Some(FULL) => Ok(false),
        _ => {
            let why = format_args!("holds {value}; this backend knows \"{FULL}\" and \"{SLIDES}\"");
            Err(fields.bad(TYPES, why))
        }
    };
    list.iter().take(layers).map(slides).collect::<Result<_, _>>().map(Some)
}

/// Which layers slide, by the rule of the family.
fn missing_types(fields: Fields<'_>, windows: Windows, turns: &[bool]) -> Result<Vec<bool>, PolicyError> {
    let layers = 0..turns.len();
    Ok(match windows {
        Windows::After => {
            let first = match fields.get(FIRST.0) {
                None => FIRST.1 as u64,
                Some(value) => value.as_u64().ok_or_else(|| {
                    fields.bad(FIRST.0, format_args!("is {value}; it must be a whole number"))
                })?,
            };
            layers.map(|i| i as u64 >= first).collect()
        }
        Windows::Pattern => {
            let each = fields.count(WHOLE.0)?.unwrap_or(WHOLE.1);
            layers.map(|i| !is_nth(i, each)).collect()
        }
        _ => turns.iter().map(|turns| !turns).collect(),
    })
}

/// A list with an entry for each layer, if present.
fn read_list<'a>(
    fields: Fields<'a>,
    field: &str,
    layers: usize,
) -> Result<Option<&'a Vec<Value>>, PolicyError> {
    let Some(value) = fields.get(field) else { return Ok(None) };
    let list = value.as_array().ok_or_else(|| fields.bad(field, "must be a list"))?;
    if list.len() < layers {
        let why = format_args!("has {} entries, but the model has {layers} layers", list.len());
        return Err(fields.bad(field, why));
    }
    Ok(Some(list))
}

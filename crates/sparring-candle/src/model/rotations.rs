//! The rotary embedding of a model in `config.json`: base, scaling, share of a head, and what windowed layers have.

use super::config::ModelConfig;
use super::family::ModelFamily;
use super::json::Fields;
use super::rotary::RopeScaling;
use serde_json::{Map, Value, json};
use sparring_core::PolicyError;

const NEW: &str = "rope_parameters";
/// The older layout. Where a file has both, this one is used, as in `transformers`: model cards instruct users to add
/// it.
const OLD: &str = "rope_scaling";
const PARTIAL: &str = "partial_rotary_factor";
const ORIGINAL: &str = "original_max_position_embeddings";
const LOCAL_THETA: &str = "rope_local_base_freq";
/// Where layers within a window have a rotation of their own, both are parts of [`NEW`].
const FULL: &str = "full_attention";
const LOCAL: &str = "sliding_attention";

/// What is read.
#[derive(Debug)]
pub(super) struct Rotations {
    pub(super) theta: f64,
    pub(super) scaling: RopeScaling,
    pub(super) local_theta: Option<f64>,
    pub(super) partial: f64,
}

impl Rotations {
    pub(super) fn read(
        family: ModelFamily,
        fields: Fields<'_>,
        max_positions: usize,
    ) -> Result<Self, PolicyError> {
        let traits = family.traits();
        let original = fields.count(ORIGINAL)?;
        let mut theta = fields.positive("rope_theta")?;
        let mut partial = fields.positive(PARTIAL)?;
        let mut scaling = RopeScaling::Plain;
        for field in [NEW, OLD] {
            let Some(rope) = fields.object(field)? else { continue };
            let rope = if traits.local_rotation { rope.object(FULL)?.unwrap_or(rope) } else { rope };
            theta = rope.positive("rope_theta")?.or(theta);
            partial = rope.positive(PARTIAL)?.or(partial);
            scaling = RopeScaling::read(rope, max_positions, original)?;
        }
        let partial = partial.unwrap_or(1.0);
        if partial < 1.0 && !traits.partial_rotation {
            return Err(fields.bad(PARTIAL, "is below 1; this backend rotates whole heads of this family"));
        }
        let local_theta = if traits.local_rotation { Some(local_theta(fields)?) } else { None };
        Ok(Self { theta: theta.unwrap_or(traits.defaults.theta), scaling, local_theta, partial })
    }
}

/// The base of the frequencies of layers within a window, which are not scaled.
fn local_theta(fields: Fields<'_>) -> Result<f64, PolicyError> {
    let old = fields.positive(LOCAL_THETA)?.unwrap_or(10_000.0);
    let new = fields.object(NEW)?.map(|rope| rope.object(LOCAL)).transpose()?.flatten();
    let Some(local) = new else { return Ok(old) };
    if let Some(kind) = local.text("rope_type")?.filter(|kind| *kind != "default") {
        let why = format_args!("of {LOCAL} is \"{kind}\"; this backend knows \"default\" there");
        return Err(local.bad("rope_type", why));
    }
    Ok(local.positive("rope_theta")?.unwrap_or(old))
}

impl ModelConfig {
    /// The fields that [`Rotations::read`] reads.
    pub(super) fn write_rotations(&self, map: &mut Map<String, Value>) {
        let traits = self.family.traits();
        let mut rope = self.rope_scaling.to_json(self.rope_theta);
        if traits.partial_rotation {
            rope.insert(PARTIAL.to_owned(), json!(self.partial_rotary_factor));
            map.insert(PARTIAL.to_owned(), json!(self.partial_rotary_factor));
        }
        if let Some(original) = self.rope_scaling.longest_sequence() {
            map.insert(ORIGINAL.to_owned(), json!(original));
        }
        // For programs that know only the older layout.
        if self.rope_scaling == RopeScaling::Plain {
            map.shift_remove(OLD);
        } else {
            map.insert(OLD.to_owned(), Value::Object(rope.clone()));
        }
        let rope = match self.rope_local_theta {
            Some(theta) => {
                map.insert(LOCAL_THETA.to_owned(), json!(theta));
                json!({FULL: rope, LOCAL: RopeScaling::Plain.to_json(theta)})
            }
            None => Value::Object(rope),
        };
        map.insert(NEW.to_owned(), rope);
    }
}

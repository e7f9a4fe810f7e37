//! The layout of a row: layer after layer, then the output of the last.

use crate::model::ModelConfig;
use std::ops::Range;

/// The recorded parts of a row in each layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The layer's input: hidden.
    Input,
    /// Queries, keys and values before norms and rotation: (heads + 2·kv_heads)·head_dim.
    Qkv,
    /// Attention's output before the output matrix: heads·head_dim.
    Attended,
    /// log Σ exp(score) of each head.
    Lse,
    /// The residual stream between attention and feed-forward: hidden.
    Middle,
}

impl Part {
    /// In the order of their numbers.
    const ALL: [Self; 5] = [Self::Input, Self::Qkv, Self::Attended, Self::Lse, Self::Middle];

    fn width(self, config: &ModelConfig) -> usize {
        match self {
            Self::Input | Self::Middle => config.hidden_size,
            Self::Qkv => config.qkv_width(),
            Self::Attended => config.query_width(),
            Self::Lse => config.num_attention_heads,
        }
    }
}

/// The layout of a row.
#[derive(Debug)]
pub(super) struct RowLayout {
    /// Each part's place in a layer, in the order of [`Part::ALL`].
    parts: [Range<usize>; 5],
    /// Numbers of a layer.
    layer: usize,
    /// Offset of the output of the last layer.
    output: Range<usize>,
}

impl RowLayout {
    pub(super) fn new(config: &ModelConfig) -> Self {
        let mut layer = 0;
        let place = |part: Part| {
            let from = layer;
            layer += part.width(config);
            from..layer
        };
        let parts = Part::ALL.map(place);
        let layers = layer * config.num_hidden_layers;
        Self { parts, layer, output: layers..layers + config.hidden_size }
    }

    /// Numbers of a row.
    pub(super) fn len(&self) -> usize {
        self.output.end
    }

    pub(super) fn part(&self, layer: usize, part: Part) -> Range<usize> {
        let place = &self.parts[part as usize];
        layer * self.layer + place.start..layer * self.layer + place.end
    }

    pub(super) fn output(&self) -> Range<usize> {
        self.output.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fill_a_row_and_do_not_overlap() {
        let config = ModelConfig::qwen2(10, 6, 3, 2, 7).with_kv_heads(1);
        let layout = RowLayout::new(&config);
        let mut places: Vec<_> =
            (0..3).flat_map(|layer| Part::ALL.map(|part| layout.part(layer, part))).collect();
        places.push(layout.output());
        let mut at = 0;
        for place in places {
            assert_eq!(place.start, at);
            at = place.end;
        }
        assert_eq!(at, layout.len());
        assert_eq!(layout.len(), 3 * (6 + 12 + 6 + 2 + 6) + 6);
    }
}

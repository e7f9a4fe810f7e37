//! Model backend: a trainable Qwen2 decoder, its sampler, AdamW and checkpoints.

//! Advantages, losses with their gradients, and the update driver of GRPO.

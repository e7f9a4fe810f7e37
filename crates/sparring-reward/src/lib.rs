//! Reward components, schedules and composition.

//! A plan is what `build` makes of settings, after it checked them.
use sparring_selfplay::{SelfPlayConfig, SelfPlayPlan};

fn plan() -> SelfPlayPlan {
    SelfPlayConfig::default()
}

fn main() {}

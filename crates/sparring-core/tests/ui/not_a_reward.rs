//! A bare function is not a reward: the message says how to make one of it.
use sparring_core::{Reward, Rollout};

fn score(_: &str, _: &Rollout) -> Option<f32> {
    Some(1.0)
}

fn takes_reward(_: impl Reward<str>) {}

fn main() {
    // Not a closure: its type would be told by its path, and long paths change the compiler's words.
    takes_reward(score);
}

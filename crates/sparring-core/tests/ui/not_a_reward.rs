//! A bare function is not a reward: the message says how to wrap it.
use sparring_core::{Reward, Rollout};

fn score(_: &str, _: &Rollout) -> Option<f32> {
    Some(1.0)
}

fn takes_reward(_: impl Reward<str>) {}

fn main() {
    // Not a closure: the compiler names its type by its path, and long paths change the message.
    takes_reward(score);
}

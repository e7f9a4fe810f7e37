//! A bare closure is not a reward: the message says how to make one of it.
use sparring_core::{Reward, Rollout};

fn takes_reward(_: impl Reward<str>) {}

fn main() {
    takes_reward(|_: &str, _: &Rollout| Some(1.0));
}

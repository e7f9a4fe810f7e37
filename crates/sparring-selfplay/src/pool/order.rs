use super::{Origin, PoolTask};
use crate::Order;
use rand::seq::SliceRandom;
use sparring_core::Seed;

/// Puts tasks into training order.
///
/// [`Order::EasyToHard`] sorts by falling solve rate; tasks of equal rates are in random order, so that strata mix.
/// Derived tasks are evenly spaced among the others. Their solve rate depends less on the task than on the Solver
/// (whether it ever declines to call), and would put all of them at the end, after a training that only rewarded calls.
pub fn order_tasks<T>(tasks: &mut Vec<PoolTask<T>>, order: Order, seed: Seed) {
    match order {
        Order::AsIs => tasks.sort_by_key(|t| t.candidate),
        Order::Shuffled => tasks.shuffle(&mut seed.rng()),
        Order::EasyToHard => {
            tasks.shuffle(&mut seed.rng());
            tasks.sort_by(|a, b| b.solve_rate.total_cmp(&a.solve_rate));
            let (derived, others): (Vec<_>, Vec<_>) =
                std::mem::take(tasks).into_iter().partition(|t| t.origin == Origin::Derived);
            *tasks = spread(derived, others);
        }
    }
}

/// Both lists in their order, with the entries of `few` evenly spaced among those of `many`.
fn spread<T>(few: Vec<T>, many: Vec<T>) -> Vec<T> {
    let (n, total) = (few.len(), few.len() + many.len());
    let (mut few, mut many) = (few.into_iter(), many.into_iter());
    (0..total)
        .filter_map(|i| if (i + 1) * n / total > i * n / total { few.next() } else { many.next() })
        .collect()
}

/// Which task of an ordered pool of `len` each of `slots` training slots takes.
///
/// The slots make ⌈slots / len⌉ passes, each in pool order. A pass with fewer slots than tasks takes evenly spaced
/// tasks, so that a short training covers the whole range of difficulty. Empty for an empty pool.
///
/// ```
/// use sparring_selfplay::training_slots;
/// assert_eq!(training_slots(6, 3), [0, 2, 4]);
/// assert_eq!(training_slots(2, 5), [0, 1, 0, 1, 0]);
/// ```
pub fn training_slots(len: usize, slots: usize) -> Vec<usize> {
    if len == 0 {
        return Vec::new();
    }
    let rest = slots % len;
    let whole = (0..slots / len).flat_map(|_| 0..len);
    whole.chain((0..rest).map(|k| k * len / rest)).collect()
}

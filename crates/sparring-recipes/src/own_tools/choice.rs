//! The tasks of one of the Solver's updates, all with one menu.

use super::plan::menu;
use super::{Catalogue, PlanConfig, Request};
use rand::Rng;
use rand::seq::SliceRandom;
use sparring_core::Seed;

/// Chooses `n` tasks of the pool, and gives all the same menu, so that their prompts begin alike.
///
/// Every tool leads a menu equally often. The tasks that call tools of the menu are divided among its tools; the share
/// `plan.no_call` of the tasks calls other tools: with this menu, declining is right for them. Where the pool has no
/// tasks of one sort, there are more of the other.
pub(super) fn of_one_menu(
    catalogue: &Catalogue,
    plan: &PlanConfig,
    pool: &[&Request],
    n: usize,
    update: u64,
    seed: Seed,
) -> Vec<(usize, Request)> {
    let mut rng = seed.rng();
    let tools = catalogue.tools();
    let leader = (update % tools.len() as u64) as usize;
    // A menu of all tools leaves nothing to decline.
    let size = rng.random_range(plan.menu_from..=plan.menu_to.min(tools.len()).max(plan.menu_from));
    let names = menu(catalogue, &[leader], size, &mut rng);
    let on_menu = |name: &str| names.iter().any(|known| known == name);
    // For each tool of the menu, the tasks whose first call it is; and those that call other tools only.
    let mut served: Vec<Vec<usize>> = vec![Vec::new(); names.len()];
    let mut unserved = Vec::new();
    let mut order: Vec<usize> = (0..pool.len()).collect();
    order.shuffle(&mut rng);
    for i in order {
        let called = &pool[i].task.calls;
        if !called.is_empty() && called.iter().all(|call| on_menu(&call.name)) {
            let first = names.iter().position(|name| *name == called[0].name).unwrap_or_default();
            served[first].push(i);
        } else if !called.iter().any(|call| on_menu(&call.name)) {
            unserved.push(i);
        }
    }
    served.retain(|tasks| !tasks.is_empty());
    served.shuffle(&mut rng);
    let declined = (plan.no_call * n as f64).round() as usize;
    let declined = if served.is_empty() { n } else { declined.min(unserved.len()) };
    // A small pool is used again.
    let mut chosen: Vec<usize> = unserved.iter().copied().cycle().take(declined.min(n)).collect();
    let most = served.iter().map(Vec::len).max().unwrap_or(0);
    let rounds = (0..most).flat_map(|round| served.iter().filter_map(move |tasks| tasks.get(round)));
    chosen.extend(rounds.copied().collect::<Vec<_>>().iter().cycle().take(n - chosen.len().min(n)));
    chosen.shuffle(&mut rng);
    let menu: Vec<_> = names.iter().filter_map(|name| catalogue.get(name).cloned()).collect();
    let shown = |i: usize| {
        let mut request = pool[i].clone();
        let task = &mut request.task;
        task.tools.clone_from(&menu);
        if !task.calls.iter().all(|call| on_menu(&call.name)) {
            task.calls.clear();
        }
        (i, request)
    };
    chosen.into_iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Map;
    use sparring_tools::{ToolCall, ToolSpec, ToolTask};
    use std::collections::BTreeMap;

    fn catalogue(n: usize) -> Catalogue {
        Catalogue::new((0..n).map(|i| ToolSpec::new(format!("t{i}"), "", Map::new(), vec![])).collect(), "")
            .unwrap()
    }

    fn pool(catalogue: &Catalogue, each: usize) -> Vec<Request> {
        let task = |i: usize| {
            let call = ToolCall::new(&catalogue.tools()[i / each].name, Map::new());
            ToolTask::new(format!("request {i}"), Vec::new(), vec![call]).into()
        };
        (0..catalogue.tools().len() * each).map(task).collect()
    }

    proptest! {
        #[test]
        fn one_menu_serves_all_but_the_share(
            tools in 2_usize..9, each in 1_usize..6, n in 1_usize..20, update in 0_u64..30, seed: u64
        ) {
            let catalogue = catalogue(tools);
            let pool = pool(&catalogue, each);
            let plan = PlanConfig { menu_from: 1, menu_to: 5, no_call: 0.25, ..PlanConfig::default() };
            let pool: Vec<&Request> = pool.iter().collect();
            let chosen = of_one_menu(&catalogue, &plan, &pool, n, update, Seed::new(seed));
            prop_assert_eq!(&chosen, &of_one_menu(&catalogue, &plan, &pool, n, update, Seed::new(seed)));
            prop_assert_eq!(chosen.len(), n);
            let declined = chosen.iter().filter(|(_, request)| request.task.calls.is_empty()).count();
            prop_assert!(declined <= (0.25 * n as f64).round() as usize);
            for (place, Request { task, .. }) in &chosen {
                prop_assert_eq!(&task.tools, &chosen[0].1.task.tools);
                let leads = &catalogue.tools()[(update % tools as u64) as usize];
                prop_assert!(task.tools.contains(leads));
                let serves = task.tools.iter().any(|tool| tool.name == pool[*place].task.calls[0].name);
                prop_assert_eq!(serves, !task.calls.is_empty());
                prop_assert_eq!(&task.question, &pool[*place].task.question);
            }
        }
    }

    #[test]
    fn the_tools_of_the_menu_have_equal_shares() {
        let catalogue = catalogue(4);
        let pool = pool(&catalogue, 10);
        let pool: Vec<&Request> = pool.iter().collect();
        let plan = PlanConfig { menu_from: 4, menu_to: 4, ..PlanConfig::default() };
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for (_, Request { task, .. }) in of_one_menu(&catalogue, &plan, &pool, 12, 0, Seed::new(1)) {
            *counts.entry(task.calls[0].name.clone()).or_default() += 1;
        }
        assert!(counts.len() == 4 && counts.values().all(|n| *n == 3), "{counts:?}");
    }
}

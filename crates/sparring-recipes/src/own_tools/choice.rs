//! The tasks of one of the Solver's updates, all with one menu.

use super::plan::menu;
use super::{Catalogue, PlanConfig, Request, joined};
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use sparring_core::Seed;
use std::collections::BTreeMap;

/// Chooses `n` tasks of the pool, and gives all the same menu, so that their prompts begin alike.
///
/// The tools with tasks lead a menu in turn. The tasks that call tools of the menu are divided among its tools and
/// numbers of arguments: a Generator is better at requests with one value, and a Solver that mostly sees those gives
/// one. The share `plan.no_call` of the tasks needs other tools: with this menu, declining is right for them. Where the
/// pool has no tasks of one sort, there are more of the other. The share `plan.joined` asks for what two tasks ask for.
///
/// With the probability `plan.extended`, `more` adds to a request what another one for the same tool mentions, and
/// again with the same probability. Then `other_words` may change each task at its place, before a menu turns it into
/// one to decline.
///
/// A task without calls may be right with its own menu only, so it is left out, unless it says which tools are missing;
/// `None` if there are no tasks with calls.
pub(super) fn of_one_menu(
    catalogue: &Catalogue,
    plan: &PlanConfig,
    pool: &[&Request],
    n: usize,
    update: u64,
    seed: Seed,
    (more, other_words): (impl Fn(&Request, &Request) -> Option<Request>, impl Fn(Request, u64) -> Request),
) -> Option<Vec<(usize, Request)>> {
    let mut rng = seed.rng();
    let names = draw_menu(catalogue, plan, pool, update, &mut rng)?;
    let on_menu = |name: &str| names.iter().any(|known| known == name);
    // The tasks by their first tool and number of arguments; and those that call other tools only.
    let mut served: BTreeMap<(&str, usize), Vec<usize>> = BTreeMap::new();
    let mut unserved = Vec::new();
    let mut shuffled: Vec<usize> = (0..pool.len()).collect();
    shuffled.shuffle(&mut rng);
    for i in shuffled {
        let (task, needed) = (&pool[i].task, pool[i].needed());
        if !task.calls.is_empty() && needed.iter().all(|name| on_menu(name)) {
            served.entry((&task.calls[0].name, task.argument_count())).or_default().push(i);
        } else if !needed.is_empty() && !needed.iter().any(|name| on_menu(name)) {
            unserved.push(i);
        }
    }
    let mut same: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for &i in served.values().flatten() {
        same.entry(&pool[i].task.domain).or_default().push(i);
    }
    let mut served: Vec<Vec<usize>> = served.into_values().collect();
    served.shuffle(&mut rng);
    let declined = ((plan.no_call * n as f64).round() as usize).min(n).min(unserved.len());
    let most = served.iter().map(Vec::len).max().unwrap_or(0);
    let rounds: Vec<usize> = (0..most)
        .flat_map(|round| served.iter().filter_map(move |tasks| tasks.get(round).copied()))
        .collect();
    // A small pool is used again.
    let called: Vec<usize> = rounds.iter().copied().cycle().take(n - declined).collect();
    let others = partners(pool, &called, &rounds, (plan.joined * n as f64).round() as usize);
    let mut chosen: Vec<(usize, Option<usize>)> = unserved
        .into_iter()
        .take(declined)
        .map(|i| (i, None))
        .chain(called.into_iter().zip(others))
        .collect();
    chosen.shuffle(&mut rng);
    let menu: Vec<_> = names.iter().filter_map(|name| catalogue.get(name).cloned()).collect();
    let shown = |(place, (i, other)): (usize, (usize, Option<usize>))| {
        let mut request = pool[i].clone();
        while rng.random::<f64>() < plan.extended {
            let others = same.get(&*request.task.domain).map_or(&[][..], Vec::as_slice);
            let tries = (0..TRIES).filter_map(|_| others.choose(&mut rng));
            match tries.map(|&other| &pool[other]).find_map(|other| more(&request, other)) {
                Some(longer) => request = longer,
                None => break,
            }
        }
        request = other_words(request, place as u64);
        if let Some(other) = other {
            let other = other_words(pool[other].clone(), (n + place) as u64);
            request = joined::joined(&request, &other, &mut rng);
        }
        request.task.tools.clone_from(&menu);
        if !request.task.calls.iter().all(|call| on_menu(&call.name)) {
            request = request.without_its_tools();
        }
        (i, request)
    };
    Some(chosen.into_iter().enumerate().map(shown).collect())
}

/// Requests that are tried to add to one.
const TRIES: usize = 4;

/// The tasks that the first `most` which fit another one are joined with.
fn partners(pool: &[&Request], tasks: &[usize], among: &[usize], most: usize) -> Vec<Option<usize>> {
    let mut left = most;
    let partner = |(place, &task): (usize, &usize)| {
        let mut others = among.iter().cycle().skip(place).take(among.len()).copied();
        let other = others.find(|&other| left > 0 && joined::fit(pool[task], pool[other]));
        left -= usize::from(other.is_some());
        other
    };
    tasks.iter().enumerate().map(partner).collect()
}

/// A menu that serves some task of the pool, and does not serve all tools if there is to be something to decline.
fn draw_menu(
    catalogue: &Catalogue,
    plan: &PlanConfig,
    pool: &[&Request],
    update: u64,
    rng: &mut impl Rng,
) -> Option<Vec<String>> {
    let called = |i: &usize| {
        let name = &catalogue.tools()[*i].name;
        // A task of one call is served by any menu with its tool.
        pool.iter().any(|request| request.task.calls.len() == 1 && request.task.calls[0].name == *name)
    };
    let leaders: Vec<usize> = (0..catalogue.tools().len()).filter(called).collect();
    let leader = *leaders.get((update % leaders.len().max(1) as u64) as usize)?;
    let all = catalogue.tools().len();
    let most = if plan.no_call > 0.0 { all - 1 } else { all };
    let most = plan.menu_to.min(most).max(1);
    let size = rng.random_range(plan.menu_from.min(most)..=most);
    Some(menu(catalogue, &[leader], size, rng))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Map;
    use sparring_tools::{ToolCall, ToolSpec, ToolTask};

    /// What leaves requests as they are.
    fn unchanged() -> (impl Fn(&Request, &Request) -> Option<Request>, impl Fn(Request, u64) -> Request) {
        (|_: &Request, _: &Request| None, |request, _| request)
    }

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
            let plan = PlanConfig { menu_from: 1, menu_to: 5, no_call: 0.25, joined: 0.0, ..PlanConfig::default() };
            let pool: Vec<&Request> = pool.iter().collect();
            let choose = || of_one_menu(&catalogue, &plan, &pool, n, update, Seed::new(seed), unchanged());
            let chosen = choose().unwrap();
            prop_assert_eq!(&chosen, &choose().unwrap());
            prop_assert_eq!(chosen.len(), n);
            let declined = chosen.iter().filter(|(_, request)| request.task.calls.is_empty()).count();
            prop_assert!(declined <= (0.25 * n as f64).round() as usize);
            for (place, Request { task, .. }) in &chosen {
                prop_assert_eq!(&task.tools, &chosen[0].1.task.tools);
                prop_assert!(task.tools.len() < tools);
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
        let plan =
            PlanConfig { menu_from: 4, menu_to: 4, no_call: 0.0, joined: 0.0, ..PlanConfig::default() };
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for (_, Request { task, .. }) in
            of_one_menu(&catalogue, &plan, &pool, 12, 0, Seed::new(1), unchanged()).unwrap()
        {
            *counts.entry(task.calls[0].name.clone()).or_default() += 1;
        }
        assert!(counts.len() == 4 && counts.values().all(|n| *n == 3), "{counts:?}");
    }

    #[test]
    fn a_share_of_the_tasks_are_two_in_one() {
        let catalogue = catalogue(4);
        let pool = pool(&catalogue, 10);
        let pool: Vec<&Request> = pool.iter().collect();
        let plan = PlanConfig { menu_from: 3, menu_to: 3, joined: 0.25, ..PlanConfig::default() };
        let chosen = of_one_menu(&catalogue, &plan, &pool, 12, 0, Seed::new(1), unchanged()).unwrap();
        let two: Vec<_> = chosen.iter().filter(|(_, request)| request.task.calls.len() == 2).collect();
        assert_eq!(two.len(), 3);
        for (place, Request { task, .. }) in two {
            let on_menu = |call: &ToolCall| task.tools.iter().any(|tool| tool.name == call.name);
            assert!(task.calls.iter().all(on_menu) && task.calls[0].name != task.calls[1].name);
            assert_eq!(task.calls[0], pool[*place].task.calls[0]);
        }
    }

    #[test]
    fn every_tool_leads_once_before_any_leads_twice() {
        let catalogue = catalogue(5);
        let pool = pool(&catalogue, 1);
        // The third tool has no task.
        let pool: Vec<&Request> = pool.iter().filter(|request| request.task.calls[0].name != "t2").collect();
        let plan = PlanConfig { menu_from: 1, menu_to: 1, no_call: 0.0, ..PlanConfig::default() };
        let leader = |update| {
            let chosen = of_one_menu(&catalogue, &plan, &pool, 1, update, Seed::new(update), unchanged());
            chosen.unwrap()[0].1.task.tools[0].name.clone()
        };
        let mut leaders: Vec<String> = (4..8).map(leader).collect();
        leaders.sort();
        assert_eq!(leaders, ["t0", "t1", "t3", "t4"]);
    }

    #[test]
    fn tasks_without_calls_are_left_out_unless_they_say_what_is_missing() {
        let catalogue = catalogue(3);
        let declined: Request = ToolTask::new("Sing.", Vec::new(), Vec::new()).into();
        let plan = PlanConfig::default();
        let seed = Seed::new(1);
        assert_eq!(of_one_menu(&catalogue, &plan, &[&declined], 4, 0, seed, unchanged()), None);
        let tasks = pool(&catalogue, 2);
        let all: Vec<&Request> = tasks.iter().chain([&declined]).collect();
        let chosen = of_one_menu(&catalogue, &plan, &all, 8, 0, seed, unchanged()).unwrap();
        assert!(chosen.len() == 8 && chosen.iter().all(|(place, _)| *place < tasks.len()));
        let singing = ToolTask::new("Sing.", Vec::new(), vec![ToolCall::new("sing", Map::new())]);
        let lacking = Request::from(singing).without_its_tools();
        let all = [&tasks[0], &lacking];
        let chosen = of_one_menu(&catalogue, &plan, &all, 8, 0, seed, unchanged()).unwrap();
        let lacking: Vec<_> = chosen.iter().filter(|(place, _)| *place == 1).collect();
        assert_eq!(lacking.len(), 1);
        assert!(lacking[0].1.missing == ["sing"] && lacking[0].1.task.tools == chosen[0].1.task.tools);
    }
}

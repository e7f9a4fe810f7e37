use super::{Options, Outcome, ensure, failed};
use sparring_core::{Finish, Game, Prompt, Rollout, Seed};

/// Texts that must not cause a failure in any method.
const GARBAGE: [&str; 6] = ["", " ", "{", "[[[[[[[[[[[[[[[[", "\u{0}\u{fffd}", "</answer><answer>"];

/// Checks the contract of [`Game`]: every method depends on its arguments only, specifications and tasks survive
/// serialisation, prompts are not empty, gold answers solve their tasks, updates get as many tasks as they ask for, and
/// no text causes a panic.
///
/// `propose` writes completions of the Generator for a specification, of which at least one in total must be accepted.
/// `solve` writes completions of the Solver for a task.
///
/// # Errors
/// The first check that fails.
pub fn game<G: Game>(
    game: &G,
    propose: impl Fn(&G::Spec) -> Vec<Rollout>,
    solve: impl Fn(&G::Task) -> Vec<Rollout>,
    options: &Options,
) -> Outcome {
    const SPECIFICATIONS: u64 = 16;
    let mut accepted = Vec::new();
    // Derive from one task at first, then from pairs.
    let mut earlier = None;
    for i in 0..SPECIFICATIONS {
        let seed = options.seed.child("game").index(i);
        let spec = specification(game, seed)?;
        let garbage = GARBAGE.iter().map(|text| Rollout::from_text(*text));
        for rollout in propose(&spec).into_iter().chain(garbage) {
            if let Some(task) = reading(game, &spec, &rollout)? {
                accepted.push(task.clone());
                let derived = game.derive(&task, earlier.as_ref(), seed);
                let again = game.derive(&task, earlier.as_ref(), seed);
                ensure(json(&derived)? == json(&again)?, "game/derive", || "two results".to_owned())?;
                for task in derived.iter().chain([&task]) {
                    self::task(game, task, &solve(task))?;
                }
                earlier = Some(task);
            }
        }
    }
    ensure(!accepted.is_empty(), "game/read", || {
        "no proposal was accepted: nothing can be checked".to_owned()
    })?;
    choice(game, &accepted, options.seed.child("choice"))
}

/// What a game chooses for updates of several sizes.
fn choice<G: Game>(game: &G, pool: &[G::Task], seed: Seed) -> Outcome {
    let check = "game/choose";
    let tasks: Vec<&G::Task> = pool.iter().collect();
    for (update, n) in (0..).zip([1, 2, 7, 2 * pool.len()]) {
        let seed = seed.index(update);
        let chosen = game.choose(&tasks, n, update, seed);
        let again = game.choose(&tasks, n, update, seed);
        ensure(json(&chosen)? == json(&again)?, check, || format!("two choices for update {update}"))?;
        for (place, task) in chosen.iter().flatten() {
            ensure(*place < pool.len(), check, || format!("place {place} in a pool of {}", pool.len()))?;
            self::task(game, task, &[])?;
        }
        let got = chosen.map_or(n, |chosen| chosen.len());
        ensure(got == n, check, || format!("{got} tasks where {n} were asked for"))?;
    }
    Ok(())
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, super::ConformanceFailure> {
    serde_json::to_string(value).map_err(failed("game/round trip"))
}

fn specification<G: Game>(game: &G, seed: Seed) -> Result<G::Spec, super::ConformanceFailure> {
    let spec = game.draw(seed);
    let written = json(&spec)?;
    ensure(written == json(&game.draw(seed))?, "game/draw", || format!("{seed:?} draws two specifications"))?;
    let read: G::Spec = serde_json::from_str(&written).map_err(failed("game/round trip"))?;
    ensure(json(&read)? == written, "game/round trip", || format!("a specification changed: {written}"))?;
    let prompt = game.generator_prompt(&spec);
    let empty = match &prompt {
        Prompt::Conversation(asked) => asked.messages.iter().all(|message| message.content.is_empty()),
        Prompt::Text(text) => text.is_empty(),
        Prompt::Tokens(tokens) => tokens.is_empty(),
        _ => false,
    };
    ensure(!empty, "game/generator prompt", || "the Generator's prompt is empty".to_owned())?;
    ensure(prompt == game.generator_prompt(&read), "game/generator prompt", || {
        "two prompts for one specification".to_owned()
    })?;
    let contrast = game.contrast_prompt(&spec);
    ensure(contrast == game.contrast_prompt(&read), "game/contrast prompt", || {
        "two contrasts for one specification".to_owned()
    })?;
    ensure(contrast != Some(prompt), "game/contrast prompt", || {
        "the contrast is the Generator's prompt itself".to_owned()
    })?;
    Ok(spec)
}

fn reading<G: Game>(
    game: &G,
    spec: &G::Spec,
    rollout: &Rollout,
) -> Result<Option<G::Task>, super::ConformanceFailure> {
    let check = "game/read";
    match (game.read(spec, rollout), game.read(spec, rollout)) {
        (Ok(task), Ok(again)) => {
            ensure(json(&task)? == json(&again)?, check, || {
                format!("{:?} is read as two tasks", rollout.text)
            })?;
            Ok(Some(task))
        }
        (Err(rejection), Err(again)) => {
            ensure(rejection == again, check, || format!("{:?} has two rejections", rollout.text))?;
            ensure(!rejection.rule.is_empty(), check, || {
                format!("{:?}: a rule without a name", rollout.text)
            })?;
            Ok(None)
        }
        _ => ensure(false, check, || format!("{:?} is accepted once, rejected once", rollout.text))
            .map(|()| None),
    }
}

fn task<G: Game>(game: &G, task: &G::Task, answers: &[Rollout]) -> Outcome {
    let written = json(task)?;
    let read: G::Task = serde_json::from_str(&written).map_err(failed("game/round trip"))?;
    ensure(json(&read)? == written, "game/round trip", || format!("a task changed: {written}"))?;
    let prompt = game.solver_prompt(task);
    let empty = prompt.iter().all(|message| message.content.is_empty());
    ensure(!empty, "game/solver prompt", || format!("the Solver's prompt is empty: {written}"))?;
    ensure(prompt == game.solver_prompt(&read), "game/solver prompt", || {
        format!("two prompts for one task: {written}")
    })?;
    let named = game.signature(task) == game.signature(&read) && game.stratum(task) == game.stratum(&read);
    ensure(named, "game/signature", || format!("signature or stratum is lost on disk: {written}"))?;
    let garbage: Vec<Rollout> = GARBAGE.iter().map(|text| Rollout::from_text(*text)).collect();
    for rollout in answers.iter().chain(&garbage) {
        let text = &rollout.text;
        let solved = game.solved(task, rollout);
        let answer = game.answer(task, rollout);
        ensure(solved == game.solved(&read, rollout), "game/solved", || format!("two verdicts on {text:?}"))?;
        ensure(answer == game.answer(&read, rollout), "game/answer", || format!("two answers in {text:?}"))?;
        ensure(!solved || answer.is_some(), "game/answer", || format!("{text:?} solves without an answer"))?;
    }
    if let Some(gold) = game.gold_answer(task) {
        let right = game.solved(task, &Rollout::from_text(&gold).with_finish(Finish::Stop));
        ensure(right, "game/gold answer", || format!("{gold:?} does not solve {written}"))?;
    }
    Ok(())
}

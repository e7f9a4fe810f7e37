use super::{Catalogue, ParameterValues, twins};
use crate::RecipeError;
use crate::grammar::is_said;
use crate::tool_r0::{check_weights, pick};
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sparring_core::Seed;
use sparring_tools::ToolSpec;
use sparring_train::check::{MOST_PROMPTS, at_most};

/// A call that the Generator is to write: its tool, and the parameters that are given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedCall {
    /// Name of the tool.
    pub tool: String,
    /// Names of the parameters, in the order of the definition.
    pub parameters: Vec<String>,
}

/// How a person speaks. Each style has worked examples in the Generator's prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Style {
    /// "Send 45 dollars to Maria Lopez."
    Command,
    /// "Can you transfer 45 dollars to Maria Lopez?"
    Question,
    /// "I need to pay Maria Lopez 45 dollars."
    Wish,
    /// "send Maria Lopez 45"
    Casual,
}

impl Style {
    /// Every style.
    pub const ALL: [Self; 4] = [Self::Command, Self::Question, Self::Wish, Self::Casual];
}

/// Which words a request may have besides its values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Wording {
    /// Any.
    #[default]
    Any,
    /// Small words, and those of the names and descriptions of its tools and given parameters, so that nothing is said
    /// that the calls leave out.
    Named,
    /// The same without the object of a tool's name: "play Radiohead" for `play_music`.
    Unnamed,
    /// The same without its verb too: "I'd like to hear Radiohead".
    Implied,
}

impl Wording {
    /// Every wording.
    pub const ALL: [Self; 4] = [Self::Any, Self::Named, Self::Unnamed, Self::Implied];
}

/// The specification of a task: which calls, in which menu of tools, in whose words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallPlan {
    /// The calls, at least one.
    pub calls: Vec<PlannedCall>,
    /// Names of the tools that the Solver is offered, in order; those of the calls are among them, unless
    /// the catalogue lacks them.
    pub menu: Vec<String>,
    /// How the person speaks.
    pub style: Style,
    /// Which words the request may have.
    #[serde(default)]
    pub wording: Wording,
    /// The arguments of each call, in order; empty if the Generator invents them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<Map<String, Value>>,
    /// Parameters whose values stand in quotation marks in the request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quoted: Vec<String>,
    /// Parameters of the only call that the request leaves out: the assistant asks for them, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<String>,
    /// The seed of the words in which these are asked for and answered.
    #[serde(default)]
    pub words: u64,
}

impl CallPlan {
    /// The arguments that the request mentions.
    pub(super) fn mentioned(&self) -> Vec<Map<String, Value>> {
        self.arguments.iter().map(|arguments| self.without_later(arguments)).collect()
    }

    /// The arguments but for those that the assistant asks for.
    pub(super) fn without_later(&self, arguments: &Map<String, Value>) -> Map<String, Value> {
        let kept = arguments.iter().filter(|(name, _)| !self.later.contains(name));
        kept.map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

/// The distribution of [`CallPlan`]s.
///
/// The tool of the first call is drawn uniformly, so that no tool is forgotten; a further call's is another one. The
/// share `outside` calls a tool that the catalogue lacks. The required parameters are given, and of the optional ones
/// as many as are drawn. Half of the menu's other tools are those most similar to the called ones, the rest is drawn
/// from the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct PlanConfig {
    /// Weights of 1, 2, … calls.
    pub calls: Vec<f64>,
    /// Smallest number of tools on the menu.
    pub menu_from: usize,
    /// Largest number of tools on the menu.
    pub menu_to: usize,
    /// Largest number of parameters that are given, unless more are required.
    pub parameters: usize,
    /// Share of the Solver's tasks, in [0, 1), whose tools are not on the menu, so that declining is right.
    pub no_call: f64,
    /// Share of the plans, in [0, 1), whose request is for an everyday tool that the catalogue lacks (out of scope, or
    /// irrelevance): declining is right, whatever the menu. These requests are some of those of `no_call`.
    pub outside: f64,
    /// Share of the Solver's tasks, in [0, 1), that are two requests of the pool in one.
    pub joined: f64,
    /// Probability, in [0, 1), that a task that trains the Solver mentions a value of another one besides, in its
    /// words; with the same probability one more, and so on.
    pub extended: f64,
    /// Share of the plans, in [0, 1], in which the request leaves out parameters, and the assistant asks for them:
    /// those that could be confused with another one, if there are any.
    pub dialogues: f64,
    /// How people speak: a style is drawn uniformly.
    pub styles: Vec<Style>,
    /// Weights of the wordings ([`Wording::ALL`]), where the values are given. A small Generator that may use any word
    /// says what no call serves; a Solver whose tasks name their tools declines the requests of people who do not.
    pub wordings: [f64; 4],
    /// Share of the plans, in [0, 1], that give the values of the parameters: those that the base model finds
    /// fitting ([`ParameterValues`]). In the others, the Generator invents them; a small one writes the same few again
    /// and again, or nonsense.
    pub given_values: f64,
    /// Share of the arguments, in [0, 1], whose values are exchanged for other fitting ones, in the call and in the
    /// request, each time that a task trains the Solver. It learns what the words around a value say, not the value.
    pub redraw: f64,
    /// Share of the Solver's tasks, in [0, 1], that train it in small letters, as many people type.
    pub lower_case: f64,
    /// Whether a call gets the everyday values that the request mentions and the plan does not have.
    pub complete: bool,
}

impl Default for PlanConfig {
    fn default() -> Self {
        Self {
            calls: vec![1.0],
            menu_from: 3,
            menu_to: 7,
            parameters: 3,
            no_call: 0.3,
            outside: 0.1,
            joined: 0.1,
            extended: 0.3,
            dialogues: 0.2,
            styles: Style::ALL.to_vec(),
            wordings: [0.1, 0.25, 0.25, 0.4],
            given_values: 1.0,
            redraw: 0.5,
            lower_case: 0.15,
            complete: true,
        }
    }
}

impl PlanConfig {
    /// Checks weights and ranges.
    ///
    /// # Errors
    /// [`RecipeError::Setting`] with the field.
    pub fn validate(&self) -> Result<(), RecipeError> {
        let bad = |field: &str, why: &str| Err(RecipeError::setting(format!("plan.{field}"), why));
        check_weights("plan.calls", self.calls.iter().copied())?;
        check_weights("plan.wordings", self.wordings.iter().copied())?;
        if self.menu_from == 0 || self.menu_to < self.menu_from {
            return bad("menu_to", "needs 1 <= menu_from <= menu_to");
        }
        at_most("plan.menu_to", self.menu_to, MOST_PROMPTS).map_err(RecipeError::of_setting)?;
        if !(0.0..=1.0).contains(&self.given_values) {
            return bad("given_values", "must be in [0, 1]");
        }
        if !(0.0..=1.0).contains(&self.redraw) {
            return bad("redraw", "must be in [0, 1]");
        }
        if !(0.0..=1.0).contains(&self.lower_case) {
            return bad("lower_case", "must be in [0, 1]");
        }
        if !(0.0..=1.0).contains(&self.dialogues) {
            return bad("dialogues", "must be in [0, 1]");
        }
        if !(0.0..1.0).contains(&self.no_call) {
            return bad("no_call", "must be in [0, 1)");
        }
        if !(0.0..1.0).contains(&self.outside) {
            return bad("outside", "must be in [0, 1)");
        }
        if !(0.0..1.0).contains(&self.extended) {
            return bad("extended", "must be in [0, 1)");
        }
        if !(0.0..1.0).contains(&self.joined) {
            return bad("joined", "must be in [0, 1)");
        }
        if self.styles.is_empty() {
            return bad("styles", "needs at least one style");
        }
        Ok(())
    }

    /// Draws a plan over checked settings.
    pub(crate) fn draw(&self, catalogue: &Catalogue, values: &ParameterValues, seed: Seed) -> CallPlan {
        let mut rng = seed.rng();
        let outside = rng.random::<f64>() < self.outside && self.no_call > 0.0;
        let outside = catalogue.outside().choose(&mut rng).filter(|_| outside);
        let called = if outside.is_some() { Vec::new() } else { self.called(catalogue, &mut rng) };
        let tools: Vec<&ToolSpec> =
            outside.into_iter().chain(called.iter().map(|&i| &catalogue.tools()[i])).collect();
        let calls: Vec<PlannedCall> = tools
            .iter()
            .map(|tool| PlannedCall { tool: tool.name.clone(), parameters: self.parameters(tool, &mut rng) })
            .collect();
        let size = rng.random_range(self.menu_from..=self.menu_to);
        let menu = menu(catalogue, &called, size, &mut rng);
        let style = self.styles[rng.random_range(0..self.styles.len())];
        let given = rng.random::<f64>() < self.given_values;
        let mut arguments = |(tool, call): (&&ToolSpec, &PlannedCall)| {
            values.arguments(tool, &call.parameters, &mut rng).filter(|_| given)
        };
        // The Generator invents all of them, if no fitting values are known for one call.
        let arguments: Option<Vec<_>> = tools.iter().zip(&calls).map(&mut arguments).collect();
        let arguments = arguments.unwrap_or_default();
        let quoted = tools.iter().zip(&arguments).flat_map(|(tool, arguments)| {
            arguments
                .keys()
                .filter(|name| ParameterValues::is_quoted(tool, name, &mut rng))
                .cloned()
                .collect::<Vec<_>>()
        });
        let quoted = quoted.collect();
        let dialogue = rng.random::<f64>() < self.dialogues && outside.is_none();
        let later = match (arguments.as_slice(), dialogue) {
            ([arguments], true) => asked_later(tools[0], values, arguments, &mut rng),
            _ => Vec::new(),
        };
        let words = rng.random();
        let wording = pick(&mut rng, self.wordings.len(), |i| self.wordings[i]);
        let wording = match outside {
            // What the catalogue lacks must be said.
            Some(_) => Wording::Named,
            None => wording.map_or(Wording::Any, |i| Wording::ALL[i]),
        };
        CallPlan { calls, menu, style, wording, arguments, quoted, later, words }
    }

    /// The tools that are called, each once.
    fn called(&self, catalogue: &Catalogue, rng: &mut impl Rng) -> Vec<usize> {
        let all = catalogue.tools().len();
        let wanted = 1 + pick(rng, self.calls.len(), |i| self.calls[i]).unwrap_or(0);
        let mut called = Vec::new();
        while called.len() < wanted.min(all) {
            let next = rng.random_range(0..all);
            if !called.contains(&next) {
                called.push(next);
            }
        }
        called
    }

    /// The required parameters, and some of the others; at least one where there are any.
    fn parameters(&self, tool: &ToolSpec, rng: &mut impl Rng) -> Vec<String> {
        let (required, mut others): (Vec<&String>, Vec<&String>) =
            tool.parameters.keys().partition(|name| tool.required.contains(name));
        let room = self.parameters.saturating_sub(required.len()).min(others.len());
        let least = usize::from(required.is_empty()).min(room);
        others.shuffle(rng);
        others.truncate(rng.random_range(least..=room));
        let given = |name: &&String| required.contains(name) || others.contains(name);
        tool.parameters.keys().filter(given).cloned().collect()
    }
}

/// The arguments that the assistant asks for, in random order: those that a request can only give with their
/// parameters' names, which a small Generator seldom says; else at least one of those that a person can say.
fn asked_later(
    tool: &ToolSpec,
    values: &ParameterValues,
    arguments: &Map<String, Value>,
    rng: &mut impl Rng,
) -> Vec<String> {
    let said = arguments.iter().filter(|(_, value)| is_said(value)).map(|(name, _)| name);
    let mut names: Vec<&String> = said.collect();
    names.shuffle(rng);
    let some = rng.random_range(1..=names.len().max(1));
    let unclear: Vec<&String> =
        names.iter().copied().filter(|name| twins::needs_a_name(values, tool, name)).collect();
    if unclear.is_empty() {
        names.truncate(some);
    } else {
        names = unclear;
    }
    names.into_iter().cloned().collect()
}

/// A menu of at least the called tools.
pub(super) fn menu(catalogue: &Catalogue, called: &[usize], size: usize, rng: &mut impl Rng) -> Vec<String> {
    let mut chosen = called.to_vec();
    let size = size.max(called.len()).min(catalogue.tools().len());
    let similar = (size - called.len()).div_ceil(2);
    for &i in called.iter().cycle().take(similar) {
        let next = catalogue.near(i).iter().find(|j| !chosen.contains(j));
        chosen.extend(next);
    }
    let mut rest: Vec<usize> = (0..catalogue.tools().len()).filter(|i| !chosen.contains(i)).collect();
    rest.shuffle(rng);
    chosen.extend(rest.into_iter().take(size - chosen.len()));
    chosen.shuffle(rng);
    chosen.into_iter().map(|i| catalogue.tools()[i].name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn catalogue(n: usize) -> Catalogue {
        let text = serde_json::json!({"type": "string"});
        let tool = |i: usize| {
            let tool = ToolSpec::new(format!("tool{i}"), "", Map::new(), vec![]);
            (0..i).fold(tool, |tool, p| tool.with_parameter(format!("p{p}"), text.clone(), p % 3 == 1))
        };
        Catalogue::new((0..n).map(tool).collect(), "").unwrap()
    }

    proptest! {
        #[test]
        fn plans_fit_the_catalogue(n in 1_usize..12, seed: u64, from in 1_usize..5, more in 0_usize..5) {
            let catalogue = catalogue(n);
            let config = PlanConfig { menu_from: from, menu_to: from + more, ..PlanConfig::default() };
            config.validate().unwrap();
            let values = ParameterValues::default();
            let plan = config.draw(&catalogue, &values, Seed::new(seed));
            prop_assert_eq!(&plan, &config.draw(&catalogue, &values, Seed::new(seed)));
            let mut menu = plan.menu.clone();
            menu.sort();
            menu.dedup();
            prop_assert_eq!(menu.len(), plan.menu.len());
            prop_assert!(menu.len() >= from.min(n) && menu.len() <= n);
            for call in &plan.calls {
                let tool = catalogue.planned(&call.tool).unwrap();
                prop_assert_eq!(plan.menu.contains(&call.tool), catalogue.get(&call.tool).is_some());
                prop_assert!(tool.required.iter().all(|name| call.parameters.contains(name)));
                prop_assert!(call.parameters.len() <= config.parameters.max(tool.required.len()));
                prop_assert!(!call.parameters.is_empty() || tool.parameters.is_empty());
            }
        }
    }

    #[test]
    fn every_tool_is_planned_about_equally_often() {
        let catalogue = catalogue(5);
        let mut counts = [0; 6];
        for i in 0..1000 {
            let plan =
                PlanConfig::default().draw(&catalogue, &ParameterValues::default(), Seed::new(3).index(i));
            let tool = catalogue.tools().iter().position(|tool| tool.name == plan.calls[0].tool);
            counts[tool.unwrap_or(5)] += 1;
        }
        assert!(counts[..5].iter().all(|n| (130..230).contains(n)), "{counts:?}");
        assert!((70..130).contains(&counts[5]), "{counts:?}");
    }
}

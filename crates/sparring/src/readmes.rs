//! One item for each README, and for the training guide.

#[doc = include_str!("../../../README.md")]
struct Workspace;

#[doc = include_str!("../README.md")]
struct Facade;

#[doc = include_str!("../../sparring-bfcl/README.md")]
struct Bfcl;

#[doc = include_str!("../../sparring-candle/README.md")]
struct Candle;

#[doc = include_str!("../../sparring-core/README.md")]
struct Core;

#[doc = include_str!("../../sparring-eval/README.md")]
struct Eval;

#[doc = include_str!("../../sparring-grpo/README.md")]
struct Grpo;

#[doc = include_str!("../../sparring-miniature/README.md")]
struct Miniature;

#[doc = include_str!("../../sparring-recipes/README.md")]
struct Recipes;

#[doc = include_str!("../../sparring-reward/README.md")]
struct Reward;

#[doc = include_str!("../../sparring-selfplay/README.md")]
struct Selfplay;

#[doc = include_str!("../../sparring-testkit/README.md")]
struct Testkit;

#[doc = include_str!("../../sparring-tools/README.md")]
struct Tools;

#[doc = include_str!("../../sparring-train/README.md")]
struct Train;

#[doc = include_str!("../../../docs/training.md")]
struct Training;

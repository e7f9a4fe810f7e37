//! The program `sparring`.
//!
//! | command | what it does |
//! |---|---|
//! | `sparring play` | Tool-R0: a Generator and a Solver teach each other to call tools |
//! | `sparring train` | GRPO on a file of tasks, with the reward and update of a paper or of your own |
//! | `sparring study` | experiments with several arms and seeds: Tool-Zero's, and gold labels as a bound |
//! | `sparring eval` | scores a model on a tool-calling benchmark |
//! | `sparring chat` | answers requests with calls of a person's tools |
//! | `sparring bench` | seconds, tokens a second and memory of a GRPO step |
//! | `sparring conform` | compares our results with recorded ones of other programs |
//! | `sparring pretrain` | makes the base model that `sparring-miniature` embeds |
//!
//! `sparring COMMAND --help` lists the options of a command.
//!
//! `play` and `train` stop on SIGINT and SIGTERM where they can continue, and print the command that does so; a second
//! signal ends them at once. `eval` and `study tool-zero` continue when the same command is given again.
#![forbid(unsafe_code)]

mod asking;
mod bench;
mod chat;
mod conform;
mod demands;
mod errors;
mod eval;
mod hub;
mod mcp;
mod miniature;
mod models;
mod numbers;
mod play;
mod pretrain;
mod stop;
mod study;
mod train;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use sparring::core::{BoxError, one_line};
use std::ffi::OsString;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Trains language models to call tools by self-play reinforcement learning.
#[derive(Debug, Parser)]
#[command(name = "sparring", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Play(play::Args),
    Train(train::Args),
    #[command(subcommand)]
    Study(study::Study),
    Eval(eval::Args),
    Chat(chat::Args),
    Bench(bench::Settings),
    #[command(subcommand)]
    Conform(conform::What),
    Pretrain(pretrain::Args),
}

/// Runs the program on this process's command line.
pub fn main() -> ExitCode {
    start_logging();
    exit_code(
        read(std::env::args_os()).map_err(|error| errors::usage(&error)).and_then(|args| run(&args.command)),
    )
}

/// Reads the words of a command line.
fn read<W: Into<OsString> + Clone>(words: impl IntoIterator<Item = W>) -> Result<Args, clap::Error> {
    let mut command = numbers::may_be_negative(Args::command());
    let mut found = command.try_get_matches_from_mut(words)?;
    Args::from_arg_matches_mut(&mut found).map_err(|error| error.format(&mut command))
}

/// Runs a command; `false` says that it ran and that its check failed.
fn run(command: &Command) -> Result<bool, BoxError> {
    match command {
        Command::Play(args) => play::play(args, sparring::miniature::evaluations()).map(|()| true),
        Command::Train(args) => train::run(args).map(|()| true),
        Command::Study(study) => study::run(study).map(|()| true),
        Command::Eval(args) => eval::run(args).map(|()| true),
        Command::Chat(args) => chat::run(args).map(|()| true),
        Command::Bench(settings) => bench::print(settings).map(|()| true),
        Command::Conform(what) => conform::run(what, &mut std::io::stdout().lock()),
        Command::Pretrain(args) => pretrain::run(args).map(|()| true),
    }
}

/// The messages that are shown. The level is named, since the builder's default does not hold beside other directives.
const MESSAGES: &str = "warn,rmcp=off";

/// Sends warnings to standard error, but not what a protocol's library says beside its errors; the environment variable
/// `RUST_LOG` chooses other messages.
fn start_logging() {
    let messages = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_else(|_| MESSAGES.to_owned());
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).parse_lossy(messages),
        )
        .init();
}

/// The exit code of a program; an error is printed as one line.
fn exit_code(outcome: Result<bool, BoxError>) -> ExitCode {
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            if let Some(stopped) = error.downcast_ref::<stop::Stopped>() {
                eprintln!("{stopped}");
                return ExitCode::from(stopped.code());
            }
            eprintln!("error: {}", one_line(&*error));
            ExitCode::FAILURE
        }
    }
}

/// The options of one command, from its words.
#[cfg(test)]
fn parse<A: clap::Args>(words: &[&str]) -> Result<A, clap::Error> {
    #[derive(Parser)]
    struct Only<A: clap::Args> {
        #[command(flatten)]
        options: A,
    }
    Ok(Only::try_parse_from([&["sparring"], words].concat())?.options)
}

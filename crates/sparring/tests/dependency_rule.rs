//! The map of the workspace, enforced: which crate may depend on which, and who may see a tensor.

#![allow(clippy::unwrap_used)] // A failed look-up is a failed test.

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// Crate, and the crates of ours that it may depend on.
const MAP: &[(&str, &[&str])] = &[
    ("sparring-core", &[]),
    ("sparring-tools", &[]),
    ("sparring-bfcl", &["sparring-tools"]),
    ("sparring-reward", &["sparring-core", "sparring-tools"]),
    ("sparring-grpo", &["sparring-core"]),
    ("sparring-guided", &["sparring-core", "sparring-tools"]),
    ("sparring-candle", &["sparring-core"]),
    ("sparring-train", &["sparring-core", "sparring-grpo"]),
    ("sparring-selfplay", &["sparring-core", "sparring-grpo", "sparring-train"]),
    (
        "sparring-recipes",
        &[
            "sparring-core",
            "sparring-tools",
            "sparring-reward",
            "sparring-grpo",
            "sparring-train",
            "sparring-selfplay",
            "sparring-guided",
        ],
    ),
    ("sparring-eval", &["sparring-core", "sparring-tools", "sparring-bfcl"]),
    ("sparring-miniature", &["sparring-core", "sparring-tools"]),
    ("sparring-testkit", &["sparring-core"]),
    ("sparring-cli", &["sparring", "sparring-testkit"]),
];

fn packages() -> Vec<Package> {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
    MetadataCommand::new().manifest_path(manifest).no_deps().exec().unwrap().packages
}

fn dependencies(package: &Package) -> Vec<String> {
    let normal = package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal);
    normal.map(|d| d.name.clone()).collect()
}

#[test]
fn crates_meet_only_where_the_map_says() {
    let packages = packages();
    for (name, allowed) in MAP {
        let package = packages.iter().find(|p| p.name.as_str() == *name).unwrap();
        for dependency in dependencies(package).iter().filter(|d| d.starts_with("sparring")) {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn every_library_crate_is_on_the_map() {
    for package in packages().iter().filter(|p| p.publish.is_none() && p.name.as_str() != "sparring") {
        assert!(
            MAP.iter().any(|(name, _)| *name == package.name.as_str()),
            "{} is not on the map",
            package.name
        );
    }
}

#[test]
fn only_the_backend_knows_tensors() {
    for package in packages().iter().filter(|p| p.name.as_str() != "sparring-candle") {
        for dependency in dependencies(package) {
            assert!(
                !dependency.starts_with("candle"),
                "{} must not depend on {dependency}: only sparring-candle knows tensors",
                package.name
            );
        }
    }
}

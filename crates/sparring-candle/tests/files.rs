//! Folders and checkpoints: round trips bit for bit, and every kind of damage reported with file and field.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::{Value, json};
use sparring_candle::{CandlePolicy, ModelConfig, ModelFamily, RopeScaling};
use sparring_core::{Checkpoint, Learner, PolicyError, SampleRequest, Sampler, SamplingParams, Scorer, Seed};
use std::fs;
use std::path::Path;
use support::{accumulate, bits, train, with_batch};

#[test]
fn a_saved_model_is_the_same_model() {
    for tied in [true, false] {
        let config = support::tiny_config().with_tied_embeddings(tied);
        let policy =
            CandlePolicy::init(config, support::tokenizer(40), support::options(), Seed::new(1)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let inner = dir.path().join("a/b");
        policy.save_pretrained(&inner).unwrap();
        let loaded = CandlePolicy::load(&inner, support::options()).unwrap();
        assert_eq!(bits(&policy), bits(&loaded));
        let request = SampleRequest::new(vec![7], 3, SamplingParams::default(), Seed::new(2));
        let sample = |p: &CandlePolicy| p.sample_all(std::slice::from_ref(&request)).unwrap();
        assert_eq!(sample(&policy), sample(&loaded));
        assert!(
            fs::read_dir(&inner).unwrap().all(|f| !f
                .unwrap()
                .file_name()
                .to_string_lossy()
                .contains("partial"))
        );
        // Saved again, the folder is the same, byte for byte.
        let again = dir.path().join("again");
        loaded.save_pretrained(&again).unwrap();
        for file in fs::read_dir(&inner).unwrap() {
            let name = file.unwrap().file_name();
            assert_eq!(
                fs::read(inner.join(&name)).unwrap(),
                fs::read(again.join(&name)).unwrap(),
                "{name:?}"
            );
        }
    }
}

#[test]
fn every_family_is_saved_as_what_it_is() {
    let yarn = RopeScaling::Yarn {
        factor: 4.0,
        beta_fast: 16.0,
        beta_slow: 1.0,
        attention_factor: 1.1,
        truncate: false,
        original_positions: 24,
    };
    let llama3 = RopeScaling::Llama3 {
        factor: 8.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_positions: 32,
    };
    let linear = RopeScaling::Linear { factor: 2.0 };
    let long = RopeScaling::LongRope {
        short_factor: vec![1.0],
        long_factor: vec![2.5],
        attention_factor: 1.2,
        original_positions: 64,
    };
    let cases = [
        (linear.clone(), 4),
        (yarn, 6),
        (llama3, 4),
        (RopeScaling::Plain, 8),
        (linear.clone(), 8),
        (linear, 6),
        (long, 4),
        (RopeScaling::Plain, 4),
        (RopeScaling::Plain, 4),
    ];
    for (family, (scaling, head_dim)) in ModelFamily::ALL.into_iter().zip(cases) {
        let config = ModelConfig::new(family, 40, 16, 2, 4, 24)
            .with_kv_heads(2)
            .with_head_dim(head_dim)
            .with_max_positions(96)
            .with_initializer_range(0.3)
            .with_rope_scaling(scaling.clone());
        let config = support::with_options(config, true, Some(9));
        let policy =
            CandlePolicy::init(config, support::tokenizer(40), support::options(), Seed::new(1)).unwrap();
        let dir = tempfile::tempdir().unwrap();
        policy.save_pretrained(dir.path()).unwrap();
        let loaded = CandlePolicy::load(dir.path(), support::options()).unwrap();
        assert_eq!(loaded.config().rope_scaling, scaling);
        assert_eq!(loaded.config().layer_kinds, policy.config().layer_kinds, "{family:?}");
        assert_eq!(bits(&policy), bits(&loaded));
        let ids: Vec<u32> = (0..40).collect();
        assert_eq!(policy.logits(&ids).unwrap(), loaded.logits(&ids).unwrap());
        // Decoding, too, knows heads, biases and positions.
        let params = SamplingParams::default().with_max_tokens(20);
        for rollout in
            &loaded.sample_all(&[SampleRequest::new(ids[..30].to_vec(), 4, params, Seed::new(3))]).unwrap()[0]
        {
            let groups = vec![(ids[..30].to_vec(), vec![rollout.tokens.clone()])];
            let scores = with_batch(&groups, 1.0, |batch| loaded.score(batch).unwrap());
            assert!(scores.iter().zip(&rollout.logp).all(|(a, b)| (a - b).abs() < 1e-4));
        }
    }
}

#[test]
fn a_restored_run_goes_on_bit_for_bit() {
    let mut straight = support::tiny(1);
    train(&mut straight, 0..2);
    // Saved between accumulate and step: the pending gradient is part of the state.
    accumulate(&mut straight, 2);
    let dir = tempfile::tempdir().unwrap();
    straight.save(dir.path()).unwrap();
    straight.step(1e-2).unwrap();
    train(&mut straight, 3..5);

    let mut resumed = support::tiny(99);
    train(&mut resumed, 0..1);
    resumed.restore(dir.path()).unwrap();
    resumed.step(1e-2).unwrap();
    train(&mut resumed, 3..5);
    assert_eq!(bits(&straight), bits(&resumed));
    // A checkpoint is also a model folder.
    CandlePolicy::load(dir.path(), support::options()).unwrap();
}

/// Changes the header of a safetensors file.
fn change_header(file: &Path, from: &str, to: &str) {
    let bytes = fs::read(file).unwrap();
    let (len, rest) = bytes.split_at(8);
    let (header, data) = rest.split_at(u64::from_le_bytes(len.try_into().unwrap()) as usize);
    let header = std::str::from_utf8(header).unwrap();
    assert!(header.contains(from), "{header}");
    let header = header.replace(from, to);
    let padding = vec![b' '; header.len().next_multiple_of(8) - header.len()];
    let len = ((header.len() + padding.len()) as u64).to_le_bytes();
    fs::write(file, [&len, header.as_bytes(), &padding, data].concat()).unwrap();
}

#[test]
fn a_gradient_counts_whatever_its_shard() {
    let mut policy = support::tiny(1);
    accumulate(&mut policy, 0);
    let dir = tempfile::tempdir().unwrap();
    policy.save(dir.path()).unwrap();
    change_header(&dir.path().join("optimizer.safetensors"), "\"gradient.0\"", "\"gradient.4095\"");
    let mut other = support::tiny(2);
    other.restore(dir.path()).unwrap();
    assert_eq!(policy.gradients(), other.gradients());
    for policy in [&mut policy, &mut other] {
        accumulate(policy, 1);
        policy.step(1e-2).unwrap();
    }
    let differences = policy
        .parameters()
        .zip(other.parameters())
        .flat_map(|(a, b)| a.2.iter().zip(b.2).map(|(a, b)| (a - b).abs()).collect::<Vec<_>>());
    assert!(differences.fold(0.0, f32::max) < 1e-4);
}

#[test]
fn a_fresh_checkpoint_clears_the_optimiser() {
    let (fresh, dir) = (support::tiny(3), tempfile::tempdir().unwrap());
    fresh.save(dir.path()).unwrap();
    let mut other = support::tiny(4);
    train(&mut other, 0..3);
    other.restore(dir.path()).unwrap();
    let mut fresh = fresh;
    train(&mut fresh, 0..2);
    train(&mut other, 0..2);
    assert_eq!(bits(&fresh), bits(&other));
}

fn damage(file: &Path, keep: usize) {
    let bytes = fs::read(file).unwrap();
    fs::write(file, &bytes[..keep.min(bytes.len())]).unwrap();
}

#[test]
fn a_damaged_checkpoint_is_refused_and_changes_nothing() {
    let mut policy = support::tiny(5);
    train(&mut policy, 0..2);
    let before = bits(&policy);
    for name in ["optimizer.safetensors", "model.safetensors"] {
        for keep in [0, 7, 100, 5000] {
            let dir = tempfile::tempdir().unwrap();
            policy.save(dir.path()).unwrap();
            damage(&dir.path().join(name), keep);
            let error = policy.restore(dir.path()).unwrap_err().to_string();
            assert!(error.contains(name) && !error.contains('\n'), "{error}");
        }
        let dir = tempfile::tempdir().unwrap();
        policy.save(dir.path()).unwrap();
        fs::remove_file(dir.path().join(name)).unwrap();
        let error = policy.restore(dir.path()).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("not found"), "{error}");
    }
    assert_eq!(bits(&policy), before);
    let mut twin = support::tiny(5);
    train(&mut twin, 0..4);
    train(&mut policy, 2..4);
    assert_eq!(bits(&policy), bits(&twin));

    let other = CandlePolicy::init(
        ModelConfig::qwen2(40, 8, 1, 2, 8),
        support::tokenizer(40),
        support::options(),
        Seed::new(1),
    );
    let dir = tempfile::tempdir().unwrap();
    other.unwrap().save(dir.path()).unwrap();
    let error = policy.restore(dir.path()).unwrap_err().to_string();
    assert!(error.contains("model.safetensors") && error.contains("shape"), "{error}");
}

#[test]
fn save_names_the_file_that_cannot_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("occupied");
    fs::write(&file, "").unwrap();
    let error = support::tiny(6).save(&file).unwrap_err();
    assert!(matches!(error, PolicyError::Io { .. }) && error.to_string().contains("occupied"), "{error}");
}

/// A saved folder with one change; returns the error that loading it gives.
fn load_changed(change: impl FnOnce(&Path)) -> String {
    let dir = tempfile::tempdir().unwrap();
    support::tiny(7).save_pretrained(dir.path()).unwrap();
    change(dir.path());
    let error = CandlePolicy::load(dir.path(), support::options()).unwrap_err().to_string();
    let shown = error.replace(&dir.path().display().to_string(), "DIR");
    assert!(!shown.contains('\n'), "{shown}");
    shown
}

fn edit(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    change(&mut value);
    fs::write(file, value.to_string()).unwrap();
}

#[test]
fn missing_and_damaged_files_are_named() {
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let error = load_changed(|dir| fs::remove_file(dir.join(name)).unwrap());
        let want = format!(
            "DIR/{name}: not found; a model folder needs config.json, tokenizer.json and model.safetensors"
        );
        assert_eq!(error, want);
    }
    for (name, keep) in [
        ("config.json", 30),
        ("tokenizer.json", 50),
        ("model.safetensors", 4),
        ("model.safetensors", 9000),
        ("tokenizer_config.json", 3),
        ("generation_config.json", 3),
    ] {
        let error = load_changed(|dir| damage(&dir.join(name), keep));
        assert!(error.starts_with(&format!("DIR/{name}: ")) && error.contains("again"), "{error}");
    }
    let error = CandlePolicy::load("no/such/folder", support::options()).unwrap_err().to_string();
    assert!(error.starts_with("no/such/folder: not a folder"), "{error}");
    let binary = load_changed(|dir| fs::write(dir.join("config.json"), [0xff, 0xfe]).unwrap());
    assert!(binary.contains("config.json") && binary.contains("UTF-8"), "{binary}");
}

#[test]
fn wrong_fields_are_named() {
    let cases: [(&str, Value, &str); 12] = [
        (
            "model_type",
            json!("mamba"),
            "\"model_type\" is \"mamba\"; this backend loads \"qwen2\", \"qwen3\", \"llama\"",
        ),
        ("model_type", Value::Null, "\"model_type\" is missing"),
        ("hidden_size", json!("wide"), "\"hidden_size\" is \"wide\""),
        ("hidden_size", Value::Null, "\"hidden_size\" is missing"),
        ("num_hidden_layers", json!(0), "\"num_hidden_layers\" is 0"),
        ("num_key_value_heads", json!(3), "\"num_key_value_heads\" must divide"),
        ("rope_parameters", json!({"rope_type": "dynamic", "factor": 4}), "\"rope_type\" is \"dynamic\""),
        ("rope_parameters", json!({"rope_type": "longrope", "factor": 4}), "\"short_factor\" is missing"),
        ("rope_parameters", json!({"type": "linear"}), "\"factor\" is missing (rope_type \"linear\")"),
        ("hidden_act", json!("gelu"), "\"hidden_act\" is \"gelu\""),
        ("use_sliding_window", json!(1), "\"use_sliding_window\" is 1; it must be true or false"),
        ("vocab_size", json!(30), "vocab_size in config.json is 30"),
    ];
    for (field, value, want) in cases {
        let error = load_changed(|dir| edit(&dir.join("config.json"), |c| c[field] = value));
        assert!(error.contains(want), "{error}");
    }
    let classifier = load_changed(|dir| {
        edit(&dir.join("config.json"), |c| c["architectures"] = json!(["Qwen2ForSequenceClassification"]));
    });
    assert!(classifier.contains("\"Qwen2ForSequenceClassification\", which scores texts"), "{classifier}");
    let eos =
        load_changed(|dir| edit(&dir.join("generation_config.json"), |c| c["eos_token_id"] = json!(["x"])));
    assert!(eos.contains("generation_config.json: field \"eos_token_id\" holds \"x\""), "{eos}");
    let template = load_changed(|dir| {
        edit(&dir.join("tokenizer_config.json"), |c| c["chat_template"] = json!("{% for %}"));
    });
    assert!(template.contains("chat_template does not parse"), "{template}");
    let token =
        load_changed(|dir| edit(&dir.join("tokenizer_config.json"), |c| c["eos_token"] = json!("</s>")));
    assert!(token.contains("\"eos_token\" is \"</s>\""), "{token}");
}

#[test]
fn wrong_weights_are_named() {
    let wider = load_changed(|dir| edit(&dir.join("config.json"), |c| c["intermediate_size"] = json!(25)));
    assert!(
        wider
            .contains("model.safetensors: tensor \"model.layers.0.mlp.gate_proj.weight\" has shape [24, 16]"),
        "{wider}"
    );
    let deeper = load_changed(|dir| edit(&dir.join("config.json"), |c| c["num_hidden_layers"] = json!(3)));
    assert!(deeper.contains("tensor \"model.layers.2.input_layernorm.weight\" is missing"), "{deeper}");
    let shallower = load_changed(|dir| edit(&dir.join("config.json"), |c| c["num_hidden_layers"] = json!(1)));
    assert!(
        shallower.contains("tensor \"model.layers.1.") && shallower.contains("has no place"),
        "{shallower}"
    );
    let nan = load_changed(|dir| {
        let file = dir.join("model.safetensors");
        let mut bytes = fs::read(&file).unwrap();
        let n = bytes.len();
        bytes[n - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        fs::write(file, bytes).unwrap();
    });
    assert!(nan.contains("holds NaN"), "{nan}");
}

#[test]
fn old_and_new_configurations_read_alike() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config.json");
    let base = json!({"model_type": "qwen2", "vocab_size": 9, "hidden_size": 8, "intermediate_size": 4,
        "num_hidden_layers": 1, "num_attention_heads": 2, "some_future_key": [1, 2]});
    let read = |more: Value| {
        let mut config = base.clone();
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fs::write(&file, config.to_string()).unwrap();
        ModelConfig::read(&file).unwrap()
    };
    let old = read(json!({"rope_theta": 5e5, "rope_scaling": null}));
    let new = read(json!({"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}));
    assert!((old.rope_theta - 5e5).abs() < 1e-9 && (new.rope_theta - 5e5).abs() < 1e-9);
    let both = read(json!({"rope_parameters": {"rope_type": "default", "rope_theta": 5e5},
        "rope_scaling": {"type": "linear", "factor": 2.0}}));
    assert!(both.rope_scaling == RopeScaling::Linear { factor: 2.0 } && (both.rope_theta - 5e5).abs() < 1e-9);
    assert_eq!((old.head_dim, old.num_key_value_heads, old.tie_word_embeddings), (4, 2, false));
    assert_eq!(read(json!({"head_dim": 6})).head_dim, 6);
}

#[test]
fn shards_and_half_precision() {
    let policy = support::tiny(8);
    let dir = tempfile::tempdir().unwrap();
    policy.save_pretrained(dir.path()).unwrap();
    fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    // BF16 keeps the upper half of the bits.
    let halves: Vec<(String, Vec<usize>, Vec<u8>)> = policy
        .parameters()
        .map(|(name, shape, w)| {
            let bytes = w.iter().flat_map(|v| ((v.to_bits() >> 16) as u16).to_le_bytes()).collect();
            (name.to_owned(), shape.to_vec(), bytes)
        })
        .collect();
    let mut map = serde_json::Map::new();
    for (i, part) in halves.chunks(halves.len().div_ceil(3)).enumerate() {
        let name = format!("model-{i}-of-3.safetensors");
        let views = part.iter().map(|(n, s, b)| {
            map.insert(n.clone(), json!(name));
            (n, safetensors::tensor::TensorView::new(safetensors::Dtype::BF16, s.clone(), b).unwrap())
        });
        let bytes = safetensors::serialize(views.collect::<Vec<_>>(), None).unwrap();
        fs::write(dir.path().join(&name), bytes).unwrap();
    }
    let index = json!({"metadata": {}, "weight_map": map});
    fs::write(dir.path().join("model.safetensors.index.json"), index.to_string()).unwrap();
    let loaded = CandlePolicy::load(dir.path(), support::options()).unwrap();
    let truncated: Vec<u32> = bits(&policy).iter().map(|b| b & 0xffff_0000).collect();
    assert_eq!(bits(&loaded), truncated);

    fs::remove_file(dir.path().join("model-1-of-3.safetensors")).unwrap();
    let error = CandlePolicy::load(dir.path(), support::options()).unwrap_err().to_string();
    assert!(error.contains("model-1-of-3.safetensors: not found"), "{error}");
}

#[test]
fn a_restored_policy_scores_like_the_saved_one() {
    let mut policy = support::tiny(9);
    train(&mut policy, 0..2);
    let dir = tempfile::tempdir().unwrap();
    policy.save(dir.path()).unwrap();
    let mut other = support::tiny(10);
    // Sampling packs the weights: restoring must forget the packed ones.
    let request = SampleRequest::new(vec![7, 8], 2, SamplingParams::default(), Seed::new(2));
    let sample = |p: &CandlePolicy| p.sample_all(std::slice::from_ref(&request)).unwrap();
    let stale = sample(&other);
    other.restore(dir.path()).unwrap();
    assert_ne!(sample(&other), stale);
    assert_eq!(sample(&other), sample(&policy));
    let groups = support::groups(1, 40);
    let score = |p: &CandlePolicy| with_batch(&groups, 1.0, |batch| p.score(batch).unwrap());
    assert_eq!(score(&other), score(&policy));
}

/// Rewrites the weights of a folder: names and bits of F32 tensors.
fn rewrite(dir: &Path, change: impl FnOnce(&mut Vec<(String, Vec<usize>, Vec<u8>)>)) {
    let file = dir.join("model.safetensors");
    let bytes = fs::read(&file).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Vec<_> = tensors
        .tensors()
        .into_iter()
        .map(|(name, view)| (name, view.shape().to_vec(), view.data().to_vec()))
        .collect();
    change(&mut all);
    let views = all.iter().map(|(name, shape, data)| {
        (name, safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), data).unwrap())
    });
    fs::write(file, safetensors::serialize(views.collect::<Vec<_>>(), None).unwrap()).unwrap();
}

/// Adds a head that is the embedding, with one element changed or not.
fn add_head(dir: &Path, changed: bool) {
    rewrite(dir, |all| {
        let embedding = all.iter().find(|(name, ..)| name == "model.embed_tokens.weight").unwrap().clone();
        let mut head = ("lm_head.weight".to_owned(), embedding.1, embedding.2);
        if changed {
            head.2[..4].copy_from_slice(&9.0_f32.to_le_bytes());
        }
        all.push(head);
    });
}

#[test]
fn a_head_that_differs_from_the_embedding_is_kept() {
    for changed in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let tied = support::tiny(1);
        tied.save_pretrained(dir.path()).unwrap();
        add_head(dir.path(), changed);
        let loaded = CandlePolicy::load(dir.path(), support::options()).unwrap();
        assert_eq!(loaded.config().tie_word_embeddings, !changed);
        let (before, after) = (tied.logits(&[5, 6]).unwrap(), loaded.logits(&[5, 6]).unwrap());
        // Only the logit of the first token reads the changed row.
        assert_eq!(before[0].to_bits() == after[0].to_bits(), !changed);
        assert!(before[1..40].iter().zip(&after[1..40]).all(|(a, b)| (a - b).abs() < 1e-5));
        // What is saved has the same head.
        let again = dir.path().join("again");
        loaded.save_pretrained(&again).unwrap();
        let reloaded = CandlePolicy::load(&again, support::options()).unwrap();
        assert_eq!(bits(&reloaded), bits(&loaded));
    }
    // A policy whose head is its embedding cannot restore such a model.
    let dir = tempfile::tempdir().unwrap();
    let mut tied = support::tiny(1);
    tied.save(dir.path()).unwrap();
    add_head(dir.path(), true);
    let error = tied.restore(dir.path()).unwrap_err().to_string();
    assert!(error.contains("\"lm_head.weight\" differs from the embedding"), "{error}");
}

#[test]
fn other_forms_of_a_folder_load() {
    let load_with = |change: &dyn Fn(&Path)| {
        let dir = tempfile::tempdir().unwrap();
        let policy = support::tiny(2);
        policy.save_pretrained(dir.path()).unwrap();
        change(dir.path());
        let loaded = CandlePolicy::load(dir.path(), support::options()).unwrap();
        assert_eq!(bits(&loaded), bits(&policy));
        let again = dir.path().join("again");
        loaded.save_pretrained(&again).unwrap();
        serde_json::from_str::<Value>(&fs::read_to_string(again.join("config.json")).unwrap()).unwrap()
    };
    // Saved without a head.
    load_with(&|dir| {
        rewrite(dir, |all| {
            for (name, ..) in all.iter_mut() {
                *name = name.trim_start_matches("model.").to_owned();
            }
        });
    });
    // A window that begins after the last layer, or whose layers are said not to slide.
    for field in
        [("max_window_layers", json!(2)), ("layer_types", json!(["full_attention", "full_attention"]))]
    {
        load_with(&|dir| {
            edit(&dir.join("config.json"), |c| {
                c["use_sliding_window"] = json!(true);
                c["sliding_window"] = json!(10);
                c["max_window_layers"] = json!(0);
                c[field.0] = field.1.clone();
            });
        });
    }
    load_with(&|dir| edit(&dir.join("config.json"), |c| c["eos_token_id"] = json!(-1)));
    // A model that was dequantised may still say how it was quantised; what is saved does not.
    let saved = load_with(&|dir| {
        edit(&dir.join("config.json"), |c| {
            c["quantization_config"] = json!({"quant_method": "bitsandbytes"});
        });
    });
    assert!(saved.get("quantization_config").is_none());
}

#[test]
fn what_does_not_load_is_named_with_advice() {
    let quantised = load_changed(|dir| {
        edit(&dir.join("config.json"), |c| c["quantization_config"] = json!({"quant_method": "fp8"}));
        rewrite(dir, |all| {
            all.push(("model.layers.0.mlp.up_proj.weight_scale_inv".to_owned(), vec![1], vec![0; 4]));
        });
    });
    assert!(
        quantised.contains("config.json: field \"quantization_config\" says") && quantised.contains("(fp8;")
    );
    for (name, want) in
        [("score.weight", "a head for classes or values"), ("x.lora_A.weight", "load the base")]
    {
        let error = load_changed(|dir| rewrite(dir, |all| all.push((name.to_owned(), vec![1], vec![0; 4]))));
        assert!(error.contains(want), "{error}");
    }
    for (missing, instead, want) in [
        ("model.safetensors", "pytorch_model.bin", "has pytorch_model.bin instead: convert it once"),
        ("model.safetensors", "adapter_model.safetensors", "load its base"),
        ("tokenizer.json", "tokenizer.model", "has tokenizer.model instead; convert it once"),
    ] {
        let error = load_changed(|dir| {
            fs::remove_file(dir.join(missing)).unwrap();
            fs::write(dir.join(instead), "").unwrap();
        });
        assert!(error.contains(&format!("DIR/{missing}: not found")) && error.contains(want), "{error}");
    }
}

#[test]
fn sizes_that_the_weights_do_not_have_are_refused_before_memory_is_taken() {
    let cases: [(&str, Value, &str); 16] = [
        (
            "hidden_size",
            json!(1_000_000_000_000_u64),
            "\"hidden_size\" is 1000000000000; this backend takes at most",
        ),
        ("hidden_size", json!(1_u64 << 63), "\"hidden_size\" is 9223372036854775808"),
        ("hidden_size", json!(1 << 20), "where [40, 1048576] is expected"),
        ("intermediate_size", json!(1_000_000_000_000_u64), "\"intermediate_size\" is 1000000000000"),
        ("intermediate_size", json!(1_000_000_000_000_000_000_u64), "at most 1048576"),
        ("intermediate_size", json!(1 << 20), "has shape [24, 16], where [1048576, 16] is expected"),
        ("num_attention_heads", json!(1_000_000_000_000_u64), "\"num_attention_heads\" is 1000000000000"),
        ("num_attention_heads", json!(1 << 20), "shape"),
        ("num_key_value_heads", json!(1_000_000_000_000_u64), "\"num_key_value_heads\" is 1000000000000"),
        ("num_hidden_layers", json!(1_000_000_000_000_u64), "\"num_hidden_layers\" is 1000000000000"),
        (
            "num_hidden_layers",
            json!(10_000_000),
            "\"num_hidden_layers\" is 10000000; this backend takes at most 16384",
        ),
        ("num_hidden_layers", json!(16384), "\"num_hidden_layers\" is 16384, more than the 26 tensors"),
        ("head_dim", json!(1_u64 << 62), "\"head_dim\" is 4611686018427387904"),
        (
            "vocab_size",
            json!(4_000_000_000_u64),
            "\"vocab_size\" is 4000000000; this backend takes at most 16777216",
        ),
        ("vocab_size", json!(1 << 24), "has shape [40, 16], where [16777216, 16] is expected"),
        (
            "max_position_embeddings",
            json!(1_000_000_000_000_u64),
            "\"max_position_embeddings\" is 1000000000000",
        ),
    ];
    for (field, value, want) in cases {
        let shown = value.to_string();
        let error = load_changed(|dir| edit(&dir.join("config.json"), |c| c[field] = value));
        assert!(error.contains(want), "{field} {shown}: {error}");
    }
    // The product of sizes within their bounds.
    let error = load_changed(|dir| {
        edit(&dir.join("config.json"), |c| {
            for field in ["num_attention_heads", "num_key_value_heads", "head_dim", "hidden_size"] {
                c[field] = json!(1 << 20);
            }
            c["num_hidden_layers"] = json!(16384);
        });
    });
    assert!(error.contains("\"hidden_size\" and the other sizes make a model of"), "{error}");
    // The longest sequence costs nothing before it is used.
    let dir = tempfile::tempdir().unwrap();
    support::tiny(7).save_pretrained(dir.path()).unwrap();
    edit(&dir.path().join("config.json"), |c| c["max_position_embeddings"] = json!(1 << 24));
    let loaded = CandlePolicy::load(dir.path(), support::options()).unwrap();
    assert_eq!(loaded.logits(&[5, 6]).unwrap(), support::tiny(7).logits(&[5, 6]).unwrap());
}

/// A folder whose weights are one shard, which its index names so.
fn load_shard(name: &str, change: impl FnOnce(&Path)) -> String {
    load_changed(|dir| {
        let index = json!({"weight_map": {"model.norm.weight": name}});
        fs::write(dir.join("model.safetensors.index.json"), index.to_string()).unwrap();
        fs::rename(dir.join("model.safetensors"), dir.join("shard.safetensors")).unwrap();
        change(dir);
    })
}

#[test]
fn an_index_names_files_of_its_folder_only() {
    let outside = tempfile::tempdir().unwrap();
    let file = outside.path().join("model.safetensors");
    support::tiny(7).save_pretrained(outside.path()).unwrap();
    for name in ["../x.safetensors", "/x.safetensors", "a/../../x", "./x", "", "..", file.to_str().unwrap()] {
        let error = load_shard(name, |_| {});
        let want = format!("index.json: field \"{name}\" is not the name of a file in this folder");
        assert!(error.contains(&want), "{error}");
    }
    let error = load_shard("parts/x.safetensors", |_| {});
    assert!(error.contains("DIR/parts/x.safetensors: not found"), "{error}");
}

#[cfg(unix)]
#[test]
fn links_are_followed_as_in_the_cache_of_the_hub() {
    let dir = tempfile::tempdir().unwrap();
    let (blobs, snapshot) = (dir.path().join("blobs"), dir.path().join("snapshots/1"));
    fs::create_dir_all(&snapshot).unwrap();
    let policy = support::tiny(3);
    policy.save_pretrained(&blobs).unwrap();
    let weights = policy.parameters().map(|(name, ..)| (name.to_owned(), json!("model-1-of-1.safetensors")));
    let index = json!({"weight_map": weights.collect::<serde_json::Map<_, _>>()});
    fs::write(blobs.join("index"), index.to_string()).unwrap();
    for (name, blob) in [
        ("config.json", "config.json"),
        ("tokenizer.json", "tokenizer.json"),
        ("tokenizer_config.json", "tokenizer_config.json"),
        ("model.safetensors.index.json", "index"),
        ("model-1-of-1.safetensors", "model.safetensors"),
    ] {
        std::os::unix::fs::symlink(Path::new("../../blobs").join(blob), snapshot.join(name)).unwrap();
    }
    let loaded = CandlePolicy::load(&snapshot, support::options()).unwrap();
    assert_eq!(bits(&loaded), bits(&policy));
}

#[cfg(unix)]
#[test]
fn pipes_devices_and_endless_files_are_refused() {
    let pipe = |path: &Path| {
        fs::remove_file(path).unwrap_or_default();
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"] {
        let error = load_changed(|dir| pipe(&dir.join(name)));
        assert_eq!(
            error,
            format!("DIR/{name}: a pipe, and not a regular file; put the model's own file there")
        );
        let error = load_changed(|dir| {
            fs::remove_file(dir.join(name)).unwrap();
            std::os::unix::fs::symlink("/dev/zero", dir.join(name)).unwrap();
        });
        assert!(error.starts_with(&format!("DIR/{name}: a device, and not")), "{error}");
    }
    let error = load_shard("shard.safetensors", |dir| pipe(&dir.join("shard.safetensors")));
    assert!(error.starts_with("DIR/shard.safetensors: a pipe"), "{error}");
    // Files of these lengths take no room on a disk.
    for (name, length) in [("config.json", 65), ("tokenizer_config.json", 65), ("tokenizer.json", 257)] {
        let error =
            load_changed(|dir| fs::File::create(dir.join(name)).unwrap().set_len(length << 20).unwrap());
        assert!(error.starts_with(&format!("DIR/{name}: longer than {} MiB", length - 1)), "{error}");
    }
}

#[test]
fn a_header_that_is_too_long_is_refused() {
    for (header, length, want) in [
        (u64::MAX, 1000, "its header would have 18446744073709551615 bytes, and the file has 1000"),
        (40 << 20, 50 << 20, "its header has 41943040 bytes, more than 32 MiB"),
        (1 << 20, 1 << 19, "its header would have 1048576 bytes"),
    ] {
        let error = load_changed(|dir| {
            let path = dir.join("model.safetensors");
            fs::write(&path, u64::to_le_bytes(header)).unwrap();
            fs::File::options().append(true).open(&path).unwrap().set_len(length).unwrap();
        });
        assert!(error.starts_with("DIR/model.safetensors: not a whole") && error.contains(want), "{error}");
    }
}

/// A header is read once, not once for each tensor.
#[test]
fn many_tensors_load_in_time() {
    let started = std::time::Instant::now();
    let error = load_changed(|dir| {
        rewrite(dir, |all| all.extend((0..100_000).map(|i| (format!("extra.{i}"), vec![0], vec![]))));
    });
    assert!(error.contains("\"extra.0\" has no place"), "{error}");
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

#[test]
fn a_tokenizer_that_multiplies_texts_is_refused() {
    let ten = json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaaaaaa"});
    let error = load_changed(|dir| {
        edit(&dir.join("tokenizer.json"), |t| {
            t["normalizer"] = json!({"type": "Sequence", "normalizers": vec![ten; 9]});
        });
    });
    assert!(
        error.starts_with("DIR/tokenizer.json: its replacements may make 1000000000 characters of one"),
        "{error}"
    );
}

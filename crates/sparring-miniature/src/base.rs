use std::io::Write;
use std::path::Path;

/// The files of the shipped base model, a Hugging Face folder.
const FILES: [(&str, &[u8]); 5] = [
    ("config.json", include_bytes!("../base/config.json")),
    ("generation_config.json", include_bytes!("../base/generation_config.json")),
    ("tokenizer.json", include_bytes!("../base/tokenizer.json")),
    ("tokenizer_config.json", include_bytes!("../base/tokenizer_config.json")),
    ("model.safetensors", include_bytes!("../base/model.safetensors")),
];

/// Writes the pretrained base as a Hugging Face folder (Qwen2 architecture) into `dir`, which is created.
///
/// Each file is written under a temporary name and then renamed.
///
/// # Errors
/// Errors of the file system. Existing files are replaced only by complete new ones.
pub fn write_base(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    for (name, bytes) in FILES {
        let temporary = dir.join(format!("{name}.tmp"));
        let mut file = std::fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, dir.join(name))?;
    }
    Ok(())
}

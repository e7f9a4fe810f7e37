use super::*;
use crate::{Report, write_report};

#[test]
fn the_report_stands_alone_and_escapes() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = game(toy_config()).with_preset("<b>toy</b> & co");
    run.run(dir.path()).unwrap();
    let path = Report::open(dir.path())
        .unwrap()
        .with_render(|task| format!("<script>{}</script>", task["letters"].as_str().unwrap()))
        .write()
        .unwrap();
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.contains("&lt;b&gt;toy&lt;/b&gt; &amp; co"));
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script"));
    for outside in ["src=", "href=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.matches("<svg").count() >= 8, "accuracy, two histograms, five training charts");
    assert!(!page.contains("#010203"), "the ink follows the page");
    for heading in ["Result", "accuracy", "The task pool", "before and after", "Time", "Settings"] {
        assert!(page.contains(heading), "{heading}");
    }
    if let Ok(keep) = std::env::var("SPARRING_KEEP_REPORT") {
        std::fs::write(keep, &page).unwrap();
    }
}

#[test]
fn an_unfinished_run_has_a_report_too() {
    let dir = tempfile::tempdir().unwrap();
    let mut left = 60;
    let mut run = game(tiny_config()).with_observer(move |_: sparring_core::Event<'_>| {
        assert!(left != 0, "killed");
        left -= 1;
    });
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run.run(dir.path()))).is_err());
    // A line that was cut short.
    let events = dir.path().join("events.jsonl");
    let mut text = std::fs::read_to_string(&events).unwrap();
    text.push_str("{\"kind\":\"ex");
    std::fs::write(&events, text).unwrap();
    let page = std::fs::read_to_string(write_report(dir.path()).unwrap()).unwrap();
    assert!(page.contains("not finished"));
    let error = write_report(dir.path().join("nowhere")).unwrap_err().to_string();
    assert!(error.contains("run.json"), "{error}");
}

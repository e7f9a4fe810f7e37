//! Parts of a page. Arguments called text are escaped; HTML is inserted as it is.

/// Escapes text for HTML. Characters that would change the direction of the text around them are shown by their
/// numbers.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}' => {
                out.extend(c.escape_unicode());
            }
            c => out.push(c),
        }
    }
    out
}

/// A whole page; `title` is text, `body` is HTML.
pub fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>{title}</h1>\n{body}</main>\n</body>\n</html>\n"
    )
}

/// A section; nothing where `body` is empty. `heading` and `note` are text, `body` is HTML.
pub fn section(heading: &str, note: &str, body: &str) -> String {
    if body.is_empty() {
        return String::new();
    }
    let note =
        if note.is_empty() { String::new() } else { format!("<p class=\"note\">{}</p>\n", escape(note)) };
    format!("<section>\n<h2>{}</h2>\n{note}{body}</section>\n", escape(heading))
}

/// A figure with a caption and a legend of (colour, name).
pub fn figure(caption: &str, legend: &[(&str, &str)], svg: &str) -> String {
    let key = |(colour, name): &(&str, &str)| {
        format!("<span><i style=\"background:{colour}\"></i>{}</span>", escape(name))
    };
    let keys = legend.iter().map(key).collect::<Vec<_>>().concat();
    let keys = if legend.len() > 1 { format!("<div class=\"legend\">{keys}</div>") } else { String::new() };
    format!("<figure><figcaption>{}</figcaption>{keys}{svg}</figure>\n", escape(caption))
}

/// A number in large print above its label.
pub fn card(value: &str, label: &str, detail: &str) -> String {
    format!(
        "<div class=\"card\"><b>{}</b><span>{}</span><small>{}</small></div>\n",
        escape(value),
        escape(label),
        escape(detail)
    )
}

/// A table; cells are text.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let row = |tag: &str, cells: &[&str]| {
        let cell = |c: &&str| format!("<{tag}>{}</{tag}>", escape(c));
        let cells = cells.iter().map(cell).collect::<Vec<_>>().concat();
        format!("<tr>{cells}</tr>\n")
    };
    let body: String =
        rows.iter().map(|r| row("td", &r.iter().map(String::as_str).collect::<Vec<_>>())).collect();
    format!(
        "<div class=\"scroll\"><table>\n<thead>{}</thead>\n<tbody>{body}</tbody></table></div>\n",
        row("th", head)
    )
}

/// Horizontal bars of (label, count), as wide as their share of the largest.
pub fn bars(rows: &[(&str, usize)]) -> String {
    let top = rows.iter().map(|(_, n)| *n).max().unwrap_or(0).max(1);
    let bar = |&(label, n): &(&str, usize)| {
        let width = 100.0 * n as f64 / top as f64;
        format!(
            "<div class=\"bar\"><span>{}</span><div><i style=\"width:{width:.1}%\"></i></div><b>{n}</b></div>\n",
            escape(label)
        )
    };
    rows.iter().map(bar).collect()
}

/// The page has its own styles and nothing else: no scripts, nothing from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const STYLE: &str = "\
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --paper: #f5f6f8; --card: #ffffff;\
 --line: #dfe3e8; --accent: #3b7dd8; --good: #2e8b57; --bad: #c8504b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #9aa5b4; --paper: #14181d;\
 --card: #1d232a; --line: #323a44; --accent: #6aa5f2; --good: #5fc08b; --bad: #ee807a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);\
 font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 1rem; } h2 { font-size: 1.2rem; margin: 0 0 .25rem; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px;\
 padding: 1.25rem; margin: 0 0 1.25rem; }
.note, .soft, figcaption, small { color: var(--soft); } .note { margin: 0 0 1rem; font-size: .9rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: .75rem; }
.card { border: 1px solid var(--line); border-radius: 10px; padding: .8rem 1rem; display: flex;\
 flex-direction: column; }
.card b { font-size: 1.5rem; font-variant-numeric: tabular-nums; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; min-width: 0; } figcaption { font-size: .9rem; }
figure svg { width: 100%; height: auto; display: block; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem .9rem; font-size: .85rem; }
.legend i { display: inline-block; width: .7em; height: .7em; border-radius: 50%; margin-right: .35em; }
.bar { display: grid; grid-template-columns: 11rem 1fr 4rem; gap: .75rem; align-items: center;\
 font-size: .9rem; margin: .2rem 0; }
.bar div { background: var(--line); border-radius: 6px; height: .9rem; overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--accent); }
.bar b { font-variant-numeric: tabular-nums; text-align: right; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .35rem .7rem; border-bottom: 1px solid var(--line);\
 font-variant-numeric: tabular-nums; }
pre { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; padding: .7rem;\
 margin: .4rem 0; overflow-x: auto; font: .82rem/1.45 ui-monospace, Consolas, monospace;\
 white-space: pre-wrap; overflow-wrap: anywhere; }
details { border-top: 1px solid var(--line); padding: .5rem 0; } summary { cursor: pointer; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(380px, 100%), 1fr)); gap: .75rem; }
.good { color: var(--good); } .bad { color: var(--bad); }
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_change_the_page_around_it() {
        assert_eq!(escape("<a & 'b'>"), "&lt;a &amp; &#39;b&#39;&gt;");
        assert_eq!(escape("a\u{202e}b\u{2069}"), "a\\u{202e}b\\u{2069}");
        let page = page("<t>", "");
        assert!(page.contains("default-src 'none'") && page.contains("<title>&lt;t&gt;</title>"), "{page}");
    }
}

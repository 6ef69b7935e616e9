//! The frame around the contents of a report.

/// Light and dark by the reader's preference; figures stay on white cards.
pub(super) const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1f2328; --muted: #59636e; --page: #ffffff;
  --soft: #f6f8fa; --rule: #d1d9e0; --link: #0060a0; --warn: #fff4e0; --warn-rule: #d55e00;
  --best: #dcefe8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --muted: #9aa5b1; --page: #14181d;
  --soft: #1d232a; --rule: #39424c; --link: #6cb6ff; --warn: #33261a; --best: #173a30; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.55;
  font: 16px/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif;
  -webkit-text-size-adjust: 100%; overflow-wrap: break-word; }
main { max-width: 1160px; margin: 0 auto; padding: 1.2rem 1rem 3rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .6rem; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .7rem; padding-bottom: .3rem;
  border-bottom: 1px solid var(--rule); }
p { margin: .6rem 0; max-width: 75ch; }
a { color: var(--link); }
.summary p { font-size: 1.08rem; }
.warning { border-left: 4px solid var(--warn-rule); background: var(--warn);
  padding: .6rem .9rem; border-radius: 0 6px 6px 0; max-width: none; }
nav { background: var(--soft); border-radius: 8px; padding: .7rem 1rem; margin: 1.2rem 0; }
nav ul { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap;
  gap: .35rem 1.3rem; }
nav a { text-decoration: none; display: inline-block; padding: .15rem 0; }
.scroll { overflow-x: auto; margin: .3rem 0 1rem; }
table { border-collapse: collapse; font-size: .95rem; font-variant-numeric: tabular-nums; }
.caption { color: var(--muted); margin: .9rem 0 .3rem; font-size: .92rem; }
th:first-child, td:first-child { min-width: 7.5rem; }
th, td { padding: .38rem .8rem .38rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--rule); }
thead th { border-bottom-width: 2px; vertical-align: bottom; }
.n { text-align: right; padding-left: .4rem; white-space: nowrap; }
td strong { background: var(--best); padding: .05rem .3rem; margin: 0 -.3rem;
  border-radius: 4px; }
.pairs th { font-weight: 500; color: var(--muted); white-space: nowrap; }
.pairs td { overflow-wrap: anywhere; }
figure { margin: 1.1rem 0; }
.cards { display: flex; flex-wrap: wrap; gap: .8rem; align-items: flex-start; }
.card { background: #ffffff; border: 1px solid var(--rule); border-radius: 8px; padding: .3rem;
  max-width: 100%; }
.card svg { display: block; max-width: 100%; height: auto; }
@media screen and (max-width: 620px) { .wide { overflow-x: auto; }
  .card.wide svg { max-width: none; width: 600px; }
  .narrow { max-width: calc(50% - .4rem); } }
figcaption { color: var(--muted); font-size: .92rem; margin-top: .45rem; max-width: 75ch; }
details { margin: .8rem 0; }
summary { cursor: pointer; color: var(--link); padding: .3rem 0; }
footer { margin-top: 3rem; color: var(--muted); font-size: .88rem; }
@media print { :root { color-scheme: light; --ink: #000000; --muted: #444444; --page: #ffffff;
  --soft: #ffffff; --rule: #bbbbbb; --warn: #ffffff; --best: #eeeeee; }
  nav { display: none; } main { max-width: none; padding: 0; }
  figure, tr, .warning { break-inside: avoid; } h2 { break-after: avoid; } }
";

/// JSON that can stand inside a `<script>`: nothing in it ends the element or starts a comment.
pub(super) fn inert(json: &str) -> String {
    json.replace('&', "\\u0026")
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inert_json_means_the_same() {
        let value = serde_json::json!({"a": "</script><!-- & \u{2028}", "b<": [1, 2.5, null]});
        let text = inert(&value.to_string());
        assert!(!text.contains(['<', '>', '&', '\u{2028}']), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}

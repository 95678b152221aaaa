//! Rust source without its comments and literals, so that rules look at code only.

/// Blanks out comments, strings and characters, keeping every line where it was.
pub fn code_only(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = at + skipped(source, at);
        if end == at {
            let character = source[at..].chars().next().expect("at is a character boundary before the end");
            code.push(character);
            at += character.len_utf8();
        } else {
            code.extend(source[at..end].chars().filter(|&c| c == '\n'));
            code.push(' ');
            at = end;
        }
    }
    code
}

/// The length in bytes of the comment or literal that starts at `at`; 0 where none does.
fn skipped(source: &str, at: usize) -> usize {
    let rest = &source[at..];
    let in_word = source[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        block_comment(rest)
    } else if rest.starts_with('"') {
        quoted(rest, '"')
    } else if rest.starts_with('\'') {
        character(rest)
    } else if !in_word {
        raw_string(rest)
    } else {
        0
    }
}

/// Block comments nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// From one quote to the next that no backslash escapes.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// `'a'` and `'\n'`, but not the lifetime `'a`.
fn character(rest: &str) -> usize {
    let mut characters = rest.chars().skip(1);
    let (first, second) = (characters.next(), characters.next());
    if first == Some('\\') || second == Some('\'') { quoted(rest, '\'') } else { 0 }
}

/// `r"..."`, `r#"..."#`, and those of bytes and C.
fn raw_string(rest: &str) -> usize {
    let start = rest.trim_start_matches(['b', 'c']);
    let prefix = rest.len() - start.len();
    let Some(after_r) = start.strip_prefix('r') else { return 0 };
    let hashes = after_r.len() - after_r.trim_start_matches('#').len();
    if prefix > 1 || !after_r[hashes..].starts_with('"') {
        return 0;
    }
    let open = prefix + 1 + hashes + 1;
    let close = format!("\"{}", "#".repeat(hashes));
    rest[open..].find(&close).map_or(rest.len(), |at| open + at + close.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_gone_and_lines_stay() {
        for (source, expected) in [
            ("a // unsafe\nb", "a  \nb"),
            ("a /* x /* y */\n z */ b", "a \n  b"),
            (r#"f("un\"safe") + g"#, "f( ) + g"),
            ("r#\"a \" b\"# + br\"c\" + d", "  +   + d"),
            (r"('\'', 'x', '\n')", "( ,  ,  )"),
            ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
            ("for_r(x)", "for_r(x)"),
        ] {
            assert_eq!(code_only(source), expected, "{source}");
        }
    }

    #[test]
    fn what_is_never_closed_ends_with_the_file() {
        for source in ["/* x", "\"x", "r#\"x\"", "b'"] {
            assert_eq!(code_only(source).lines().count(), 1, "{source}");
        }
    }
}

//! `${NAME}` and `${NAME:-default}`: the only things that are replaced in a configuration.

use crate::setting::Problem;

/// What YAML might read as syntax in a value without quotes.
const SYNTAX: &str = "\"'\\{}[]#&*!|>%@`,";

/// What ends a value in double quotes, or means something in it.
const QUOTED_SYNTAX: &str = "\"\\";

/// Replaces the variables of a text. Lines and their order stay as they are; comments are left alone.
///
/// A value in double quotes may hold whatever can't end them, such as `[::1]:8080`. Quotes and comments are told line
/// by line, so what is quoted over several lines counts as not quoted.
pub(super) fn interpolate(
    text: &str,
    variable: impl Fn(&str) -> Option<String>,
    problems: &mut Vec<Problem>,
) -> String {
    let mut result = String::with_capacity(text.len());
    for (number, whole) in (1..).zip(text.split_inclusive('\n')) {
        let (line, comment) = whole.split_at(comment(whole));
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("${") {
            result.push_str(before);
            let start = line.len() - after.len() - 2;
            let column = start as u64 + 1;
            let mut refuse = |message: String| {
                problems.push(Problem { line: number, column, path: "(file)".to_owned(), message });
            };
            let Some((inner, behind)) = after.split_once('}') else {
                refuse("`${` is not closed: write ${NAME} or ${NAME:-default}".to_owned());
                rest = "";
                break;
            };
            let (name, default) = match inner.split_once(":-") {
                Some((name, default)) => (name, Some(default.to_owned())),
                None => (inner, None),
            };
            rest = behind;
            if name.is_empty()
                || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            {
                refuse(format!("`{name}` is not the name of an environment variable"));
                continue;
            }
            // As in a shell, `:-` stands in for an empty variable too.
            let set = variable(name).filter(|value| default.is_none() || !value.is_empty());
            let quoted = line.get(..start).and_then(open_quote) == Some('"');
            let syntax = if quoted { QUOTED_SYNTAX } else { SYNTAX };
            match set.or(default) {
                None => refuse(format!(
                    "the environment variable {name} is not set: set it or write ${{{name}:-default}}"
                )),
                Some(value) if value.contains(|c: char| c.is_control() || syntax.contains(c)) => {
                    refuse(format!(
                        "the value of {name} holds a character that YAML would read as syntax{}",
                        if quoted { "" } else { "; in double quotes, only \" and \\ are" }
                    ));
                }
                Some(value) => result.push_str(&value),
            }
        }
        result.push_str(rest);
        result.push_str(comment);
    }
    result
}

/// Where the comment of a line begins, or where the line ends: at a `#` behind a blank and outside of quotes (YAML 1.2,
/// section 6.6).
fn comment(line: &str) -> usize {
    let begins = |at: usize| {
        let before = line.get(..at).unwrap_or_default();
        before.chars().next_back().is_none_or(char::is_whitespace) && open_quote(before).is_none()
    };
    line.match_indices('#').map(|(at, _)| at).find(|at| begins(*at)).unwrap_or(line.len())
}

/// The quote that is open at the end of the beginning of a line.
fn open_quote(beginning: &str) -> Option<char> {
    let mut open = None;
    let mut escaped = false;
    for (at, c) in beginning.char_indices() {
        match open {
            _ if escaped => escaped = false,
            Some('"') if c == '\\' => escaped = true,
            Some(quote) if c == quote => open = None,
            None if matches!(c, '"' | '\'')
                && opens(beginning.get(..at).unwrap_or_default(), c) =>
            {
                open = Some(c);
            }
            _ => {}
        }
    }
    open
}

/// Whether a quote behind this opens a text: only where a value or a key may begin, so the one in `it's` does not.
fn opens(before: &str, quote: char) -> bool {
    let trimmed = before.trim_end();
    let touches = trimmed.len() == before.len();
    // `''` is a quote within a text in single quotes, and JSON needs no blank behind a colon.
    let within = quote == '\'' && before.ends_with('\'');
    let json = touches && (trimmed.ends_with("\":") || trimmed.ends_with("':"));
    within
        || json
        || trimmed.ends_with(['[', '{', ','])
        || (trimmed.ends_with(':') && !touches)
        || trimmed.chars().all(|c| c == '-' || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let variable = |name: &str| match name {
            "PORT" => Some("8080".to_owned()),
            "EMPTY" => Some(String::new()),
            "EVIL" => Some("\"\nadmin: {".to_owned()),
            "QUOTE" => Some("a\", b: \"".to_owned()),
            "ESCAPE" => Some("a\\".to_owned()),
            "SIX" => Some("[::1]:1".to_owned()),
            _ => None,
        };
        let mut problems = Vec::new();
        let result = interpolate(text, variable, &mut problems);
        match expected {
            Ok(expected) => assert_eq!((result.as_str(), problems), (expected, vec![])),
            Err(expected) => {
                assert_eq!(problems.first().map(ToString::to_string).as_deref(), Some(expected));
            }
        }
    }

    #[test]
    fn takes_the_variable_or_the_default() {
        check("a: x:${PORT:-1}y\nb: ${PORT}\n", Ok("a: x:8080y\nb: 8080\n"));
        check("a: ${NONE:-1}${EMPTY:-2}", Ok("a: 12"));
        check("a: ${EMPTY}", Ok("a: "));
        check("a: ${NONE:-}", Ok("a: "));
        check("a: $PORT $ {PORT} }", Ok("a: $PORT $ {PORT} }"));
    }

    #[test]
    fn leaves_comments_alone() {
        check("  # ${NAME:-default} and ${NONE}\n", Ok("  # ${NAME:-default} and ${NONE}\n"));
    }

    #[test]
    fn leaves_comments_behind_values_alone() {
        for line in
            ["a: b # ${NONE}", "a: 'it''s' # ${NONE}", "a: it's # ${NONE}", "a: \"\\\"\" # ${NONE}"]
        {
            check(line, Ok(line));
        }
        check("a: ${PORT} # ${NONE}\nb: ${PORT}", Ok("a: 8080 # ${NONE}\nb: 8080"));
        for text in
            ["a: \"b # ${PORT}\"", "a: 'b # ${PORT}'", "a: b#${PORT}", "{a: \"#\", b: ${PORT}}"]
        {
            check(text, Ok(&text.replace("${PORT}", "8080")));
        }
    }

    #[test]
    fn a_value_in_double_quotes_may_hold_what_can_not_end_them() {
        check("a: \"${SIX}\"", Ok("a: \"[::1]:1\""));
        check("a: { b: \"http://${SIX}/\" }", Ok("a: { b: \"http://[::1]:1/\" }"));
        check("- \"${SIX}\"", Ok("- \"[::1]:1\""));
        check("{\"a\":\"${SIX}\"}", Ok("{\"a\":\"[::1]:1\"}"));
        check("a: \"${NONE:-[::1]}:${PORT}\"", Ok("a: \"[::1]:8080\""));
        let syntax = |name: &str, hint: &str| {
            format!("the value of {name} holds a character that YAML would read as syntax{hint}")
        };
        let bare = syntax("SIX", "; in double quotes, only \" and \\ are");
        for text in [
            "a: ${SIX}",
            "a: x\"${SIX}\"",
            "a: x \"${SIX}\"",
            "{ a:\"${SIX}\" }",
            "a: \"b\" ${SIX}",
        ] {
            let column = text.find('$').unwrap() + 1;
            check(text, Err(&format!("1:{column}: (file): {bare}")));
        }
        check("a: '${SIX}'", Err(&format!("1:5: (file): {bare}")));
        for name in ["EVIL", "QUOTE", "ESCAPE"] {
            check(
                &format!("a: \"${{{name}}}\""),
                Err(&format!("1:5: (file): {}", syntax(name, ""))),
            );
        }
    }

    #[test]
    fn says_where_a_variable_is_wrong() {
        check(
            "\na: ${NONE}",
            Err(
                "2:4: (file): the environment variable NONE is not set: set it or write ${NONE:-default}",
            ),
        );
        check(
            "a: ${PORT",
            Err("1:4: (file): `${` is not closed: write ${NAME} or ${NAME:-default}"),
        );
        check("a: ${A-B}", Err("1:4: (file): `A-B` is not the name of an environment variable"));
        check("a: ${}", Err("1:4: (file): `` is not the name of an environment variable"));
    }

    #[test]
    fn a_value_can_not_add_settings() {
        check(
            "a: ${EVIL}",
            Err(
                "1:4: (file): the value of EVIL holds a character that YAML would read as syntax; in double quotes, only \" and \\ are",
            ),
        );
    }
}

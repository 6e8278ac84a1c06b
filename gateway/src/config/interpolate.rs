//! `${NAME}` and `${NAME:-default}`: the only things that are replaced in a configuration.

use crate::setting::Problem;

/// Replaces the variables of a text. Lines and their order stay as they are; comments are left alone.
pub(super) fn interpolate(
    text: &str,
    variable: impl Fn(&str) -> Option<String>,
    problems: &mut Vec<Problem>,
) -> String {
    let mut result = String::with_capacity(text.len());
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if line.trim_start().starts_with('#') {
            result.push_str(line);
            continue;
        }
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("${") {
            result.push_str(before);
            let column = (line.len() - after.len()) as u64 - 1;
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
            match set.or(default) {
                None => refuse(format!(
                    "the environment variable {name} is not set: set it or write ${{{name}:-default}}"
                )),
                Some(value)
                    if value.contains(|c: char| {
                        c.is_control() || "\"'\\{}[]#&*!|>%@`,".contains(c)
                    }) =>
                {
                    refuse(format!(
                        "the value of {name} holds a character that YAML would read as syntax"
                    ));
                }
                Some(value) => result.push_str(&value),
            }
        }
        result.push_str(rest);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let variable = |name: &str| match name {
            "PORT" => Some("8080".to_owned()),
            "EMPTY" => Some(String::new()),
            "EVIL" => Some("\"\nadmin: {".to_owned()),
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
            Err("1:4: (file): the value of EVIL holds a character that YAML would read as syntax"),
        );
    }
}

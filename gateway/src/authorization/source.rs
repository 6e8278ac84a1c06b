//! From the text of a rule to its syntax tree, by the parser of the crate `cel`.
//!
//! The parser recurses without a limit of its own, and a thread whose stack is used up ends the whole program. So a rule
//! is measured before the parser sees it, and parsed on a thread with room enough for what the measure lets through.

use std::thread;

use cel::common::ast::{IdedExpr, SourceInfo};
use cel::parser::Parser;

/// The longest rule, in bytes.
const LONGEST: usize = 2048;

/// How deep brackets and conditionals may nest.
const DEEPEST: usize = 32;

/// An unoptimized parser takes about 90 KiB for each bracket.
const STACK: usize = 64 * 1024 * 1024;

/// A mistake in a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The character at which it stands, counted from 0.
    pub(super) at: usize,
    pub(super) message: String,
}

/// A rule that was parsed.
pub(super) struct Parsed {
    pub(super) root: IdedExpr,
    places: SourceInfo,
}

impl Parsed {
    /// The character at which a part begins.
    pub(super) fn place(&self, part: &IdedExpr) -> usize {
        self.places.offset_for(part.id).map_or(0, |(start, _)| start as usize)
    }
}

/// Parses a rule and hands it to `check`, which recurses as deep as the parser did.
///
/// # Errors
///
/// What the parser says about the rule, or that it could not say anything.
pub(super) fn parse<T: Send>(
    text: &str,
    check: impl FnOnce(&Parsed) -> T + Send,
) -> Result<T, Vec<Fault>> {
    measure(text).map_err(|fault| vec![fault])?;
    let unreadable = || vec![Fault { at: 0, message: "the rule can't be read".to_owned() }];
    thread::scope(|scope| {
        let reader = thread::Builder::new().name("rule".to_owned()).stack_size(STACK);
        let reader = reader.spawn_scoped(scope, || {
            let parser = Parser::new().max_recursion_depth(u16::MAX);
            match parser.parse_with_source_info(text) {
                Ok((root, places)) => Ok(check(&Parsed { root, places })),
                Err(errors) => Err(errors
                    .errors
                    .iter()
                    .map(|error| Fault { at: offset(text, error.pos), message: plain(&error.msg) })
                    .collect()),
            }
        });
        reader.map_err(|_| unreadable())?.join().map_err(|_| unreadable())?
    })
}

/// Counts without understanding: a bracket within a text counts too.
fn measure(text: &str) -> Result<(), Fault> {
    if text.trim().is_empty() {
        return Err(Fault { at: 0, message: "it is empty; write what must be true".to_owned() });
    }
    if text.len() > LONGEST {
        let message = format!("it is longer than {LONGEST} bytes: split it into several rules");
        return Err(Fault { at: 0, message });
    }
    let mut depth = 0_usize;
    for (at, c) in text.chars().enumerate() {
        match c {
            '(' | '[' | '{' | '?' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            let message = format!("brackets and conditionals nest deeper than {DEEPEST} levels");
            return Err(Fault { at, message });
        }
    }
    Ok(())
}

/// From line and column, both counted from 1, to the character counted from 0.
fn offset(text: &str, (line, column): (isize, isize)) -> usize {
    let lines = usize::try_from(line - 1).unwrap_or(0);
    let before: usize =
        text.split_inclusive('\n').take(lines).map(|line| line.chars().count()).sum();
    before + usize::try_from(column - 1).unwrap_or(0)
}

/// What the parser says, without the list of all that might have stood there.
fn plain(message: &str) -> String {
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    let said = message.split(" expecting ").next().unwrap_or(message);
    let said = said
        .replace("token recognition error at: ", "this is no word of CEL: ")
        .replace("mismatched input '<EOF>'", "it ends too soon")
        .replace("extraneous input", "this does not belong here:")
        .replace("mismatched input", "this does not belong here:")
        .replace("no viable alternative at input", "this can't be understood:");
    let hint = match said.trim_start_matches("this is no word of CEL: ").chars().nth(1) {
        Some('=') if said.starts_with("this is no") => "; two things are compared by `==`",
        Some('&') if said.starts_with("this is no") => "; and is written `&&`",
        Some('|') if said.starts_with("this is no") => "; or is written `||`",
        _ => "",
    };
    format!("{said}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<(usize, String)> {
        let parsed = parse(text, |_| ());
        parsed.err().into_iter().flatten().map(|fault| (fault.at, fault.message)).collect()
    }

    #[test]
    fn says_at_which_character_a_rule_can_not_be_read() {
        for (text, at, message) in [
            ("", 0, "it is empty; write what must be true"),
            (" \n", 0, "it is empty; write what must be true"),
            ("claims.sub ==", 13, "it ends too soon"),
            (
                "claims.sub = 'a'",
                11,
                "this is no word of CEL: '= '; two things are compared by `==`",
            ),
            ("claims.sub == 'é' | true", 18, "this is no word of CEL: '| '; or is written `||`"),
            (
                "claims.sub == 'a'\n  & true",
                20,
                "this is no word of CEL: '& '; and is written `&&`",
            ),
            ("'a", 0, "this is no word of CEL: ''a'"),
            ("true)", 4, "this does not belong here: ')'"),
        ] {
            let faults = faults(text);
            assert_eq!(faults.first(), Some(&(at, message.to_owned())), "{text}: {faults:?}");
        }
    }

    #[test]
    fn a_rule_that_would_use_up_the_stack_is_refused_unparsed() {
        let nested = |open: &str, close: &str, depth: usize| {
            format!("{}true{}", open.repeat(depth), close.repeat(depth))
        };
        for (open, close) in [("(", ")"), ("[", "]"), ("{1:", "}"), ("true ? true : ", "")] {
            assert_eq!(faults(&nested(open, close, DEEPEST)), [], "{open}");
            let deeper = faults(&nested(open, close, DEEPEST + 1));
            assert!(deeper[0].1.contains("nest deeper than 32"), "{open}: {deeper:?}");
        }
        let unclosed = faults(&"(".repeat(LONGEST));
        assert!(unclosed[0].1.contains("nest deeper"), "{unclosed:?}");
        assert!(faults(&format!("'{}'", "a".repeat(LONGEST)))[0].1.contains("longer than 2048"));
    }

    #[test]
    fn the_longest_chains_are_parsed_within_the_stack() {
        let chain = |part: &str, end: &str| part.repeat((LONGEST - end.len()) / part.len()) + end;
        for text in [
            chain("!", "true"),
            chain("a.", "a"),
            chain("a&&", "a"),
            chain("a||", "a"),
            chain("a==", "a"),
            chain("a+", "a"),
            chain("-", "a"),
            chain("a in ", "a"),
            format!("a{}", "()".repeat((LONGEST - 1) / 2)),
            format!("a{}", "[0]".repeat((LONGEST - 1) / 3)),
        ] {
            let _whatever_it_says = faults(&text);
        }
    }
}

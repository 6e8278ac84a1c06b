//! The section `rate_limiting`: how often who may do what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::class::{self, Classes};
use super::store::Location;
use super::subject::{By, Names};
use crate::context::Allowance;
use crate::setting::{Place, Problem, Rate, Spanned};

/// The longest time that any limit looks back. It keeps all times within 64 bits.
const LONGEST: Duration = Duration::from_hours(366 * 24);

/// How long a key for the store is at least, in bytes.
const SHORTEST_KEY: usize = 16;

const CLASS_BEFORE: &str = "a limit by address stands before authentication, where nobody has a class: leave it out, or limit by principal";

/// The section as it was written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// Where several gateways count together; empty or left out, each counts for itself.
    store: Option<Spanned<String>>,
    /// What names whom it counts in the store, the same in all gateways; empty or left out, it is no secret.
    store_key: Option<Spanned<String>>,
    /// Kinds of principals by their roles.
    classes: Vec<class::Line>,
    /// By name.
    limits: BTreeMap<String, Spanned<Line>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    by: Spanned<By>,
    rate: Rate,
    /// One, when it is left out: nothing is let through at once.
    burst: Option<Spanned<u32>>,
    /// All that are exposed, when it is left out.
    rpcs: Option<Vec<Spanned<String>>>,
    /// Everybody, when it is left out.
    class: Option<Spanned<String>>,
    #[serde(default)]
    dry_run: bool,
}

/// A limit that is written right. Whether its RPCs exist is not known here.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) allowance: Arc<Allowance>,
    pub(crate) by: By,
    /// Where it says so.
    pub(crate) by_place: Place,
    /// The RPCs and where they are written; all that are exposed, when there are none.
    pub(crate) rpcs: Option<Vec<(String, Place)>>,
    /// Whom it is for, if not for everybody.
    pub(crate) class: Option<Arc<str>>,
    /// Whether it only counts.
    pub(crate) dry_run: bool,
}

/// The section, read.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) store: Option<Location>,
    pub(crate) names: Names,
    pub(crate) classes: Arc<Classes>,
    pub(crate) limits: Vec<Rule>,
}

impl Config {
    /// What is written right; what is wrong is added to the problems.
    pub(crate) fn read(&self, problems: &mut Vec<Problem>) -> Rules {
        let classes = Classes::read(&self.classes, problems);
        let limits = self.limits.iter();
        let limits =
            limits.filter_map(|(name, line)| rule(name, line, &classes, problems)).collect();
        let store = self.store.as_ref().filter(|store| !store.value.is_empty());
        let store = store.and_then(|written| {
            let refuse =
                |message| problems.push(Problem::at(written, "rate_limiting.store", message));
            Location::parse(&written.value).map_err(refuse).ok()
        });
        let names = self.names(problems);
        Rules { store, names, classes: Arc::new(classes), limits }
    }

    fn names(&self, problems: &mut Vec<Problem>) -> Names {
        let Some(key) = self.store_key.as_ref().filter(|key| !key.value.is_empty()) else {
            return Names::default();
        };
        if key.value.len() < SHORTEST_KEY {
            let message = format!(
                "it can be guessed: write at least {SHORTEST_KEY} random characters, such as `openssl rand -hex 16` prints"
            );
            problems.push(Problem::at(key, "rate_limiting.store_key", message));
        }
        Names::with(&key.value)
    }
}

fn rule(
    name: &str,
    line: &Spanned<Line>,
    classes: &Classes,
    problems: &mut Vec<Problem>,
) -> Option<Rule> {
    let before = problems.len();
    let path = format!("rate_limiting.limits.{name}");
    let Line { by, rate, burst, rpcs, class, dry_run } = &line.value;
    if !is_name(name) {
        let message =
            format!("`{name}` can't be told to clients: a name has 1 to 64 of a-z, 0-9, _ and -");
        problems.push(Problem::at(line, &path, message));
    }
    let interval = rate.interval();
    let allowed = burst.as_ref().map_or(1, |burst| burst.value);
    if let Some(burst) = burst {
        let longest = LONGEST.as_secs() / 86_400;
        let message = match interval.checked_mul(allowed) {
            _ if allowed == 0 => Some("nobody would ever pass: write at least 1".to_owned()),
            Some(window) if window <= LONGEST => None,
            _ => Some(format!(
                "it would take more than {longest} days to fill again: write a smaller burst or a higher rate"
            )),
        };
        if let Some(message) = message {
            problems.push(Problem::at(burst, format!("{path}.burst"), message));
        }
    } else if interval > LONGEST {
        problems.push(Problem::at(line, format!("{path}.rate"), "it is less than once a year"));
    }
    let class_name = class.as_ref().and_then(|class| {
        let named = match by.value {
            By::Address => Err(CLASS_BEFORE.to_owned()),
            _ => classes.named(&class.value),
        };
        let refuse = |message| problems.push(Problem::at(class, format!("{path}.class"), message));
        named.map_err(refuse).ok()
    });
    let rpcs = rpcs.as_ref().map(|rpcs| {
        if rpcs.is_empty() {
            let message = "it would limit nothing: name RPCs, or leave it out for all of them";
            problems.push(Problem::at(line, format!("{path}.rpcs"), message));
        }
        let mut seen = BTreeSet::new();
        let mut named = Vec::new();
        for rpc in rpcs {
            let place = Place::of(rpc, format!("{path}.rpcs"));
            if seen.insert(&rpc.value) {
                named.push((rpc.value.clone(), place));
            } else {
                problems.push(place.problem(format!("`{}` is there twice", rpc.value)));
            }
        }
        named
    });
    (problems.len() == before).then(|| Rule {
        allowance: Arc::new(Allowance { name: name.into(), burst: allowed, interval }),
        by: by.value,
        by_place: Place::of(by, format!("{path}.by")),
        rpcs,
        class: class_name,
        dry_run: *dry_run,
    })
}

/// What can stand in the header of an answer, a key of the store and a log line as it is.
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> (Rules, Vec<String>) {
        let config: Config = serde_saphyr::from_str(yaml).unwrap();
        let mut problems = Vec::new();
        let rules = config.read(&mut problems);
        (rules, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn reads_a_limit_with_what_is_left_out() {
        let (rules, problems) = read("limits: { login: { by: address, rate: 10/1m } }");
        assert_eq!(problems, Vec::<String>::new());
        let limit = &rules.limits[0];
        let allowance =
            Allowance { name: "login".into(), burst: 1, interval: Duration::from_secs(6) };
        assert_eq!((&*limit.allowance, limit.by), (&allowance, By::Address));
        assert!(limit.rpcs.is_none() && limit.class.is_none() && !limit.dry_run);
        assert!(rules.store.is_none());
    }

    #[test]
    fn an_empty_store_is_none() {
        let (rules, problems) = read("store: ''");
        assert!(rules.store.is_none() && problems.is_empty());
    }

    #[test]
    fn a_key_for_the_store_is_long_and_not_repeated() {
        let (_, problems) = read("store_key: hunter2hunter2!");
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("1:12: rate_limiting.store_key: it can be guessed"));
        assert!(!problems[0].contains("hunter2"), "{problems:?}");
        for fine in ["store_key: ''", "store_key: hunter2hunter2!!", "{}"] {
            assert_eq!(read(fine).1, Vec::<String>::new(), "{fine}");
        }
    }

    #[test]
    fn says_where_a_limit_is_wrong_and_takes_no_such_limit() {
        for (line, expected) in [
            ("by: principal, rate: 1/1s, burst: 0", "1:50: rate_limiting.limits.a.burst: nobody"),
            (
                "by: principal, rate: 1/24h, burst: 367",
                "1:51: rate_limiting.limits.a.burst: it would",
            ),
            (
                "by: rpc, rate: 1/1h, burst: 4294967295",
                "1:44: rate_limiting.limits.a.burst: it would",
            ),
            ("by: rpc, rate: 1/9999h", "1:14: rate_limiting.limits.a.rate: it is less"),
            ("by: rpc, rate: 1/1s, class: vip", "1:44: rate_limiting.limits.a.class: there is no"),
            (
                "by: address, rate: 1/1s, class: user",
                "1:48: rate_limiting.limits.a.class: a limit by",
            ),
            ("by: rpc, rate: 1/1s, rpcs: []", "1:14: rate_limiting.limits.a.rpcs: it would limit"),
            (
                "by: rpc, rate: 1/1s, rpcs: [a.B/C, a.B/C]",
                "1:51: rate_limiting.limits.a.rpcs: `a.B/C` is there twice",
            ),
        ] {
            let (rules, problems) = read(&format!("limits: {{ a: {{ {line} }} }}"));
            assert_eq!(problems.len(), 1, "{line}: {problems:?}");
            assert!(problems[0].starts_with(expected), "{line}: {problems:?}");
            assert!(rules.limits.is_empty(), "{line}");
        }
        for name in ["Login", "'a b'", "'a\"b'", "''", "é"] {
            let (rules, problems) =
                read(&format!("limits: {{ {name}: {{ by: rpc, rate: 1/1s }} }}"));
            assert!(problems[0].contains("can't be told"), "{problems:?}");
            assert!(rules.limits.is_empty());
        }
    }

    #[test]
    fn refuses_what_is_no_setting_and_no_rate() {
        for yaml in [
            "limit: {}",
            "limits: { a: { rate: 1/1s } }",
            "limits: { a: { by: rpc } }",
            "limits: { a: { by: ip, rate: 1/1s } }",
            "limits: { a: { by: rpc, rate: 1 } }",
            "limits: { a: { by: rpc, rate: 0/1s } }",
            "limits: { a: { by: rpc, rate: 1/1s, burst: -1 } }",
            "limits: { a: { by: rpc, rate: 1/1s, burst: 4294967296 } }",
            "limits: { a: { by: rpc, rate: 1/1s, dry_run: maybe } }",
            "limits: { a: { by: rpc, rate: 1/1s, rpc: [] } }",
            "limits: { a: { by: rpc, rate: 1/1s }, a: { by: rpc, rate: 1/1s } }",
            "classes: [{ class: a }]",
        ] {
            assert!(serde_saphyr::from_str::<Config>(yaml).is_err(), "{yaml}");
        }
    }
}

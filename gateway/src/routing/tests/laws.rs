//! What holds for all templates and paths, tried on many of them.

use http::Method;
use proptest::prelude::*;

use super::super::*;

const METHODS: [&str; 4] = ["GET", "POST", "HEAD", "*"];

/// A segment as the naive matcher sees it; the order is the order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Literal(&'static str),
    Single,
    End,
    Rest,
}

#[derive(Clone, Debug)]
struct Model {
    method: &'static str,
    parts: Vec<Part>,
    verb: Option<&'static str>,
}

impl Model {
    fn route(&self) -> Route<usize> {
        let mut text: String = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => format!("/{}", text.replace(':', "%3A")),
                Part::Single => "/*".to_owned(),
                Part::Rest => "/**".to_owned(),
                Part::End => String::new(),
            })
            .collect();
        if let Some(verb) = self.verb {
            text = format!("{text}:{verb}");
        }
        Route {
            method: self.method.parse().unwrap(),
            template: Template::parse(&text).unwrap(),
            target: 0,
        }
    }

    fn matches(&self, path: &[String]) -> bool {
        let open = self.parts.last() == Some(&Part::Rest);
        let fixed = self.parts.len() - usize::from(open);
        (path.len() == fixed || open && path.len() > fixed)
            && path.iter().zip(&self.parts).all(|(segment, part)| match part {
                Part::Literal(text) => text == segment,
                _ => !segment.is_empty(),
            })
            && path.iter().all(|segment| !segment.is_empty())
    }

    fn allows(&self, method: &str) -> bool {
        self.method == method || self.method == "*" || self.method == "GET" && method == "HEAD"
    }

    /// Segments, then verb, then how exactly the method is named.
    fn rank(&self, method: &str) -> (Vec<Part>, bool, usize) {
        let mut parts: Vec<Part> = self
            .parts
            .iter()
            .map(|part| if let Part::Literal(_) = part { Part::Literal("") } else { part.clone() })
            .collect();
        parts.push(Part::End);
        let exactness =
            [method, "GET", "*"].iter().position(|named| *named == self.method).unwrap();
        (parts, self.verb.is_none(), exactness)
    }
}

/// The slow and plain way: ask every route, in both readings of the path, and sort what matches.
fn naive(models: &[Model], method: &str, path: &str) -> Result<Option<usize>, Vec<&'static str>> {
    let decode = |text: &str| text.replace("%61", "a").replace("%3A", ":");
    let split = |text: &str| -> Vec<String> {
        if text == "/" { Vec::new() } else { text.split('/').skip(1).map(decode).collect() }
    };
    let whole = split(path);
    let cut = path
        .rsplit_once(':')
        .filter(|(_, verb)| !verb.contains('/'))
        .map(|(rest, verb)| (split(rest), decode(verb)));
    let by_verb = |model: &Model| {
        cut.as_ref()
            .is_some_and(|(segments, verb)| model.verb == Some(verb) && model.matches(segments))
    };
    let by_whole = |model: &Model| {
        let verb_here = |other: &Model| other.parts == model.parts && by_verb(other);
        model.verb.is_none() && model.matches(&whole) && !models.iter().any(verb_here)
    };
    let matching: Vec<usize> = (0..models.len())
        .filter(|index| by_verb(&models[*index]) || by_whole(&models[*index]))
        .collect();
    let best = matching
        .iter()
        .copied()
        .filter(|index| models[*index].allows(method))
        .min_by_key(|index| models[*index].rank(method));
    match best {
        Some(index) => Ok(Some(index)),
        None if matching.is_empty() => Ok(None),
        None => Err(matching.iter().map(|index| models[*index].method).collect()),
    }
}

fn model() -> impl Strategy<Value = Model> {
    let part = prop_oneof![
        Just(Part::Literal("a")),
        Just(Part::Literal("b")),
        Just(Part::Literal("a:v")),
        Just(Part::Single),
        Just(Part::Single),
    ];
    let parts = (prop::collection::vec(part, 0..4), any::<bool>()).prop_map(|(mut parts, open)| {
        if open || parts.is_empty() {
            parts.push(Part::Rest);
        }
        parts
    });
    let verb = prop_oneof![3 => Just(None), 2 => Just(Some("v")), 1 => Just(Some("w"))];
    (prop::sample::select(&METHODS[..]), parts, verb).prop_map(|(method, parts, verb)| Model {
        method,
        parts,
        verb,
    })
}

/// Distinct routes, so that none conflict.
fn models() -> impl Strategy<Value = Vec<Model>> {
    prop::collection::vec(model(), 1..14).prop_map(|mut models: Vec<Model>| {
        models.sort_by_key(|model| (model.method, model.parts.clone(), model.verb));
        models.dedup_by_key(|model| (model.method, model.parts.clone(), model.verb));
        models
    })
}

fn path() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec![
        "a", "b", "c", "%61", "a:v", "b:v", "c:w", ":v", "a%3Av", "a:x", "a:v:v", "a:",
    ]);
    prop::collection::vec(segment, 0..5).prop_map(|segments| format!("/{}", segments.join("/")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn agrees_with_the_naive_matcher_in_any_order(
        (models, order) in models().prop_flat_map(|models| {
            let order: Vec<usize> = (0..models.len()).collect();
            (Just(models), Just(order).prop_shuffle())
        }),
        paths in prop::collection::vec(path(), 1..8),
        method in prop::sample::select(vec!["GET", "POST", "HEAD", "PUT"]),
    ) {
        let routes = order.iter().map(|index| Route { target: *index, ..models[*index].route() });
        let table = RouteTable::new(routes).unwrap();
        for path in paths {
            let found = match table.find(&method.parse::<Method>().unwrap(), &path) {
                Ok(Found::Route(found)) => Ok(Some(found.route.target)),
                Err(Error::NotFound) => Ok(None),
                Err(Error::MethodNotAllowed { allow }) => Err(allow),
                other => panic!("{other:?}"),
            };
            let expected = naive(&models, method, &path).map_err(|methods| {
                let methods: Vec<Method> = methods.iter().map(|method| method.parse().unwrap()).collect();
                Allow::of(&methods)
            });
            prop_assert_eq!(found, expected, "{} {}", method, path);
        }
    }

    #[test]
    fn a_conflict_is_found_exactly_where_two_routes_have_the_same_shape(models in prop::collection::vec(model(), 1..8)) {
        let same = |a: &Model, b: &Model| a.method == b.method && a.parts == b.parts && a.verb == b.verb;
        let expected = (0..models.len()).filter(|&later| models[..later].iter().any(|a| same(a, &models[later]))).count();
        let conflicts = RouteTable::new(models.iter().map(Model::route)).map_or_else(|conflicts| conflicts.len(), |_| 0);
        prop_assert_eq!(conflicts, expected);
    }
}

/// A template with the parts it was made of: literals as text, variables with their segments.
#[derive(Clone, Debug)]
enum Piece {
    Literal(String),
    Single,
    Rest,
    Variable(Vec<Self>),
}

/// Text for a literal, or a value: anything that a path may hold.
fn text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        3 => prop::sample::select(vec!['a', 'b', 'Z', '0', '-', '.', '_', '~']),
        2 => prop::sample::select(vec!['/', ':', '*', '%', '{', '}', '=', '?', '#', '+', ' ', '&', ';']),
        1 => prop::sample::select(vec!['\u{e9}', '\u{6f22}', '\u{1f980}', '\u{ad}']),
    ];
    prop::collection::vec(character, 1..6).prop_map(|text| text.into_iter().collect())
}

fn literal() -> impl Strategy<Value = Piece> {
    text()
        .prop_filter("no dot segment", |text| {
            !text.split('/').any(|part| matches!(part.split([';', ':']).next(), Some("." | "..")))
        })
        .prop_map(Piece::Literal)
}

fn pieces() -> impl Strategy<Value = (Vec<Piece>, Option<String>)> {
    let simple = || prop_oneof![literal(), Just(Piece::Single)];
    let inner = prop::collection::vec(simple(), 1..4);
    let piece = prop_oneof![2 => simple(), 1 => Just(Piece::Variable(vec![Piece::Single])), 1 => inner.prop_map(Piece::Variable)];
    let end = prop_oneof![
        3 => Just(Vec::new()),
        1 => Just(vec![Piece::Rest]),
        1 => prop::collection::vec(simple(), 0..3).prop_map(|mut inner| {
            inner.push(Piece::Rest);
            vec![Piece::Variable(inner)]
        }),
    ];
    (simple(), prop::collection::vec(piece, 0..4), end, prop::option::of(text())).prop_map(
        |(first, middle, end, verb)| {
            (std::iter::once(first).chain(middle).chain(end).collect(), verb)
        },
    )
}

fn write(pieces: &[Piece], verb: Option<&str>) -> String {
    let mut number = 0;
    let mut text = String::new();
    for piece in pieces {
        text += "/";
        if let Piece::Variable(inner) = piece {
            number += 1;
            let inner = write(inner, None);
            text += &["{f", &number.to_string(), ".x=", &inner[1..], "}"].concat();
        } else {
            text += &match piece {
                Piece::Literal(literal) => percent::encode(literal).to_string(),
                Piece::Rest => "**".to_owned(),
                _ => "*".to_owned(),
            };
        }
    }
    verb.map_or(text.clone(), |verb| format!("{text}:{}", percent::encode(verb)))
}

/// Fills wildcards with `values`: the raw segments, and what each variable is to capture.
fn fill(
    pieces: &[Piece],
    values: &mut impl Iterator<Item = String>,
    rest: usize,
) -> (Vec<String>, Vec<String>) {
    let (mut segments, mut captures) = (Vec::new(), Vec::new());
    for piece in pieces {
        match piece {
            Piece::Literal(text) => segments.push(text.clone()),
            Piece::Single => segments.extend(values.next()),
            Piece::Rest => segments.extend(values.take(rest)),
            Piece::Variable(inner) => {
                let (held, _) = fill(inner, values, rest);
                let several = inner.len() > 1 || matches!(inner[..], [Piece::Rest]);
                let kept = |segment: &String| {
                    if several { segment.replace('/', "%2F") } else { segment.clone() }
                };
                captures.push(held.iter().map(kept).collect::<Vec<_>>().join("/"));
                segments.extend(held);
            }
        }
    }
    (segments, captures)
}

proptest! {
    #[test]
    fn a_template_printed_and_read_is_itself((pieces, verb) in pieces()) {
        let template = Template::parse(&write(&pieces, verb.as_deref())).unwrap();
        let printed = template.to_string();
        prop_assert_eq!(Template::parse(&printed).unwrap(), template, "{}", printed);
    }

    #[test]
    fn a_path_made_from_a_template_matches_it_and_gives_back_what_was_put_in(
        (pieces, verb) in pieces(),
        values in prop::collection::vec(text(), 32),
        rest in 0..4_usize,
    ) {
        let template = Template::parse(&write(&pieces, verb.as_deref())).unwrap();
        let (segments, captures) = fill(&pieces, &mut values.into_iter(), rest);
        let encoded: Vec<String> = segments.iter().map(|segment| percent::encode(segment).to_string()).collect();
        let verb = verb.map(|verb| format!(":{}", percent::encode(&verb))).unwrap_or_default();
        let path = format!("/{}{verb}", encoded.join("/"));
        let table = RouteTable::new([Route { method: MethodPattern::Any, template, target: () }]).unwrap();
        let Ok(Found::Route(found)) = table.find(&Method::PUT, &path) else {
            return Err(TestCaseError::fail(format!("{path} does not match")));
        };
        prop_assert_eq!(found.values, captures);
    }

    #[test]
    fn nothing_panics_whatever_is_read(template in "\\PC{0,20}", braces in "[/a*{}=:.%1]{0,24}", path in "[/a:%2F\u{e9}*]{0,24}") {
        for text in [&template, &braces, &format!("/{braces}")] {
            if let Ok(template) = Template::parse(text) {
                prop_assert_eq!(Template::parse(&template.text()), Ok(template.clone()));
                let table = RouteTable::new([Route { method: MethodPattern::Any, template, target: () }]).unwrap();
                for path in [&path, text, &format!("/{path}")] {
                    drop(table.find(&Method::GET, path));
                }
            }
        }
    }
}
